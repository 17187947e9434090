"""What was known at `as_of` of sign-ups and payments, counted by day in the session; the log never leaves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pql_model.errors import NotEnoughDataError
from pql_model.outlook.cohorts import Cohorts
from pql_model.sources.duckdb_session import fetch_row
from pql_model.sources.read import Sources
from pql_model.time import DAY, iso

MOST_DAYS = 1095
"""Days of the past that are counted by day of sign-up; entities from before are older than every age."""


@dataclass(frozen=True)
class History:
    """Sign-ups, conversions and their values up to an instant.

    Attributes
    ----------
    cohorts
        By day; the last day ends at `as_of`.
    value_day, value
        Day and value of each conversion of known value, by day; empty where no values are mapped.
    without_start
        Entities left out, since they have neither a sign-up date nor an event.
    begun_by_event
        Entities without a sign-up date, whose first event stands for it.
    """

    as_of: int
    cohorts: Cohorts
    value_day: np.ndarray
    value: np.ndarray
    without_start: int = 0
    begun_by_event: int = 0


def read_history(sources: Sources, as_of: int) -> History:
    """Count what was known at `as_of`: sign-ups, events that had arrived, and conversions before it.

    Raises
    ------
    NotEnoughDataError
        If nobody had signed up, or nobody had converted since signing up.
    """
    entities = sources.entities.table.filter(~sources.entities.table.excluded).select("entity", "signed_up")
    events = sources.events.table
    arrived = (events.known_at > events.time).fill_null(False).ifelse(events.known_at, events.time)
    first = events.group_by("entity").agg(first_event=arrived.min())
    conversions = sources.conversions.table.filter(sources.conversions.table.time < as_of)
    t = entities.left_join(first, "entity").drop("entity_right")
    t = t.left_join(conversions.select("entity", "value", converted_at="time"), "entity").drop("entity_right")
    t = t.mutate(begun=t.signed_up.fill_null(t.first_event))
    totals = fetch_row(
        t.aggregate(
            first=t.begun.min(),
            without=t.count(where=t.begun.isnull()),
            by_event=t.count(where=t.signed_up.isnull() & (t.first_event < as_of)),
        )
    )
    if totals["first"] is None or totals["first"] >= as_of:
        raise NotEnoughDataError(
            f"Nobody had signed up before {iso(as_of)}",
            received=f"first sign-up {iso(totals['first']) if totals['first'] is not None else 'unknown'}",
            remedy="name a later `--as-of`",
        )
    days = min(MOST_DAYS, -(-(as_of - int(totals["first"])) // DAY))
    start = as_of - days * DAY
    t = t.filter(t.begun < as_of)
    t = t.mutate(s=(t.begun - start) // DAY, c=((t.converted_at - start) // DAY).fill_null(days))
    t = t.mutate(s=(t.s < 0).ifelse(-1, t.s), c=(t.c < 0).ifelse(-1, t.c))
    t = t.filter(t.converted_at.isnull() | (t.converted_at >= t.begun))
    cells = t.group_by("s", "c").agg(n=t.count()).to_pandas()
    cohorts = Cohorts.of(days, *(cells[name].to_numpy(np.int64) for name in ("s", "c", "n")))
    if not cohorts.conversions.any():
        raise NotEnoughDataError(
            f"Nobody who signed up before {iso(as_of)} had converted by then",
            received=f"{int(cohorts.sign_ups.sum() + cohorts.older.sum()):,} sign-ups and no conversion",
            allowed="at least one conversion to learn from",
            remedy="name a later `--as-of`, or check `conversions`",
        )
    paid = (
        t.filter(t.value.notnull() & (t.c >= 0) & (t.c < days)).select("c", "value").order_by("c", "value").to_pandas()
    )
    return History(
        as_of,
        cohorts,
        paid["c"].to_numpy(np.int64),
        paid["value"].to_numpy(float),
        int(totals["without"]),
        int(totals["by_event"]),
    )
