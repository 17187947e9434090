"""How well a step explains the outcomes when everything else is held fixed: the arithmetic behind mining.

A step splits the rows in those that meet a condition and those that do not. Given an offset (the log-odds by everything
else) each side gets its own level by maximum likelihood; the gain over one common level is the log of a likelihood
ratio. Offsets are cut into bins, so that one table per column answers for all its thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_matrix
from scipy.special import expit

BINS = 48
_TINY = np.float32(1e-3)
_AT_ONCE = 100
Floats = np.ndarray
Ints = np.ndarray


@dataclass(frozen=True)
class Steps:
    """The thresholds of one column.

    Attributes
    ----------
    level
        How many of the thresholds a row meets, int (rows,): row r meets threshold i iff ``level[r] > i``.
    count
        Number of thresholds.
    """

    level: Ints
    count: int

    def met(self, threshold: int) -> np.ndarray:
        return np.asarray(self.level > threshold)


@dataclass(frozen=True)
class Binned:
    """Offsets in bins: the bin of each row, and the mean offset of each bin."""

    place: Ints
    centre: Floats

    @classmethod
    def of(cls, offset: Floats, bins: int = BINS) -> Binned:
        edges = np.unique(np.quantile(offset, np.linspace(0, 1, bins + 1)[1:-1]))
        place = np.searchsorted(edges, offset, side="right")
        size = np.bincount(place, minlength=len(edges) + 1)
        total = np.bincount(place, offset, len(edges) + 1)
        return cls(place, total / np.maximum(size, 1))


def profile(steps: Sequence[Steps], binned: Binned, y: Floats, weight: Floats) -> list[tuple[Floats, Floats]]:
    """Gain in log-likelihood and difference in log-odds of every threshold of every column.

    Parameters
    ----------
    y, weight
        Outcomes (0 or 1) and how often each row counts, (rows,).

    Returns
    -------
    list of (gain, effect)
        One pair a column, each (thresholds,).

    Examples
    --------
    >>> y = np.repeat([0.0, 1.0], 50)
    >>> half = Steps(np.repeat([0, 2], 50), 2)  # both thresholds split the rows in the middle
    >>> [(gain, effect)] = profile([half], Binned.of(np.zeros(100)), y, np.ones(100))
    >>> bool(np.allclose(gain, 100 * np.log(2), rtol=0.01))
    True
    """
    bins = len(binned.centre)
    n_all, y_all = np.bincount(binned.place, weight, bins), np.bincount(binned.place, weight * y, bins)
    together = _best(n_all[None], y_all[None], binned.centre)[0][0]
    found = []
    for column in steps:
        cells = (column.count + 1) * bins
        index = column.level * bins + binned.place
        n = _met(np.bincount(index, weight, cells).reshape(-1, bins))
        k = _met(np.bincount(index, weight * y, cells).reshape(-1, bins))
        above, high = _best(n, k, binned.centre)
        below, low = _best(n_all - n, y_all - k, binned.centre)
        found.append((above + below - together, high - low))
    return found


def _met(table: Floats) -> Floats:
    """From cells by level to cells of those that meet each threshold."""
    return np.asarray(table[::-1].cumsum(axis=0)[::-1][1:])


def _best(n: Floats, k: Floats, centre: Floats) -> tuple[Floats, Floats]:
    """Highest log-likelihood of each line of bins with its own level, and that level, by Newton's method."""
    level = np.zeros((len(n), 1))
    for _ in range(12):
        p = expit(centre + level)
        slope = (k - n * p).sum(axis=1, keepdims=True)
        curve = (n * p * (1 - p)).sum(axis=1, keepdims=True) + 1e-6
        before, level = level, np.clip(level + np.clip(slope / curve, -2, 2), -8, 8)
        if np.abs(level - before).max() < 1e-4:  # Newton's next step would be its square
            break
    odds = centre + level
    return (k * odds - n * np.logaddexp(0, odds)).sum(axis=1), level[:, 0]


def fit_steps(met: np.ndarray, offset: Floats, y: Floats, weight: Floats) -> Floats:
    """Logistic regression on steps with an offset: the base level, then one effect (log-odds) a step.

    Parameters
    ----------
    met
        0 or 1, (rows, steps).

    Examples
    --------
    >>> met = np.repeat([0.0, 1.0], 100)[:, None]
    >>> y = np.r_[np.tile([0, 0, 0, 1], 25), np.tile([0, 1, 1, 1], 25)].astype(float)
    >>> fit_steps(met, np.zeros(200), y, np.ones(200)).round(2)
    array([-1.1,  2.2])
    """
    A = np.column_stack([np.ones(len(y)), met])
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
    steps: Sequence[Steps],
    probability: Floats,
    rng: np.random.Generator,
    quantile: float = 0.95,
    draws: int = 200,
    chosen: np.ndarray | None = None,
    handicap: Sequence[float] | None = None,
) -> float:
    """The gain that the best of so many thresholds with a positive effect reaches by chance alone.

    Outcomes are drawn from `probability`, in which no step has an effect beyond those chosen. Correlated columns are
    allowed for, as all see the same draws.

    Parameters
    ----------
    probability
        Of each row by everything chosen so far, (rows,).
    chosen
        The steps whose effects were fitted to get the probabilities, 0 or 1, (rows, steps).
    handicap
        What is taken off the gains of each column.

    References
    ----------
    Max-statistic correction: Westfall & Young (1993), Resampling-Based Multiple Testing.
    """
    if not steps:
        return 0.0
    less = np.zeros(len(steps)) if handicap is None else np.asarray(handicap)
    best = []
    for _ in range(0, draws, _AT_ONCE):
        off = _off(probability, chosen, rng, _AT_ONCE)
        gains = [_largest(column, off, probability) for column in steps]
        best.append((np.array(gains) - less[:, None]).max(axis=0))
    return max(0.0, float(np.quantile(np.concatenate(best), quantile)))


def _off(probability: Floats, chosen: np.ndarray | None, rng: np.random.Generator, draws: int) -> Floats:
    """Drawn outcomes less what was expected, once the base level and the chosen steps are fitted again; (rows, draws)."""
    ones = np.ones((len(probability), 1))
    A = ones if chosen is None else np.hstack([ones, chosen])
    p = probability.astype(np.float32)[:, None]
    off = (rng.random((len(p), draws), np.float32) < p) - p
    weighted = A * (probability * (1 - probability))[:, None]
    fitted = np.linalg.solve(A.T @ weighted + 1e-6 * np.eye(A.shape[1]), A.T @ off)
    return np.asarray(off - weighted.astype(np.float32) @ fitted.astype(np.float32))


def _largest(column: Steps, off: Floats, probability: Floats) -> Floats:
    """The largest gain of a column in each draw."""
    rows, weight = len(probability), probability * (1 - probability)
    cells = csc_matrix((np.ones(rows, np.float32), column.level, np.arange(rows + 1)), (column.count + 1, rows))
    more = np.maximum(_met(cells @ off), 0)  # (thresholds, draws)
    expected, spread = (_met(np.bincount(column.level, of, column.count + 1)[:, None]) for of in (probability, weight))
    inside = _surprise(more, expected, spread)
    outside = _surprise(-more, probability.sum() - expected, weight.sum() - spread)
    return np.asarray((inside + outside).max(axis=0))


def _surprise(more: Floats, expected: Floats, spread: Floats) -> Floats:
    """Gain of a level of its own where so many more than expected convert.

    Rows of unequal probability count as the number of equal ones with the same mean and variance.
    """
    n = (expected**2 / np.maximum(expected - spread, 1e-9)).astype(np.float32)
    e = np.clip(expected.astype(np.float32), _TINY, n - _TINY)
    k = np.clip(e + more, _TINY, n - _TINY)
    return np.asarray(k * np.log(k / e) + (n - k) * np.log((n - k) / (n - e)))
