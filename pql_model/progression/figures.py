"""A median with its interval."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binom

from pql_model.statistics.estimate import Estimate


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
