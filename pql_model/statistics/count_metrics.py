"""What is measured: functions of counts at each level of the prediction, for many resamples at once.

Rows with equal predictions are summed into one *level* before anything is measured. Every metric then reads
two tables, level x resample, of conversions and rows, so ties need no rule of their own and the order of
the rows can change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CLIP = 1e-15  # log loss is taken of probabilities at least this far from 0 and 1


@dataclass(frozen=True)
class Tally:
    """Levels of the prediction, best first, as counted in some resamples.

    Attributes
    ----------
    score, bins
        The distinct predictions, descending, and the equal-mass bin of each on the full sample: (levels,).
    positives, rows
        Weight of the conversions and of all rows at each level: (levels, resamples).
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
    def all_positives(self) -> Floats:
        return np.asarray(self.cumulative_positives[-1])

    @property
    def all_rows(self) -> Floats:
        return np.asarray(self.cumulative_rows[-1])

    def only_two_classes(self, values: Floats) -> Floats:
        """`values`, with NaN for the resamples that hold one class only: nothing can be ranked there."""
        both = (self.all_positives > 0) & (self.all_positives < self.all_rows)
        return np.where(both, values, np.nan)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """`top / bottom`, 0 where both are 0."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _dot(first: Floats, second: Floats) -> Floats:
    """Sum over levels, per resample; not by BLAS, whose last bits depend on the number of threads."""
    return np.asarray(np.einsum("gr,gr->r", first, second))


def _roc_auc(tally: Tally) -> Floats:
    """P(a conversion is ranked above a non-conversion), ties half: the Mann-Whitney statistic."""
    all_negatives = tally.all_rows - tally.all_positives
    below = all_negatives - (tally.cumulative_rows - tally.cumulative_positives)
    wins = _dot(tally.positives, below) + _dot(tally.positives, tally.negatives) / 2
    return tally.only_two_classes(_ratio(wins, tally.all_positives * all_negatives))


def _average_precision(tally: Tally) -> Floats:
    """Sum over distinct scores of (rise of recall) x (precision there), not interpolated."""
    precision = _ratio(tally.cumulative_positives, tally.cumulative_rows)
    return tally.only_two_classes(_ratio(_dot(tally.positives, precision), tally.all_positives))


def _brier(tally: Tally) -> Floats:
    p = tally.score[:, None]
    return (_dot((1 - p) ** 2, tally.positives) + _dot(p**2, tally.negatives)) / tally.all_rows


def _log_loss(tally: Tally) -> Floats:
    p = np.clip(tally.score, CLIP, 1 - CLIP)[:, None]
    return -(_dot(np.log(p), tally.positives) + _dot(np.log1p(-p), tally.negatives)) / tally.all_rows


def _calibration_error(tally: Tally) -> Floats:
    """Mean over rows of |mean prediction - rate| of their bin, as it is seen.

    The bins hold equally many rows of the full sample and stay the same in every resample. What is seen is above
    zero even for a perfect model, as chance alone moves the rates; differences between two models are about right.
    `calibration_error.calibration_error` takes the share of chance out.
    """
    gaps = tally.score[:, None] * tally.rows - tally.positives
    starts = np.flatnonzero(np.diff(tally.bins, prepend=-1))
    return np.asarray(np.abs(np.add.reduceat(gaps, starts, axis=0)).sum(axis=0) / tally.all_rows)


def _observed_over_expected(tally: Tally) -> Floats:
    """Conversions there were for each that was predicted (calibration in the large): 1 is right, below 1 too hopeful."""
    return _per_expected(tally, tally.all_positives)


def _per_expected(tally: Tally, counted: Floats) -> Floats:
    expected = _dot(tally.score[:, None], tally.rows)
    return np.where(expected > 0, _ratio(counted, expected), np.nan)


def _base_rate(tally: Tally) -> Floats:
    return np.asarray(tally.all_positives / tally.all_rows)


def precision(tally: Tally, count: Floats | float) -> Floats:
    """Rate among the `count` best rows (count > 0, may be a fraction of a row), expected over random ties."""
    count = np.asarray(np.minimum(count, tally.all_rows))
    cut = np.minimum((tally.cumulative_rows < count).sum(axis=0), len(tally.score) - 1)
    at = (cut, np.arange(len(count)))
    too_many = tally.cumulative_rows[at] - count  # rows of the level at the cut that are not taken
    found = tally.cumulative_positives[at] - too_many * _ratio(tally.positives[at], tally.rows[at])
    return np.asarray(np.clip(found / count, 0, 1))


def _precision_at_share(tally: Tally, share: float) -> Floats:
    return precision(tally, share * tally.all_rows)


def _lift_at_share(tally: Tally, share: float) -> Floats:
    return tally.only_two_classes(_ratio(_precision_at_share(tally, share), _base_rate(tally)))


Metric = Callable[[Tally], Floats]

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
"""Name -> function of a `Tally`, which gives one value per resample."""

NEED_PROBABILITIES = frozenset({"brier", "log_loss", "calibration_error", "observed_over_expected"})
"""The other metrics read only the order, so they take any score (an activity count, say)."""


@dataclass(frozen=True)
class Rate:
    """What makes a metric a rate: the share of the rows it is about, whose conversions, and its highest value.

    Attributes
    ----------
    share
        Of all rows.
    caught
        Whether it may also be read as the share of all conversions that is caught (lift can).
    highest
        The value where every trial succeeds, per resample.
    """

    share: float
    highest: Metric
    caught: bool = False


def _highest_lift(tally: Tally, share: float) -> Floats:
    """Where all of the best `share` convert, or all who convert are among them."""
    return tally.only_two_classes(1 / np.maximum(share, _base_rate(tally)))


def _one(tally: Tally) -> Floats:
    return np.ones_like(tally.all_rows)


RATES: dict[str, Rate] = {
    "base_rate": Rate(1.0, _one),
    "observed_over_expected": Rate(1.0, lambda tally: _per_expected(tally, tally.all_rows)),
    **{f"precision_at_{k}pct": Rate(k / 100, _one) for k in (5, 10, 20)},
    **{f"lift_at_{k}pct": Rate(k / 100, partial(_highest_lift, share=k / 100), caught=True) for k in (5, 10, 20)},
}
"""Metrics that are a share of something, in units of their own."""
