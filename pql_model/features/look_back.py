"""The previous row with the same keys, which tells whether a row is the first of its day, user or event name in a window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import ibis

from pql_model.time import DAY

Table = Any  # an Ibis table
Column = Any  # an Ibis column

_LOOKS_BACK = {
    "active_days": "day",
    "current_streak_days": "day",
    "longest_streak_days": "day",
    "distinct_users": "user",
    "breadth": "name",
    "sessions": "time",
    "session_minutes": "time",
}
"""Measure -> what the previous row has in common beside the subject; `time` is nothing else."""


def looked_back(measures: Iterable[str]) -> list[str]:
    """List what the measures look back to, in a fixed order.

    >>> looked_back(["active_days", "count", "breadth", "current_streak_days"])
    ['day', 'name']
    """
    return sorted({_LOOKS_BACK[measure] for measure in measures if measure in _LOOKS_BACK})


def previous_times(t: Table, keys: Sequence[str], measures: Iterable[str], name: str = "name") -> dict[str, Column]:
    """Return the time of the previous row with the same keys and the same day, user or event name; null where there is none.

    Parameters
    ----------
    t
        time, user and the keys.
    name
        Column of the event's name.
    """

    def lag(*more: str) -> Column:
        return t.time.lag().over(ibis.window(group_by=[*keys, *more], order_by=["time"]))

    found = {}
    for what in looked_back(measures):
        if what == "day":  # the previous row of the same day is the previous row, or there is none
            found[what] = ibis.ifelse(lag() // DAY == t.time // DAY, lag(), ibis.null("int64"))
        else:
            found[what] = lag(*{"user": ["user"], "name": [name], "time": []}[what])
    return found
