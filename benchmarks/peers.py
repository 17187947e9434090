"""Is another learner better on the same rows and features? Boosting, forests, splines, and AutoML beside `pql train`.

    pip install catboost xgboost 'flaml[automl]'
    python benchmarks/peers.py                      # everything, about two hours on two cores
    python benchmarks/peers.py --on relax worlds-100

Out of time on ds365, relax and the demo; five folds on highnote; generated worlds of `small_worlds.py` at four sizes. FLAML
tunes LightGBM for as many seconds as our fit took. Ours is what `pql train` fits: tuned, averaged, calibrated out of fold.
A difference is ours minus the peer's, with the paired bootstrap over entities (over worlds: the mean with its 95 % interval).
Foundation models are left out: the packages `tabpfn` and `tabicl` come without weights, and nothing is fetched here.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from real_data import HERE, lay_out
from scipy.stats import t as student
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler
from small_data import later_rows, music_service
from small_worlds import MECHANISMS, small_world

from pql_model.demo.world import make_world, write_world
from pql_model.model.columns import Manifest
from pql_model.model.train import Budget, fit_model
from pql_model.statistics.metrics import paired_difference
from pql_model.time import Duration

RESULTS = HERE / "results" / "peers.json"
TRIALS, SEED, FOLDS = 30, 7, 5
HORIZON = Duration.parse("30d")
SIZES = {100: 2, 200: 2, 500: 1, 2_000: 1}
"""Conversions in training -> worlds of each of the four mechanisms."""
WORLDS = {f"worlds-{conversions}": conversions for conversions in SIZES}
OURS = "pql train"
METRICS: dict[str, Callable[..., float]] = {
    "roc_auc": roc_auc_score,
    "average_precision": average_precision_score,
    "log_loss": log_loss,
}


@dataclass(frozen=True)
class Task:
    """Training rows and the rows to predict."""

    frame: pd.DataFrame
    X: np.ndarray
    manifest: Manifest
    X_later: np.ndarray
    horizon: Duration = HORIZON
    motion: str = "trial"

    @property
    def y(self) -> np.ndarray:
        return self.frame["converted"].to_numpy(int)

    @property
    def categorical(self) -> list[int]:
        return [i for i, column in enumerate(self.manifest.columns) if column.kind == "category"]


Fitted = Callable[[Task], np.ndarray]
"""Fits on the rows of a task and returns the probabilities of its later rows."""


def ours(task: Task) -> np.ndarray:
    fit = fit_model(task.frame, task.X, task.manifest, task.horizon, task.motion, SEED, Budget(TRIALS))
    return fit.calibration.apply(fit.predictor.margin(task.X_later))


def lightgbm_defaults(task: Task) -> np.ndarray:
    from lightgbm import LGBMClassifier

    model = LGBMClassifier(random_state=SEED, verbose=-1)
    return model.fit(task.X, task.y, categorical_feature=task.categorical).predict_proba(task.X_later)[:, 1]


def flaml(seconds: float) -> Fitted:
    def fitted(task: Task) -> np.ndarray:
        from flaml import AutoML

        model = AutoML()
        later = _named(task, task.X_later)
        model.fit(
            _named(task, task.X),
            task.y,
            task="classification",
            metric="log_loss",
            estimator_list=["lgbm"],
            time_budget=max(10, round(seconds)),
            eval_method="cv",
            n_splits=FOLDS,
            seed=SEED,
            verbose=0,
        )
        return model.predict_proba(later)[:, 1]

    return fitted


def catboost(task: Task) -> np.ndarray:
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(
        random_seed=SEED, verbose=False, allow_writing_files=False, cat_features=task.categorical
    )
    return model.fit(_as_text(task, task.X), task.y).predict_proba(_as_text(task, task.X_later))[:, 1]


def xgboost(task: Task) -> np.ndarray:
    from xgboost import XGBClassifier

    model = XGBClassifier(random_state=SEED, enable_categorical=True)
    return model.fit(_named(task, task.X), task.y).predict_proba(_named(task, task.X_later))[:, 1]


def histogram_boosting(task: Task) -> np.ndarray:
    model = HistGradientBoostingClassifier(random_state=SEED, categorical_features=task.categorical or None)
    return model.fit(task.X, task.y).predict_proba(task.X_later)[:, 1]


def splines(task: Task) -> np.ndarray:
    numeric = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        FunctionTransformer(lambda X: np.sign(X) * np.log1p(np.abs(X))),
        SplineTransformer(n_knots=5, degree=2, knots="uniform", extrapolation="linear"),
        StandardScaler(),
    )
    model = make_pipeline(
        _columns(task, numeric),
        LogisticRegressionCV(Cs=np.logspace(-5, 0, 6), cv=FOLDS, scoring="neg_log_loss", max_iter=500, l1_ratios=(0,)),
    )
    return model.fit(task.X, task.y).predict_proba(task.X_later)[:, 1]


def random_forest(task: Task) -> np.ndarray:
    columns = _columns(task, SimpleImputer(strategy="median", keep_empty_features=True))
    forest = RandomForestClassifier(500, min_samples_leaf=5, random_state=SEED, n_jobs=-1)
    return make_pipeline(columns, forest).fit(task.X, task.y).predict_proba(task.X_later)[:, 1]


def _columns(task: Task, numeric: object) -> ColumnTransformer:
    rest = [i for i in range(task.X.shape[1]) if i not in task.categorical]
    dummies = OneHotEncoder(handle_unknown="ignore", min_frequency=5)
    return ColumnTransformer([("numbers", numeric, rest), ("categories", dummies, task.categorical)])


def _named(task: Task, X: np.ndarray) -> pd.DataFrame:
    """A frame whose categories have a type of their own, the same for both sets of rows."""
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    for i in task.categorical:
        known = [f"{code:g}" for code in np.unique(task.X[~np.isnan(task.X[:, i]), i])]
        frame[f"c{i}"] = pd.Categorical(frame[f"c{i}"].map("{:g}".format, na_action="ignore"), categories=known)
    return frame


def _as_text(task: Task, X: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(X)
    for i in task.categorical:
        frame[i] = frame[i].map("{:g}".format).astype(object)
    return frame


PEERS: dict[str, Fitted] = {
    "LightGBM, defaults": lightgbm_defaults,
    "CatBoost, defaults": catboost,
    "XGBoost, defaults": xgboost,
    "scikit-learn histogram boosting": histogram_boosting,
    "logistic regression with splines": splines,
    "random forest": random_forest,
}
FLAML = "LightGBM, tuned by FLAML"


def run(task: Task) -> dict[str, tuple[np.ndarray, float]]:
    """Probabilities and seconds of everybody."""
    found = {OURS: _timed(ours, task)}
    found[FLAML] = _timed(flaml(found[OURS][1]), task)
    for name, fitted in PEERS.items():
        found[name] = _timed(fitted, task)
    return found


def _timed(fitted: Fitted, task: Task) -> tuple[np.ndarray, float]:
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probability = np.clip(np.asarray(fitted(task), float), 1e-6, 1 - 1e-6)
    return probability, time.perf_counter() - began


@contextmanager
def product(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        if name == "demo":
            write_world(make_world(), Path(folder))
            yield Path(folder) / "pql.yaml"
        else:
            yield lay_out(name, Path(folder))


def out_of_time(name: str) -> list[dict[str, object]]:
    with product(name) as path:
        data, frame, X, config = later_rows(path)
    train, test = data.split.train, data.split.test
    task = Task(frame[train], X[train], data.manifest, X[test], config.horizon, config.motion)
    return beside(name, run(task), data.converted[test], frame["entity"][test])


def highnote(rows: int) -> list[dict[str, object]]:
    """Out-of-fold predictions on a static table of a music service, of which a random part is used."""
    frame, X, manifest = music_service(rows)
    y = frame["converted"].to_numpy(int)
    found: dict[str, tuple[np.ndarray, float]] = {}
    for fit, check in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(X, y):
        for name, (probability, seconds) in run(Task(frame.iloc[fit], X[fit], manifest, X[check])).items():
            everyone, before = found.get(name, (np.zeros(len(y)), 0.0))
            everyone[check] = probability
            found[name] = everyone, before + seconds / FOLDS
    return beside("highnote", found, y, frame["entity"])


def beside(
    name: str, found: dict[str, tuple[np.ndarray, float]], y: np.ndarray, entities: pd.Series
) -> list[dict[str, object]]:
    """One row a contender."""
    rows = []
    for who, (probability, seconds) in found.items():
        row: dict[str, object] = {"on": name, "who": who, "seconds": round(seconds, 1)}
        for metric, measure in METRICS.items():
            row[metric] = round(float(measure(y, probability)), 6)
            if who != OURS:
                difference = paired_difference(y, found[OURS][0], probability, entities, metric, resamples=500)
                row[f"{metric}_difference"] = difference.to_dict(6)
        rows.append(row)
    return rows


def worlds(name: str, conversions: int) -> list[dict[str, object]]:
    """Means over the worlds of a size, and of the differences their 95 % intervals."""
    measured: dict[str, list[dict[str, float]]] = {}
    for mechanism in MECHANISMS:
        for seed in range(SIZES[conversions]):
            world = small_world(mechanism, conversions, 100 + seed)
            found = run(Task(world.frame, world.X, world.manifest, world.later))
            for who, (probability, seconds) in found.items():
                values = {m: float(measure(world.outcome, probability)) for m, measure in METRICS.items()}
                measured.setdefault(who, []).append({"seconds": seconds, **values})
    rows: list[dict[str, object]] = []
    ours_table = pd.DataFrame(measured[OURS])
    for who, values in measured.items():
        table = pd.DataFrame(values)
        row: dict[str, object] = {"on": name, "who": who, **table.mean().round(6).to_dict()}
        if who != OURS:
            row |= {f"{m}_difference": _mean_interval(ours_table[m] - table[m]) for m in METRICS}
        rows.append(row)
    return rows


def _mean_interval(differences: pd.Series) -> dict[str, float]:
    half = float(student.ppf(0.975, len(differences) - 1) * differences.std(ddof=1) / np.sqrt(len(differences)))
    mean = float(differences.mean())
    return {"value": round(mean, 6), "low": round(mean - half, 6), "high": round(mean + half, 6)}


def print_table(rows: list[dict[str, object]]) -> None:
    print(
        "| on | | ROC-AUC | ours minus it | average precision | ours minus it | log loss x 10,000 | ours minus it | s |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        cells = [str(row["on"]), str(row["who"])]
        for metric in METRICS:
            scale = 1e4 if metric == "log_loss" else 1.0
            digits = 1 if metric == "log_loss" else 4
            cells.append(f"{float(row[metric]) * scale:.{digits}f}")  # type: ignore[arg-type]
            difference = row.get(f"{metric}_difference")
            cells.append("" if difference is None else _cell(difference, scale, digits, metric == "log_loss"))  # type: ignore[arg-type]
        print(f"| {' | '.join(cells)} | {float(row['seconds']):.1f} |")  # type: ignore[arg-type]


def _cell(difference: dict[str, float], scale: float, digits: int, lower_is_better: bool) -> str:
    value, low, high = (difference[k] * scale for k in ("value", "low", "high"))
    worse = low > 0 if lower_is_better else high < 0
    better = high < 0 if lower_is_better else low > 0
    mark = " (worse)" if worse else " (better)" if better else ""
    return f"{value:+.{digits}f}, {low:+.{digits}f} to {high:+.{digits}f}{mark}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sets = ("demo", "relax", "ds365", *WORLDS, "highnote")
    parser.add_argument("--on", nargs="*", choices=sets, default=sets)
    parser.add_argument("--highnote-rows", type=int, default=30_000, help="Of 107,213.")
    chosen = parser.parse_args()
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    for name in chosen.on:
        if name in WORLDS:
            rows = worlds(name, WORLDS[name])
        else:
            rows = highnote(chosen.highnote_rows) if name == "highnote" else out_of_time(name)
        before = [row for row in before if row["on"] != name] + rows
        RESULTS.write_text("[\n" + ",\n".join(json.dumps(row) for row in before) + "\n]\n", encoding="utf-8")
        print_table(rows)
        print(flush=True)


if __name__ == "__main__":
    main()
