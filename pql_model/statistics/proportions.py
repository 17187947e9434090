"""Shares of two groups and of clusters, with intervals that hold for small counts.

The difference of two shares has Newcombe's hybrid score interval (Newcombe 1998, Statistics in Medicine 17:873-890, method
10), which is built from the two Wilson intervals. Strata and a covariate enter through the number of independent trials that
would be as informative (Korn & Graubard 1998, Survey Methodology 24:193-201), so that it stays usable with few conversions.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from pql_model.statistics.estimate import Estimate, wilson, wilson_around

_FEWEST_FOR_SLOPE = 20
"""Rows of the rarer outcome below which a covariate is not used: its slope would be noise."""


@dataclass(frozen=True)
class Trials:
    """A share and the number of independent trials that know it as well."""

    share: float
    n: float

    @classmethod
    def of(cls, successes: int, n: int) -> Trials:
        """Count independent trials."""
        return cls(successes / n if n else math.nan, n)

    @property
    def interval(self) -> Estimate:
        if not self.n > 0:
            return Estimate(math.nan, math.nan, math.nan)
        share = min(1.0, max(0.0, self.share))
        return wilson_around(share, self.n)


def difference(first: Trials, second: Trials) -> Estimate:
    """`first` minus `second`, with Newcombe's interval.

    >>> difference(Trials.of(56, 70), Trials.of(48, 80))
    Estimate(value=0.2..., low=0.052..., high=0.333...)
    """
    a, b = first.interval, second.interval
    value = first.share - second.share
    if math.isnan(value):
        return Estimate(value, math.nan, math.nan)
    low = value - math.hypot(a.value - a.low, b.high - b.value)
    high = value + math.hypot(a.high - a.value, b.value - b.low)
    return Estimate(value, max(-1.0, low), min(1.0, high))


def share_of(flags: np.ndarray) -> Trials:
    """The share of independent trials that succeeded."""
    return Trials.of(int(np.count_nonzero(flags)), len(flags))


@dataclass(frozen=True)
class Arms:
    """Rates of two groups that are comparable: the same strata, the same mean of a covariate.

    Attributes
    ----------
    first, second
        Rate of each group.
    explained
        Share of the variance of the outcome that the covariate explains inside the groups; 0 without one.
    """

    first: Trials
    second: Trials
    explained: float

    @property
    def difference(self) -> Estimate:
        return difference(self.first, self.second)


def compare_arms(
    success: np.ndarray,
    in_first: np.ndarray,
    strata: Sequence[Hashable] | np.ndarray | None = None,
    covariate: np.ndarray | None = None,
) -> Arms | None:
    """Compare the success rates of two groups within strata, with the weights of Mantel and Haenszel.

    Parameters
    ----------
    success, in_first
        Bool (rows,): the outcome, and the group.
    strata
        Rows are only compared with those of the same stratum; a stratum with rows of one group tells nothing. Default: one.
    covariate
        Known before the groups were told apart, (rows,). The rates are those at its mean in the stratum (analysis of
        covariance with one slope); it narrows the interval by what it explains. Ignored with fewer than 20 rows of the
        rarer outcome.

    Returns
    -------
    Arms or None
        None if no stratum has rows of both groups.

    Examples
    --------
    >>> arms = compare_arms(np.r_[np.ones(30), np.zeros(70), np.ones(20), np.zeros(80)] > 0, np.arange(200) < 100)
    >>> round(arms.difference.value, 3), round(arms.difference.low, 3)
    (0.1, -0.02)
    """
    y, first = np.asarray(success, float), np.asarray(in_first, bool)
    x = np.zeros(len(y)) if covariate is None else np.asarray(covariate, float)
    stratum = np.zeros(len(y), np.int64) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    size = max(1, int(stratum.max(initial=0)) + 1)
    both = (np.bincount(stratum[first], minlength=size) > 0) & (np.bincount(stratum[~first], minlength=size) > 0)
    if not both.any():
        return None
    rows = both[stratum]
    y, first, x, stratum = y[rows], first[rows], x[rows], (np.cumsum(both) - 1)[stratum[rows]]
    cell = 2 * stratum + first
    n = np.bincount(cell)
    y_mean, x_mean = np.bincount(cell, y) / n, np.bincount(cell, x) / n
    slope, explained = _slope(y - y_mean[cell], x - x_mean[cell], y, len(n))
    centre = np.repeat(np.bincount(stratum, x) / np.bincount(stratum), 2)
    adjusted = y_mean - slope * (x_mean - centre)
    weight = n[0::2] * n[1::2] / (n[0::2] + n[1::2])
    weight = weight / weight.sum()

    def rate(arm: int) -> Trials:
        trials = 1 / float((weight**2 / n[arm::2]).sum())
        return Trials(float((weight * adjusted[arm::2]).sum()), trials / (1 - explained))

    return Arms(rate(1), rate(0), explained)


def _slope(y_within: np.ndarray, x_within: np.ndarray, y: np.ndarray, cells: int) -> tuple[float, float]:
    """Slope of the outcome on the covariate inside the cells, and the share of the variance it explains."""
    spread, left = float(x_within @ x_within), len(y) - cells - 1
    if min(y.sum(), len(y) - y.sum()) < _FEWEST_FOR_SLOPE or spread < 1e-12 or left < 1:
        return 0.0, 0.0
    slope = float(x_within @ y_within) / spread
    total = float(y_within @ y_within)
    residual = total - slope**2 * spread
    return slope, max(0.0, 1 - (residual / left) / (total / (left + 1)))


def clustered_share(success: np.ndarray, cluster: Sequence[Hashable] | np.ndarray) -> Estimate:
    """A share of rows that come in clusters, such as several leads of one entity, with Wilson's interval.

    The number of trials is that of the rows, reduced by as much as rows of a cluster are alike.

    >>> clustered_share(np.array([1, 0, 0, 0]), list("abcd")) == wilson(1, 4)
    True
    >>> clustered_share(np.array([1, 1, 0, 0]), list("aabb")).high > clustered_share(np.array([1, 1, 0, 0]), list("abcd")).high
    True
    """
    y = np.asarray(success, float)
    if not len(y):
        return wilson(0, 0)
    code = np.unique(np.asarray(cluster, object).astype(str), return_inverse=True)[1]
    clusters, share = int(code.max()) + 1, float(y.mean())
    if clusters == len(y):
        return wilson(int(y.sum()), len(y))
    if min(share, 1 - share) < 1e-12 or clusters < 2:  # all alike: only the clusters are known to be independent
        return wilson_around(share, clusters)
    totals = np.bincount(code, y - share)
    variance = float(totals @ totals) / len(y) ** 2 * clusters / (clusters - 1)
    return wilson_around(share, min(float(len(y)), share * (1 - share) / variance))
