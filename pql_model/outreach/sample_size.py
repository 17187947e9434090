"""How long it takes to see an effect of contact of a given size, and what the hold-out costs meanwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.proportions import Trials, difference

POWER = 0.8
EFFECTS = (0.02, 0.05, 0.1, 0.2)
"""Differences of rates for which the time is given."""
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)
_NORMAL = NormalDist()
_MOST = 10**9
LONGEST_WEEKS = 520


def entities_needed(base_rate: float, effect: float, share: float) -> int:
    """Entities that must qualify, in both arms together, to see an effect 8 times in 10.

    An effect is seen where the interval of `statistics.proportions.difference` leaves out 0.

    Parameters
    ----------
    base_rate
        Conversion rate without contact.
    effect
        Rate with contact minus that.
    share
        Share of the hold-out.

    Examples
    --------
    >>> entities_needed(0.2, 0.1, 0.5), entities_needed(0.2, 0.1, 0.1)
    (587, 1630)
    """
    few, many = 1, 2
    while not _is_seen(base_rate, effect, share, many):
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if _is_seen(base_rate, effect, share, middle) else (middle, many)
    return many


def power(base_rate: float, effect: float, share: float, n: int) -> float:
    """Chance that so many entities show an effect.

    >>> round(power(0.2, 0.1, 0.5, entities_needed(0.2, 0.1, 0.5)), 2)
    0.8
    """
    contacted = min(max(base_rate + effect, 0.0), 1.0)
    arms = Trials(contacted, n * (1 - share)), Trials(base_rate, n * share)
    interval = difference(*arms)
    reach = interval.value - interval.low if effect >= 0 else interval.high - interval.value
    spread = math.sqrt(sum(arm.share * (1 - arm.share) / arm.n for arm in arms))
    return _NORMAL.cdf((abs(effect) - reach) / spread) if spread else float(abs(effect) > reach)


def detectable_effect(base_rate: float, share: float, n: int) -> float:
    """The smallest rise of the rate that so many entities show 8 times in 10; NaN if none.

    >>> round(detectable_effect(0.2, 0.5, 587), 3)
    0.1
    """
    low, high = 0.0, 1 - base_rate
    if not power(base_rate, high, share, n) >= POWER:
        return math.nan
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if power(base_rate, middle, share, n) >= POWER else (middle, high)
    return high


def _is_seen(base_rate: float, effect: float, share: float, n: int) -> bool:
    return n >= _MOST or power(base_rate, effect, share, n) >= POWER


@dataclass(frozen=True)
class Wait:
    """What it takes to see an effect of a size.

    Attributes
    ----------
    entities
        Entities that must qualify, in both arms together.
    weeks
        Until their outcomes are final, at the present flow; 0 where there are enough. None where the flow is unknown or it
        takes more than ten years.
    """

    effect: float
    share: float
    entities: int
    weeks: float | None

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=6)


def wait_for(
    base_rate: float, effect: float, share: float, have: int, flow: float, horizon_weeks: float, coming: int = 0
) -> Wait:
    """Work out how long it takes to see an effect.

    Parameters
    ----------
    have
        Entities with a final outcome, at this share.
    flow
        Entities that first qualify per week.
    horizon_weeks
        Weeks until an outcome is final.
    coming
        Entities that have qualified and wait for their outcome.
    """
    needed = entities_needed(base_rate, effect, share)
    if needed <= have:
        return Wait(effect, share, needed, 0.0)
    if needed <= have + coming:
        return Wait(effect, share, needed, horizon_weeks)
    weeks = (needed - have - coming) / flow + horizon_weeks if flow > 0 else math.inf
    return Wait(effect, share, needed, weeks if weeks <= LONGEST_WEEKS else None)


@dataclass(frozen=True)
class HoldOutCost:
    """What the hold-out costs: conversions that contact would have brought.

    Attributes
    ----------
    so_far
        Of the held-out entities whose outcome is final.
    per_month
        At the present flow and share.
    value_so_far
        `so_far` times the mean value of a conversion; None where values are not known.
    """

    so_far: Estimate
    per_month: Estimate
    value_so_far: Estimate | None

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=6)
