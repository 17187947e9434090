"""Correction of probabilities to the level of the newest outcomes known at scoring time.

The outcomes known at t are those of snapshots with as_of + horizon <= t, so they lag by one horizon. For the newest of them
the expected number of conversions is compared with the observed one, and the odds are scaled by the ratio. The comparison
is with the model's own expectation, not with the base rate in training: a change that the features already reflect (a
campaign that attracts other accounts) would otherwise be counted twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import chi2

from pql_model.statistics.estimate import Z95, Estimate
from pql_model.time import DAY, Duration

NEWEST = Duration(90 * DAY)
"""Outcomes that became final this long before scoring are used. A shorter period would follow every campaign."""
PRIOR_CONVERSIONS = 30.0
"""Prior weight of the model, in conversions: a rate estimated from 30 conversions is itself uncertain by 18 %."""
DRIFT = 0.15
"""Standard deviation, as a share, of how far the level moves between the newest outcomes and those that are forecast, where the
past of the product does not show more. Measured in worlds whose rate moves: docs/calibration.md."""
PERIOD = Duration(30 * DAY)
"""The past is looked at in periods of this length: what was expected at their start, and what came."""
_FEWEST_EXPECTED = 3.0
"""Periods with fewer expected conversions say nothing about the level."""
_LEAST_CHANGE = 0.1


def corrected_probability(
    final: pd.DataFrame, horizon: Duration, as_of: np.ndarray, probability: np.ndarray
) -> np.ndarray:
    """Correct probabilities to the level of the newest outcomes known at each `as_of`.

    The level is scaled by (observed + 30) / (expected + 30) over the outcomes that became final in the preceding 90 days,
    counting each entity once. Outcomes that became final on the day of scoring itself do not count.

    Parameters
    ----------
    final
        entity, as_of (int64 microseconds), converted and the model's probability of snapshots with a final outcome.
        Outcomes unknown at an `as_of` are ignored for it.
    as_of, probability
        Instants and probabilities of the rows to correct, (rows,).

    Returns
    -------
    ndarray
        (rows,); equal to `probability` where no outcome was known.

    Examples
    --------
    Ten conversions were expected, none occurred:

    >>> final = pd.DataFrame({"entity": range(100), "as_of": 0, "converted": False, "probability": 0.1})
    >>> corrected_probability(final, Duration.parse("7d"), np.array([6 * DAY, 7 * DAY]), np.array([0.1, 0.1])).round(3)
    array([0.1  , 0.075])
    """
    known_at = final["as_of"].to_numpy(np.int64) + horizon.us
    order = np.argsort(known_at, kind="stable")
    known_at = known_at[order]
    entity = pd.factorize(final["entity"])[0][order]
    expected, observed = (final[name].to_numpy(float)[order] for name in ("probability", "converted"))
    days, row_of = np.unique(as_of // DAY * DAY, return_inverse=True)
    corrected = np.array(probability, dtype=np.float64)
    for number, day in enumerate(days):
        start, end = np.searchsorted(known_at, [day - NEWEST.us, day], side="right")
        if end > start:
            rows, newest = row_of == number, slice(start, end)
            level = _level(entity[newest], expected[newest], observed[newest])
            corrected[rows] = expit(logit(corrected[rows]) + level.addition)
    return corrected


@dataclass(frozen=True)
class Level:
    """Expected and observed conversions among the newest final outcomes, counting every entity once.

    Attributes
    ----------
    entities
        Number of entities with such an outcome.
    expected, observed
        Conversions among them: the sum of the probabilities, and what came.
    drift
        Standard deviation, as a share, of how far the level moves until the next outcomes.
    """

    entities: int
    expected: float
    observed: float
    drift: float = DRIFT

    @property
    def addition(self) -> float:
        """Log-odds to add, so that the expected level becomes the observed one, shrunk by `PRIOR_CONVERSIONS`."""
        if not self.entities:
            return 0.0
        level = self.expected / self.entities
        factor = (self.observed + PRIOR_CONVERSIONS) / (self.expected + PRIOR_CONVERSIONS)
        return float(logit(min(level * factor, 1 - 1e-9)) - logit(level))

    @property
    def relative_error(self) -> float:
        """Standard error of the level as a share of itself: of the counted conversions, and of the drift until the next ones."""
        return math.sqrt(1 / (self.observed + PRIOR_CONVERSIONS) + self.drift**2)

    def to_dict(self) -> dict[str, Any]:
        return {
            "entities": self.entities,
            "expected": round(self.expected, 2),
            "observed": round(self.observed, 2),
            "addition": round(self.addition, 6),
            "drift": round(self.drift, 6),
            "relative_error": round(self.relative_error, 6),
        }


def newest_level(final: pd.DataFrame, horizon: Duration, at: int) -> Level:
    """Compare expected and observed conversions of the outcomes that became final in the 90 days up to `at`.

    Parameters
    ----------
    final
        As for `corrected_probability`.
    at
        Instant in microseconds; outcomes that were not final then are ignored.
    """
    known_at = final["as_of"].to_numpy(np.int64) + horizon.us
    newest = final[(known_at > at - NEWEST.us) & (known_at <= at)]
    level = _level(*(newest[name].to_numpy() for name in ("entity", "probability", "converted")))
    return replace(level, drift=_drift(final[known_at <= at], horizon))


def _drift(final: pd.DataFrame, horizon: Duration) -> float:
    """How far the level moved in the past between the newest outcomes and the next; `DRIFT` where it cannot be told from that.

    In each period the expectation, at the level that was the newest when it began, is compared with what came. If the squared
    relative differences are more than chance and `DRIFT` explain (chi-squared test at 10 %), their mean, weighted by expected
    conversions and without the variance by chance, is the square of the drift.
    """
    if final.empty:
        return DRIFT
    as_of = final["as_of"].to_numpy(np.int64)
    known_at = as_of + horizon.us
    columns = [final[name].to_numpy() for name in ("entity", "probability", "converted")]
    looks: list[tuple[float, float, float]] = []
    for start in range(int(known_at.min()) + NEWEST.us, int(as_of.max()) - PERIOD.us + 1, PERIOD.us):
        before = (known_at > start - NEWEST.us) & (known_at <= start)
        during = (as_of >= start) & (as_of < start + PERIOD.us)
        level = _level(*(column[before] for column in columns))
        entity, probability, converted = (column[during] for column in columns)
        came = _level(entity, expit(logit(probability) + level.addition), converted)
        if level.entities and came.expected >= _FEWEST_EXPECTED:
            chance = 1 / came.expected + 1 / (level.observed + PRIOR_CONVERSIONS)
            looks.append((came.expected, (came.observed / came.expected - 1) ** 2, chance))
    if not looks:
        return DRIFT
    weight, square, chance_of = np.array(looks).T
    if (square / (chance_of + DRIFT**2)).sum() < chi2.ppf(0.9, len(looks)):
        return DRIFT
    return math.sqrt(max(DRIFT**2, float(np.average(square - chance_of, weights=weight))))


def _level(entity: np.ndarray, probability: np.ndarray, converted: np.ndarray) -> Level:
    _, codes, rows = np.unique(entity, return_inverse=True, return_counts=True)
    weight = 1.0 / rows[codes]  # several snapshots of one entity describe the same conversion
    return Level(len(rows), float(weight @ probability), float(weight @ converted.astype(float)))


def rate_change(entity: np.ndarray, converted: np.ndarray, before: np.ndarray, after: np.ndarray) -> Estimate:
    """Difference in rate between the rows `after` and `before`, with a 95 % interval clustered by entity.

    The variance sums each entity's influence on both rates (sandwich estimator, Liang & Zeger 1986), so several snapshots of
    one entity are not treated as independent.
    """
    y = converted.astype(float)
    rates = [float(y[rows].mean()) for rows in (before, after)]
    pull = after * (y - rates[1]) / after.sum() - before * (y - rates[0]) / before.sum()
    by_entity = np.bincount(pd.factorize(entity)[0], weights=pull)
    half = Z95 * math.sqrt(float(by_entity @ by_entity))
    difference = rates[1] - rates[0]
    return Estimate(difference, difference - half, difference + half)


def has_moved(rate: float, change: Estimate) -> bool:
    """Whether a rate moved beyond chance and by more than a tenth of itself.

    >>> has_moved(0.02, Estimate(-0.005, -0.008, -0.002)), has_moved(0.02, Estimate(-0.001, -0.0015, -0.0005))
    (True, False)
    """
    return (change.low > 0 or change.high < 0) and abs(change.value) > _LEAST_CHANGE * rate
