"""Intervals of counts to come, as wide as the errors of the same forecast at past dates.

What moves a forecast is more than chance: rates drift, sign-ups come in waves, trends end. All of it shows in how far the
forecast was off before, beyond chance. Few past dates say little, so a prior spread stands beside them.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import gamma, nbinom, t

from pql_model.statistics.estimate import Z95, Estimate

PRIOR_SPREAD = 0.15
"""Relative standard deviation that is expected of a forecast before its past is seen, as of the level of a model."""
PRIOR_LOOKS = 4.0
"""Independent past dates that the prior counts as."""


def learn_spread(expected: np.ndarray, observed: np.ndarray, looks: float, chance: float = 1.0) -> float:
    """Relative standard deviation of what comes around what is expected, beyond chance.

    Parameters
    ----------
    expected, observed
        At past dates; dates at which less than one was expected say nothing.
    looks
        Independent dates among them: periods that overlap describe the same outcomes.
    chance
        Variance of what comes by chance, in units of what is expected.

    Returns
    -------
    float
        Widened as Student's t is, for the few dates that it is learnt from.
    """
    useful = expected >= 1.0
    looks = looks * float(useful.mean()) if len(useful) else 0.0
    excess = 0.0
    if looks > 0:
        e, o = expected[useful], observed[useful]
        excess = max(0.0, float(np.average((o / e - 1) ** 2 - chance / e, weights=e)))
    square = (PRIOR_LOOKS * PRIOR_SPREAD**2 + looks * excess) / (PRIOR_LOOKS + looks)
    return math.sqrt(square) * float(t.ppf(0.975, PRIOR_LOOKS + looks)) / Z95


def count_interval(mean: float, spread: float) -> Estimate:
    """Predict a count: negative binomial, whose mean is uncertain by `spread`.

    >>> count_interval(40.0, 0.0001), count_interval(40.0, 0.2)
    (Estimate(value=40.0, low=28.0, high=53.0), Estimate(value=40.0, low=22.0, high=62.0))
    """
    if mean <= 0:
        return Estimate(0.0, 0.0, 0.0)
    size = 1 / max(spread, 1e-4) ** 2
    low, high = nbinom.ppf((0.025, 0.975), size, size / (size + mean))
    return Estimate(float(mean), float(low), float(high))


def amount_interval(mean: float, chance: float, spread: float) -> Estimate:
    """Predict a sum of skewed amounts: gamma, with the variance by chance and that of an uncertain mean."""
    if mean <= 0:
        return Estimate(0.0, 0.0, 0.0)
    variance = chance + (mean * spread) ** 2
    low, high = gamma.ppf((0.025, 0.975), mean**2 / variance, scale=variance / mean)
    return Estimate(float(mean), float(low), float(high))
