"""When each event happens relative to conversions: counted on the log here, judged by the audit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pql_model.config.schema import Config
from pql_model.sources.duckdb_session import fetch_scalar
from pql_model.sources.read import Sources
from pql_model.time import DAY, SESSION_GAP

Table = Any

NEAR = SESSION_GAP
"""The session of the purchase reaches this far before and after the conversion."""
LATE = DAY
"""A row that arrives later than this after the event was backdated or delayed."""


@dataclass(frozen=True)
class EventTiming:
    """One event relative to conversions. Counts are of entities.

    Attributes
    ----------
    event
        Its name.
    doers, after
        Entities with the event; those whose first one lies at or after their conversion (on a later day, where
        conversions are dates).
    converters, near
        Entities with the event before their conversion or in its session; the sum over them of the share of their
        events in that session. None where the time of day is unknown: dates, or counts over a period.
    known_converters, back
        Converters with the event before their conversion, where arrival times are known; the sum over them of the
        share of events that arrived late and at or after the conversion.
    known_others, late
        The other entities, where arrival times are known; the sum over them of the share that arrived late.
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
    """Count every event relative to conversions, as far as both were known at `until`."""
    paid = sources.conversions.table
    paid = paid.filter(paid.time < until).select("entity", paid=paid.time)
    dated = not fetch_scalar(paid.count(where=paid.paid % DAY != 0))
    precounted = {event for table in config.events for event in table.counts or {}}
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
    return [_from_row(row, dated, precounted) for row in rows.order_by("event").to_pyarrow().to_pylist()]


def _each_entity(t: Table, dated: bool) -> Table:
    """One row per entity and event, timed relative to the entity's own conversion."""
    begins_after = t.paid + (DAY if dated else 0)  # the order within one day is unknown
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


def _from_row(row: dict[str, Any], dated: bool, precounted: Collection[str]) -> EventTiming:
    summed = row["event"] in precounted  # its rows arrive when the period they sum up is over
    has_minutes = row.pop("timed") and not dated and not summed
    numbers = {key: value or 0 for key, value in row.items() if key not in ("event", "near")}
    if summed:
        numbers |= {"known_converters": 0, "back": 0.0, "known_others": 0, "late": 0.0}
    return EventTiming(event=row["event"], near=float(row["near"] or 0) if has_minutes else None, **numbers)
