"""Conversions and value of the weeks to come, with intervals as wide as the same forecast was off before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pql_model.model.columns import Manifest
from pql_model.model.conversion_value import ConversionValue, learn_value
from pql_model.outlook.daily_history import History
from pql_model.outlook.projection import PastDates, Projection, Scored, by_week, past_dates, project
from pql_model.outlook.sign_ups import WEEK_DAYS
from pql_model.outlook.spread import amount_interval, count_interval, learn_spread
from pql_model.statistics.estimate import Estimate
from pql_model.time import DAY, WEEK, iso

VALUE_DAYS = 365
"""Values are learnt from the conversions of so many days."""
CHECKED_DATES = 8


@dataclass(frozen=True)
class Week:
    """One week to come, [from, to), or all of them."""

    from_: int
    to: int
    sign_ups: Estimate
    conversions: Estimate
    at_risk: float
    still_to_sign_up: float
    value: Estimate | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "from": iso(self.from_),
            "to": iso(self.to),
            "conversions": self.conversions.to_dict(3),
            "of_those_at_risk": round(self.at_risk, 3),
            "of_those_still_to_sign_up": round(self.still_to_sign_up, 3),
            "sign_ups": self.sign_ups.to_dict(3),
            "value": self.value.to_dict(2) if self.value is not None else None,
        }


@dataclass(frozen=True)
class CheckedDate:
    """A forecast as it would have been made at a past date, and the conversions that came."""

    as_of: int
    conversions: Estimate
    observed: int

    @property
    def held(self) -> bool:
        return self.conversions.low <= self.observed <= self.conversions.high

    def to_dict(self) -> dict[str, Any]:
        return {
            "as_of": iso(self.as_of),
            "conversions": self.conversions.to_dict(3),
            "observed": self.observed,
            "held": self.held,
        }


@dataclass(frozen=True)
class Outlook:
    """A forecast.

    Attributes
    ----------
    total
        All weeks together.
    value
        What a conversion is worth; None where no values are known.
    checked
        The same forecast at past dates whose weeks are over, the oldest first.
    past_weeks
        Conversions of the newest weeks, the oldest first.
    """

    total: Week
    weeks: tuple[Week, ...]
    value: ConversionValue | None
    checked: tuple[CheckedDate, ...]
    past_weeks: tuple[tuple[int, int], ...]


def make_outlook(history: History, weeks: int, scored: Scored | None = None) -> Outlook:
    """Project the past, and learn the width of the intervals from past dates.

    Parameters
    ----------
    history
        What is known.
    weeks
        How many weeks to forecast.
    scored
        What a model says of those at risk.

    Examples
    --------
    Ten sign-ups a day, of which one pays a week later:

    >>> from pql_model.outlook.cohorts import Cohorts
    >>> day = np.arange(200)
    >>> cells = [np.tile(day, 2), np.concatenate([day + 7, np.full(200, 999)]), np.repeat([1, 9], 200)]
    >>> nothing = np.empty(0)
    >>> outlook = make_outlook(History(200 * DAY, Cohorts.of(200, *cells), nothing, nothing), weeks=2)
    >>> total = outlook.total
    >>> round(total.conversions.value), round(total.at_risk), round(total.still_to_sign_up)
    (14, 7, 7)
    """
    projection, past = project(history.cohorts, weeks, scored), past_dates(history.cohorts, weeks)
    worth = _value_of(history)
    parts = [slice(week, week + 1) for week in range(weeks)]
    total = _week(history, projection, past, worth, slice(0, weeks))
    each = tuple(_week(history, projection, past, worth, part) for part in parts)
    recent = history.cohorts.conversions[history.cohorts.days % WEEK_DAYS :]
    counts = by_week(recent)[-26:]
    starts = [history.as_of - (len(counts) - k) * WEEK for k in range(len(counts))]
    newest = tuple((start, int(count)) for start, count in zip(starts, counts, strict=True))
    return Outlook(total, each, worth, _check(history, past, weeks), newest)


def _week(
    history: History, projection: Projection, past: PastDates, worth: ConversionValue | None, part: slice
) -> Week:
    at_risk, new, sign_ups = (
        float(by_week(daily)[part].sum())
        for daily in (projection.at_risk, projection.still_to_sign_up, projection.sign_ups)
    )
    mean, value = at_risk + new, None
    spread = _spread(past.expected, past.observed, part)
    if worth is not None:
        expected = past.expected * _mean_values(history, past.day)[:, None]
        observed = np.array([_values_by_week(history, int(day), past.expected.shape[1]) for day in past.day])
        observed = np.where(np.isnan(past.observed), np.nan, observed.reshape(past.observed.shape))
        each = worth.overall.value
        chance = each * (1 + worth.spread**2)
        off = np.hypot(_spread(expected, observed, part, chance), worth.error)
        value = amount_interval(mean * each, mean * each * chance, float(off))
    return Week(
        history.as_of + part.start * WEEK,
        history.as_of + part.stop * WEEK,
        count_interval(sign_ups, _spread(past.expected_sign_ups, past.observed_sign_ups, part)),
        count_interval(mean, spread),
        at_risk,
        new,
        value,
    )


def _spread(expected: np.ndarray, observed: np.ndarray, part: slice, chance: float = 1.0) -> float:
    """The spread of a week, or of several together, at past dates where they are over."""
    e, o = expected[:, part].sum(axis=1), observed[:, part].sum(axis=1)
    over = ~np.isnan(o)
    return learn_spread(e[over], o[over], over.sum() / part.stop, chance)


def _value_of(history: History) -> ConversionValue | None:
    recent = history.value[history.value_day >= history.cohorts.days - VALUE_DAYS]
    values = recent if len(recent) >= 30 else history.value
    return learn_value(values, np.empty((len(values), 0)), Manifest(()), seed=0)


def _mean_values(history: History, days: Sequence[int] | np.ndarray) -> np.ndarray:
    """The mean value of the conversions known at the start of each day; NaN with none."""
    sums, place = np.append(0.0, np.cumsum(history.value)), np.asarray(days, int)
    end = np.searchsorted(history.value_day, place)
    start = np.searchsorted(history.value_day, place - VALUE_DAYS)
    return np.where(end > start, (sums[end] - sums[start]) / np.maximum(end - start, 1), 0.0)


def _values_by_week(history: History, day: int, weeks: int) -> np.ndarray:
    """What came in the weeks from a day on; conversions of unknown value count as the others of their week do."""
    inside = (history.value_day >= day) & (history.value_day < day + weeks * WEEK_DAYS)
    week = (history.value_day[inside] - day) // WEEK_DAYS
    sums, known = (np.bincount(week, of, weeks) for of in (history.value[inside], None))
    came = history.cohorts.conversions[day : day + weeks * WEEK_DAYS]
    all_ = by_week(np.pad(came, (0, weeks * WEEK_DAYS - len(came))))
    return np.asarray(sums * np.where(known > 0, all_ / np.maximum(known, 1), 1.0))


def _check(history: History, past: PastDates, weeks: int) -> tuple[CheckedDate, ...]:
    """Forecast at past dates with what was known then, the errors of still earlier dates included."""
    over = np.flatnonzero(~np.isnan(past.observed).any(axis=1))
    chosen = over[np.unique(np.linspace(0, len(over) - 1, min(CHECKED_DATES, len(over))).round().astype(int))]
    checked = []
    for place in chosen[::-1]:
        day = int(past.day[place])
        known = past.day + weeks * WEEK_DAYS <= day
        spread = _spread(past.expected[known], past.observed[known], slice(0, weeks))
        expected = float(past.expected[place].sum())
        as_of = history.as_of - (history.cohorts.days - day) * DAY
        checked.append(CheckedDate(as_of, count_interval(expected, spread), int(past.observed[place].sum())))
    return tuple(checked)
