"""A median with its interval, and the difference of two shares with its interval."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binom

from pql_model.statistics.estimate import Estimate, wilson


def median_interval(values: np.ndarray) -> Estimate:
    """Median with a distribution-free 95 % interval between two order statistics; no bounds with fewer than six values.

    >>> median_interval(np.arange(1.0, 22.0))
    Estimate(value=11.0, low=6.0, high=16.0)
    """
    n = len(values)
    if not n:
        return Estimate(math.nan, math.nan, math.nan)
    ordered = np.sort(values)
    rank = int(binom.ppf(0.025, n, 0.5))  # the rank-th smallest and largest enclose the median
    if binom.cdf(rank - 1, n, 0.5) > 0.025 or rank < 1:
        rank -= 1
    if rank < 1:
        return Estimate(float(np.median(ordered)), math.nan, math.nan)
    return Estimate(float(np.median(ordered)), float(ordered[rank - 1]), float(ordered[n - rank]))


def share_difference(first: tuple[int, int], second: tuple[int, int]) -> Estimate:
    """Difference of two independent shares, each (successes, trials), with Newcombe's interval (1998, Stat. Med. 17:873-890).

    >>> share_difference((56, 70), (48, 80))
    Estimate(value=0.2..., low=0.05..., high=0.33...)
    """
    a, b = wilson(*first), wilson(*second)
    difference = a.value - b.value
    low = difference - math.hypot(a.value - a.low, b.high - b.value)
    return Estimate(difference, low, difference + math.hypot(a.high - a.value, b.value - b.low))
