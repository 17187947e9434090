"""Is the probability right at every age? In trials with nine landmarks, and what else was tried.

    python benchmarks/ages.py

Accounts of a trial of 30 days are seen on nine days; the horizon is 30 days. Those who pay do so early, around the end of the
trial, or at any time. Training is the first eight months, the test 20,000 snapshots of later accounts. Log loss times
10,000. `within age` is the ROC-AUC among accounts of the same landmark, averaged by conversions; `off by` the mean over the
landmarks of |predicted - observed rate|, in percentage points.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import lightgbm as lgb
import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.metrics import log_loss, roc_auc_score

from pql_model.features.spec import Feature
from pql_model.model.age_level import AGE, fit_age_level
from pql_model.model.booster import FIXED, fit_ensemble, priors
from pql_model.model.calibrate import fit_calibration
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.model.split import Folds, tuning_folds
from pql_model.time import DAY, Duration, Window

LANDMARKS = (2, 5, 8, 12, 16, 20, 24, 27, 30)
HORIZON, EVENTS, RATE, TEST_ROWS = Duration(30 * DAY), 8, 0.12, 20_000
TRAINED_UNTIL = 250
PERIODS = (0, 3, 7, 14, 21, 30)
"""Days that divide the horizon for the hazard."""
WINDOWS = (Window.parse("ever"), Window.parse("last 7d"), Window.parse("first 7d"))
MANIFEST = Manifest(
    (
        ModelColumn(AGE, "feature"),
        ModelColumn("trait.size", "number"),
        *(ModelColumn(Feature(f"e{k}", "count", w).name, "feature") for w in WINDOWS for k in range(EVENTS)),
    )
)
KINDS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "early": lambda rng, n: np.exp(rng.normal(np.log(9), 0.7, n)),
    "end of the trial": lambda rng, n: np.where(
        rng.random(n) < 0.7, 14 + rng.exponential(1.5, n), rng.uniform(1, 60, n)
    ),
    "any time": lambda rng, n: rng.uniform(0.5, 75, n),
}
"""When those who pay do: days after sign-up."""


@dataclass(frozen=True)
class Rows:
    """Snapshots: entity, signed_up, as_of, age, pays_at (days after sign-up), converted; and their matrix."""

    frame: pd.DataFrame
    X: np.ndarray

    def take(self, rows: np.ndarray) -> Rows:
        """Rows by mask or by position."""
        where = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Rows(self.frame.iloc[where].reset_index(drop=True), self.X[where])

    @property
    def y(self) -> np.ndarray:
        return self.frame["converted"].to_numpy(float)

    @property
    def age(self) -> np.ndarray:
        return self.frame["age"].to_numpy(float)


def world(kind: str, accounts: int, seed: int) -> Rows:
    """Accounts of a year, at every landmark at which they had not paid."""
    rng = np.random.default_rng(seed)
    keen, size = rng.normal(size=accounts), rng.integers(0, 4, accounts)
    rates = 0.3 * np.exp(rng.normal(0, 0.7, (accounts, EVENTS)) + 0.5 * keen[:, None])
    pull = 1.1 * keen + 0.8 * np.log(rates[:, 0] / 0.3) + 0.5 * np.log(rates[:, 1] / 0.3) * (size > 1)
    constant = brentq(lambda c: expit(pull + c).mean() - RATE, -15, 10)
    pays_at = np.where(rng.random(accounts) < expit(pull + constant), KINDS[kind](rng, accounts), np.inf)
    signed_up = rng.uniform(0, 365, accounts)
    fading = np.exp(-rng.uniform(0.02, 0.15, accounts)[:, None, None] * np.arange(max(LANDMARKS)))
    counts = rng.poisson(rates[:, :, None] * fading).cumsum(axis=2)
    frames, matrices = [], []
    for age in LANDMARKS:
        here = pays_at >= age
        ever, n = counts[here, :, age - 1], int(here.sum())
        last = ever - (counts[here, :, age - 8] if age > 7 else 0)
        matrices.append(np.column_stack([np.full(n, age), size[here], ever, last, counts[here, :, min(age, 7) - 1]]))
        frames.append(
            pd.DataFrame(
                {
                    "entity": np.flatnonzero(here),
                    "signed_up": (signed_up[here] * DAY).astype(np.int64),
                    "as_of": ((signed_up[here] + age) * DAY).astype(np.int64),
                    "age": age,
                    "pays_at": pays_at[here],
                    "converted": pays_at[here] < age + HORIZON.days,
                }
            )
        )
    return Rows(pd.concat(frames, ignore_index=True), np.concatenate(matrices).astype(float))


def margins(X: np.ndarray, y: np.ndarray, later: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Margins of later rows by the two priors, as `pql train` averages them; boosting begins at `start`."""
    data = lgb.Dataset(X, label=y, init_score=start, params=FIXED).construct()
    return fit_ensemble(data, priors(len(y)), 7).margin(later)


def _log_odds(y: np.ndarray) -> float:
    return float(logit(y.mean()))


def _out_of_fold(rows: Rows, folds: Folds, fit: Callable[[Rows, Rows], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    parts = [(rows.take(f.fit), rows.take(f.check)) for f in folds.folds]
    level = _log_odds(rows.y)
    moved = [fit(before, after) + level - _log_odds(before.y) for before, after in parts]
    return np.concatenate([f.check for f in folds.folds]), np.concatenate(moved)


def without_level(rows: Rows, folds: Folds, later: Rows, _: Rows) -> np.ndarray:
    """Calibrate the margin only."""
    fit = lambda before, after: margins(before.X, before.y, after.X)  # noqa: E731
    checked, margin = _out_of_fold(rows, folds, fit)
    return fit_calibration(margin, rows.y[checked]).apply(fit(rows, later))


def with_level(rows: Rows, folds: Folds, later: Rows, _: Rows) -> np.ndarray:
    """What `pql train` does: one addition per age, learned on out-of-fold rows."""
    fit = lambda before, after: margins(before.X, before.y, after.X)  # noqa: E731
    return _levelled(rows, folds, later, fit)


def _levelled(rows: Rows, folds: Folds, later: Rows, fit: Callable[[Rows, Rows], np.ndarray]) -> np.ndarray:
    checked, margin = _out_of_fold(rows, folds, fit)
    level = fit_age_level(margin, rows.y[checked], rows.X[checked], MANIFEST)
    add = (lambda X: level.at(X)) if level is not None else (lambda X: np.zeros(len(X)))
    calibration = fit_calibration(margin + add(rows.X[checked]), rows.y[checked])
    return calibration.apply(fit(rows, later) + add(later.X))


def boosted_from_age(rows: Rows, folds: Folds, later: Rows, _: Rows) -> np.ndarray:
    """Boosting begins at the rate of each landmark, and the level is learned as well."""

    def fit(before: Rows, after: Rows) -> np.ndarray:
        start = {}
        for age in LANDMARKS:
            here = before.age == age
            start[age] = float(logit((before.y[here].sum() + 50 * before.y.mean()) / (here.sum() + 50)))
        of = lambda part: np.array([start[age] for age in part.age])  # noqa: E731
        return margins(before.X, before.y, after.X, of(before)) + of(after)

    return _levelled(rows, folds, later, fit)


def hazard(rows: Rows, folds: Folds, later: Rows, everything: Rows) -> np.ndarray:
    """The chance to pay in each of five periods after the snapshot, from immature snapshots too; calibrated."""

    def fit(before: Rows, after: Rows) -> np.ndarray:
        known = int(before.frame["as_of"].max()) + HORIZON.us
        every = everything.take((everything.frame["as_of"] <= known).to_numpy())
        waits = every.frame["pays_at"].to_numpy() - every.age
        matrices, outcomes = [], []
        for number, (start, end) in enumerate(pairwise(PERIODS)):
            here = (every.frame["as_of"].to_numpy() + end * DAY <= known) & (waits >= start)
            matrices.append(np.column_stack([every.X[here], np.full(here.sum(), number), every.age[here] + start]))
            outcomes.append(waits[here] < end)
        X, y = np.concatenate(matrices), np.concatenate(outcomes).astype(float)
        data = lgb.Dataset(X, label=y, params=FIXED).construct()
        ensemble = fit_ensemble(data, priors(len(y)), 7)
        stays = np.ones(len(after.y))
        for number, start in enumerate(PERIODS[:-1]):
            now = np.column_stack([after.X, np.full(len(after.y), number), after.age + start])
            stays *= 1 - expit(ensemble.margin(now))
        return logit(np.clip(1 - stays, 1e-9, 1 - 1e-9))

    checked = np.concatenate([f.check for f in folds.folds])
    margin = np.concatenate([fit(rows.take(f.fit), rows.take(f.check)) for f in folds.folds])
    return fit_calibration(margin, rows.y[checked]).apply(fit(rows, later))


CONTENDERS = {
    "margin calibrated only": without_level,
    "a level per age (`pql train`)": with_level,
    "boosted from the rate of the age, and a level": boosted_from_age,
    "discrete-time hazard, calibrated": hazard,
}


def by_age(p: np.ndarray, later: Rows) -> pd.DataFrame:
    """Predicted and observed rate of each landmark."""
    table = pd.DataFrame({"age": later.age.astype(int), "predicted": p, "observed": later.y})
    return table.groupby("age", as_index=False).mean()


def measure(p: np.ndarray, later: Rows) -> dict[str, float]:
    rates = by_age(p, later)
    ranks, weights = [], []
    for age in LANDMARKS:
        y = later.y[later.age == age]
        if 0 < y.sum() < len(y):
            ranks.append(roc_auc_score(y, p[later.age == age]))
            weights.append(y.sum())
    return {
        "roc_auc": float(roc_auc_score(later.y, p)),
        "within_age": float(np.average(ranks, weights=weights)),
        "log_loss": 1e4 * float(log_loss(later.y, p)),
        "off_by": 100 * float((rates["predicted"] - rates["observed"]).abs().mean()),
    }


def run(kind: str, accounts: int, seed: int) -> dict[str, np.ndarray]:
    """The test rows under `later`, and the probabilities of every contender for them."""
    whole_year, later = world(kind, accounts, seed), world(kind, TEST_ROWS // 7, seed + 5_000)
    day = whole_year.frame["as_of"].to_numpy() / DAY
    everything = whole_year.take(day <= TRAINED_UNTIL)
    rows = whole_year.take(day + HORIZON.days <= TRAINED_UNTIL)
    folds = tuning_folds(rows.frame, HORIZON, "trial", 7)
    return {"later": later, **{name: fit(rows, folds, later, everything) for name, fit in CONTENDERS.items()}}


def on_worlds(accounts: list[int], worlds: int) -> None:
    print("| who pays | accounts | | ROC-AUC | within age | log loss | off by |")
    print("|---|---|---|---|---|---|---|")
    for kind in KINDS:
        for number in accounts:
            results = [run(kind, number, seed) for seed in range(worlds)]
            for name in CONTENDERS:
                mean = pd.DataFrame([measure(r[name], r["later"]) for r in results]).mean()
                print(
                    f"| {kind} | {number:,} | {name} | {mean['roc_auc']:.4f} | {mean['within_age']:.4f} | "
                    f"{mean['log_loss']:.1f} | {mean['off_by']:.2f} |",
                    flush=True,
                )


def one_world(kind: str, accounts: int) -> None:
    result = run(kind, accounts, 0)
    names = list(CONTENDERS)[:2]
    tables = [by_age(result[name], result["later"]) for name in names]
    print(f"\n| age | observed | {' | '.join(names)} |")
    print("|---|---|---|---|")
    for first, second in zip(tables[0].itertuples(), tables[1].itertuples(), strict=True):
        print(f"| {first.age} | {first.observed:.1%} | {first.predicted:.1%} | {second.predicted:.1%} |")


def main() -> None:
    arguments = argparse.ArgumentParser(description="Is the probability right at every age?")
    arguments.add_argument("--worlds", type=int, default=4, help="Of each kind and size.")
    arguments.add_argument("--accounts", type=int, nargs="*", default=[1_500, 6_000])
    chosen = arguments.parse_args()
    on_worlds(chosen.accounts, chosen.worlds)
    one_world("early", chosen.accounts[-1])


if __name__ == "__main__":
    main()
