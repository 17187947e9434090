"""The clock, durations and windows: all arithmetic on times is in this module.

Instants are microseconds since 1970-01-01 UTC, as integers: exact, without time zones, and the same
arithmetic in Python, in SQL and in numpy. Intervals are half-open: ``start <= time < end``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from operator import floordiv, sub
from typing import Any, Literal

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
_MONDAY = 4 * DAY  # 1970-01-05 was a Monday
SESSION_GAP = 30 * MINUTE
"""Two events further apart than this belong to two sessions."""

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
LONGEST = 200 * 366 * DAY
"""Longest duration, microseconds: an instant plus a few of them is still a 64-bit number."""
_DURATION = re.compile(r"\s*(\d+)\s*([smhdw])\s*")
DURATION_HELP = "a whole number and a unit: 90s, 30m, 12h, 7d or 4w"
INSTANT_HELP = "a date 2026-06-30 or a time 2026-06-30T12:00:00Z"
WINDOW_HELP = "`first 7d` (since sign-up), `last 14d` (before as_of) or `ever`"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def now() -> int:
    """Read the clock. No other module asks for the present instant."""
    return to_instant(dt.datetime.now(dt.UTC))


def to_instant(when: dt.datetime | dt.date) -> int:
    """Convert to microseconds since the epoch; a date is its midnight, a naive time is UTC.

    >>> to_instant(dt.date(1970, 1, 2)) == DAY
    True
    """
    if not isinstance(when, dt.datetime):
        when = dt.datetime(when.year, when.month, when.day)
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return (when - _EPOCH) // _MICROSECOND


def to_instants(whens: Iterable[dt.datetime]) -> list[int]:
    """Vectorise `to_instant` for aware datetimes.

    Raises
    ------
    TypeError
        If one is naive.
    """
    return list(map(floordiv, map(sub, whens, repeat(_EPOCH)), repeat(_MICROSECOND)))


def parse_instant(text: str) -> int:
    """Parse an ISO 8601 date or time.

    Raises
    ------
    ValueError
        If the text is neither.
    """
    return to_instant(dt.datetime.fromisoformat(text.strip()))


def as_instant(when: str | dt.date) -> int:
    """Convert an ISO 8601 text, a date, a `datetime` or a `pandas.Timestamp` to an instant.

    Raises
    ------
    ValueError
        If it is none of them, is missing (`NaT`), or lies outside the years 1 to 9999.

    Examples
    --------
    >>> as_instant("1970-01-02") == as_instant(dt.date(1970, 1, 2)) == as_instant(dt.datetime(1970, 1, 2)) == DAY
    True
    """
    if not isinstance(when, str | dt.date) or when != when:
        raise ValueError(f"`{when}` is not a time. Allowed: {INSTANT_HELP}")
    try:
        instant = parse_instant(when) if isinstance(when, str) else to_instant(when)
        to_datetime(instant)
    except (ValueError, OverflowError):
        raise ValueError(f"`{when}` is not a time. Allowed: {INSTANT_HELP}") from None
    return instant


def to_datetime(instant: int) -> dt.datetime:
    """Convert an instant to an aware UTC datetime."""
    return _EPOCH + dt.timedelta(microseconds=instant)


def iso(instant: int) -> str:
    """Format an instant in its shortest exact form: a date at midnight, else seconds, else microseconds.

    >>> iso(DAY), iso(DAY + HOUR)
    ('1970-01-02', '1970-01-02T01:00:00Z')
    """
    moment = to_datetime(instant)
    if instant % DAY == 0:
        return moment.date().isoformat()
    return moment.replace(tzinfo=None).isoformat() + "Z"


def timestamp(instant: int) -> str:
    """Format an instant by RFC 3339, with a time even at midnight, as other programs read it.

    >>> timestamp(DAY), timestamp(DAY + 1)
    ('1970-01-02T00:00:00Z', '1970-01-02T00:00:00.000001Z')
    """
    return to_datetime(instant).replace(tzinfo=None).isoformat() + "Z"


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def first_weekday(weekday: str) -> int:
    """Find the first midnight since 1970 that begins a weekday.

    >>> iso(first_weekday("monday")), iso(first_weekday("thursday"))
    ('1970-01-05', '1970-01-01')
    """
    return (_MONDAY + WEEKDAYS.index(weekday) * DAY) % WEEK


def week_of(instant: Any) -> Any:
    """Find the start of the week (Monday 00:00) of an instant: an integer, numpy array or Ibis column.

    >>> iso(week_of(parse_instant("2026-06-30T09:00:00Z")))
    '2026-06-29'
    """
    return (instant - _MONDAY) // WEEK * WEEK + _MONDAY


@dataclass(frozen=True, order=True)
class Duration:
    """A length of time. A day has 24 hours.

    >>> Duration.parse("2w"), str(Duration.parse("36h")), Duration.parse("7d").days
    (Duration('14d'), '36h', 7.0)
    """

    us: int

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Parse a duration such as `7d`."""
        match = _DURATION.fullmatch(text)
        if match is None or int(match[1]) == 0:
            raise ValueError(f"`{text}` is not a duration. Allowed: {DURATION_HELP}")
        length = int(match[1]) * _UNITS[match[2]]
        if length > LONGEST:
            raise ValueError(f"`{text}` is too long. Allowed: up to {LONGEST // DAY:,} days")
        return cls(length)

    @property
    def days(self) -> float:
        return self.us / DAY

    def __str__(self) -> str:
        for unit in ("d", "h", "m"):
            if self.us % _UNITS[unit] == 0:
                return f"{self.us // _UNITS[unit]}{unit}"
        return f"{self.us // SECOND}s"

    def __repr__(self) -> str:
        return f"Duration('{self}')"

    @property
    def text(self) -> str:
        """English: `7 days`, `1 day`, `12 hours`."""
        text = str(self)
        number, unit = text[:-1], {"d": "day", "h": "hour", "m": "minute", "s": "second"}[text[-1]]
        return f"{number} {unit}{'' if number == '1' else 's'}"


@dataclass(frozen=True)
class Window:
    """A period relative to a snapshot.

    `first N` starts at sign-up, `last N` ends at as_of, `ever` is everything visible. No window includes anything at
    or after as_of.

    >>> week = Window.parse("first 7d")
    >>> week.bounds(signed_up=0, as_of=3 * DAY) == (0, 3 * DAY), week.elapsed(0, 3 * DAY)
    (True, False)
    >>> str(week), week.slug, week.text
    ('first 7d', 'first_7d', 'in the first 7 days')
    """

    kind: Literal["first", "last", "ever"]
    length: Duration | None = None

    def __post_init__(self) -> None:
        if (self.length is None) != (self.kind == "ever"):
            raise ValueError(f"a `{self.kind}` window with length {self.length}. Allowed: {WINDOW_HELP}")

    @classmethod
    def parse(cls, text: str) -> Window:
        """Parse a window such as `first 7d`, also in the form of its slug."""
        words = text.replace("_", " ").split()
        match words:
            case ["ever"]:
                return EVER
            case ["first" | "last" as kind, length]:
                return cls(kind, Duration.parse(length))
        raise ValueError(f"`{text}` is not a window. Allowed: {WINDOW_HELP}")

    def __str__(self) -> str:
        return "ever" if self.length is None else f"{self.kind} {self.length}"

    @property
    def slug(self) -> str:
        """Form of the window in names of columns."""
        return str(self).replace(" ", "_")

    @property
    def text(self) -> str:
        """English: `in the first 7 days`, `so far`."""
        if self.length is None:
            return "so far"
        return f"in the {self.kind} {self.length.text}".replace(" 1 ", " ")

    def bounds(self, signed_up: Any, as_of: Any, least: Any = min) -> tuple[Any, Any]:
        """Return the half-open (start, end) of the window; start is None where unbounded.

        The arguments may be integers, numpy arrays or Ibis columns: only `+`, `-` and `least` are used.
        """
        if self.length is None:
            return None, as_of
        if self.kind == "last":
            return as_of - self.length.us, as_of
        return signed_up, least(signed_up + self.length.us, as_of)

    def elapsed(self, signed_up: Any, as_of: Any) -> Any:
        """Tell whether the window is complete at as_of; only a `first` window can be incomplete."""
        if self.kind != "first" or self.length is None:
            return as_of == as_of  # true, in the shape of the argument
        return signed_up + self.length.us <= as_of


EVER = Window("ever")
