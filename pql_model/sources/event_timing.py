"""When each event happens relative to conversions: counted on the log here, judged by the audit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.sources.arrival import LATE
from pql_model.sources.duckdb_session import fetch_scalar
from pql_model.sources.read import Sources
from pql_model.time import DAY, MINUTE, SESSION_GAP

Table = Any

NEAR = SESSION_GAP
"""The session of the purchase reaches this far before and after the conversion."""
REGULAR = 5 * MINUTE
"""People do not keep a delay to this precision; systems do."""


@dataclass(frozen=True)
class EventTiming:
    """One event, or one level of a value of an event, relative to conversions. Counts are of entities.

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
    did, did_convert
        Entities that did it before they had converted, at least one horizon before the end of the data; those of them
        that converted within one horizon of their last time.
    regular, regular_age
        Of `did_convert`, those whose delay from the last time to the conversion is the typical one, to 5 minutes; those
        for whom the time from sign-up to the last time is. Without meaning where `near` is None.
    delay
        The typical delay, in microseconds.
    value, level
        The value and its level, in words, where this is not about all rows of the event.
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
    did: int = 0
    did_convert: int = 0
    regular: int = 0
    regular_age: int = 0
    delay: int = 0
    value: str | None = None
    level: str | None = None


def read_event_timing(config: Config, sources: Sources, until: int) -> list[EventTiming]:
    """Count every event relative to conversions, as far as both were known at `until`."""
    log, dated = timed_log(sources, until)
    precounted = {event for table in config.events for event in table.counts or {}}
    each = _with_typical(each_entity(log, dated, until, config.horizon.us))
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
        did=each.count(where=each.did),
        did_convert=each.count(where=each.did_convert),
        regular=each.count(where=(each.delay - each.typical).abs() <= REGULAR),
        regular_age=each.count(where=(each.age - each.typical_age).abs() <= REGULAR),
        delay=each.typical.max().cast("int64"),
    )
    return [_from_row(row, dated, precounted) for row in rows.order_by("event").to_pyarrow().to_pylist()]


def timed_log(sources: Sources, until: int) -> tuple[Table, bool]:
    """Events known at `until` with the sign-up and conversion of their entity, and whether conversions are dates."""
    paid = sources.conversions.table
    paid = paid.filter(paid.time < until).select("entity", paid=paid.time)
    dated = not fetch_scalar(paid.count(where=paid.paid % DAY != 0))
    log = sources.events.table
    log = log.filter((log.time < until) & (log.known_at.isnull() | (log.known_at < until)))
    log = log.left_join(paid, "entity").drop("entity_right")
    signed_up = sources.entities.table.select("entity", "signed_up")
    return log.left_join(signed_up, "entity").drop("entity_right"), dated


def each_entity(t: Table, dated: bool, until: int, horizon: int, *by: str) -> Table:
    """One row per entity and event, timed relative to the entity's own conversion.

    Parameters
    ----------
    t
        Of `timed_log`.
    dated
        Whether conversions are dates.
    until, horizon
        End of the data and the horizon, in microseconds.
    by
        Further columns that define a group of rows.
    """
    begins_after = t.paid + (DAY if dated else 0)  # the order within one day is unknown
    upto = t.time <= t.paid + NEAR
    known = t.known_at.notnull()
    late = known & (t.known_at - t.time > LATE)
    visible = ibis.greatest(t.time, ibis.coalesce(t.known_at, t.time))  # features see a row only once it has arrived
    before = (visible < t.paid).fill_null(True)
    each = t.group_by("entity", "event", *by).agg(
        begun_after=(t.time.min() >= begins_after.min()).fill_null(False),
        upto=t.count(where=upto),
        near=t.count(where=upto & (t.time >= t.paid - NEAR)),
        timed=(t.time % DAY != 0).max(),
        known_before=t.count(where=known & (t.time < t.paid)),
        back=t.count(where=late & (t.time < t.paid) & (t.known_at >= t.paid)),
        known_free=t.count(where=known & t.paid.isnull()),
        late=t.count(where=late & t.paid.isnull()),
        begun=t.time.min(where=before),
        delay=t.paid.max() - t.time.max(where=before),
        age=t.time.max(where=before) - t.signed_up.max(),
    )
    did = (each.begun + horizon <= until).fill_null(False)
    return each.mutate(did=did, did_convert=did & (each.delay < horizon).fill_null(False))


def _with_typical(each: Table) -> Table:
    """Leave `delay` and `age` of those that did it and converted, and add the median of each event."""
    each = each.mutate(
        delay=ibis.ifelse(each.did_convert, each.delay, ibis.null("int64")),
        age=ibis.ifelse(each.did_convert, each.age, ibis.null("int64")),
    )
    event = ibis.window(group_by="event")
    return each.mutate(typical=each.delay.median().over(event), typical_age=each.age.median().over(event))


def _from_row(row: dict[str, Any], dated: bool, precounted: Collection[str]) -> EventTiming:
    summed = row["event"] in precounted  # its rows arrive when the period they sum up is over
    has_minutes = row.pop("timed") and not dated and not summed
    numbers: dict[str, Any] = {key: value or 0 for key, value in row.items() if key not in ("event", "near")}
    if summed:
        numbers |= {"known_converters": 0, "back": 0.0, "known_others": 0, "late": 0.0}
    return EventTiming(event=row["event"], near=float(row["near"] or 0) if has_minutes else None, **numbers)
