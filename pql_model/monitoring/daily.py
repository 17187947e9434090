"""What happened on each day, counted in the engine: what leaves it grows with days and event names, not with the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np

from pql_model.sources.read import Sources
from pql_model.time import DAY

Table = Any

AGES = (0, 1, 3, 7, 14, 30, 90)
"""Days since sign-up at which the bands begin in which activity is compared: a young entity does other things than an old one."""
MOST_EVENTS = 400
"""Event names that are followed: those of the most entities."""
FEWEST_ENTITIES = 10
"""An event of fewer entities is not followed; nothing can be said about it."""


@dataclass(frozen=True)
class DailyCounts:
    """Activity of entities that had not converted, by day and by days since sign-up.

    Attributes
    ----------
    first_day
        Day of the first column, in days since 1970; the last column is the last whole day before as_of.
    names
        Names of events or of sources.
    active
        (days, ages): entities with any event on that day.
    entities
        (names, days, ages): entities with this event on that day.
    rows
        (names, days): occurrences.
    logs
        (names, days): sum over the entities of the logarithm of their occurrences on that day.
    """

    first_day: int
    names: tuple[str, ...]
    active: np.ndarray
    entities: np.ndarray
    rows: np.ndarray
    logs: np.ndarray

    @property
    def days(self) -> int:
        return int(self.active.shape[0])

    def instant(self, column: int) -> int:
        """Midnight at which a column begins."""
        return (self.first_day + int(column)) * DAY


def visible_log(sources: Sources, table: Table, start: int, as_of: int) -> Table:
    """entity, event, n, time, known_at, day and age from `start` on of what was known at as_of of entities that may be scored.

    Rows after a conversion are left out: the model never reads them.
    """
    counted = sources.entities.table
    counted = counted.filter(~counted.excluded).select("entity", "signed_up")
    paid = sources.conversions.table.select("entity", paid=sources.conversions.table.time)
    log = table.select("entity", "event", "n", "time", "known_at")
    log = log.filter((log.time >= start) & (log.time < as_of) & (log.known_at.isnull() | (log.known_at < as_of)))
    log = log.join(counted, "entity")
    log = log.left_join(paid, "entity")
    log = log.filter(log.paid.isnull() | (log.time < log.paid))
    return log.select("entity", "event", "n", "time", "known_at", day=log.time // DAY, age=_band(log))


def count_conversions(sources: Sources, first_day: int, as_of: int) -> np.ndarray:
    """Count the first payments of entities that may be scored, by day since `first_day` and by age, up to the last whole day.

    Returns
    -------
    ndarray
        (days, ages), like `DailyCounts.active`.
    """
    paid = _of_counted(sources, sources.conversions.table.select("entity", "time"), first_day, as_of)
    days = paid.select(day=paid.time // DAY, age=_band(paid)).group_by("day", "age").agg(entities=lambda t: t.count())
    rows = days.to_pyarrow().to_pydict()
    counts = np.zeros((as_of // DAY - first_day, len(AGES)))
    counts[np.array(rows["day"], np.int64) - first_day, np.array(rows["age"], np.int64)] = rows["entities"]
    return counts


def count_later_payments(sources: Sources, first_day: int, as_of: int) -> np.ndarray:
    """Count by day the payments of entities that had paid at least a day before: renewals, where the table has them.

    Returns
    -------
    ndarray
        (days,) since `first_day`, up to the last whole day.
    """
    counts = np.zeros(as_of // DAY - first_day)
    if sources.conversions.payments is None:
        return counts
    begun = sources.conversions.table.select("entity", begun="time")
    paid = _of_counted(sources, sources.conversions.payments.select("entity", "time"), first_day, as_of)
    paid = paid.join(begun, "entity")
    paid = paid.filter(paid.time >= paid.begun + DAY)
    rows = paid.group_by(day=paid.time // DAY).agg(rows=lambda t: t.count()).to_pyarrow().to_pydict()
    counts[np.array(rows["day"], np.int64) - first_day] = rows["rows"]
    return counts


def count_repeated_payments(sources: Sources, first_day: int, as_of: int, within: int) -> tuple[np.ndarray, np.ndarray]:
    """Count by day the entities that paid, and those of them with a payment that stands in the table again.

    Parameters
    ----------
    within
        Payments of one entity and one amount that are at most this far apart are one payment, microseconds.

    Returns
    -------
    paid, repeated : ndarray
        (days,) since `first_day`, up to the last whole day.
    """
    days = as_of // DAY - first_day
    paid, repeated = np.zeros(days), np.zeros(days)
    if sources.conversions.payments is None:
        return paid, repeated
    rows = _of_counted(sources, sources.conversions.payments.select("entity", "time", "value"), first_day, as_of)
    before = rows.time.lag().over(ibis.window(group_by=["entity", "value"], order_by=rows.time))
    rows = rows.select(
        "entity", day=rows.time // DAY, again=(rows.time - before <= within).fill_null(False).cast("int64")
    )
    each = rows.group_by("entity", "day").agg(again=rows.again.max())
    counts = each.group_by("day").agg(paid=each.count(), repeated=each.again.sum()).to_pyarrow().to_pydict()
    at = np.array(counts["day"], np.int64) - first_day
    paid[at], repeated[at] = counts["paid"], counts["repeated"]
    return paid, repeated


def _of_counted(sources: Sources, payments: Table, first_day: int, as_of: int) -> Table:
    """Payments of entities that may be scored, with their sign-up, from a day on until the last whole day."""
    counted = sources.entities.table
    counted = counted.filter(~counted.excluded).select("entity", "signed_up")
    paid = payments.join(counted, "entity")
    return paid.filter((paid.time >= first_day * DAY) & (paid.time < as_of // DAY * DAY))


def _band(table: Table) -> Any:
    """The band of `AGES` of each row's time; the last one where the sign-up is not known."""
    age_days = table.time // DAY - table.signed_up // DAY
    return sum((age_days >= start).cast("int64") for start in AGES[1:]).fill_null(len(AGES) - 1)


def count_events(sources: Sources, start: int, as_of: int) -> DailyCounts | None:
    """Count every event by day; None without a whole day of events."""
    log = visible_log(sources, sources.events.table, start, as_of)
    log = log.filter(log.day < as_of // DAY)
    names = log.group_by("event").agg(doers=log.entity.nunique())
    names = names.filter(names.doers >= FEWEST_ENTITIES).order_by(names.doers.desc(), "event").limit(MOST_EVENTS)
    followed = sorted(names.to_pyarrow()["event"].to_pylist())
    return _counts(log, log.filter(log.event.isin(followed)) if followed else log.limit(0), "event", followed, as_of)


def count_active(sources: Sources, start: int, as_of: int) -> DailyCounts | None:
    """Count the entities with any event by day, and no single event; None without a whole day of events."""
    log = visible_log(sources, sources.events.table, start, as_of)
    log = log.filter(log.day < as_of // DAY)
    return _counts(log, log.limit(0), "event", [], as_of)


def count_sources(sources: Sources, start: int, as_of: int) -> DailyCounts | None:
    """Count every table of events by day; None without a whole day of events."""
    parts = {name: visible_log(sources, table, start, as_of) for name, table in sources.events.parts.items()}
    log = visible_log(sources, sources.events.table, start, as_of)
    log = log.filter(log.day < as_of // DAY)
    united: Table | None = None
    for position, part in enumerate(parts.values()):
        part = part.filter(part.day < as_of // DAY).select("entity", "n", "day", "age")
        part = part.mutate(source=part.day * 0 + position)
        united = part if united is None else united.union(part)
    if united is None:
        return _counts(log, log.limit(0), "event", [], as_of)
    counts = _counts(log, united, "source", list(range(len(parts))), as_of)
    if counts is None:
        return None
    return DailyCounts(counts.first_day, tuple(parts), counts.active, counts.entities, counts.rows, counts.logs)


def sources_of_events(sources: Sources) -> dict[str, set[str]]:
    """Tables in which each event occurs."""
    found: dict[str, set[str]] = {}
    for source, table in sources.events.parts.items():
        for name in table.select("event").distinct().to_pyarrow()["event"].to_pylist():
            found.setdefault(name, set()).add(source)
    return found


def _counts(log: Table, followed: Table, key: str, names: Sequence[Any], as_of: int) -> DailyCounts | None:
    active = log.group_by("day", "age").agg(entities=log.entity.nunique()).to_pyarrow().to_pydict()
    if not active["day"]:
        return None
    first = min(active["day"])
    days = as_of // DAY - first
    each = followed.group_by(key, "day", "age", "entity").agg(n=followed.n.sum())
    daily = each.group_by(key, "day", "age").agg(entities=each.count(), rows=each.n.sum(), logs=each.n.log().sum())
    columns = {name: np.asarray(values) for name, values in daily.to_pyarrow().to_pydict().items()}
    position = {name: number for number, name in enumerate(names)}
    which = np.array([position[name] for name in columns[key]], dtype=np.int64)
    day, age = columns["day"].astype(np.int64) - first, columns["age"].astype(np.int64)
    entities = np.zeros((len(names), days, len(AGES)))
    entities[which, day, age] = columns["entities"].astype(float)
    rows, logs = np.zeros((len(names), days)), np.zeros((len(names), days))
    np.add.at(rows, (which, day), columns["rows"].astype(float))
    np.add.at(logs, (which, day), columns["logs"].astype(float))
    of_all = np.zeros((days, len(AGES)))
    of_all[np.array(active["day"]) - first, np.array(active["age"])] = active["entities"]
    return DailyCounts(first, tuple(map(str, names)), of_all, entities, rows, logs)
