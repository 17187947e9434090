"""The registry of measures of behaviour.

`pql_model.features.oracle` defines the exact meaning of each measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ANY = "any"
"""The event name that stands for all events of an entity together."""


@dataclass(frozen=True)
class Measure:
    """A measure: one way to summarise the events in a window as a number.

    Attributes
    ----------
    scope
        `event`: of one event. `entity`: of all events together (`event: any`). `both`: either.
    unit
        Unit of the number.
    empty
        The number when nothing happened: 0, or None where it is undefined.
    least, most
        Bounds of the number; None where unbounded. A window may bound it further.
    needs_value
        Whether it reads a numeric value of the events (`value: megabytes`).
    needs_users
        Whether it is about users inside an account.
    needs_signup
        Whether it needs the sign-up time.
    window
        The windows it allows: `any`, only `ever`, or only `last N`.
    noun, event_phrase
        English for all events together, and for one event (`{event}` is its name).
    """

    name: str
    scope: Literal["event", "entity", "both"]
    unit: str
    empty: float | None
    meaning: str
    noun: str = ""
    event_phrase: str = ""
    needs_value: bool = False
    needs_users: bool = False
    needs_signup: bool = False
    window: Literal["any", "ever", "last"] = "any"
    least: float | None = 0.0
    most: float | None = None


_ALL = (
    Measure("count", "both", "events", 0, "number of events", "number of events", "number of `{event}`"),
    Measure(
        "active_days",
        "both",
        "days",
        0,
        "distinct UTC days with at least one event",
        "days active",
        "days with `{event}`",
    ),
    Measure(
        "distinct_users",
        "both",
        "users",
        0,
        "distinct users",
        "users active",
        "users who did `{event}`",
        needs_users=True,
    ),
    Measure(
        "days_since_last",
        "both",
        "days",
        None,
        "days from the last event to as_of",
        "days since the last event",
        "days since the last `{event}`",
    ),
    Measure(
        "days_to_first",
        "both",
        "days",
        None,
        "days from sign-up to the first event",
        "days from sign-up to the first event",
        "days from sign-up to the first `{event}`",
        needs_signup=True,
    ),
    Measure(
        "sum",
        "event",
        "of the value",
        0,
        "sum of a value",
        event_phrase="total {value} of `{event}`",
        needs_value=True,
        least=None,
    ),
    Measure(
        "max",
        "event",
        "of the value",
        None,
        "largest value",
        event_phrase="largest {value} of `{event}`",
        needs_value=True,
        least=None,
    ),
    Measure(
        "last",
        "event",
        "of the value",
        None,
        "latest value (the largest of several at the same time)",
        event_phrase="latest {value} of `{event}`",
        needs_value=True,
        least=None,
    ),
    Measure(
        "distinct_values",
        "event",
        "values",
        0,
        "number of different values",
        event_phrase="different {value} of `{event}`",
        needs_value=True,
    ),
    Measure(
        "current_streak_days",
        "both",
        "days",
        0,
        "consecutive active UTC days up to the day of as_of; an unfinished day does not end the streak",
        "current streak of active days",
        "current streak of days with `{event}`",
    ),
    Measure(
        "longest_streak_days",
        "both",
        "days",
        0,
        "most consecutive active UTC days",
        "longest streak of active days",
        "longest streak of days with `{event}`",
    ),
    Measure("breadth", "entity", "event names", 0, "distinct event names", "different events used"),
    Measure(
        "sessions",
        "both",
        "sessions",
        0,
        "sequences of events with gaps of at most 30 minutes",
        "sessions",
        "sessions of `{event}`",
    ),
    Measure(
        "session_minutes",
        "both",
        "minutes",
        0,
        "minutes inside sessions",
        "minutes in sessions",
        "minutes in sessions of `{event}`",
    ),
    Measure(
        "trend",
        "both",
        "-1 to 1",
        None,
        "(a - b) / (a + b), where a is the number of events in the window and b in the equally long window before it",
        "trend of activity",
        "trend of `{event}`",
        window="last",
        least=-1.0,
        most=1.0,
    ),
    Measure(
        "times_before",
        "both",
        "times",
        None,
        "a / b, where a is the number of events in the window and b in the equally long window before it",
        "events per event of the equally long period before",
        "`{event}` per `{event}` of the equally long period before",
        window="last",
    ),
    Measure(
        "top_user_count",
        "both",
        "events",
        0,
        "number of events of the user with most of them",
        "events of the most active user",
        "number of `{event}` of the user with most of them",
        needs_users=True,
    ),
    Measure(
        "top_user_share",
        "entity",
        "share",
        None,
        "the most active user's share of the events that name a user",
        "share of the most active user",
        needs_users=True,
        most=1.0,
    ),
    Measure(
        "days_since_signup",
        "entity",
        "days",
        None,
        "days from sign-up to as_of",
        "days since sign-up",
        needs_signup=True,
        window="ever",
    ),
)

MEASURES: dict[str, Measure] = {measure.name: measure for measure in _ALL}
EVENT_MEASURES = tuple(m.name for m in _ALL if m.scope in ("event", "both"))
ENTITY_MEASURES = tuple(m.name for m in _ALL if m.scope in ("entity", "both"))
AMOUNTS = ("count", "sum", "max", "last", "distinct_users", "distinct_values")
"""Measures that may be divided by a trait of the account, such as its quota."""
LESS_IS_MORE = ("days_since_last", "days_to_first", "top_user_share")
"""Measures whose smaller numbers mean more engagement, so that a criterion sets a maximum."""
