"""Raw columns read as ids, texts, numbers and instants, as Ibis expressions on DuckDB.

The forms come from `pql_model.sources.scalars`, which reads single values the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from pql_model.config.text_format import NumberMarks
from pql_model.errors import DataError
from pql_model.measures import ANY
from pql_model.sources.duckdb_session import fetch_row
from pql_model.sources.scalars import EVENT_CALLED_ANY, LARGEST, MISSING_IDS, SIGNED, WHOLE_NUMBER
from pql_model.sources.time_forms import (
    DIGIT_FORMS,
    EARLIEST,
    EPOCHS,
    FIRST_EPOCH,
    HAS_CLOCK,
    HAS_OFFSET,
    ISO,
    LATEST,
    NEVER,
    NEVER_BEFORE,
    NEVER_FROM,
    NEVER_NUMBERS,
    NEVER_TEXT,
    NO_TIME,
    NUMBER,
    PLAIN_CENTURY,
    REWRITES,
    TICKS,
    ZONED,
)
from pql_model.time import DAY

Table = Any
Column = Any

MARK_SPELLINGS = {" ": "[ \u00a0\u202f\u2009]", "'": "['\u2019]", ".": r"\.", ",": ","}
"""Mark -> pattern of the characters that stand for it."""

_UNTRIMMED = r"^\s|\s$|^$"
_UNTIDY = rf"{_UNTRIMMED}|\.0+$|(?i:^({'|'.join(map(re.escape, MISSING_IDS))})$)"
"""Texts that need work. One search is cheap; trimming and comparing every text is not."""


@ibis.udf.scalar.builtin(name="epoch_us")  # type: ignore[untyped-decorator]
def _epoch_us(when: dt.timestamp) -> int:  # type: ignore[empty-body]
    """DuckDB's microseconds since the epoch."""


def text(column: Column) -> Column:
    """Trim texts; null where nothing remains."""
    raw = column.cast("string")
    return ibis.ifelse(raw.re_search(_UNTRIMMED), raw.strip().nullif(""), raw)


def identifier(column: Column) -> Column:
    """Read ids as text that is the same in every table: 12, 12.0 and "12" are one id.

    Numbers with a fraction and texts such as `0012` stay as they are; `nan` and `null` are missing ids.
    """
    kind = column.type()
    if kind.is_integer():
        return column.cast("string")
    if kind.is_floating():
        whole = ibis.ifelse(column % 1 == 0, column, ibis.null("float64")).try_cast("int64")
        return ibis.coalesce(whole.cast("string"), column.cast("string").nullif("nan"))
    raw = column.cast("string")
    tidy = text(column).re_replace(WHOLE_NUMBER, r"\1")
    tidy = ibis.ifelse(tidy.lower().isin(MISSING_IDS), ibis.null("string"), tidy)
    return ibis.ifelse(raw.re_search(_UNTIDY), tidy, raw)


def event_name(column: Column) -> Column:
    """Read names of events; one that is really called `any` gets another name."""
    name = text(column) if column.type().is_string() else identifier(column)
    return ibis.ifelse(name == ANY, EVENT_CALLED_ANY, name)


def number_text(column: Column) -> Column:
    """Trim texts of numbers, and write the sign in front: `(49.00)` and `49.00-` are -49.00."""
    plain = text(column)
    unusual = plain.endswith(")") | plain.endswith("-") | plain.startswith("\u2212")  # far cheaper than the pattern
    return ibis.ifelse(unusual, plain.re_replace(SIGNED, r"-\1\2\3"), plain)


def number(column: Column) -> Column:
    """Read numbers as float64 of an absolute value up to `LARGEST`; null for anything else.

    Raises
    ------
    DataError
        If the column has a type that cannot hold numbers.
    """
    kind = column.type()
    if not (kind.is_numeric() or kind.is_boolean() or kind.is_string()):
        raise DataError(f"A column of numbers has the type {kind}", allowed="numbers, booleans, or texts of numbers")
    if kind.is_string():
        raw = number_text(column).lower()
        boolean = ibis.cases((raw == "true", 1.0), (raw == "false", 0.0), else_=ibis.null("float64"))
        value = ibis.coalesce(raw.try_cast("float64"), boolean)
    else:
        value = column.cast("float64")
    return ibis.ifelse(value.isnan() | (value.abs() > LARGEST), ibis.null("float64"), value)


def number_pattern(marks: NumberMarks) -> str:
    """Return the pattern of a number that is written with these marks.

    >>> [bool(re.search(number_pattern(NumberMarks(",", ".")), text)) for text in ("1.250,5", "1250", "1.25")]
    [True, True, False]
    """
    whole = "[0-9]+"
    if marks.thousands is not None:
        whole = f"(?:[0-9]{{1,3}}(?:{MARK_SPELLINGS[marks.thousands]}[0-9]{{3}})+|{whole})"
    return f"^[+-]?{whole}(?:{MARK_SPELLINGS[marks.decimal]}[0-9]+)?(?:[eE][+-]?[0-9]+)?$"


def plain_numbers(column: Column, marks: NumberMarks) -> Column:
    """Rewrite texts of numbers without their marks; a text that is not a number written so becomes one that no reader takes."""
    raw = number_text(column)
    plain = raw if marks.thousands is None else raw.re_replace(MARK_SPELLINGS[marks.thousands], "")
    if marks.decimal != ".":
        plain = plain.replace(marks.decimal, ".")
    boolean = raw.lower().isin(["true", "false"])
    tests = ((raw.isnull(), raw), (raw.re_search(number_pattern(marks)), plain), (boolean, raw))
    return ibis.cases(*tests, else_="not a number")


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes
    ----------
    instant
        int64 microseconds UTC; null where the value cannot be read.
    has_offset
        Whether the text states its offset from UTC; null where this does not apply (dates, numbers, timestamps).
        Meaningful where there is an instant.
    present
        Whether there is a value at all; false for one that stands for "never", such as 9999-12-31.
    never
        Whether there is a value that stands for "never".
    """

    instant: Column
    has_offset: Column
    present: Column
    never: Column


def times(column: Column, resolution: str = "instant") -> Times:
    """Read times: timestamps, dates, texts and numbers in the forms of `pql_model.sources.time_forms`.

    A time without an offset is UTC.

    Raises
    ------
    DataError
        If the column has a type that cannot hold times.
    """
    kind = column.type()
    has_offset: Column = ibis.null("boolean")
    if kind.is_timestamp() or kind.is_date():
        instant = _epoch_us(column.cast("timestamp('UTC')"))
        never = (instant < NEVER_BEFORE) | (instant >= NEVER_FROM)
        never = ibis.or_(never, *((instant >= first) & (instant < end) for first, end in NEVER))
        instant = _plausible(instant)
    elif kind.is_numeric() and not kind.is_boolean():
        instant, never = _plausible(_from_number(column)), column.isin(NEVER_NUMBERS)
    elif kind.is_string():
        raw = text(column)
        instant, never = _plausible(_from_text(raw)), raw.lower().isin(NO_TIME) | raw.re_search(NEVER_TEXT)
        never = ibis.ifelse(raw.startswith(PLAIN_CENTURY), False, never)
        has_offset = ibis.ifelse(raw.re_search(HAS_CLOCK), raw.re_search(HAS_OFFSET), has_offset)
        column = raw
    else:
        raise DataError(f"A column of times has the type {kind}", allowed="timestamps, dates, ISO texts, epoch numbers")
    never = never.fill_null(False)
    instant = ibis.ifelse(never, ibis.null("int64"), instant)
    if resolution == "day":
        instant = instant - ((instant % DAY) + DAY) % DAY
    return Times(instant, has_offset, column.notnull() & ~never, never)


def _plausible(instant: Column) -> Column:
    """Null outside the years that a time may have.

    `instant` is long, and what names it twice is planned twice: three calls of `nullif` made eight copies of it.
    """
    inside = ibis.least(ibis.greatest(instant, EARLIEST), LATEST)
    return ibis.ifelse(inside.isin((EARLIEST, LATEST, 0)), ibis.null("int64"), inside)


def _from_text(raw: Column) -> Column:
    rewritten = raw
    for pattern, to in REWRITES:
        rewritten = rewritten.re_replace(pattern, to)
    return ibis.cases(
        (raw.re_search(f"^{ISO}$"), _from_iso(raw)),
        (raw.re_search(f"^{NUMBER}$"), _from_number(raw)),
        else_=_from_iso(rewritten.re_extract(f"^(?:{ISO}|{ZONED})$", 0)),
    )


def _from_iso(raw: Column) -> Column:
    return _epoch_us(raw.try_cast("timestamp('UTC')"))


def _from_number(column: Column) -> Column:
    """Read dates written without separators, and epochs, whose size gives the unit; from numbers or their texts."""
    value = column.try_cast("float64")
    digits = _digits(column)
    for pattern, iso in {form.pattern: form.iso for form in DIGIT_FORMS}.items():
        digits = digits.re_replace(pattern, iso)
    is_date = ibis.or_(*((value >= form.low) & (value < form.high) for form in DIGIT_FORMS))
    date = _from_iso(ibis.ifelse(is_date, digits, ibis.null("string")).re_extract(f"^{ISO}$", 0))
    *smaller, (_, largest) = EPOCHS
    unit = ibis.cases(*((value.abs() < limit, unit) for limit, unit in smaller), else_=largest)
    is_ticks = (value >= TICKS[0]) & (value < TICKS[1])
    scaled = ibis.ifelse(is_ticks, (value - TICKS[2]) / 10, value * unit)
    epoch = scaled.try_cast("int64")  # rounds; null for what is not finite
    return ibis.coalesce(date, ibis.greatest(epoch, FIRST_EPOCH - 1).nullif(FIRST_EPOCH - 1))


def _digits(column: Column) -> Column:
    """The digits of whole numbers, also of those written as 20260131.0 or 2.0260131e7."""
    if column.type().is_integer():
        return column.cast("string")
    whole = column.try_cast("float64").try_cast("int64").cast("string")
    if not column.type().is_string():
        return ibis.ifelse(column == column.floor(), whole, ibis.null("string"))
    return ibis.ifelse(column.lower().contains("e"), whole, column.re_replace(r"^\+|\.0+$", ""))


def refuse_mixed_times(table: Table, source: str, columns: Mapping[str | None, tuple[str, str]]) -> None:
    """Refuse a staged table of which a column of times mixes offsets, after one pass over the table.

    Parameters
    ----------
    table : Table
        The staged table.
    source : str
        Its name in the config.
    columns : mapping
        Column of the source -> the staged columns with its instant and with whether it states its offset. A column that
        is not mapped, None, is passed over.

    Raises
    ------
    DataError
        If both forms occur in a column.
    """
    mapped = {key: names for key, names in columns.items() if key is not None}
    sums: dict[str, Column] = {}
    for i, (instant, has_offset) in enumerate(mapped.values()):
        readable, stated = table[instant].notnull(), table[has_offset]
        sums |= {f"with_{i}": table.count(where=readable & stated), f"naive_{i}": table.count(where=readable & ~stated)}
    counts = fetch_row(table.aggregate(**sums)) if sums else {}
    for i, key in enumerate(mapped):
        refuse_mixed_offsets(source, key, counts[f"with_{i}"], counts[f"naive_{i}"])


def refuse_mixed_offsets(source: str, key: str, with_offset: int, without: int) -> None:
    """Refuse a column that mixes times with and without an offset: the meaning of the naive ones is unknown.

    Raises
    ------
    DataError
        If both occur.
    """
    if with_offset and without:
        raise DataError(
            f"{source}: the times of `{key}` mix time zones: some state their offset from UTC and some do not",
            received=f"{with_offset:,} with an offset, {without:,} without",
            allowed="all with an offset (2026-01-31T12:00:00+02:00) or all in UTC without one",
            remedy="write all of them in one form",
        )
