"""The meaning of every measure in plain Python: slow, short, and right by definition.

Every engine must equal this module. An event is visible if it happened before as_of and was known before as_of.
A measure reads the visible events inside its window: start included, end excluded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pql_model.features.rounding import rounded
from pql_model.features.spec import Feature, Subject
from pql_model.measures import ANY
from pql_model.time import DAY, MINUTE, SESSION_GAP


@dataclass(frozen=True)
class Event:
    """One row of an entity's log. A pre-counted row stands for `n` events by `users` distinct users."""

    event: str
    time: int
    user: str | None = None
    known_at: int | None = None
    n: float = 1.0
    users: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)


def evaluate(feature: Feature, events: Sequence[Event], signed_up: int | None, as_of: int) -> float | None:
    """Compute a feature of one entity as known at as_of, from its events in any order; None where undefined.

    The amount only: `share_of` is divided by the trait afterwards (`share`).

    >>> log = [Event("login", time=0), Event("login", time=3 * DAY), Event("login", time=9 * DAY)]
    >>> evaluate(Feature("login", "count"), log, signed_up=0, as_of=9 * DAY)
    2.0
    """
    if signed_up is None and feature.needs_signup:
        return None
    visible = [e for e in events if e.time < as_of and (e.known_at is None or e.known_at < as_of)]
    named = sorted((e for e in visible if _counts(feature.subject, e, visible)), key=lambda e: e.time)
    start, end = feature.window.bounds(signed_up, as_of)
    rows = [e for e in named if (start is None or start <= e.time) and e.time < end]

    if feature.measure in _OF_HALVES:  # also reads the equally long window before its own
        number = _OF_HALVES[feature.measure](
            _count(rows), _count([e for e in named if start - (end - start) <= e.time < start])
        )
    elif feature.value is not None:
        # In order of time, and of size among equal times. Rows without the value are left out.
        pairs = sorted((e.time, e.values[feature.value]) for e in rows if feature.value in e.values)
        number = _OF_VALUES[feature.measure]([value for _, value in pairs])
    elif feature.measure in _OF_TIMES:
        number = _OF_TIMES[feature.measure]([e.time for e in rows], signed_up, as_of)
    else:
        number = _OF_ROWS[feature.measure](rows)
    return None if number is None else float(number)


def share(amount: float | None, trait: float | None) -> float | None:
    """Divide an amount by a trait of the entity, such as its quota, to 12 significant digits: 2.4 of 3 is 0.8.

    Undefined unless the trait is positive.
    """
    if amount is None or trait is None or not trait > 0:
        return None
    return rounded(amount / trait, abs(amount / trait))


def _counts(subject: Subject, event: Event, visible: list[Event]) -> bool:
    """Whether an event is one of the subject's, and follows what it must follow: earlier, and not too long ago."""
    if subject.events != (ANY,) and event.event not in subject.events:
        return False
    if subject.after is None or subject.gap is None:
        return True
    return any(e.event == subject.after and 0 < event.time - e.time <= subject.gap.us for e in visible)


def _count(rows: list[Event]) -> float:
    return sum(e.n for e in rows)


def _distinct_users(rows: list[Event]) -> float:
    return max([len({e.user for e in rows if e.user is not None}), *(e.users for e in rows if e.users is not None)])


def _top_user_share(rows: list[Event]) -> float | None:
    most = _top_user_count(rows)
    return most / _count([e for e in rows if e.user is not None]) if most else None


def _top_user_count(rows: list[Event]) -> float:
    users = {e.user for e in rows if e.user is not None}
    return max((_count([e for e in rows if e.user == user]) for user in users), default=0.0)


def _streak(times: list[int], last_day: int) -> int:
    """Count the consecutive UTC days with an event that end at `last_day`."""
    days, length = {time // DAY for time in times}, 0
    while last_day - length in days:
        length += 1
    return length


_OF_ROWS: dict[str, Callable[[list[Event]], float | None]] = {
    "count": _count,
    "distinct_users": _distinct_users,
    "breadth": lambda rows: len({e.event for e in rows}),
    "top_user_share": _top_user_share,
    "top_user_count": _top_user_count,
}
_OF_HALVES: dict[str, Callable[[float, float], float | None]] = {  # of the counts in the window and in the one before
    "trend": lambda a, b: (a - b) / (a + b) if a + b else None,
    "times_before": lambda a, b: a / b if b else None,
}
_OF_VALUES: dict[str, Callable[[list[float]], float | None]] = {
    "sum": sum,
    "max": lambda values: max(values, default=None),
    "last": lambda values: values[-1] if values else None,
    "distinct_values": lambda values: len(set(values)),
}
_OF_TIMES: dict[str, Callable[[list[int], Any, int], float | None]] = {  # of the sorted times, signed_up and as_of
    "active_days": lambda times, _, __: len({time // DAY for time in times}),
    "days_since_last": lambda times, _, as_of: (as_of - times[-1]) / DAY if times else None,
    "days_to_first": lambda times, signed_up, _: (times[0] - signed_up) / DAY if times else None,
    "days_since_signup": lambda _, signed_up, as_of: (as_of - signed_up) / DAY,
    "longest_streak_days": lambda times, _, __: max((_streak(times, time // DAY) for time in times), default=0),
    # It ends today, or yesterday while today has no event. Today is the day that as_of lies in or ends.
    "current_streak_days": lambda times, _, as_of: (
        _streak(times, (as_of - 1) // DAY) or _streak(times, (as_of - 1) // DAY - 1)
    ),
    "sessions": lambda times, _, __: 1 + sum(b - a > SESSION_GAP for a, b in pairwise(times)) if times else 0,
    "session_minutes": lambda times, _, __: sum(b - a for a, b in pairwise(times) if b - a <= SESSION_GAP) / MINUTE,
}
