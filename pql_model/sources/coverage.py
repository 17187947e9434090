"""How the log fills up over time: a missing week shows at a glance."""

from __future__ import annotations

from typing import Any

from pql_model.time import WEEK, iso, week_of

Table = Any


def newest_event(events: Table) -> int:
    """When the log ends: payments may be known for longer, but later than this nobody's behaviour is."""
    return int(events.time.max().to_pyarrow().as_py())


def weeks(events: Table) -> list[dict[str, Any]]:
    """Events and active entities by week that begins on a Monday, empty weeks included."""
    table = events.mutate(week=week_of(events.time))
    counted = table.group_by("week").agg(events=table.count(), entities=table.entity.nunique()).to_pyarrow().to_pylist()
    by_week = {row["week"]: row for row in counted}
    if not by_week:
        return []
    none = {"events": 0, "entities": 0}
    return [
        {"week": iso(monday), **{k: by_week.get(monday, none)[k] for k in none}}
        for monday in range(min(by_week), max(by_week) + 1, WEEK)
    ]
