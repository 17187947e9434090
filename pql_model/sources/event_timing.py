"""How each event lies around conversions: counted once on the log, judged by the audit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pql_model.config.schema import Config
from pql_model.sources.read import Sources
from pql_model.time import DAY, SESSION_GAP

Table = Any

NEAR = SESSION_GAP
"""So long before and after a conversion is the session of the purchase."""
LATE = DAY
"""A row that arrives later than this after it happened was written back or held up."""


@dataclass(frozen=True)
class EventTiming:
    """One event, the entity as the unit.

    Attributes
    ----------
    event
        Its name.
    doers, after
        Entities that did it; those of them that did it for the first time at or after their conversion (where
        conversions are dates: on a later day).
    converters, near
        Entities that did it before their conversion or in the session of it; the sum of the shares of it that lie
        in that session. None where minutes are unknown: dates, or counts over a stretch of time.
    known_converters, back
        Converters that did it before the conversion, where arrival is known; the sum of the shares of it that
        arrived at or after the conversion and late.
    known_others, late
        The others, where arrival is known; the sum of the shares that arrived late.
    """

    event: str
    doers: int
    after: int
    converters: int
    near: float | None
    known_converters: int = 0
    back: float = 0.0
    known_others: int = 0
    late: float = 0.0


def read_event_timing(config: Config, sources: Sources, until: int) -> list[EventTiming]:
    """Count every event around conversions, as far as both were known at `until`."""
    paid = sources.conversions.table
    paid = paid.filter(paid.time < until).select("entity", paid=paid.time)
    dated = not int(paid.count(where=paid.paid % DAY != 0).to_pyarrow().as_py())
    counted = {event for table in config.events for event in table.counts or {}}
    log = sources.events.table
    log = log.filter((log.time < until) & (log.known_at.isnull() | (log.known_at < until)))
    each = _each_entity(log.left_join(paid, "entity"), dated)
    rows = each.group_by("event").agg(
        doers=each.count(),
        after=each.count(where=each.begun_after),
        converters=each.count(where=each.upto > 0),
        near=(each.near / each.upto).sum(where=each.upto > 0),
        timed=each.timed.max(),
        known_converters=each.count(where=each.known_before > 0),
        back=(each.back / each.known_before).sum(where=each.known_before > 0),
        known_others=each.count(where=each.known_free > 0),
        late=(each.late / each.known_free).sum(where=each.known_free > 0),
    )
    found = rows.order_by("event").to_pyarrow().to_pylist()
    return [_read(row, dated, counted) for row in found]


def _each_entity(t: Table, dated: bool) -> Table:
    """One row per entity and event: what it did when, seen from its own conversion."""
    begins_after = t.paid + (DAY if dated else 0)  # of one day nobody knows the order
    upto = t.time <= t.paid + NEAR
    known = t.known_at.notnull()
    late = known & (t.known_at - t.time > LATE)
    return t.group_by("entity", "event").agg(
        begun_after=(t.time.min() >= begins_after.min()).fill_null(False),
        upto=t.count(where=upto),
        near=t.count(where=upto & (t.time >= t.paid - NEAR)),
        timed=(t.time % DAY != 0).max(),
        known_before=t.count(where=known & (t.time < t.paid)),
        back=t.count(where=late & (t.time < t.paid) & (t.known_at >= t.paid)),
        known_free=t.count(where=known & t.paid.isnull()),
        late=t.count(where=late & t.paid.isnull()),
    )


def _read(row: dict[str, Any], dated: bool, counted: Collection[str]) -> EventTiming:
    whole = row["event"] in counted  # its rows arrive when the stretch that they sum up is over
    minutes = row.pop("timed") and not dated and not whole
    numbers = {key: value or 0 for key, value in row.items() if key not in ("event", "near")}
    if whole:
        numbers |= {"known_converters": 0, "back": 0.0, "known_others": 0, "late": 0.0}
    return EventTiming(event=row["event"], near=float(row["near"] or 0) if minutes else None, **numbers)
