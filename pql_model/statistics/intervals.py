"""From a value and its bootstrap draws to a 95 % interval, by the two methods that reach their coverage (docs/intervals.md).

A bootstrap's plain percentile interval is too narrow where few entities converted: it takes the spread of n entities
for that of the population, and the normal for Student's t. Hesterberg (2015), "What Teachers Should Know About the
Bootstrap", The American Statistician 69:371-386, widens its tails by both; n is here the number of entities behind the
rarer class. Rates of few trials are skewed as well: they get Wilson's interval, with the number of independent trials
that would vary as much as the draws do (the effective sample size of Korn & Graubard 1998, Survey Methodology
24:193-201).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, stdtrit

from pql_model.statistics.count_metrics import NEED_PROBABILITIES, RATES, Floats
from pql_model.statistics.estimate import Estimate, wilson, wilson_around


@dataclass(frozen=True)
class SampleSize:
    """Number of entities, and of entities in the rarer class."""

    entities: int
    rarer: int

    @classmethod
    def of(cls, positives: ArrayLike, rows: ArrayLike) -> SampleSize:
        """Count from conversions and rows per entity.

        >>> SampleSize.of([0, 2, 1], [1, 2, 3])
        SampleSize(entities=3, rarer=2)
        """
        converted, all_rows = np.asarray(positives), np.asarray(rows)
        rarer = min(np.count_nonzero(converted), np.count_nonzero(all_rows > converted))
        return cls(len(all_rows), int(rarer))

    @property
    def correction(self) -> float:
        """Factor by which the spread of resamples is too small.

        >>> round(SampleSize(500, 25).correction, 4)
        1.0206
        """
        n = max(2, self.rarer)
        return math.sqrt(n / (n - 1))

    @property
    def half_width_in_sd(self) -> float:
        """Half width of a 95 % interval, in standard deviations of the resamples.

        >>> [round(SampleSize(500, rarer).half_width_in_sd, 2) for rarer in (10, 25, 250)]
        [2.38, 2.11, 1.97]
        """
        return self.correction * float(stdtrit(max(2, self.rarer) - 1, 0.975))


def interval_for(name: str, value: float, draws: Floats, units: SampleSize, highest: float = 1.0) -> Estimate:
    """Choose the interval that suits a metric of `count_metrics.METRICS`.

    Parameters
    ----------
    value, draws
        On the sample, and on its resamples; NaN where the metric is undefined.
    highest
        Largest possible value of a metric in `RATES`.
    """
    if name in RATES:
        rate = RATES[name]
        trials = rate.share * units.entities
        return rate_interval(value, draws, units, min(trials, units.rarer) if rate.caught else trials, highest)
    if name in NEED_PROBABILITIES:
        return percentile_interval(value, draws, units)
    interval = percentile_interval(value, draws, units)
    if units.rarer < 2:  # a single conversion cannot vary
        return Estimate(interval.value, math.nan, math.nan)
    perfect = interval.high - interval.low < 1e-9 and min(interval.value, 1 - interval.value) < 1e-9
    return wilson(round(interval.value) * units.rarer, units.rarer) if perfect else interval


def percentile_interval(value: float, draws: Floats, units: SampleSize) -> Estimate:
    """Percentile interval of the defined draws, with tails widened for few entities; it always contains the value."""
    usable = draws[~np.isnan(draws)]
    if math.isnan(value) or not len(usable) or units.entities < 2:
        return Estimate(float(value), math.nan, math.nan)
    tail = 100 * ndtr(-units.half_width_in_sd)
    low, high = np.percentile(usable, [tail, 100 - tail])
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))


def rate_interval(value: float, draws: Floats, units: SampleSize, trials: float, highest: float = 1.0) -> Estimate:
    """Wilson's interval with the number of trials that would vary as much as the draws do.

    Parameters
    ----------
    trials
        Entities behind the rate. Used where the rate is 0 or `highest`, since no resample of zero conversions contains one.
    highest
        Value of the rate if every trial succeeds; the interval lies between 0 and `highest`.
    """
    usable = draws[~np.isnan(draws)]
    if math.isnan(value) or len(usable) < 2 or units.entities < 2:
        return Estimate(float(value), math.nan, math.nan)
    share, spread = min(1.0, value / highest), float(np.std(usable, ddof=1)) / highest * units.correction
    if min(share, 1 - share) < 1e-9:
        n = max(1, int(trials))
        interval = wilson(n * round(share), n)
    else:
        interval = wilson_around(share, share * (1 - share) / spread**2 if spread > 1e-9 else math.inf)
    low, high = interval.low * highest, interval.high * highest
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))
