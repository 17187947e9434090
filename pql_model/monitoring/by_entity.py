"""Whether an event is repeated by its entities, or only looks so because one of few is a heavy user.

The days of one entity are alike, over weeks. Daily counts do not know whose days they are, so that a change which they show is
asked again of the entities: the error of a mean is that of so many entities, and not of their days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from pql_model.monitoring.volume import REPEAT_DRIFT, SURE, EventChange

Table = Any


@dataclass(frozen=True)
class EntityLogs:
    """Per entity: days with the event, and the sum of the logarithms of its occurrences on each of them."""

    days: np.ndarray
    logs: np.ndarray

    @property
    def mean(self) -> float:
        return float(self.logs.sum() / self.days.sum())

    @property
    def variance(self) -> float:
        """Variance of the mean, with the days of one entity as dependent as they are."""
        n = len(self.days)
        away = self.logs - self.mean * self.days
        return float((away**2).sum() / self.days.sum() ** 2 * n / max(1, n - 1))

    @property
    def independent(self) -> float:
        """Number of entities with equal days that would weigh as much.

        >>> EntityLogs(np.array([1.0, 1.0, 10.0]), np.zeros(3)).independent
        1.4...
        """
        return float(self.days.sum() ** 2 / (self.days**2).sum())


def chance_of_step(before: EntityLogs, after: EntityLogs) -> float:
    """Two-sided probability of a step this large between the entities before and after, by chance.

    Welch's test of two means, with entities as clusters.
    """
    if min(before.independent, after.independent) < 2:
        return 1.0
    total = before.variance + after.variance + REPEAT_DRIFT**2
    lost = sum(side.variance**2 / (side.independent - 1) for side in (before, after))
    degrees = total**2 / lost if lost > 0 else np.inf  # all entities are alike
    return float(2 * student.sf(abs(after.mean - before.mean) / np.sqrt(total), degrees))


def confirm_repeats(changes: Sequence[EventChange], log: Table, first_day: int, searches: int) -> list[EventChange]:
    """Leave out repetitions that the entities do not show beyond chance; other changes stay.

    Parameters
    ----------
    log
        entity, event, n, day of the visible log.
    first_day
        Day of column 0 of the changes.
    searches
        Events and days among which the changes were chosen.
    """
    return [
        change
        for change in changes
        if change.what != "repeated" or chance_of_step(*_sides(change, log, first_day)) * searches < SURE
    ]


def _sides(change: EventChange, log: Table, first_day: int) -> tuple[EntityLogs, EntityLogs]:
    start, end = first_day + change.start, first_day + change.start + change.days
    rows = log.filter((log.event == change.name) & (log.day < end))
    daily = rows.group_by("entity", "day").agg(n=rows.n.sum())
    daily = daily.mutate(after=daily.day >= start)
    sums = daily.group_by("entity", "after").agg(days=daily.count(), logs=daily.n.log().sum())
    columns = {name: np.asarray(values) for name, values in sums.to_pyarrow().to_pydict().items()}
    after = columns["after"].astype(bool)
    before, later = (
        EntityLogs(columns["days"][side].astype(float), columns["logs"][side].astype(float)) for side in (~after, after)
    )
    return before, later
