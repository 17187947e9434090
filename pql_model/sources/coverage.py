"""Events by week, so that a gap in the log shows."""

from __future__ import annotations

from typing import Any

from pql_model.sources.duckdb_session import fetch_scalar
from pql_model.time import WEEK, iso, week_of

Table = Any


def newest_event(events: Table) -> int:
    """Find the last event. Payments may reach further, but no behaviour is known after this."""
    return int(fetch_scalar(events.time.max()))


def weekly_counts(events: Table) -> list[dict[str, Any]]:
    """Count events and active entities by week from Monday, empty weeks included."""
    table = events.mutate(week=week_of(events.time))
    rows = table.group_by("week").agg(events=table.count(), entities=table.entity.nunique()).to_pyarrow().to_pylist()
    by_week = {row.pop("week"): row for row in rows}
    if not by_week:
        return []
    empty = {"events": 0, "entities": 0}
    return [
        {"week": iso(monday), **by_week.get(monday, empty)} for monday in range(min(by_week), max(by_week) + 1, WEEK)
    ]
