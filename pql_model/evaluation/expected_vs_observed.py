"""Calibration by month: expected and observed conversions, by month and in total.

With probabilities p, the expected number of conversions is the sum of p. Even if every p is right, chance moves the observed
number; the range shown is the central 95 % of simulated outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.evaluation.drift import corrected_probability, has_moved, rate_change
from pql_model.payload import select_attributes, to_payload
from pql_model.snapshots.periods import month_of
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.metrics import evaluate, paired_difference
from pql_model.time import Duration

DRAWS = 2000
_CELLS = 2_000_000
FLAGS = {0: "as expected", -1: "fewer than expected", 1: "more than expected"}


@dataclass(frozen=True)
class OutcomeHistory:
    """All snapshots with a final outcome.

    Attributes
    ----------
    frame
        entity, as_of, converted and the model's probability.
    train, test
        Boolean masks; rows in neither fall in the gap between the two.
    method
        How the probability was calibrated.
    """

    frame: pd.DataFrame
    train: np.ndarray
    test: np.ndarray
    horizon: Duration
    method: str


@dataclass(frozen=True)
class ExpectedVsObserved:
    """Expected conversions in the test period with their 95 % range, observed conversions, and metrics of the probability."""

    expected: float
    low: int
    high: int
    observed: int
    metrics: dict[str, Estimate]

    @property
    def flag(self) -> str:
        return FLAGS[(self.observed > self.high) - (self.observed < self.low)]

    def to_dict(self) -> dict[str, Any]:
        counts = select_attributes(self, "expected", "low", "high", "observed", "flag", digits=2)
        return {**counts, **to_payload(self.metrics, 6)}


@dataclass(frozen=True)
class CalibrationOverTime:
    """Expected and observed conversions over time.

    Attributes
    ----------
    months
        By month of as_of: month, rows, expected, low, high, observed, flag, corrected_expected, corrected_low,
        corrected_high, corrected_flag.
    train_rate, test_rate, change
        Base rates in training and test, and their difference with its interval.
    rates
        Base rate by month over all snapshots with a final outcome: month, rows, conversions, rate.
    raw, corrected
        The probability of the tested model, and corrected to the newest outcomes known at scoring time.
    gain
        Log loss of the corrected minus the raw probability on the same rows; negative is better.
    """

    method: str
    months: pd.DataFrame
    train_rate: float
    test_rate: float
    change: Estimate
    rates: pd.DataFrame
    raw: ExpectedVsObserved
    corrected: ExpectedVsObserved
    gain: Estimate

    @property
    def moved(self) -> bool:
        return has_moved(self.train_rate, self.change)

    @property
    def better(self) -> str:
        """`raw`, `corrected`, or `equal` if the two cannot be distinguished."""
        return "corrected" if self.gain.high < 0 else "raw" if self.gain.low > 0 else "equal"

    @property
    def sentence(self) -> str:
        """Summary for readers."""
        raw, corrected = self.raw, self.corrected
        counts = (
            f"In the test period {raw.expected:.0f} conversions were expected (95 % range {raw.low} to {raw.high}) and "
            f"{raw.observed} observed: {raw.flag}."
        )
        rates = f"from {self.train_rate:.2%} in training to {self.test_rate:.2%} in the test period"
        moved = f"The base rate moved {rates}." if self.moved else f"The base rate did not clearly move ({rates})."
        size = f"log loss {self.gain.value:+.5f}, 95 % interval {self.gain.low:+.5f} to {self.gain.high:+.5f}"
        quality = {
            "corrected": "which is better",
            "raw": "which is worse",
            "equal": "which is neither better nor worse",
        }[self.better]
        correction = (
            f"Corrected to the newest outcomes known at scoring time, {corrected.expected:.0f} would have been expected, "
            f"{quality} ({size})."
        )
        return f"{counts} {moved} {correction}"

    def to_dict(self) -> dict[str, Any]:
        """`calibration` of `pql train --json`."""
        numbers = self.months.select_dtypes("float").columns
        return {
            **select_attributes(self, "method", "sentence", "better", "raw", "corrected"),
            "months": self.months.round(dict.fromkeys(numbers, 2)).to_dict("records"),
            "base_rate": {
                "train": round(self.train_rate, 6),
                "test": round(self.test_rate, 6),
                "change": self.change.to_dict(6),
                "moved": self.moved,
                "by_month": self.rates.round({"rate": 6}).to_dict("records"),
            },
            "log_loss_difference": self.gain.to_dict(6),
        }


def calibration_over_time(history: OutcomeHistory, seed: int) -> CalibrationOverTime:
    """Compare expected with observed conversions in the test period, for the raw and the corrected probability.

    Parameters
    ----------
    seed
        Seed of the simulated outcomes and of the bootstrap.
    """
    frame, test = history.frame, history.test
    test_frame = frame[test]
    raw = test_frame["probability"].to_numpy(float)
    corrected = corrected_probability(frame, history.horizon, test_frame["as_of"].to_numpy(np.int64), raw)
    months, sums = _by_month(test_frame, {"": raw, "corrected_": corrected}, seed)
    y, entities = test_frame["converted"].to_numpy(float), test_frame["entity"].to_numpy()
    everyone, converted = frame["entity"].to_numpy(), frame["converted"].to_numpy(bool)
    return CalibrationOverTime(
        method=history.method,
        months=months,
        train_rate=float(converted[history.train].mean()),
        test_rate=float(y.mean()),
        change=rate_change(everyone, converted, history.train, test),
        rates=_rates_by_month(frame),
        raw=_with_metrics(sums[""], y, raw, entities, seed),
        corrected=_with_metrics(sums["corrected_"], y, corrected, entities, seed),
        gain=paired_difference(y, corrected, raw, entities, "log_loss", seed=seed),
    )


def _with_metrics(
    sums: ExpectedVsObserved, y: np.ndarray, probability: np.ndarray, entities: np.ndarray, seed: int
) -> ExpectedVsObserved:
    metrics = evaluate(
        y, probability, entities, seed=seed, names=["log_loss", "brier", "calibration_error", "base_rate"]
    )
    rate, level = metrics.pop("base_rate"), float(probability.mean())
    ratio = Estimate(rate.value / level, rate.low / level, rate.high / level)
    return ExpectedVsObserved(
        sums.expected, sums.low, sums.high, sums.observed, {"observed_to_expected": ratio, **metrics}
    )


def _by_month(
    test_frame: pd.DataFrame, probabilities: dict[str, np.ndarray], seed: int
) -> tuple[pd.DataFrame, dict[str, ExpectedVsObserved]]:
    """Table by month, and totals for each probability."""
    month = month_of(test_frame["as_of"].to_numpy(np.int64))
    names, place = np.unique(month, return_inverse=True)
    observed = np.bincount(place, weights=test_frame["converted"].to_numpy(float)).astype(int)
    table, sums = pd.DataFrame({"month": names, "rows": np.bincount(place)}), {}
    for prefix, p in probabilities.items():
        simulated = simulated_counts(test_frame["entity"].to_numpy(), p, place, seed)
        low, high = _central_range(simulated)
        table[f"{prefix}expected"] = np.bincount(place, weights=p)
        table[f"{prefix}low"], table[f"{prefix}high"] = low, high
        if not prefix:
            table["observed"] = observed
        outside = (observed > high).astype(int) - (observed < low)
        table[f"{prefix}flag"] = [FLAGS[int(side)] for side in outside]
        bottom, top = _central_range(simulated.sum(axis=0, keepdims=True))
        sums[prefix] = ExpectedVsObserved(float(p.sum()), int(bottom[0]), int(top[0]), int(observed.sum()), {})
    return table, sums


def simulated_counts(
    entities: np.ndarray, probability: np.ndarray, group: np.ndarray, seed: int, draws: int = DRAWS
) -> np.ndarray:
    """Simulate conversions by group under the assumption that every probability is right, (groups, draws).

    One draw per entity decides all its snapshots: they overlap, so they mostly describe one conversion. This gives the
    widest range; for entities with a single snapshot it is exact (a Poisson-binomial count).
    """
    rng = np.random.default_rng(seed)
    codes, names = pd.factorize(entities)
    order = np.argsort(group, kind="stable")
    codes, p = codes[order], probability[order]
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    counts, step = [], max(1, _CELLS // max(len(p), 1))
    for first in range(0, draws, step):
        uniform = rng.random((len(names), min(step, draws - first)))
        counts.append(np.add.reduceat((uniform[codes] < p[:, None]).astype(np.int32), starts, axis=0))
    return np.concatenate(counts, axis=1)


def _central_range(simulated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central 95 % of each row, as whole numbers that cover at least that share."""
    low, high = np.quantile(simulated, [0.025, 0.975], axis=1, method="inverted_cdf")
    return low.astype(int), high.astype(int)


def _rates_by_month(frame: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "month": month_of(frame["as_of"].to_numpy(np.int64)),
            "rows": 1,
            "conversions": frame["converted"].astype(int).to_numpy(),
        }
    )
    table = table.groupby("month", as_index=False).sum()
    return table.assign(rate=table["conversions"] / table["rows"])
