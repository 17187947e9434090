"""Metrics of a predicted probability with intervals from a bootstrap over entities, never over rows.

Several snapshots of one entity are not independent, so a bootstrap over rows would give intervals that are too narrow
(cluster bootstrap: Field & Welsh 2007, "Bootstrapping clustered data"). Each resample draws as many entities as there
are, with replacement; a row is weighted by how often its entity was drawn.
`count_metrics` defines the metrics, `intervals` turns draws into intervals; docs/intervals.md reports their coverage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from pql_model.errors import DataError, listed, nearest
from pql_model.statistics.calibration_error import calibration_error
from pql_model.statistics.count_metrics import (
    METRICS,
    NEED_PROBABILITIES,
    RATES,
    Floats,
    LevelCounts,
    Metric,
)
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.intervals import SampleSize, interval_for, percentile_interval, rate_interval

__all__ = [
    "METRICS",
    "NEED_PROBABILITIES",
    "RESAMPLES",
    "SEED",
    "Floats",
    "Sample",
    "bootstrap_weights",
    "build_sample",
    "evaluate",
    "paired_difference",
    "reliability_table",
]

RESAMPLES, SEED, BINS = 1000, 7, 10
_CELLS = 1_000_000  # of one level x resample table; about a dozen of them are alive at a time, so 100 MB


@dataclass(frozen=True)
class Sample:
    """Validated rows, summed by (level, entity) into sparse tables of shape (levels, entities)."""

    score: Floats
    bins: NDArray[np.intp]
    positives: sparse.csr_array
    rows: sparse.csr_array

    @property
    def entities(self) -> int:
        return int(self.rows.shape[1])

    @cached_property
    def units(self) -> SampleSize:
        return SampleSize.of(self.positives.sum(axis=0), self.rows.sum(axis=0))

    @cached_property
    def whole(self) -> LevelCounts:
        """Counts with every entity weighted once."""
        return self.tally(np.ones((self.entities, 1)))

    def tally(self, weights: Floats) -> LevelCounts:
        """Count with `weights` of shape (entities, resamples)."""
        return LevelCounts(self.score, self.bins, self.positives @ weights, self.rows @ weights)

    def resampled_counts(self, resamples: int, seed: int) -> Iterator[LevelCounts]:
        """Counts of `resamples` draws of entities, in batches; the same entities always give the same draws."""
        return map(self.tally, bootstrap_weights(self.entities, len(self.score), resamples, seed))


def bootstrap_weights(n: int, levels: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Number of times each of `n` entities is drawn in each resample, (n, batch), in batches that bound memory."""
    generator = np.random.default_rng(seed)
    step = max(1, min(64, _CELLS // max(levels, n)))
    for start in range(0, resamples, step):
        width = min(step, resamples - start)
        resampled = generator.integers(0, n, size=(width, n)) * width + np.arange(width)[:, None]
        yield np.bincount(resampled.ravel(), minlength=n * width).reshape(n, width).astype(np.float64)


def _as_floats(values: ArrayLike, noun: str) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{noun} must be numbers, one per row", received=error) from error


def _validate(truth: Floats, score: Floats, codes: NDArray[np.intp], names: Sequence[str]) -> None:
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
    for bad, problem, remedy in (
        (~np.isin(truth, (0, 1)), "Outcomes must be 0 or 1", "leave out rows that are not mature"),
        (~np.isfinite(score), "Predictions must be finite", "score these rows, or leave them out"),
        (codes < 0, "Every row must have an entity", "name the entity, which is what the bootstrap resamples"),
        (
            (score < 0) | (score > 1) if needing else codes < 0,
            f"Predictions must lie in 0 to 1 for {needing}",
            "pass probabilities, or name only ranking metrics such as roc_auc",
        ),
    ):
        if bad.any():
            raise DataError(problem, received=f"{bad.sum():,} rows that break this rule", remedy=remedy)


def build_sample(y: ArrayLike, score: ArrayLike, entities: ArrayLike, names: Sequence[str], bins: int = BINS) -> Sample:
    """Validate the rows for the named metrics and sum them by level and entity."""
    truth, scores = _as_floats(y, "Outcomes"), _as_floats(score, "Predictions")
    codes, categories = pd.factorize(pd.Series(entities), sort=True)
    _validate(truth, scores, codes, names)
    ascending, level = np.unique(scores, return_inverse=True)
    best_first = len(ascending) - 1 - level
    shape = (len(ascending), len(categories))
    rows, positives = (sparse.coo_array((w, (best_first, codes)), shape).tocsr() for w in (np.ones_like(truth), truth))
    sizes = np.bincount(best_first, minlength=len(ascending))
    middle = (np.cumsum(sizes) - sizes / 2) / max(
        1, len(truth)
    )  # a level belongs to the bin that holds the middle of its rows
    return Sample(ascending[::-1], (middle * bins).astype(np.intp), positives, rows)


def _bootstrap(sample: Sample, metrics: Sequence[Metric], resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Values on the sample, (metrics,), and on its resamples, (metrics, resamples)."""
    if not len(sample.score) or not metrics:
        return np.full(len(metrics), np.nan), np.full((len(metrics), 1), np.nan)
    value = np.array([metric(sample.whole)[0] for metric in metrics])
    parts = [np.stack([metric(part) for metric in metrics]) for part in sample.resampled_counts(resamples, seed)]
    return value, np.concatenate(parts, axis=1) if parts else np.full((len(metrics), 1), np.nan)


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
        Number of resamples, their random seed, and which of `METRICS` to compute (all by default).

    Returns
    -------
    dict
        Name -> estimate. Ranking metrics (ROC-AUC, average precision, lift) are NaN if only one class is present;
        resamples with one class are skipped for them. Precision and lift at k use exactly k % of the rows; a tie at the
        cut counts pro rata, which is the expectation under random tie-breaking. Calibration error uses ten bins with
        equal numbers of rows and is corrected for chance. A single entity has no interval; a single converting entity
        has none for ROC-AUC and average precision.

    Raises
    ------
    DataError
        If a name is unknown or the rows cannot be measured.

    Examples
    --------
    >>> evaluate([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], ["a", "b", "c", "d"])["roc_auc"].value
    0.75
    """
    metric_names = list(METRICS) if names is None else list(names)
    sample = build_sample(y, probability, entities, metric_names)
    resampled_names = [name for name in metric_names if name != "calibration_error"]
    value, draws = _bootstrap(sample, [METRICS[name] for name in resampled_names], resamples, seed)
    values = {
        name: interval_for(name, value[i], draws[i], sample.units, _max_value(sample, name))
        for i, name in enumerate(resampled_names)
    }
    if "calibration_error" in metric_names:
        values["calibration_error"] = calibration_error(sample.score, sample.bins, sample.positives, sample.rows)
    return {name: values[name] for name in metric_names}


def _max_value(sample: Sample, name: str) -> float:
    return float(RATES[name].highest(sample.whole)[0]) if name in RATES and len(sample.score) else 1.0


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
    """Difference of a metric between two predictions on the same rows, `first` minus `second`, in the same resamples.

    >>> paired_difference([0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8], [0.1, 0.9, 0.8, 0.2], ["a", "b", "c", "d"]).value
    0.25
    """
    samples = [build_sample(y, score, entities, [name]) for score in (first, second)]
    (value, draws), (other_value, other_draws) = (_bootstrap(s, [METRICS[name]], resamples, seed) for s in samples)
    return percentile_interval(value[0] - other_value[0], draws[0] - other_draws[0], samples[0].units)


def reliability_table(
    y: ArrayLike,
    probability: ArrayLike,
    entities: ArrayLike,
    bins: int = BINS,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> pd.DataFrame:
    """Predicted and observed rates in bins with equal numbers of rows; ties are never split.

    Returns
    -------
    DataFrame
        One row per bin that holds rows, lowest predictions first: `bin` (1, 2, ...), `predicted` (mean),
        `observed` (rate) with `low` and `high`, `n` and `conversions`.
    """
    if bins < 1:
        raise DataError("There must be at least one bin", received=bins, allowed="1 or more")
    sample = build_sample(y, probability, entities, ["calibration_error"], bins)
    levels_of = [np.flatnonzero(sample.bins == i) for i in np.unique(sample.bins)[::-1]]
    value, draws = _bootstrap(
        sample, [partial(_rate_of_levels, levels=levels) for levels in levels_of], resamples, seed
    )
    rows = []
    for i, levels in enumerate(levels_of):
        level_rows, conversions = sample.rows[levels], sample.positives[levels].sum()
        rate = rate_interval(value[i], draws[i], sample.units, len(np.unique(level_rows.indices)))
        predicted = sample.score[levels] @ level_rows.sum(axis=1) / level_rows.sum()
        rows.append((i + 1, predicted, rate.value, rate.low, rate.high, int(level_rows.sum()), int(conversions)))
    return pd.DataFrame(rows, columns=["bin", "predicted", "observed", "low", "high", "n", "conversions"])


def _rate_of_levels(tally: LevelCounts, levels: NDArray[np.intp]) -> Floats:
    rows = tally.rows[levels].sum(axis=0)
    positives = tally.positives[levels].sum(axis=0)
    return np.asarray(np.divide(positives, rows, out=np.full_like(rows, np.nan), where=rows > 0))
