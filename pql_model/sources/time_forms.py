"""The forms in which a time may be written, declared once, and their reading in plain Python.

`pql_model.sources.casts` compiles the same tables to Ibis columns. `pql init`, a batch run and the service therefore
read the same texts and numbers as the same instants, and refuse the same ones. A text is brought to ISO 8601 by the
rewrites below, and only a text that is then complete ISO 8601 is a time.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pql_model.sources.scalars import MISSING_IDS, clean_text
from pql_model.time import parse_instant, to_instant

_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
_OFFSET = r"(?:Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
ISO = rf"{_DATE}(?:[T ]{_CLOCK}{_OFFSET}?)?"
"""A complete date, or a date and a time of day with or without an offset. Digits after the sixth are cut."""
_AREAS = "Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific"
ZONED = rf"{_DATE}[T ]{_CLOCK} (?:{_AREAS})/[A-Za-z_]+(?:/[A-Za-z_]+)?"
"""A time of day in a named region. Of a time that occurs twice in autumn, the second counts."""

REWRITES: tuple[tuple[str, str], ...] = (
    (r"([+-][0-9]{2}:?[0-9]{2})(?: [A-Z]{3,5}|\[[A-Za-z_/+-]+\])$", r"\1"),  # +0100 CET, +01:00[Europe/Paris]
    (r" ?(?:UTC|utc|GMT|gmt|z)$", "Z"),
    (r" ([+-][0-9]{2}(?::?[0-9]{2})?)$", r"\1"),
    (r"^([0-9]{4})([0-9]{2})([0-9]{2})([Tt ])", r"\1-\2-\3\4"),  # 20260131T120000
    (r"^([0-9]{4})[/.]([0-9]{1,2})[/.]([0-9]{1,2})", r"\1-\2-\3"),
    (r"^([0-9]{4})-([0-9])-", r"\1-0\2-"),
    (r"^([0-9]{4}-[0-9]{2})-([0-9])([Tt ,]|$)", r"\1-0\2\3"),
    (r"^([0-9-]{10})(?:t|,? +)", r"\1 "),
    (r"^([0-9-]{10}[T ])([0-9]):", r"\10\2:"),  # a group has one digit: this is group 1 and a 0
    (r"^([0-9-]{10}[T ][0-9]{2})(Z|[+-].*)?$", r"\1:00\2"),
    (r"^([0-9-]{10}[T ][0-9]{2})([0-9]{2})", r"\1:\2"),
    (r"^([0-9-]{10}[T ][0-9]{2}:[0-9]{2})([0-9]{2})", r"\1:\2"),
    (r"(:[0-9]{2}),([0-9])", r"\1.\2"),  # Python's logging writes 12:00:00,123
    (r"(\.[0-9]{9})[0-9]+", r"\1"),
)
"""Pattern -> replacement, applied in this order to a text that is neither ISO 8601 nor a number."""

HAS_CLOCK = r"^[0-9]{4}[0-9/.-]+,?[Tt ]+[0-9]"
HAS_OFFSET = r"[A-Za-z\]]$|[Tt ][0-9:.,]+ ?[+-][0-9]{2}(:?[0-9]{2})?$"
"""Whether a text that is a time has a time of day; and, if it has, whether it states its offset from UTC."""

NUMBER = r"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+]?[0-9]{1,3})?"
"""A text that is a number: an epoch, or a date written without separators. One with leading zeros, such as 31012026, is neither."""


@dataclass(frozen=True)
class DigitForm:
    """A date written as a whole number: `low` and `high` (excluded) bound it, `pattern` and `iso` give its parts."""

    name: str
    low: int
    high: int
    pattern: str
    iso: str


_DAY_DIGITS = "^([0-9]{4})([0-9]{2})([0-9]{2})"
_TWO = "([0-9]{2})"
DIGIT_FORMS = (
    DigitForm("YYYYMMDD", 1900_01_01, 2200_01_01, f"{_DAY_DIGITS}$", r"\1-\2-\3"),
    DigitForm("YYYYMMDDHH", 2000_01_01_00, 2100_01_01_00, f"{_DAY_DIGITS}{_TWO}$", r"\1-\2-\3 \4:00"),
    DigitForm("YYYYMMDDHHMM", 1900_01_01_0000, 2200_01_01_0000, f"{_DAY_DIGITS}{_TWO * 2}$", r"\1-\2-\3 \4:\5"),
    DigitForm(
        "YYYYMMDDHHMMSS", 1900_01_01_000000, 2200_01_01_000000, f"{_DAY_DIGITS}{_TWO * 3}$", r"\1-\2-\3 \4:\5:\6"
    ),
    DigitForm(
        "YYYYMMDDHHMMSSmmm",
        1900_01_01_000000_000,
        2200_01_01_000000_000,
        f"{_DAY_DIGITS}{_TWO * 3}([0-9]{{3}})$",
        r"\1-\2-\3 \4:\5:\6.\7",
    ),
)
"""Of these, only YYYYMMDDHH shares its range with an epoch, that of the seconds from 2033 to 2036.

A number of that range is an hour if it is one in the calendar.
"""

EPOCHS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (float("inf"), 1e-3))
"""Below the first number, the unit has so many microseconds: seconds, milli-, micro- and nanoseconds.

Only instants of 2000 to 2199 are epochs, and within these years no number fits two units. Seconds since 2001, which Apple's
systems write, would be read as the 1980s and 1990s, so they are not read at all.
"""
TICKS = (630_000_000_000_000_000, 663_000_000_000_000_000, 621_355_968_000_000_000)
"""Numbers between the first two are .NET ticks of the years 1997 to 2101, tenths of a microsecond since the year 1; the third is 1970.

Read as nanoseconds they would all lie within 1990.
"""
FIRST_EPOCH = parse_instant("2000-01-01")
EARLIEST, LATEST = parse_instant("1900-01-01"), parse_instant("2200-01-01")
"""A time lies after the first and before the second."""

NEVER_TEXT = (
    r"^(?:(?:000[01]|226[2-9]|22[7-9][0-9]|2[3-9][0-9]{2}|[3-9][0-9]{3})[-/.]"
    r"|(?:1600-12-31|1601-01-01|1752-12-31|1753-01-01|1899-12-(?:29|30|31)|1900-01-01|1969-12-31|1970-01-01)(?:[T ]|$))"
)
"""Dates that stand for "never": the zero of some system, in any time zone, the years 0, 1 and 9999, the largest nanoseconds."""
NEVER_BEFORE, NEVER_FROM = parse_instant("0002-01-01"), parse_instant("2262-01-01")
NEVER = tuple(
    (parse_instant(first), parse_instant(last))
    for first, last in (
        ("1600-12-31", "1601-01-02"),
        ("1752-12-31", "1753-01-02"),
        ("1899-12-29", "1900-01-02"),
        ("1969-12-31", "1970-01-02"),
    )
)
"""The same for a column of timestamps: from the first instant of each pair to before the second."""
NEVER_NUMBERS = (
    *(0, 99991231, -62135596800, -62135596800000),
    *(253402214400, 253402300799, 253402214400000, 253402300799000, 253402300799999),
)
"""Numbers that stand for "never": 0, and the years 1 and 9999 in seconds and milliseconds."""
PLAIN_CENTURY = "20"
"""No text that starts with this stands for "never", which saves looking for one in nearly every row."""
NO_TIME = (*MISSING_IDS, "never", "n/a", "na", "-", "--", *map(str, NEVER_NUMBERS))
"""Lower-case texts that programs write for a missing time."""

_is_iso = re.compile(ISO).fullmatch
_is_zoned = re.compile(ZONED).fullmatch
_is_number = re.compile(NUMBER).fullmatch
_is_never = re.compile(NEVER_TEXT).match
_has_clock = re.compile(HAS_CLOCK).search
_has_offset = re.compile(HAS_OFFSET).search
_rewrites = [(re.compile(pattern).sub, re.sub(r"\\([0-9])", r"\\g<\1>", to)) for pattern, to in REWRITES]
_digit_forms = [(form, re.compile(form.pattern).match) for form in DIGIT_FORMS]


@dataclass(frozen=True)
class ReadTime:
    """A text read as a time.

    Attributes
    ----------
    instant
        Microseconds since 1970, UTC; None where the text cannot be read or stands for a missing time.
    present
        Whether there is a value at all; False for an empty text, and for one that stands for "never".
    has_offset
        Whether the text states its offset from UTC; None where this does not apply.
    """

    instant: int | None
    present: bool
    has_offset: bool | None = None


def read_time(raw: str) -> ReadTime:
    """Read a text as a time.

    Parameters
    ----------
    raw : str
        A text in any of the forms of this module. A time without an offset is UTC, and a date is its midnight.

    Examples
    --------
    >>> read_time("1980-01-01 00:00:01,5").instant, read_time("1980-01-01 00").instant, read_time("soon").instant
    (315532801500000, 315532800000000, None)
    >>> read_time("9999-12-31").present, read_time("soon").present
    (False, True)
    """
    text = clean_text(raw)
    if text is None or text.lower() in NO_TIME or _is_never(text):
        return ReadTime(None, present=False)
    if _is_number(text):
        instant = _from_number(text)
    elif _is_iso(text):
        instant = _from_iso(text)
    else:
        rewritten = text
        for substitute, to in _rewrites:
            rewritten = substitute(to, rewritten)
        instant = _from_iso(rewritten) if _is_iso(rewritten) else _from_zoned(rewritten)
    if instant is None or not EARLIEST < instant < LATEST or instant == 0:
        return ReadTime(None, present=True)
    return ReadTime(instant, True, _has_offset(text) is not None if _has_clock(text) else None)


def read_time_number(value: float) -> int | None:
    """Read a number as a time: an epoch, whose size gives the unit, or a date such as 20260131.

    >>> read_time_number(1767225600) == read_time_number(20260101) == read_time_number(202601010000)
    True
    """
    if not abs(value) < 1e19:
        return None
    return read_time(str(int(value)) if value == int(value) else repr(value)).instant


def _from_iso(text: str) -> int | None:
    try:
        return to_instant(dt.datetime.fromisoformat(text))
    except ValueError:  # 30 February
        return None


def _from_zoned(text: str) -> int | None:
    if not _is_zoned(text):
        return None
    clock, _, zone = text.rpartition(" ")
    try:
        local = dt.datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(zone))
        offset = min(local.replace(fold=fold).utcoffset() or dt.timedelta() for fold in (0, 1))
    except (ValueError, OSError, KeyError):  # no such day, or no such region
        return None
    return to_instant(local.replace(tzinfo=dt.timezone(offset)))


def _from_number(text: str) -> int | None:
    """Read a date written without separators, or an epoch."""
    value = float(text)
    digits = str(int(value)) if "e" in text.lower() and value.is_integer() else re.sub(r"^\+|\.0+$", "", text)
    for form, parts in _digit_forms:
        if form.low <= value < form.high and (match := parts(digits)):
            written = match.expand(form.iso)
            instant = _from_iso(written) if _is_iso(written) else None
            if instant is not None:
                return instant
    if TICKS[0] <= value < TICKS[1]:
        scaled = (value - TICKS[2]) / 10
    else:
        scaled = value * next((unit for limit, unit in EPOCHS if abs(value) < limit), EPOCHS[-1][1])
    return round(scaled) if FIRST_EPOCH <= scaled < LATEST else None
