"""A probability moved to the level of the newest outcomes, using only those that were known at scoring time.

At an instant t the outcomes known are those of snapshots with as_of + horizon <= t: they lag one horizon behind. What
the model promised for the newest of them is compared with what came, and the odds are moved by the quotient. Compared is
with the model's own promise and not with the base rate of training, because a change that the features already show
(a campaign that brings another kind of account) would otherwise be counted twice.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from pql_model.model.calibrate import shift
from pql_model.statistics.estimate import Z95, Estimate
from pql_model.time import DAY, Duration

NEWEST = Duration(90 * DAY)
"""Outcomes that became final within this time before the scoring count. A shorter stretch chases every campaign."""
PRIOR_CONVERSIONS = 30.0
"""Conversions' worth of trust in the model: a rate known from 30 conversions is itself uncertain by 18 %."""
_LEAST_CHANGE = 0.1


def corrected_probability(
    final: pd.DataFrame, horizon: Duration, as_of: np.ndarray, probability: np.ndarray
) -> np.ndarray:
    """Probabilities at the level of the newest outcomes known at each `as_of`.

    (observed + 30) / (promised + 30) over the outcomes that became final in the 90 days before, every entity counted
    once, is the factor by which the level moves. Whole days: what became final during the day of scoring does not count.

    Parameters
    ----------
    final
        entity, as_of (int64 microseconds), converted, probability (the model's) of snapshots with their outcome.
        Outcomes that were not known at an `as_of` are not looked at for it.
    as_of, probability
        Of the rows to correct, (rows,).

    Returns
    -------
    ndarray
        (rows,); the same as `probability` where no outcome was known.

    Examples
    --------
    Ten conversions were promised, none came:

    >>> final = pd.DataFrame({"entity": range(100), "as_of": 0, "converted": False, "probability": 0.1})
    >>> corrected_probability(final, Duration.parse("7d"), np.array([6 * DAY, 7 * DAY]), np.array([0.1, 0.1])).round(3)
    array([0.1  , 0.075])
    """
    known_at = final["as_of"].to_numpy(np.int64) + horizon.us
    order = np.argsort(known_at, kind="stable")
    known_at = known_at[order]
    entity = pd.factorize(final["entity"])[0][order]
    promised, came = (final[name].to_numpy(float)[order] for name in ("probability", "converted"))
    days, row_of = np.unique(as_of // DAY * DAY, return_inverse=True)
    moved = np.array(probability, dtype=np.float64)
    for number, day in enumerate(days):
        start, end = np.searchsorted(known_at, [day - NEWEST.us, day], side="right")
        if end > start:
            rows, newest = row_of == number, slice(start, end)
            moved[rows] = _moved(moved[rows], entity[newest], promised[newest], came[newest])
    return moved


def _moved(probability: np.ndarray, entity: np.ndarray, promised: np.ndarray, came: np.ndarray) -> np.ndarray:
    """The odds times a constant, which turns the level promised for the known rows into the one they point to."""
    _, codes, rows = np.unique(entity, return_inverse=True, return_counts=True)
    weight = 1.0 / rows[codes]  # several snapshots of one entity tell of the same conversion
    expected, observed = float(weight @ promised), float(weight @ came)
    level = expected / len(rows)
    factor = (observed + PRIOR_CONVERSIONS) / (expected + PRIOR_CONVERSIONS)
    return shift(probability, from_rate=level, to_rate=min(level * factor, 1 - 1e-9))


def rate_change(entity: np.ndarray, converted: np.ndarray, before: np.ndarray, after: np.ndarray) -> Estimate:
    """Rate of the rows `after` minus that of the rows `before`, with a 95 % interval by the entity.

    The variance adds up each entity's influence on both rates (the sandwich of Liang & Zeger 1986), so several
    snapshots of one entity, also across the two, are not taken for independent.
    """
    y = converted.astype(float)
    rates = [float(y[rows].mean()) for rows in (before, after)]
    pull = after * (y - rates[1]) / after.sum() - before * (y - rates[0]) / before.sum()
    by_entity = np.bincount(pd.factorize(entity)[0], weights=pull)
    half = Z95 * math.sqrt(float(by_entity @ by_entity))
    difference = rates[1] - rates[0]
    return Estimate(difference, difference - half, difference + half)


def has_moved(rate: float, change: Estimate) -> bool:
    """Whether a rate moved by more than chance, and by more than a tenth of itself.

    >>> has_moved(0.02, Estimate(-0.005, -0.008, -0.002)), has_moved(0.02, Estimate(-0.001, -0.0015, -0.0005))
    (True, False)
    """
    return (change.low > 0 or change.high < 0) and abs(change.value) > _LEAST_CHANGE * rate
