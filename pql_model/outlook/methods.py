"""Whether those at risk are better forecast by their age alone, or by a model's probabilities: what past dates say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pql_model.outlook.cohorts import Cohorts, Rates
from pql_model.outlook.projection import Scored, scored_difference
from pql_model.payload import select_attributes
from pql_model.time import DAY

FEWEST_DATES = 3
"""With fewer past dates the age alone is used."""


@dataclass(frozen=True)
class MethodComparison:
    """Conversions within the horizon of those at risk at past dates, expected in both ways.

    Attributes
    ----------
    method
        `model` if its error is the smaller one at enough dates, otherwise `age`.
    dates
        Past dates at which a model that had not seen the outcome could score.
    age_error, model_error
        Mean absolute logarithm of observed over expected; NaN without a date.
    """

    method: str
    dates: int
    age_error: float
    model_error: float

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=4)


def compare_methods(cohorts: Cohorts, past: Sequence[tuple[int, Scored]]) -> MethodComparison:
    """Compare both at past dates.

    Parameters
    ----------
    cohorts
        What is known now.
    past
        Day, and what a model that had not seen its outcomes said of those at risk; dates whose horizon is not over are ignored.

    Examples
    --------
    >>> cohorts = Cohorts.of(60, np.array([0]), np.array([99]), np.array([5]))
    >>> compare_methods(cohorts, []).method
    'age'
    """
    errors: list[tuple[float, float]] = []
    for day, scored in past:
        end = day + scored.horizon_days
        if end > cohorts.days:
            continue
        before = cohorts.before(day)
        rates, at_risk = Rates.of(before), before.at_risk
        by_age = float((at_risk @ rates.ahead(len(at_risk), scored.horizon_days)).sum())
        by_model = by_age + float(scored_difference(rates, scored, scored.horizon_days).sum())
        came = float(cohorts.counts[:day, day:end].sum() + cohorts.older[day:end].sum())
        errors.append((_error(by_age, came), _error(by_model, came)))
    if not errors:
        return MethodComparison("age", 0, math.nan, math.nan)
    age, model = (float(each) for each in np.mean(errors, axis=0))
    return MethodComparison("model" if len(errors) >= FEWEST_DATES and model < age else "age", len(errors), age, model)


def _error(expected: float, observed: float) -> float:
    return abs(math.log((observed + 0.5) / (max(expected, 0.0) + 0.5)))


def scored_by_age(as_of: int, signed_up: np.ndarray, probability: np.ndarray, ages: int, horizon_days: int) -> Scored:
    """Sum probabilities by age in days, as cohorts count it.

    Parameters
    ----------
    signed_up
        Microseconds of each row, (rows,).
    ages
        How many ages there are; older rows are of the last one.
    """
    age = np.minimum(-((signed_up - as_of) // DAY), ages - 1)
    return Scored(np.bincount(age, minlength=ages).astype(float), np.bincount(age, probability, ages), horizon_days)
