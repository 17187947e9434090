"""Measure how well a threshold explains the outcomes while everything else is held fixed.

A threshold splits the rows into those that meet a condition and the rest. Given an offset (the log-odds from everything
else), each side gets its own level by maximum likelihood; the gain over one common level is the logarithm of a
likelihood ratio. Offsets are binned, so one table per column serves all its thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_matrix
from scipy.special import expit

BINS = 48
_TINY = np.float32(1e-3)
_DRAWS_AT_ONCE = 100
Floats = np.ndarray
Ints = np.ndarray


@dataclass(frozen=True)
class ThresholdLevels:
    """Which thresholds of one column each row meets.

    Attributes
    ----------
    level : array of int, shape (rows,)
        Number of thresholds that the row meets: row r meets threshold i if and only if ``level[r] > i``.
    count : int
        Number of thresholds.
    """

    level: Ints
    count: int

    def met(self, threshold: int) -> np.ndarray:
        return np.asarray(self.level > threshold)


@dataclass(frozen=True)
class BinnedOffset:
    """Binned offsets: the bin of each row, and the mean offset of each bin."""

    bin: Ints
    centre: Floats

    @classmethod
    def of(cls, offset: Floats, bins: int = BINS) -> BinnedOffset:
        edges = np.unique(np.quantile(offset, np.linspace(0, 1, bins + 1)[1:-1]))
        at = np.searchsorted(edges, offset, side="right")
        size = np.bincount(at, minlength=len(edges) + 1)
        total = np.bincount(at, offset, len(edges) + 1)
        return cls(at, total / np.maximum(size, 1))


def threshold_gains(
    columns: Sequence[ThresholdLevels], offset: BinnedOffset, y: Floats, weight: Floats
) -> list[tuple[Floats, Floats]]:
    """Compute the gain in log-likelihood and the difference in log-odds of every threshold of every column.

    Parameters
    ----------
    columns : sequence of ThresholdLevels
    offset : BinnedOffset
    y, weight : arrays of shape (rows,)
        Outcomes (0 or 1) and weights of the rows.

    Returns
    -------
    list of (gain, effect)
        One pair per column, each of shape (thresholds,).

    Examples
    --------
    >>> y = np.repeat([0.0, 1.0], 50)
    >>> half = ThresholdLevels(np.repeat([0, 2], 50), 2)  # both thresholds split the rows in the middle
    >>> [(gain, effect)] = threshold_gains([half], BinnedOffset.of(np.zeros(100)), y, np.ones(100))
    >>> bool(np.allclose(gain, 100 * np.log(2), rtol=0.01))
    True
    """
    bins = len(offset.centre)
    n_all, y_all = np.bincount(offset.bin, weight, bins), np.bincount(offset.bin, weight * y, bins)
    together = _fit_levels(n_all[None], y_all[None], offset.centre)[0][0]
    gains = []
    for column in columns:
        cells = (column.count + 1) * bins
        index = column.level * bins + offset.bin
        n = _above_threshold(np.bincount(index, weight, cells).reshape(-1, bins))
        k = _above_threshold(np.bincount(index, weight * y, cells).reshape(-1, bins))
        above, high = _fit_levels(n, k, offset.centre)
        below, low = _fit_levels(n_all - n, y_all - k, offset.centre)
        gains.append((above + below - together, high - low))
    return gains


def _above_threshold(table: Floats) -> Floats:
    """Turn sums by level into sums over the rows that meet each threshold."""
    return np.asarray(table[::-1].cumsum(axis=0)[::-1][1:])


def _fit_levels(n: Floats, k: Floats, centre: Floats) -> tuple[Floats, Floats]:
    """Fit one level to each line of bins by Newton's method: the highest log-likelihood, and the level."""
    level = np.zeros((len(n), 1))
    for _ in range(12):
        p = expit(centre + level)
        slope = (k - n * p).sum(axis=1, keepdims=True)
        curve = (n * p * (1 - p)).sum(axis=1, keepdims=True) + 1e-6
        before, level = level, np.clip(level + np.clip(slope / curve, -2, 2), -8, 8)
        if np.abs(level - before).max() < 1e-4:  # the next step would be about the square of this one
            break
    odds = centre + level
    return (k * odds - n * np.logaddexp(0, odds)).sum(axis=1), level[:, 0]


def fit_effects(masks: np.ndarray, offset: Floats, y: Floats, weight: Floats) -> Floats:
    """Fit a logistic regression with an offset: the intercept, then one effect (log-odds) per condition.

    Parameters
    ----------
    masks : array of shape (rows, conditions)
        0 or 1.
    offset, y, weight : arrays of shape (rows,)

    Examples
    --------
    >>> met = np.repeat([0.0, 1.0], 100)[:, None]
    >>> y = np.r_[np.tile([0, 0, 0, 1], 25), np.tile([0, 1, 1, 1], 25)].astype(float)
    >>> fit_effects(met, np.zeros(200), y, np.ones(200)).round(2)
    array([-1.1,  2.2])
    """
    A = np.column_stack([np.ones(len(y)), masks])
    ridge = np.full(A.shape[1], 1e-3)
    beta = np.zeros(A.shape[1])
    for _ in range(15):
        p = expit(offset + A @ beta)
        curve = A.T @ (A * (weight * p * (1 - p))[:, None]) + np.diag(ridge)
        move = np.clip(np.linalg.solve(curve, A.T @ (weight * (y - p)) - ridge * beta), -3, 3)
        beta = beta + move
        if np.abs(move).max() < 1e-7:
            break
    return beta


def null_gain_quantile(
    columns: Sequence[ThresholdLevels],
    probability: Floats,
    rng: np.random.Generator,
    quantile: float = 0.95,
    draws: int = 200,
    selected: np.ndarray | None = None,
    handicap: Sequence[float] | None = None,
) -> float:
    """Estimate the gain that the best threshold with a positive effect reaches by chance alone.

    Outcomes are drawn from `probability`, under which no threshold has an effect beyond the selected conditions. All
    columns see the same draws, so the correlation between columns is accounted for.

    Parameters
    ----------
    columns : sequence of ThresholdLevels
    probability : array of shape (rows,)
        Fitted with the conditions selected so far.
    rng : numpy.random.Generator
    quantile : float
    draws : int
    selected : array of shape (rows, conditions), optional
        The selected conditions, 0 or 1.
    handicap : sequence of float, optional
        What is deducted from the gains of each column.

    References
    ----------
    Max-statistic correction: Westfall & Young (1993), Resampling-Based Multiple Testing.
    """
    if not columns:
        return 0.0
    deducted = np.zeros(len(columns)) if handicap is None else np.asarray(handicap)
    best = []
    for _ in range(0, draws, _DRAWS_AT_ONCE):
        residual = _null_residuals(probability, selected, rng, _DRAWS_AT_ONCE)
        gains = [gains_in_draws(column, residual, probability).max(axis=0) for column in columns]
        best.append((np.array(gains) - deducted[:, None]).max(axis=0))
    return max(0.0, float(np.quantile(np.concatenate(best), quantile)))


def _null_residuals(probability: Floats, selected: np.ndarray | None, rng: np.random.Generator, draws: int) -> Floats:
    """Drawn outcomes minus their expectation after the intercept and the selected conditions are refitted, (rows, draws)."""
    intercept = np.ones((len(probability), 1))
    A = intercept if selected is None else np.hstack([intercept, selected])
    p = probability.astype(np.float32)[:, None]
    residual = (rng.random((len(p), draws), np.float32) < p) - p
    weighted = A * (probability * (1 - probability))[:, None]
    coefficients = np.linalg.solve(A.T @ weighted + 1e-6 * np.eye(A.shape[1]), A.T @ residual)
    return np.asarray(residual - weighted.astype(np.float32) @ coefficients.astype(np.float32))


def gains_in_draws(column: ThresholdLevels, residual: Floats, probability: Floats) -> Floats:
    """Approximate the gain of each threshold with a positive effect, and 0 for the others, in many draws at once.

    Parameters
    ----------
    column : ThresholdLevels
    residual : array of shape (rows, draws)
        Outcomes minus their expectation; those of a draw sum to about 0.
    probability : array of shape (rows,)
        The expectation without a threshold.

    Returns
    -------
    array of shape (thresholds, draws)
    """
    rows, weight = len(probability), probability * (1 - probability)
    cells = csc_matrix((np.ones(rows, np.float32), column.level, np.arange(rows + 1)), (column.count + 1, rows))
    surplus = np.maximum(_above_threshold(cells @ residual), 0)  # (thresholds, draws)
    expected, spread = (
        _above_threshold(np.bincount(column.level, of, column.count + 1)[:, None]) for of in (probability, weight)
    )
    above = _surplus_gain(surplus, expected, spread)
    below = _surplus_gain(-surplus, probability.sum() - expected, weight.sum() - spread)
    return np.asarray(above + below)


def _surplus_gain(surplus: Floats, expected: Floats, spread: Floats) -> Floats:
    """Gain of a separate level where `surplus` more rows than expected convert.

    Rows of unequal probability count as the number of equal rows with the same mean and variance.
    """
    n = (expected**2 / np.maximum(expected - spread, 1e-9)).astype(np.float32)
    e = np.clip(expected.astype(np.float32), _TINY, n - _TINY)
    k = np.clip(e + surplus, _TINY, n - _TINY)
    return np.asarray(k * np.log(k / e) + (n - k) * np.log((n - k) / (n - e)))
