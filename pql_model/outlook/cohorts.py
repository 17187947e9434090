"""Cohorts by day of sign-up: how many signed up, on which day they converted, and how often each age converts.

Days are counted in steps of 24 hours that end at `as_of`, so that the last day of the past ends where the future begins.
Age 0 is the day of the sign-up, whatever its hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

FEWEST_AT_RISK = 50.0
"""Entity-days at risk below which an age has no rate of its own: it shares that of all later ages."""
NEWEST_DAYS = 42
"""The days whose conversions set the level of all rates."""
PRIOR_CONVERSIONS = 20.0
"""Weight, in conversions, of the level of the whole past against that of the newest days."""


@dataclass(frozen=True)
class Cohorts:
    """Counts of entities by the days on which they signed up and converted.

    Attributes
    ----------
    counts
        (days, days + 1): entities by day of sign-up and day of conversion; the last column holds those that have not converted.
    older
        (days + 1,): the same of those that signed up before the first of these days. They are older than every age.

    Examples
    --------
    >>> cohorts = Cohorts.of(days=3, signed_up=np.array([0, 0, 1]), converted=np.array([1, 3, 3]), entities=np.array([1, 4, 2]))
    >>> cohorts.sign_ups.tolist(), cohorts.conversions.tolist(), cohorts.at_risk.tolist()
    ([5, 2, 0], [0, 1, 0], [0, 0, 2, 4, 0])
    """

    counts: np.ndarray
    older: np.ndarray

    @classmethod
    def of(cls, days: int, signed_up: np.ndarray, converted: np.ndarray, entities: np.ndarray) -> Cohorts:
        """Make them from cells.

        Parameters
        ----------
        signed_up
            Day of each cell; negative before the first day.
        converted
            Day of the conversion. Before the first day, the entity is left out; on day `days` or later, it has not happened.
        entities
            Entities of each cell.
        """
        counts = np.zeros((days + 1, days + 1), dtype=np.int64)  # the last row: older
        row, column = np.where(signed_up < 0, days, signed_up), np.minimum(converted, days)
        kept = (signed_up < days) & (column >= np.maximum(signed_up, 0))
        np.add.at(counts, (row[kept], column[kept]), entities[kept])
        return cls(counts[:-1], counts[-1])

    @property
    def days(self) -> int:
        return len(self.counts)

    @cached_property
    def sign_ups(self) -> np.ndarray:
        """Sign-ups by day."""
        return np.asarray(self.counts.sum(axis=1))

    @cached_property
    def conversions(self) -> np.ndarray:
        """Conversions by day."""
        return np.asarray(self.counts[:, :-1].sum(axis=0) + self.older[:-1])

    @property
    def at_risk(self) -> np.ndarray:
        """Entities that have not converted, by age on the first day to come, (days + 2,); the last age holds the older ones."""
        return np.concatenate([[0], self.counts[::-1, -1], self.older[-1:]])

    def before(self, day: int) -> Cohorts:
        """What was known at the start of a day: later sign-ups do not exist, and later conversions have not happened."""

        def known(counts: np.ndarray) -> np.ndarray:
            return np.concatenate([counts[..., :day], counts[..., day:].sum(axis=-1, keepdims=True)], axis=-1)

        return Cohorts(known(self.counts[:day]), known(self.older))

    @cached_property
    def _by_age(self) -> tuple[np.ndarray, np.ndarray]:
        """Entities at risk and conversions, by age and day, (days, days)."""
        days = self.days
        left = np.cumsum(self.counts[:, ::-1], axis=1)[:, ::-1][:, :days]  # not converted before the day
        age = np.arange(days)[None, :] - np.arange(days)[:, None]
        row, column = np.nonzero(age >= 0)
        exposed, converted = np.zeros((days, days)), np.zeros((days, days))
        exposed[age[row, column], column] = left[row, column]
        converted[age[row, column], column] = self.counts[row, column]
        return exposed, converted

    @cached_property
    def first_conversion(self) -> int:
        """The first day with a conversion, before which payments may not have been recorded; `days` without any."""
        return int(np.argmax(self.conversions > 0)) if self.conversions.any() else self.days


@dataclass(frozen=True)
class Rates:
    """How often those of an age that have not converted do so within a day.

    Attributes
    ----------
    by_age
        (ages,); older entities convert as those of the last age.
    counted
        Conversions of the newest days, which set the level.
    """

    by_age: np.ndarray
    counted: float

    @classmethod
    def of(cls, cohorts: Cohorts, newest: int = NEWEST_DAYS) -> Rates:
        """Learn them: the shape by age from the whole past, the level from the newest days."""
        exposed, converted = (part[:, cohorts.first_conversion :] for part in cohorts._by_age)
        if not exposed.size:
            return cls(np.zeros(1), 0.0)
        old_exposed, old_converted = cohorts.older[::-1].cumsum()[::-1][:-1], cohorts.older[:-1]
        old_exposed, old_converted = (part[cohorts.first_conversion :] for part in (old_exposed, old_converted))
        n, k = exposed.sum(axis=1), converted.sum(axis=1)
        few = n < FEWEST_AT_RISK
        last = int(np.argmax(few)) if few.any() else len(n) - 1
        tail = max(0, last - 1) if n[last:].sum() < FEWEST_AT_RISK else last  # with the last age that has enough
        of_tail = (k[tail:].sum() + old_converted.sum()) / max(n[tail:].sum() + old_exposed.sum(), 1.0)
        rates = np.append(k[:tail] / np.maximum(n[:tail], 1), of_tail)
        recent, old_recent = exposed[:, -newest:].sum(axis=1), old_exposed[-newest:].sum()
        expected = recent[:tail] @ rates[:tail] + (recent[tail:].sum() + old_recent) * rates[-1]
        observed = float(converted[:, -newest:].sum() + old_converted[-newest:].sum())
        level = (observed + PRIOR_CONVERSIONS) / (expected + PRIOR_CONVERSIONS)
        return cls(np.minimum(rates * level, 0.99), observed)

    def ahead(self, ages: int, days: int) -> np.ndarray:
        """Share that converts on each day to come, by age on the first, (ages, days)."""
        age = np.minimum(np.arange(ages)[:, None] + np.arange(days)[None, :], len(self.by_age) - 1)
        rate = self.by_age[age]
        left = np.cumprod(np.column_stack([np.ones(ages), 1 - rate[:, :-1]]), axis=1)
        return np.asarray(left * rate)
