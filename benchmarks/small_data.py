"""How close to the truth a model comes with 100 to 2,000 conversions, beside what people use instead.

    python benchmarks/small_data.py          # the made-up worlds, about half an hour on two cores
    python benchmarks/small_data.py --real   # third-party data, see real_data.py: out of time, highnote cross-validated
    python benchmarks/small_data.py --refit  # the tested model, and the same settings fitted on everything that is final
    python benchmarks/small_data.py --refit --sizes 500    # only these numbers of conversions; the others stay as they are

Contenders, on the same rows: LightGBM with its defaults; the single best of a search on the folds ("tuned"); what
`pql train` fits ("ours"); logistic regression. Written to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from real_data import DATA, HERE, lay_out
from scipy.special import logit
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from small_worlds import MECHANISMS, SmallWorld, small_world

from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.features.trait_columns import trait_name
from pql_model.model.baselines import logistic_regression
from pql_model.model.booster import Params, fit_ensemble, training_data
from pql_model.model.columns import Manifest, type_traits
from pql_model.model.split import out_of_time as split_out_of_time
from pql_model.model.train import Budget, fit_model, refit_model
from pql_model.progress import Stages
from pql_model.sources.duckdb_session import open_session
from pql_model.statistics.metrics import paired_difference
from pql_model.time import Duration
from pql_model.workflows.prepare import TrainingData, prepare

HORIZON = Duration.parse("30d")
SIZES = {100: 4, 200: 4, 500: 2, 2000: 1}
"""Conversions in training -> worlds of each mechanism."""
TRIALS = 30
DEFAULTS = Params(
    num_leaves=31,
    min_data_in_leaf=20,
    learning_rate=0.1,
    rounds=100,
    feature_fraction=1.0,
    bagging_fraction=1.0,
    lambda_l2=0.0,
    path_smooth=0.0,
    extra_trees=False,
    averaged=1,
)
CONTENDERS = ("defaults", "tuned", "ours", "logistic regression")


def margins(
    frame: pd.DataFrame, X: np.ndarray, manifest: Manifest, X_later: np.ndarray, horizon: Duration = HORIZON
) -> dict[str, np.ndarray]:
    """Each contender's log-odds of the later rows."""
    y = frame["converted"].to_numpy(float)
    data = training_data(X, y, manifest.names, manifest.categorical)
    fit = fit_model(frame, X, manifest, horizon, "trial", 7, Budget(TRIALS))
    straight = logistic_regression(X, y, X_later, manifest)
    return {
        "defaults": fit_ensemble(data, [DEFAULTS], 7).margin(X_later),
        "tuned": fit_ensemble(data, [Params(**fit.tuned.params)], 7).margin(X_later),
        "ours": fit.predictor.margin(X_later),
        "logistic regression": logit(np.clip(straight, 1e-12, 1 - 1e-12)),
    }


def worlds(sizes: dict[int, int], tell: Callable[[str], None] = print) -> pd.DataFrame:
    """One row a world: the truth's ROC-AUC, and by how much each contender falls short of it."""
    rows = []
    for conversions, repeats in sizes.items():
        for mechanism in MECHANISMS:
            for seed in range(repeats):
                world = small_world(mechanism, conversions, seed)
                truth = float(roc_auc_score(world.outcome, world.truth))
                scores = margins(world.frame, world.X, world.manifest, world.later)
                short = {name: truth - float(roc_auc_score(world.outcome, m)) for name, m in scores.items()}
                rows.append({"conversions": conversions, "mechanism": mechanism, "seed": seed, "truth": truth, **short})
                tell(f"{conversions} {mechanism} {seed}: " + ", ".join(f"{n} {s:.4f}" for n, s in short.items()))
    return pd.DataFrame(rows)


def refits(sizes: dict[int, int], tell: Callable[[str], None] = print) -> pd.DataFrame:
    """One row a world: the tested model and the refitted one, as shortfalls from the truth on the same later rows."""
    rows = []
    for conversions, repeats in sizes.items():
        for mechanism in MECHANISMS:
            for seed in range(repeats):
                world = small_world(mechanism, conversions, seed)
                train = split_out_of_time(world.frame, HORIZON, "trial").train
                held = (world.manifest, HORIZON, "trial", 7)
                tested = fit_model(world.frame[train], world.X[train], *held, Budget(TRIALS))
                refitted = refit_model(world.frame, world.X, *held, tested.tuned.learner)
                row: dict[str, object] = {"conversions": conversions, "mechanism": mechanism, "seed": seed}
                row["learnt by tested"] = int(world.frame["converted"][train].sum())
                for who, fit in (("tested", tested), ("refitted", refitted)):
                    probability = fit.calibration.apply(fit.predictor.margin(world.later))
                    row |= {f"{who} {name}": short for name, short in shortfall(world, probability).items()}
                rows.append(row)
                tell(f"{row}")
    return pd.DataFrame(rows)


def shortfall(world: SmallWorld, probability: np.ndarray) -> dict[str, float]:
    """By how much probabilities of the later rows are worse than the true ones."""
    y, truth = world.outcome, world.truth
    return {
        "ROC-AUC": float(roc_auc_score(y, truth) - roc_auc_score(y, probability)),
        "log loss": float(log_loss(y, probability) - log_loss(y, truth)),
    }


def later_rows(path: Path) -> tuple[TrainingData, pd.DataFrame, np.ndarray, Config]:
    """Read a product: its data, the frame of all snapshots and their matrix, and its config."""
    with open_session() as con:
        config = load_config(path)
        data = prepare(con, config, Stages(None))
        return data, data.snapshots.frame, data.manifest.matrix(data.table), config


def out_of_time(name: str) -> dict[str, object]:
    """The contenders on the later rows of a product's data."""
    with tempfile.TemporaryDirectory() as folder:
        data, frame, X, config = later_rows(lay_out(name, Path(folder)))
    train, test = data.split.train, data.split.test
    scores = margins(frame[train], X[train], data.manifest, X[test], config.horizon)
    return beside(scores, data.converted[test], frame["entity"][test])


def music_service(rows: int | None = None) -> tuple[pd.DataFrame, np.ndarray, Manifest]:
    """Frame, matrix and manifest of a static table of a music service, or of a random part of it."""
    table = pd.read_csv(DATA / "highnote" / "HighNote_Data.csv.gz")
    table = table if rows is None else table.sample(rows, random_state=7)
    y = table["adopter"].to_numpy(int)
    traits = [c for c in table.columns if c not in ("ID", "adopter")]
    table = table.rename(columns={t: trait_name(t) for t in traits})
    manifest = Manifest(type_traits(table, traits).columns)
    frame = pd.DataFrame({"entity": table["ID"].astype(str), "as_of": 0, "signed_up": 0, "converted": y == 1})
    return frame, manifest.matrix(table), manifest


def highnote(folds: int = 5) -> dict[str, object]:
    """Out-of-fold predictions of the contenders."""
    frame, X, manifest = music_service()
    y = frame["converted"].to_numpy(int)
    scores = {name: np.zeros(len(y)) for name in CONTENDERS}
    for fit, check in StratifiedKFold(folds, shuffle=True, random_state=7).split(X, y):
        for name, margin in margins(frame.iloc[fit], X[fit], manifest, X[check]).items():
            scores[name][check] = margin
    return beside(scores, y, frame["entity"])


def beside(scores: dict[str, np.ndarray], y: np.ndarray, entities: pd.Series) -> dict[str, object]:
    """ROC-AUC of each, and the paired difference of ours to logistic regression."""
    difference = paired_difference(y, scores["ours"], scores["logistic regression"], entities)
    aucs = {name: float(roc_auc_score(y, score)) for name, score in scores.items()}
    return {**aucs, "ours minus logistic regression": difference.to_dict()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--refit", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", choices=SIZES, default=list(SIZES), help="Of --refit.")
    chosen = parser.parse_args()
    out = HERE / "results"
    out.mkdir(exist_ok=True)
    if chosen.refit:
        path = out / "small_data_refit.csv"
        table = refits({size: SIZES[size] for size in chosen.sizes})
        if path.exists():
            before = pd.read_csv(path)
            table = pd.concat([before[~before["conversions"].isin(chosen.sizes)], table]).sort_values(
                "conversions", kind="stable"
            )
        table.round(5).to_csv(path, index=False)
        print(table.drop(columns=["mechanism", "seed"]).groupby("conversions").mean().round(4).to_string())
        return
    if chosen.real:
        results = {"ds365": out_of_time("ds365"), "relax": out_of_time("relax"), "highnote": highnote()}
        text = json.dumps(results, indent=1)
        (out / "small_data_real.json").write_text(text + "\n", encoding="utf-8")
        print(text)
        return
    table = worlds(SIZES)
    table.round(5).to_csv(out / "small_data.csv", index=False)
    print(table.groupby("conversions")[["truth", *CONTENDERS]].mean().round(3).to_string())
    print(table.groupby(["conversions", "mechanism"])[["truth", *CONTENDERS]].mean().round(3).to_string())


if __name__ == "__main__":
    main()
