"""Definitions of the metrics, as functions of counts per prediction level, for many resamples at once.

Rows with equal predictions are summed into one *level* first. Every metric then reads two tables, level x resample, of
conversions and of rows, so ties need no special rule and the order of the rows cannot matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CLIP = 1e-15  # log loss clips probabilities to this distance from 0 and 1


@dataclass(frozen=True)
class LevelCounts:
    """Counts per prediction level, best first, in a batch of resamples.

    Attributes
    ----------
    score, bins
        Distinct predictions in descending order, and the equal-mass bin of each on the full sample, (levels,).
    positives, rows
        Weight of the conversions and of all rows at each level, (levels, resamples).
    """

    score: Floats
    bins: NDArray[np.intp]
    positives: Floats
    rows: Floats

    @cached_property
    def negatives(self) -> Floats:
        return self.rows - self.positives

    @cached_property
    def cumulative_positives(self) -> Floats:
        return np.cumsum(self.positives, axis=0)

    @cached_property
    def cumulative_rows(self) -> Floats:
        return np.cumsum(self.rows, axis=0)

    @property
    def total_positives(self) -> Floats:
        return np.asarray(self.cumulative_positives[-1])

    @property
    def total_rows(self) -> Floats:
        return np.asarray(self.cumulative_rows[-1])

    def nan_unless_both_classes(self, values: Floats) -> Floats:
        """Return `values` with NaN for resamples that hold one class only, where ranking is undefined."""
        has_both = (self.total_positives > 0) & (self.total_positives < self.total_rows)
        return np.where(has_both, values, np.nan)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """`top / bottom`, 0 where both are 0."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _sum_over_levels(first: Floats, second: Floats) -> Floats:
    """Sum over levels, per resample. Avoids BLAS, whose last bits depend on the number of threads."""
    return np.asarray(np.einsum("gr,gr->r", first, second))


def _roc_auc(tally: LevelCounts) -> Floats:
    """P(a conversion is ranked above a non-conversion), ties half: the Mann-Whitney statistic."""
    all_negatives = tally.total_rows - tally.total_positives
    below = all_negatives - (tally.cumulative_rows - tally.cumulative_positives)
    wins = _sum_over_levels(tally.positives, below) + _sum_over_levels(tally.positives, tally.negatives) / 2
    return tally.nan_unless_both_classes(_ratio(wins, tally.total_positives * all_negatives))


def _average_precision(tally: LevelCounts) -> Floats:
    """Sum over distinct scores of (rise of recall) x (precision there), not interpolated."""
    precision = _ratio(tally.cumulative_positives, tally.cumulative_rows)
    return tally.nan_unless_both_classes(_ratio(_sum_over_levels(tally.positives, precision), tally.total_positives))


def _brier(tally: LevelCounts) -> Floats:
    p = tally.score[:, None]
    return (
        _sum_over_levels((1 - p) ** 2, tally.positives) + _sum_over_levels(p**2, tally.negatives)
    ) / tally.total_rows


def _log_loss(tally: LevelCounts) -> Floats:
    p = np.clip(tally.score, CLIP, 1 - CLIP)[:, None]
    return (
        -(_sum_over_levels(np.log(p), tally.positives) + _sum_over_levels(np.log1p(-p), tally.negatives))
        / tally.total_rows
    )


def _calibration_error(tally: LevelCounts) -> Floats:
    """Mean over rows of |mean prediction - rate| of their bin, uncorrected.

    The bins hold equal numbers of rows of the full sample and stay fixed across resamples. The value is above zero even
    for a perfect model, since chance alone moves the rates; differences between two models are about right.
    `calibration_error.calibration_error` corrects for chance.
    """
    gaps = tally.score[:, None] * tally.rows - tally.positives
    starts = np.flatnonzero(np.diff(tally.bins, prepend=-1))
    return np.asarray(np.abs(np.add.reduceat(gaps, starts, axis=0)).sum(axis=0) / tally.total_rows)


def _observed_over_expected(tally: LevelCounts) -> Floats:
    """Observed over expected conversions (calibration in the large): 1 is right, below 1 the model is too optimistic."""
    return _per_expected(tally, tally.total_positives)


def _per_expected(tally: LevelCounts, counts: Floats) -> Floats:
    expected = _sum_over_levels(tally.score[:, None], tally.rows)
    return np.where(expected > 0, _ratio(counts, expected), np.nan)


def _base_rate(tally: LevelCounts) -> Floats:
    return np.asarray(tally.total_positives / tally.total_rows)


def precision(tally: LevelCounts, count: Floats | float) -> Floats:
    """Rate of the `count` best rows (count > 0, may be fractional), in expectation over random tie-breaking."""
    count = np.asarray(np.minimum(count, tally.total_rows))
    level = np.minimum((tally.cumulative_rows < count).sum(axis=0), len(tally.score) - 1)
    at = (level, np.arange(len(count)))
    too_many = tally.cumulative_rows[at] - count  # rows of the level at the cut beyond `count`
    positives = tally.cumulative_positives[at] - too_many * _ratio(tally.positives[at], tally.rows[at])
    return np.asarray(np.clip(positives / count, 0, 1))


def _precision_at_share(tally: LevelCounts, share: float) -> Floats:
    return precision(tally, share * tally.total_rows)


def _lift_at_share(tally: LevelCounts, share: float) -> Floats:
    return tally.nan_unless_both_classes(_ratio(_precision_at_share(tally, share), _base_rate(tally)))


Metric = Callable[[LevelCounts], Floats]

METRICS: dict[str, Metric] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "brier": _brier,
    "log_loss": _log_loss,
    "calibration_error": _calibration_error,
    "observed_over_expected": _observed_over_expected,
    **{f"lift_at_{k}pct": partial(_lift_at_share, share=k / 100) for k in (5, 10, 20)},
    **{f"precision_at_{k}pct": partial(_precision_at_share, share=k / 100) for k in (5, 10, 20)},
    "base_rate": _base_rate,
}
"""Name -> function of `LevelCounts` that gives one value per resample."""

NEED_PROBABILITIES = frozenset({"brier", "log_loss", "calibration_error", "observed_over_expected"})
"""The other metrics depend on the ranking only, so they accept any score, such as an activity count."""


@dataclass(frozen=True)
class RateMetric:
    """How a metric can be read as a rate.

    Attributes
    ----------
    share
        Share of all rows that the rate is about.
    highest
        Value if every trial succeeds, per resample.
    caught
        Whether the metric may also be read as the share of conversions caught, as lift can.
    """

    share: float
    highest: Metric
    caught: bool = False


def _max_lift(tally: LevelCounts, share: float) -> Floats:
    """Lift if all of the best `share` convert, or if it contains all conversions."""
    return tally.nan_unless_both_classes(1 / np.maximum(share, _base_rate(tally)))


def _ones(tally: LevelCounts) -> Floats:
    return np.ones_like(tally.total_rows)


RATES: dict[str, RateMetric] = {
    "base_rate": RateMetric(1.0, _ones),
    "observed_over_expected": RateMetric(1.0, lambda tally: _per_expected(tally, tally.total_rows)),
    **{f"precision_at_{k}pct": RateMetric(k / 100, _ones) for k in (5, 10, 20)},
    **{f"lift_at_{k}pct": RateMetric(k / 100, partial(_max_lift, share=k / 100), caught=True) for k in (5, 10, 20)},
}
"""Metrics that are rates, possibly in a scaled unit."""
