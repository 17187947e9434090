"""How far predicted and observed rates lie apart, without the share of chance.

The usual figure (mean over ten equal bins of |mean prediction - rate|) is above zero even for perfect probabilities,
and more so in every resample, so no bootstrap of it can hold the truth. Here the figure is asked the other way round:
if the true error were t, how large would the error seen be? The value is the t for which what was seen is the median,
the interval holds the t for which it is not unusual (inversion of a test, its 5 % shared between the tails as in Puza
& O'Neill 2006, "Generalised Clopper-Pearson confidence intervals for the binomial proportion").
That the error seen is biased: Broecker 2012, Climate Dynamics 39:655; Kumar, Liang & Ma 2019, "Verified Uncertainty
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
from pql_model.statistics.intervals import Units

_DRAWS, _SEED = 1000, 20  # of normal noise, the same for all samples
_STEPS = 25  # of each bisection: to 3e-8
_EDGE = 1e-6  # rates are held so far from 0 and 1


@dataclass(frozen=True)
class _Bins:
    """What was predicted and what happened, by bin.

    Attributes
    ----------
    rows, share, predicted, observed
        Number, share of all rows, mean prediction, rate: (bins,).
    design_effect
        How many times more the rates vary than if every row were an entity of its own.
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
        """Standard error of each rate: binomial, but for snapshots of one entity."""
        return np.asarray(np.sqrt(rate * (1 - rate) * self.design_effect / self.rows))


def calibration_error(
    score: Floats, bins: NDArray[np.intp], positives: sparse.csr_array, rows: sparse.csr_array
) -> Estimate:
    """Mean over rows of |mean prediction - true rate| of their bin: a median-unbiased estimate and its interval.

    Parameters
    ----------
    score, bins
        Of each level: the prediction, and the bin. Shape (levels,).
    positives, rows
        Conversions and rows by level and entity, (levels, entities).

    Returns
    -------
    Estimate
        0 where chance alone would show as large an error half of the time. No interval for fewer than two entities.
    """
    if not len(score):
        return Estimate(math.nan, math.nan, math.nan)
    table = _bins(score, bins, positives, rows)
    seen = float(table.share @ np.abs(table.gap))
    if rows.shape[1] < 2:
        return Estimate(seen, math.nan, math.nan)
    units = Units.of(positives.sum(axis=0), rows.sum(axis=0))
    noise = _normal(len(table.share)) @ table.root.T * units.correction
    chance = float(table.share @ table.spread(table.predicted))

    direction = _direction(table, units.entities)

    def as_large(error: float) -> float:
        return float(np.mean(_errors_seen(table, direction, error, noise) >= seen))

    def upper_tail(error: float) -> float:
        """All of the 5 % where chance is larger than the error, so that luck alone never rules out its own size."""
        return 0.05 if error <= chance else 0.025

    value = _crossing(lambda t: as_large(t) - 0.5)
    low = _crossing(lambda t: as_large(t) - upper_tail(t))
    high = _crossing(lambda t: as_large(t) - (0.95 + upper_tail(t)))
    return Estimate(value, min(low, value), max(high, value))


def _bins(score: Floats, bins: NDArray[np.intp], positives: sparse.csr_array, rows: sparse.csr_array) -> _Bins:
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
    return _Bins(count, share, observed + gap, observed, effect, _root(covariance))


def _root(covariance: Floats) -> Floats:
    """Square root of the correlation; a bin that never varies goes with no other."""
    scale = np.sqrt(np.where(np.diag(covariance) > 0, np.diag(covariance), np.inf))
    correlation = covariance / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _direction(table: _Bins, entities: int) -> Floats:
    """By how much each bin is off for a true error of one: as a logistic recalibration of the bins says.

    The gaps seen would say it with all their noise. A weak prior keeps the two numbers finite.
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


def _errors_seen(table: _Bins, direction: Floats, error: float, noise: Floats) -> Floats:
    """What would be seen in worlds with this true error, (draws,)."""
    off = error * direction
    spread = table.spread(np.clip(table.predicted - off, _EDGE, 1 - _EDGE))
    return np.asarray(np.abs(off + spread * noise) @ table.share)


def _normal(columns: int) -> Floats:
    """Standard normal draws, each column spread evenly (Latin hypercube: McKay, Beckman & Conover 1979)."""
    even = ndtri((np.arange(_DRAWS) + 0.5) / _DRAWS)
    return np.random.default_rng(_SEED).permuted(np.tile(even, (columns, 1)), axis=1).T


def _crossing(above: Callable[[float], float]) -> float:
    """The point in 0 to 1 from which on a rising function is above zero."""
    low, high = 0.0, 1.0
    if above(low) > 0:
        return low
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if above(middle) > 0 else (middle, high)
    return high
