"""Raw columns read as ids, texts, numbers and instants, as Ibis expressions on DuckDB.

The forms come from `pql_model.sources.scalars`, which reads single values the same way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from pql_model.errors import DataError
from pql_model.measures import ANY
from pql_model.sources.scalars import (
    CLOCK_TIME,
    DAY_NUMBERS,
    EARLIEST,
    EPOCH_UNITS,
    EVENT_CALLED_ANY,
    LARGEST,
    LATEST,
    MISSING_IDS,
    NUMBER,
    SMALLEST_EPOCH,
    UTC_OFFSET,
    WHOLE_NUMBER,
)
from pql_model.time import DAY

Column = Any

_UNTRIMMED = r"^\s|\s$|^$"
_UNTIDY = rf"{_UNTRIMMED}|\.0+$|(?i:^({'|'.join(map(re.escape, MISSING_IDS))})$)"
"""Texts that need work. One search is cheap; trimming and comparing every text is not."""


@ibis.udf.scalar.builtin(name="epoch_us")  # type: ignore[untyped-decorator]
def _epoch_us(when: dt.timestamp) -> int:  # type: ignore[empty-body]
    """DuckDB's microseconds since the epoch."""


@ibis.udf.scalar.builtin(name="try_strptime")  # type: ignore[untyped-decorator]
def _try_strptime(text: str, form: str) -> dt.timestamp:
    """DuckDB's reading of a time in a given form; null where the text has another form."""


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
        raw = text(column).lower()
        boolean = ibis.cases((raw == "true", 1.0), (raw == "false", 0.0), else_=ibis.null("float64"))
        value = ibis.coalesce(raw.try_cast("float64"), boolean)
    else:
        value = column.cast("float64")
    return ibis.ifelse(value.isnan() | (value.abs() > LARGEST), ibis.null("float64"), value)


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes
    ----------
    instant
        int64 microseconds UTC; null where the value cannot be read.
    has_offset
        Whether the text states its offset from UTC; null where this does not apply (dates, numbers, timestamps).
    present
        Whether there is a value at all.
    """

    instant: Column
    has_offset: Column
    present: Column


def times(column: Column, resolution: str = "instant") -> Times:
    """Read times: timestamps, dates, ISO texts (naive means UTC), or epoch seconds, milli-, micro-, nanoseconds.

    Raises
    ------
    DataError
        If the column has a type that cannot hold times.
    """
    kind = column.type()
    has_offset = ibis.null("boolean")
    present = column.notnull()
    if kind.is_timestamp() or kind.is_date():
        instant = _epoch_us(column.cast("timestamp('UTC')"))
    elif kind.is_numeric() and not kind.is_boolean():
        instant = _from_number(column.cast("float64"))
    elif kind.is_string():
        raw = text(column)
        present = raw.notnull()
        is_number = raw.re_search(NUMBER)
        from_iso = _epoch_us(raw.try_cast("timestamp('UTC')"))
        instant = ibis.ifelse(is_number, _from_number(raw.try_cast("float64")), from_iso)
        has_offset = ibis.ifelse(
            ~is_number & raw.re_search(CLOCK_TIME), raw.re_search(UTC_OFFSET), ibis.null("boolean")
        )
    else:
        raise DataError(f"A column of times has the type {kind}", allowed="timestamps, dates, ISO texts, epoch numbers")
    possible = (instant >= EARLIEST) & (instant < LATEST) & (instant != 0)  # 0 is how an unset time is stored
    instant = ibis.ifelse(possible, instant, ibis.null("int64"))
    has_offset = ibis.ifelse(instant.notnull(), has_offset, ibis.null("boolean"))
    if resolution == "day":
        instant = instant - ((instant % DAY) + DAY) % DAY
    return Times(instant, has_offset, present)


def _from_number(value: Column) -> Column:
    """Read epoch numbers, whose size gives the unit, and dates such as 20260131."""
    size = value.abs()
    digits = value.try_cast("int64").cast("string")
    *smaller, (_, largest_unit) = EPOCH_UNITS
    microseconds = ibis.cases(*[(size < limit, unit) for limit, unit in smaller], else_=largest_unit)
    return ibis.cases(
        ((size > DAY_NUMBERS[0]) & (size < DAY_NUMBERS[1]), _epoch_us(_try_strptime(digits, "%Y%m%d"))),
        (size < SMALLEST_EPOCH, ibis.null("int64")),
        else_=(value * microseconds).try_cast("int64"),  # rounds; null for what is not finite
    )


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
