"""Raw columns to ids, texts, numbers and instants, as Ibis expressions on the workbench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from pql_model.errors import DataError
from pql_model.sources.scalars import EARLIEST, LARGEST, LATEST, NOTHING
from pql_model.time import DAY

Column = Any

_NUMBER = r"^[+-]?\d+(\.\d+)?([eE][+]?\d+)?$"
_WHOLE = r"^(-?\d+)\.0+$"
_TO_TRIM = r"^\s|\s$|^$"
_TO_TIDY = _TO_TRIM + r"|\.0+$|(?i:^(nan|null|none|nil|<na>|\\n|nat|\(null\)|undefined)$)"
"""Which texts need work at all: one search is cheap, trimming and comparing every text is not."""
_WITH_TIME = r"\d\d?:\d\d"
_ZONED = r"\d\d?:\d\d.*([A-Za-z]|[+-]\d\d(:?\d\d)?)$"
_LEAST_EPOCH = 1e8
"""Smaller numbers are no epochs (1973) but spreadsheet serials, ages or an unset 0."""


@ibis.udf.scalar.builtin(name="epoch_us")  # type: ignore[untyped-decorator]
def _epoch_us(when: dt.timestamp) -> int:  # type: ignore[empty-body]
    """DuckDB's microseconds since the epoch."""


@ibis.udf.scalar.builtin(name="try_strptime")  # type: ignore[untyped-decorator]
def _try_strptime(written: str, form: str) -> dt.timestamp:
    """DuckDB's reading of a time in a given form, null where it is not in it."""


def text(column: Column) -> Column:
    """Trimmed text; null for nothing."""
    written = column.cast("string")
    return ibis.ifelse(written.re_search(_TO_TRIM), written.strip().nullif(""), written)


def identifier(column: Column) -> Column:
    """An id as text that is the same in every table: 12, 12.0 and "12" are one id.

    Numbers with a fraction and texts such as `0012` stay as they are; `nan` and `null` are no ids.
    """
    kind = column.type()
    if kind.is_integer():
        return column.cast("string")
    if kind.is_floating():
        whole = ibis.ifelse(column % 1 == 0, column, ibis.null("float64")).try_cast("int64")
        return ibis.coalesce(whole.cast("string"), column.cast("string").nullif("nan"))
    written = column.cast("string")
    tidy = text(column).re_replace(_WHOLE, r"\1")
    tidy = ibis.ifelse(tidy.lower().isin(NOTHING), ibis.null("string"), tidy)
    return ibis.ifelse(written.re_search(_TO_TIDY), tidy, written)


def number(column: Column) -> Column:
    """A float64 of at most `LARGEST` in size, or null.

    Raises
    ------
    DataError
        If the column is of a type that holds no numbers.
    """
    kind = column.type()
    if not (kind.is_numeric() or kind.is_boolean() or kind.is_string()):
        raise DataError(f"A column of numbers has the type {kind}", allowed="numbers, booleans, or texts of numbers")
    if kind.is_string():
        written = text(column).lower()
        truth = ibis.cases((written == "true", 1.0), (written == "false", 0.0), else_=ibis.null("float64"))
        value = ibis.coalesce(written.try_cast("float64"), truth)
    else:
        value = column.cast("float64")
    return ibis.ifelse(value.isnan() | (value.abs() > LARGEST), ibis.null("float64"), value)


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes
    ----------
    instant
        int64 microseconds UTC; null where nothing could be read.
    zoned
        Whether the text says its offset from UTC; null where that is no question (dates, numbers, real timestamps).
    given
        Whether there was anything to read.
    """

    instant: Column
    zoned: Column
    given: Column


def times(column: Column, resolution: str = "instant") -> Times:
    """Read times: timestamps, dates, ISO texts (naive means UTC), or epoch seconds, milli-, micro-, nanoseconds."""
    kind = column.type()
    zoned = ibis.null("boolean")
    given = column.notnull()
    if kind.is_timestamp() or kind.is_date():
        instant = _epoch_us(column.cast("timestamp('UTC')"))
    elif kind.is_numeric() and not kind.is_boolean():
        instant = _from_number(column.cast("float64"))
    elif kind.is_string():
        written = text(column)
        given = written.notnull()
        is_number = written.re_search(_NUMBER)
        iso = _epoch_us(written.try_cast("timestamp('UTC')"))
        instant = ibis.ifelse(is_number, _from_number(written.try_cast("float64")), iso)
        zoned = ibis.ifelse(~is_number & written.re_search(_WITH_TIME), written.re_search(_ZONED), ibis.null("boolean"))
    else:
        raise DataError(f"A column of times has the type {kind}", allowed="timestamps, dates, ISO texts, epoch numbers")
    possible = (instant >= EARLIEST) & (instant < LATEST) & (instant != 0)  # 0 is how an unset time is stored
    instant = ibis.ifelse(possible, instant, ibis.null("int64"))
    zoned = ibis.ifelse(instant.notnull(), zoned, ibis.null("boolean"))
    if resolution == "day":
        instant = instant - ((instant % DAY) + DAY) % DAY
    return Times(instant, zoned, given)


def _from_number(value: Column) -> Column:
    """Epoch numbers tell their unit by their size; 20260131 is a date."""
    size = value.abs()
    digits = value.try_cast("int64").cast("string")
    microseconds = ibis.cases((size < 1e11, 1e6), (size < 1e14, 1e3), (size < 1e17, 1.0), else_=1e-3)
    return ibis.cases(
        ((size > 19_000_100) & (size < 21_010_000), _epoch_us(_try_strptime(digits, "%Y%m%d"))),
        (size < _LEAST_EPOCH, ibis.null("int64")),
        else_=(value * microseconds).try_cast("int64"),  # rounds; null for what is not finite
    )


def refuse_mixed_zones(source: str, key: str, zoned: int, naive: int) -> None:
    """A column with and without offsets cannot be read: nobody knows what the naive ones mean.

    Raises
    ------
    DataError
        If both occur.
    """
    if zoned and naive:
        raise DataError(
            f"{source}: the times of `{key}` mix time zones: some say their offset from UTC and some do not",
            received=f"{zoned:,} with an offset, {naive:,} without",
            allowed="all with an offset (2026-01-31T12:00:00+02:00) or all in UTC without one",
            remedy="write them all one way",
        )
