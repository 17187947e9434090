"""How good a probability is, with intervals: the unit that is resampled is the entity, never the row.

Several snapshots of one entity are no independent evidence, so a bootstrap of rows would promise too much
(cluster bootstrap: Field & Welsh 2007, "Bootstrapping clustered data"). A resample draws as many entities
as there are, with replacement; every row weighs as often as its entity was drawn.

Rows with equal predictions are summed into one *level* before anything is measured. Every metric then reads
two tables, level x resample, of conversions and rows, so ties need no rule of their own and the order of
the rows can change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from pql_model.errors import DataError, listed, nearest
from pql_model.model.estimate import Estimate, wilson

Floats = NDArray[np.float64]

RESAMPLES, SEED, BINS = 1000, 7, 10
CLIP = 1e-15  # log loss is taken of probabilities at least this far from 0 and 1
_CELLS = 1_000_000  # of one level x resample table; about a dozen of them are alive at a time, so 100 MB


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
    """Expected calibration error: mean over rows of |mean prediction - rate| of their bin.

    The bins hold equally many rows of the full sample and stay the same in every resample. The error is
    above zero even for a perfect model, as chance alone moves the rates.
    """
    gaps = tally.score[:, None] * tally.rows - tally.positives
    starts = np.flatnonzero(np.diff(tally.bins, prepend=-1))
    return np.asarray(np.abs(np.add.reduceat(gaps, starts, axis=0)).sum(axis=0) / tally.all_rows)


def _base_rate(tally: Tally) -> Floats:
    return np.asarray(tally.all_positives / tally.all_rows)


def _precision(tally: Tally, count: Floats | float) -> Floats:
    """Rate among the `count` best rows (count > 0, may be a fraction of a row), expected over random ties."""
    count = np.asarray(np.minimum(count, tally.all_rows))
    cut = np.minimum((tally.cumulative_rows < count).sum(axis=0), len(tally.score) - 1)
    at = (cut, np.arange(len(count)))
    too_many = tally.cumulative_rows[at] - count  # rows of the level at the cut that are not taken
    found = tally.cumulative_positives[at] - too_many * _ratio(tally.positives[at], tally.rows[at])
    return np.asarray(np.clip(found / count, 0, 1))


def _precision_at_share(tally: Tally, share: float) -> Floats:
    return _precision(tally, share * tally.all_rows)


def _lift_at_share(tally: Tally, share: float) -> Floats:
    return tally.only_two_classes(_ratio(_precision_at_share(tally, share), _base_rate(tally)))


Metric = Callable[[Tally], Floats]

METRICS: dict[str, Metric] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "brier": _brier,
    "log_loss": _log_loss,
    "calibration_error": _calibration_error,
    **{f"lift_at_{k}pct": partial(_lift_at_share, share=k / 100) for k in (5, 10, 20)},
    **{f"precision_at_{k}pct": partial(_precision_at_share, share=k / 100) for k in (5, 10, 20)},
    "base_rate": _base_rate,
}
"""Name -> function of a `Tally`, which gives one value per resample."""

_SHARE = {"base_rate": 1.0} | {f"precision_at_{k}pct": k / 100 for k in (5, 10, 20)}
"""Metrics that are a plain rate, and the share of the rows they are about."""

NEED_PROBABILITIES = frozenset({"brier", "log_loss", "calibration_error"})
"""The other metrics read only the order, so they take any score (an activity count, say)."""


@dataclass(frozen=True)
class _Sample:
    """Checked rows, summed by (level, entity) as sparse tables of shape (levels, entities)."""

    score: Floats
    bins: NDArray[np.intp]
    positives: sparse.csr_array
    rows: sparse.csr_array

    @property
    def entities(self) -> int:
        return int(self.rows.shape[1])

    def tally(self, weights: Floats) -> Tally:
        """Count with `weights` of shape (entities, resamples)."""
        return Tally(self.score, self.bins, self.positives @ weights, self.rows @ weights)

    def resampled(self, resamples: int, seed: int) -> Iterator[Tally]:
        """Tallies of `resamples` draws of entities, some at a time: the same draws for the same entities."""
        generator = np.random.default_rng(seed)
        n = self.entities
        step = max(1, min(64, _CELLS // max(len(self.score), n)))
        for start in range(0, resamples, step):
            width = min(step, resamples - start)
            drawn = generator.integers(0, n, size=(width, n)) * width + np.arange(width)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=n * width)
            yield self.tally(counts.reshape(n, width).astype(np.float64))


def _numbers(values: ArrayLike, what: str) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must be numbers, one per row", received=error) from error


def _check(truth: Floats, score: Floats, codes: NDArray[np.intp], names: Sequence[str]) -> None:
    for name in names:
        if name not in METRICS:
            raise DataError(
                f"`{name}` is not a metric",
                received=name,
                allowed=listed(METRICS),
                remedy=f"use `{nearest(name, METRICS) or 'roc_auc'}`",
            )
    shapes = {truth.shape, score.shape, codes.shape}
    if len(shapes) > 1 or truth.ndim != 1:
        raise DataError(
            "Outcomes, predictions and entities differ in length",
            received=f"shapes {listed(shapes)}",
            allowed="one of each per row",
        )
    needing = listed(sorted(NEED_PROBABILITIES.intersection(names)))
    for bad, what, remedy in (
        (~np.isin(truth, (0, 1)), "Outcomes must be 0 or 1", "leave out rows that are not mature"),
        (~np.isfinite(score), "Predictions must be finite", "score these rows, or leave them out"),
        (codes < 0, "Every row must have its entity", "name the entity, which is what the bootstrap resamples"),
        (
            (score < 0) | (score > 1) if needing else codes < 0,
            f"Predictions must lie in 0 to 1 for {needing}",
            "give probabilities, or name only metrics of the order, such as roc_auc",
        ),
    ):
        if bad.any():
            raise DataError(what, received=f"{bad.sum():,} rows of which that is not true", remedy=remedy)


def _sample(y: ArrayLike, score: ArrayLike, entities: ArrayLike, names: Sequence[str], bins: int = BINS) -> _Sample:
    """Check the rows for the metrics named and sum them up by level and entity."""
    truth, given = _numbers(y, "Outcomes"), _numbers(score, "Predictions")
    codes, known = pd.factorize(pd.Series(entities), sort=True)
    _check(truth, given, codes, names)
    ascending, level = np.unique(given, return_inverse=True)
    best_first = len(ascending) - 1 - level
    shape = (len(ascending), len(known))
    rows, positives = (sparse.coo_array((w, (best_first, codes)), shape).tocsr() for w in (np.ones_like(truth), truth))
    sizes = np.bincount(best_first, minlength=len(ascending))
    middle = (np.cumsum(sizes) - sizes / 2) / max(1, len(truth))  # a level goes where the middle of its rows lies
    return _Sample(ascending[::-1], (middle * bins).astype(np.intp), positives, rows)


def _draws(sample: _Sample, metrics: Sequence[Metric], resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Values on the sample, shape (metrics,), and on its resamples, shape (metrics, resamples)."""
    if not len(sample.score):
        return np.full(len(metrics), np.nan), np.full((len(metrics), 1), np.nan)
    whole = sample.tally(np.ones((sample.entities, 1)))
    value = np.array([metric(whole)[0] for metric in metrics])
    parts = [np.stack([metric(part) for metric in metrics]) for part in sample.resampled(resamples, seed)]
    return value, np.concatenate(parts, axis=1) if parts else np.full((len(metrics), 1), np.nan)


def _estimate(value: float, draws: Floats, units: int) -> Estimate:
    """Percentile interval of the draws that have a value; NaN unless at least two entities vary.

    Widened where needed so that it holds the value: calibration error is biased upwards in resamples.
    """
    usable = draws[~np.isnan(draws)]
    if math.isnan(value) or not len(usable) or units < 2:
        return Estimate(float(value), math.nan, math.nan)
    low, high = np.percentile(usable, [2.5, 97.5])
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))


def _not_too_sure(rate: Estimate, units: float) -> Estimate:
    """Wilson's interval on the entities behind a rate whose every draw is 0, or 1; else the rate unchanged.

    No resample of zero conversions holds one, yet "0 of 20" is no proof of zero.
    """
    flat = rate.high - rate.low < 1e-9 and min(rate.value, 1 - rate.value) < 1e-9
    n = max(1, int(units))
    return wilson(n * round(rate.value), n) if flat else rate


def evaluate(
    y: ArrayLike,
    probability: ArrayLike,
    entities: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    names: Iterable[str] | None = None,
) -> dict[str, Estimate]:
    """Metrics with 95 % intervals from a bootstrap over entities.

    Parameters
    ----------
    y, probability, entities
        Per row: 0 or 1, the prediction (any finite score for the metrics that read only the order), the entity.
    resamples, seed, names
        How many resamples, which ones, and which of `METRICS` (all by default).

    Returns
    -------
    dict
        Name -> estimate. Rank metrics (ROC-AUC, average precision, lift) are NaN where there is one class
        only; resamples with one class are skipped for them. Precision and lift at k take exactly k % of the
        rows, the row or the tie at the cut pro rata: the expectation under random tie-breaking. One entity alone
        has no interval.

    Raises
    ------
    DataError
        If a name is unknown or the rows cannot be measured.

    Examples
    --------
    >>> evaluate([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], ["a", "b", "c", "d"])["roc_auc"].value
    0.75
    """
    chosen = list(METRICS) if names is None else list(names)
    sample = _sample(y, probability, entities, chosen)
    value, draws = _draws(sample, [METRICS[name] for name in chosen], resamples, seed)
    found = {name: _estimate(value[i], draws[i], sample.entities) for i, name in enumerate(chosen)}
    shares = {name: share * sample.entities for name, share in _SHARE.items() if name in found}
    return found | {name: _not_too_sure(found[name], units) for name, units in shares.items()}


def precision_at_count(
    y: ArrayLike,
    probability: ArrayLike,
    entities: ArrayLike,
    count: int,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Estimate:
    """Rate among the `count` best rows (all of them if there are fewer), ties at the cut pro rata.

    >>> precision_at_count([1, 0, 0, 0], [0.9, 0.5, 0.5, 0.1], ["a", "b", "c", "d"], 2).value
    0.5
    """
    if count < 1:
        raise DataError("The capacity must be positive", received=count, allowed="1 or more")
    sample = _sample(y, probability, entities, names=())
    value, draws = _draws(sample, [partial(_precision, count=count)], resamples, seed)
    share = min(1.0, count / max(1.0, sample.rows.sum()))
    return _not_too_sure(_estimate(value[0], draws[0], sample.entities), share * sample.entities)


def paired_difference(
    y: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    entities: ArrayLike,
    name: str = "roc_auc",
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Estimate:
    """Metric of `first` minus that of `second` on the same rows, both measured in the same resamples.

    >>> paired_difference([0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8], [0.1, 0.9, 0.8, 0.2], ["a", "b", "c", "d"]).value
    0.25
    """
    samples = [_sample(y, score, entities, [name]) for score in (first, second)]
    (value, draws), (other_value, other_draws) = (_draws(s, [METRICS[name]], resamples, seed) for s in samples)
    return _estimate(value[0] - other_value[0], draws[0] - other_draws[0], samples[0].entities)


def reliability_table(
    y: ArrayLike,
    probability: ArrayLike,
    entities: ArrayLike,
    bins: int = BINS,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> pd.DataFrame:
    """What was predicted and what happened, in bins of equally many rows; ties are never split.

    Returns
    -------
    DataFrame
        One row per bin that holds rows, lowest predictions first: `bin` (1, 2, ...), `predicted` (mean),
        `observed` (rate) with `low` and `high`, `n` and `conversions`.
    """
    if bins < 1:
        raise DataError("There must be at least one bin", received=bins, allowed="1 or more")
    sample = _sample(y, probability, entities, ["calibration_error"], bins)
    levels_of = [np.flatnonzero(sample.bins == i) for i in np.unique(sample.bins)[::-1]]
    value, draws = _draws(sample, [partial(_rate_of_levels, levels=levels) for levels in levels_of], resamples, seed)
    rows = []
    for i, levels in enumerate(levels_of):
        inside, conversions = sample.rows[levels], sample.positives[levels].sum()
        rate = _not_too_sure(_estimate(value[i], draws[i], sample.entities), len(np.unique(inside.indices)))
        predicted = sample.score[levels] @ inside.sum(axis=1) / inside.sum()
        rows.append((i + 1, predicted, rate.value, rate.low, rate.high, int(inside.sum()), int(conversions)))
    return pd.DataFrame(rows, columns=["bin", "predicted", "observed", "low", "high", "n", "conversions"])


def _rate_of_levels(tally: Tally, levels: NDArray[np.intp]) -> Floats:
    rows = tally.rows[levels].sum(axis=0)
    return np.where(rows > 0, _ratio(tally.positives[levels].sum(axis=0), rows), np.nan)
