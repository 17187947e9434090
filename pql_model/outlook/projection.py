"""The days to come, projected from cohorts: conversions of those at risk now, and of those still to sign up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pql_model.outlook.cohorts import Cohorts, Rates
from pql_model.outlook.sign_ups import WEEK_DAYS, expected_sign_ups


@dataclass(frozen=True)
class Scored:
    """What a model says of those at risk now, by age in days.

    Attributes
    ----------
    entities, expected
        (ages,): entities that have a probability, and the sum of their probabilities.
    horizon_days
        The days that a probability is about.
    """

    entities: np.ndarray
    expected: np.ndarray
    horizon_days: int


@dataclass(frozen=True)
class Projection:
    """Expected sign-ups, and expected conversions of those at risk now and of those still to sign up, by day, (days,)."""

    sign_ups: np.ndarray
    at_risk: np.ndarray
    still_to_sign_up: np.ndarray

    @property
    def weekly(self) -> np.ndarray:
        """Expected conversions by week, (weeks,)."""
        return by_week(self.at_risk + self.still_to_sign_up)


def by_week(daily: np.ndarray) -> np.ndarray:
    """Sum days to weeks."""
    return np.asarray(daily.reshape(-1, WEEK_DAYS).sum(axis=1))


def project(cohorts: Cohorts, weeks: int, scored: Scored | None = None) -> Projection:
    """Project the past forward.

    Parameters
    ----------
    cohorts
        What is known now.
    weeks
        How many weeks to project.
    scored
        Probabilities of some of those at risk. Within their horizon they replace the rates of an age; after it, those that are
        left convert as their age does.
    """
    days, at_risk = weeks * WEEK_DAYS, cohorts.at_risk
    rates = Rates.of(cohorts)
    ahead = rates.ahead(len(at_risk), days)
    conversions = at_risk @ ahead
    if scored is not None:
        conversions = conversions + scored_difference(rates, scored, days)
    to_come = expected_sign_ups(cohorts.sign_ups, days)
    of_new = rates.ahead(1, days)[0]
    return Projection(to_come, conversions, np.convolve(to_come, of_new)[:days])


def scored_difference(rates: Rates, scored: Scored, days: int) -> np.ndarray:
    """How many more convert on each day than by the rates of their ages, (days,)."""
    within = scored.horizon_days
    longest = max(days, within)
    ahead = rates.ahead(len(scored.entities), longest)
    usual = ahead[:, :within].sum(axis=1)
    factor = np.where(usual > 0, scored.expected / np.maximum(scored.entities * usual, 1e-12), 1.0)
    left = scored.entities - scored.expected
    usually_left = np.maximum(scored.entities * (1 - usual), 1e-12)
    changed = ahead * np.where(np.arange(longest) < within, factor[:, None], (left / usually_left)[:, None])
    return np.asarray((scored.entities @ (changed - ahead))[:days] if scored.entities.any() else np.zeros(days))


@dataclass(frozen=True)
class PastDates:
    """What would have been expected at past dates, and what came.

    Attributes
    ----------
    day
        (dates,): the first day that was projected, the newest date first.
    expected, observed
        (dates, weeks): conversions by week; `observed` is NaN where the week is not over.
    expected_sign_ups, observed_sign_ups
        The same of sign-ups.
    """

    day: np.ndarray
    expected: np.ndarray
    observed: np.ndarray
    expected_sign_ups: np.ndarray
    observed_sign_ups: np.ndarray


LEAST_DAYS = 56
"""Days of sign-ups before the first past date."""
MOST_DATES = 52
"""Past dates, one a week."""


def past_dates(cohorts: Cohorts, weeks: int, most: int = MOST_DATES) -> PastDates:
    """Project at each past week as if it were now."""
    days = cohorts.days
    first = int(np.argmax(cohorts.sign_ups > 0)) + LEAST_DAYS
    first = max(first, cohorts.first_conversion + LEAST_DAYS)
    at = list(range(days - WEEK_DAYS, first - 1, -WEEK_DAYS))[:most]
    projected = [project(cohorts.before(day), weeks) for day in at]

    def table(rows: list[np.ndarray]) -> np.ndarray:
        return np.array(rows, float).reshape(len(at), weeks)

    def what_came(daily: np.ndarray) -> np.ndarray:
        padded = np.append(daily.astype(float), np.full(weeks * WEEK_DAYS, np.nan))
        return table([by_week(padded[day : day + weeks * WEEK_DAYS]) for day in at])

    return PastDates(
        np.array(at, int),
        table([each.weekly for each in projected]),
        what_came(cohorts.conversions),
        table([by_week(each.sign_ups) for each in projected]),
        what_came(cohorts.sign_ups),
    )
