"""Calibration error corrected for chance.

The usual figure (mean over ten equal bins of |mean prediction - rate|) is above zero even for perfect probabilities, and
larger still in every resample, so a bootstrap interval of it cannot cover the truth. We invert the question: if the true
error were t, how large would the observed error be? The estimate is the t for which the observed error is the median; the
interval holds every t for which it is not unusual (test inversion, with the 5 % split between the tails as in Puza &
O'Neill 2006, "Generalised Clopper-Pearson confidence intervals for the binomial proportion").
On the bias of the usual figure: Broecker 2012, Climate Dynamics 39:655; Kumar, Liang & Ma 2019, "Verified Uncertainty
Calibration".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit, logit, ndtri

from pql_model.statistics.count_metrics import Floats
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.intervals import SampleSize

_DRAWS, _SEED = 1000, 20  # of normal noise, shared by all samples
_STEPS = 25  # of each bisection: to 3e-8
_EDGE = 1e-6  # distance that rates keep from 0 and 1


@dataclass(frozen=True)
class _Bins:
    """Predicted and observed rates by bin.

    Attributes
    ----------
    rows, share, predicted, observed
        Number of rows, share of all rows, mean prediction and observed rate, (bins,).
    design_effect
        How much more the rates vary than if every row were a separate entity.
    root
        Square root of the correlation of the rates: an entity may have snapshots in several bins. (bins, bins).
    """

    rows: Floats
    share: Floats
    predicted: Floats
    observed: Floats
    design_effect: float
    root: Floats

    @property
    def gap(self) -> Floats:
        return np.asarray(self.predicted - self.observed)

    def spread(self, rate: Floats) -> Floats:
        """Standard error of each rate: binomial, inflated by the design effect."""
        return np.asarray(np.sqrt(rate * (1 - rate) * self.design_effect / self.rows))


def calibration_error(
    score: Floats, bins: NDArray[np.intp], positives: sparse.csr_array, rows: sparse.csr_array
) -> Estimate:
    """Mean over rows of |mean prediction - true rate| of their bin: a median-unbiased estimate and its interval.

    Parameters
    ----------
    score, bins
        Prediction and bin of each level, (levels,).
    positives, rows
        Conversions and rows by level and entity, (levels, entities).

    Returns
    -------
    Estimate
        0 where chance alone would give as large an error half of the time. No interval for fewer than two entities.
    """
    if not len(score):
        return Estimate(math.nan, math.nan, math.nan)
    table = _sum_by_bin(score, bins, positives, rows)
    observed = float(table.share @ np.abs(table.gap))
    if rows.shape[1] < 2:
        return Estimate(observed, math.nan, math.nan)
    units = SampleSize.of(positives.sum(axis=0), rows.sum(axis=0))
    noise = _normal_draws(len(table.share)) @ table.root.T * units.correction
    chance = float(table.share @ table.spread(table.predicted))

    direction = _direction(table, units.entities)

    def as_large(error: float) -> float:
        return float(np.mean(_simulated_errors(table, direction, error, noise) >= observed))

    def upper_tail(error: float) -> float:
        """All 5 % where chance exceeds the error, so that chance alone never rules out an error of its own size."""
        return 0.05 if error <= chance else 0.025

    value = _bisect(lambda t: as_large(t) - 0.5)
    low = _bisect(lambda t: as_large(t) - upper_tail(t))
    high = _bisect(lambda t: as_large(t) - (0.95 + upper_tail(t)))
    return Estimate(value, min(low, value), max(high, value))


def _sum_by_bin(score: Floats, bins: NDArray[np.intp], positives: sparse.csr_array, rows: sparse.csr_array) -> _Bins:
    places = np.unique(bins, return_inverse=True)[1]
    into = sparse.csr_array((np.ones(len(bins)), (places, np.arange(len(bins)))))
    n = (into @ rows).toarray()
    misses = (into @ (rows * score[:, None] - positives)).toarray()
    count = n.sum(axis=1)
    gap = misses.sum(axis=1) / count
    observed = np.clip((into @ positives).sum(axis=1) / count, 0.0, 1.0)
    share = count / count.sum()
    strays = (misses - gap[:, None] * n) / count[:, None]
    covariance = strays @ strays.T * rows.shape[1] / max(1, rows.shape[1] - 1)
    variance, binomial = np.diag(covariance), observed * (1 - observed) / count
    expected = float(share**2 @ binomial)
    effect = float(share**2 @ variance) / expected if expected > 0 else 1.0
    return _Bins(count, share, observed + gap, observed, effect, _correlation_root(covariance))


def _correlation_root(covariance: Floats) -> Floats:
    """Square root of the correlation matrix; a bin that never varies is uncorrelated with the others."""
    scale = np.sqrt(np.where(np.diag(covariance) > 0, np.diag(covariance), np.inf))
    correlation = covariance / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _direction(table: _Bins, entities: int) -> Floats:
    """Offset of each bin for a true error of one, from a logistic recalibration of the bins.

    The observed gaps themselves would carry all their noise. A weak prior keeps the two coefficients finite.
    """
    x = logit(np.clip(table.predicted, _EDGE, 1 - _EDGE))
    X = np.column_stack([np.ones_like(x), x])
    line, prior, weight = np.array([0.0, 1.0]), 0.1 * np.eye(2), entities * table.share
    for _ in range(20):
        rate = expit(X @ line)
        slope = X.T @ (weight * (table.observed - rate)) - prior @ (line - [0.0, 1.0])
        step = np.linalg.solve(X.T @ (X * (weight * rate * (1 - rate))[:, None]) + prior, slope)
        line = line + np.clip(step, -1.0, 1.0)
    off = table.predicted - expit(X @ line)
    size = float(table.share @ np.abs(off))
    return np.asarray(off / size) if size > _EDGE else np.ones_like(off)


def _simulated_errors(table: _Bins, direction: Floats, error: float, noise: Floats) -> Floats:
    """Observed errors in simulated data with this true error, (draws,)."""
    off = error * direction
    spread = table.spread(np.clip(table.predicted - off, _EDGE, 1 - _EDGE))
    return np.asarray(np.abs(off + spread * noise) @ table.share)


def _normal_draws(columns: int) -> Floats:
    """Standard normal draws with evenly spread columns (Latin hypercube: McKay, Beckman & Conover 1979)."""
    even = ndtri((np.arange(_DRAWS) + 0.5) / _DRAWS)
    return np.random.default_rng(_SEED).permuted(np.tile(even, (columns, 1)), axis=1).T


def _bisect(above: Callable[[float], float]) -> float:
    """Point between 0 and 1 at which an increasing function crosses zero."""
    low, high = 0.0, 1.0
    if above(low) > 0:
        return low
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if above(middle) > 0 else (middle, high)
    return high
