"""What can be measured about behaviour: the registry every other part reads its names from.

The exact meaning of each measure is the code of `pql_model.features.oracle`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ANY = "any"
"""The event name that speaks of the entity as a whole."""


@dataclass(frozen=True)
class Measure:
    """One way to sum up the events in a window as a number.

    Attributes
    ----------
    scope
        `event`: of one event. `entity`: of all events together (`event: any`). `both`: either.
    unit
        Unit of the number.
    empty
        The number when nothing happened: 0, or None where no number would be true.
    least, most
        Between which the number lies whatever happens; None where nothing bounds it. Windows may bound it further.
    needs_value
        It reads a numeric column of the events (`value: megabytes`).
    needs_users
        It speaks of users inside an account.
    needs_signup
        It needs the sign-up time.
    window
        `any` window, only `ever`, or only a `last N` window.
    noun, event_phrase
        English for the entity as a whole, and for one event (`{event}` stands for its name).
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
    Measure("count", "both", "events", 0, "how many times", "number of events", "number of `{event}`"),
    Measure(
        "active_days", "both", "days", 0, "distinct UTC days with at least one", "days active", "days with `{event}`"
    ),
    Measure(
        "distinct_users",
        "both",
        "users",
        0,
        "distinct users who did it",
        "users active",
        "users who did `{event}`",
        needs_users=True,
    ),
    Measure(
        "days_since_last",
        "both",
        "days",
        None,
        "days from the last one to as_of",
        "days since the last event",
        "days since the last `{event}`",
    ),
    Measure(
        "days_to_first",
        "both",
        "days",
        None,
        "days from sign-up to the first one",
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
        "latest value (the largest, if several are the latest)",
        event_phrase="latest {value} of `{event}`",
        needs_value=True,
        least=None,
    ),
    Measure(
        "distinct_values",
        "event",
        "values",
        0,
        "how many different values",
        event_phrase="different {value} of `{event}`",
        needs_value=True,
    ),
    Measure(
        "current_streak_days",
        "entity",
        "days",
        0,
        "consecutive active UTC days up to the day of as_of; a day that is not over does not break it",
        "current streak of active days",
    ),
    Measure(
        "longest_streak_days", "entity", "days", 0, "most consecutive active UTC days", "longest streak of active days"
    ),
    Measure("breadth", "entity", "event names", 0, "distinct event names", "different events used"),
    Measure("sessions", "entity", "sessions", 0, "runs of events with gaps of at most 30 minutes", "sessions"),
    Measure("session_minutes", "entity", "minutes", 0, "minutes inside sessions", "minutes in sessions"),
    Measure(
        "trend",
        "entity",
        "-1 to 1",
        None,
        "(a - b) / (a + b): a counts the events of the window, b those of the equally long window before it",
        "trend of activity",
        window="last",
        least=-1.0,
        most=1.0,
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
LESS_IS_MORE = ("days_since_last", "days_to_first", "top_user_share")
"""Measures of which a smaller number means more engagement: a criterion asks for at most so much."""
