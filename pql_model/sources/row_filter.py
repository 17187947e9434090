"""`where:` of a table: the rows that count, selected before anything else is read from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ibis

from pql_model.config.row_filter import RowFilter
from pql_model.errors import DataError, did_you_mean, listed, nearest
from pql_model.sources.casts import identifier, number, text, times
from pql_model.sources.duckdb_session import fetch_row, fetch_scalar
from pql_model.sources.files import RawTable
from pql_model.sources.scalars import canonical_value, spellings
from pql_model.time import iso, parse_instant

Table = Any
Column = Any

_SHOWN = 8
"""Values of a column that a message lists."""


def select_rows(raw: RawTable, where: Mapping[str, RowFilter], key: str, resolution: str = "instant") -> RawTable:
    """Select the rows that count; the others are counted as `left_out`.

    Parameters
    ----------
    raw : RawTable
        The table.
    where : mapping
        Column -> filter. A row counts if every filter accepts it.
    key : str
        The place of `where` in the config, such as `conversions.where`, for messages.
    resolution : {"instant", "day"}
        Whether times are cut to their UTC date before they are compared.

    Raises
    ------
    DataError
        If a column is missing or cannot be compared, none of the values of a filter occurs, or no row is left.
    """
    if not where:
        return raw
    columns = {name: raw.column(name, f"{key}.{name}") for name in where}
    for name, row_filter in where.items():
        _refuse_type(raw, columns[name], row_filter, f"{key}.{name}")
    accepted = {name: _accepts(columns[name], row_filter, resolution) for name, row_filter in where.items()}
    selected = ibis.and_(*accepted.values())
    counts = _count(raw.table, columns, where, accepted, selected, resolution)
    if counts["rows"]:
        _refuse_nothing(raw, columns, where, key, counts, resolution)
    table = raw.table.filter(selected)
    names = {f"c{i}": column for i, column in enumerate(raw.names.values())}
    table = table.select(**names)
    return replace(
        raw,
        table=table,
        names=dict(zip(raw.names, (table[name] for name in names), strict=True)),
        left_out=raw.left_out + counts["rows"] - counts["selected"],
        warnings=(*raw.warnings, *_warnings(raw, columns, where, key, counts)),
    )


def one_of(column: Column, values: Sequence[str]) -> Column:
    """Whether a value is listed, in any spelling: 12 is 12.0, and true is TRUE."""
    as_text = text(column).isin([spelling for value in values for spelling in spellings(value)])
    return (as_text | identifier(column).isin([*map(canonical_value, values)])).fill_null(False)


def _accepts(column: Column, row_filter: RowFilter, resolution: str) -> Column:
    missing = identifier(column).isnull()
    if not row_filter.tests_value:
        return missing if row_filter.accepts_missing else ~missing
    tests = []
    if row_filter.in_ is not None:
        tests.append(one_of(column, row_filter.in_))
    if row_filter.not_ is not None:
        tests.append(~one_of(column, row_filter.not_))
    if row_filter.bounds:
        value = _comparable(column, row_filter, resolution)
        for bound_key, bound in row_filter.bounds.items():
            limit = parse_instant(bound) if isinstance(bound, str) else bound
            tests.append(_COMPARISONS[bound_key](value, limit).fill_null(False))
    return ibis.ifelse(missing, row_filter.accepts_missing, ibis.and_(*tests))


_COMPARISONS = {
    "at_least": lambda value, limit: value >= limit,
    "at_most": lambda value, limit: value <= limit,
    "above": lambda value, limit: value > limit,
    "below": lambda value, limit: value < limit,
}


def _comparable(column: Column, row_filter: RowFilter, resolution: str) -> Column:
    """The column as the bounds are written: numbers, or instants."""
    return times(column, resolution).instant if row_filter.of_times else number(column)


def _refuse_type(raw: RawTable, column: Column, row_filter: RowFilter, key: str) -> None:
    kind = column.type()
    if not row_filter.bounds:
        return
    if row_filter.of_times and (kind.is_boolean() or kind.is_nested()):
        raise DataError(f"`{key}` compares a column of {raw.source} with times", received=f"a column of type {kind}")
    if not row_filter.of_times and not (kind.is_numeric() or kind.is_string() or kind.is_boolean()):
        raise DataError(
            f"`{key}` compares a column of {raw.source} with numbers",
            received=f"a column of type {kind}",
            remedy="write the bound as a date or time, such as 2026-06-30",
        )


def _count(
    table: Table,
    columns: Mapping[str, Column],
    where: Mapping[str, RowFilter],
    accepted: Mapping[str, Column],
    selected: Column,
    resolution: str,
) -> dict[str, int]:
    """Count, in one pass, what the messages need to know."""
    sums = {"rows": table.count(), "selected": table.count(where=selected)}
    for i, (name, row_filter) in enumerate(where.items()):
        column, values = columns[name], [*(row_filter.in_ or ()), *(row_filter.not_ or ())]
        sums[f"accepted_{i}"] = table.count(where=accepted[name])
        for j, value in enumerate(values):
            sums[f"value_{i}_{j}"] = table.count(where=one_of(column, [value]))
        if values:
            sums[f"alike_{i}"] = table.count(where=_differs_in_case(column, values))
        if row_filter.bounds:
            value, present = _comparable(column, row_filter, resolution), identifier(column).notnull()
            sums[f"readable_{i}"] = table.count(where=value.notnull())
            sums[f"unreadable_{i}"] = table.count(where=present & value.isnull())
    return {key: int(count or 0) for key, count in fetch_row(table.aggregate(**sums)).items()}


def _differs_in_case(column: Column, values: Sequence[str]) -> Column:
    alike = text(column).lower().isin([spelling.lower() for value in values for spelling in spellings(value)])
    return alike.fill_null(False) & ~one_of(column, values)


# ---------------------------------------------------------------- messages


def _refuse_nothing(
    raw: RawTable,
    columns: Mapping[str, Column],
    where: Mapping[str, RowFilter],
    key: str,
    counts: Mapping[str, int],
    resolution: str,
) -> None:
    for i, (name, row_filter) in enumerate(where.items()):
        kind = "times" if row_filter.of_times else "numbers"
        if row_filter.bounds and counts[f"unreadable_{i}"] and not counts[f"readable_{i}"]:
            raise DataError(
                f"`{key}.{name}` compares a column of {raw.source} that does not hold {kind}",
                received=_holds(raw, columns[name]),
                remedy=f"use a column of {kind}, or list values: `{name}: [value]`",
            )
        listed_values = row_filter.in_ or ()
        if listed_values and not any(counts[f"value_{i}_{j}"] for j in range(len(listed_values))):
            common = [*reversed(_common_values(raw, columns[name]))]  # of two that are as near, the last one wins
            close = next((near for value in listed_values if (near := nearest(value, common))), None)
            raise DataError(
                f"`{key}.{name}` lists only values that do not occur in {raw.source}{did_you_mean(close)}",
                received=listed(listed_values),
                allowed=_holds(raw, columns[name]),
                remedy=f"list values of `{name}` as the table writes them",
            )
    if not counts["selected"]:
        each = [f"`{name}: {f.text}` holds in {counts[f'accepted_{i}']:,}" for i, (name, f) in enumerate(where.items())]
        empty = [name for i, name in enumerate(where) if not counts[f"accepted_{i}"]]
        raise DataError(
            f"`{key}` selects none of the {counts['rows']:,} rows of {raw.source}",
            received="; ".join(
                [*each, *(_content(raw, name, columns[name], where[name], resolution) for name in empty)]
            ),
            remedy=f"correct `{key}`" + ("" if empty else "; every filter must hold in the same row"),
        )


def _warnings(
    raw: RawTable, columns: Mapping[str, Column], where: Mapping[str, RowFilter], key: str, counts: Mapping[str, int]
) -> Iterator[str]:
    for i, (name, row_filter) in enumerate(where.items()):
        values = [*(row_filter.in_ or ()), *(row_filter.not_ or ())]
        absent = [value for j, value in enumerate(values) if not counts[f"value_{i}_{j}"]] if counts["rows"] else []
        if absent:
            others = [value for value in reversed(_common_values(raw, columns[name])) if value not in values]
            hint = did_you_mean(nearest(absent[0], others)) or "."
            yield (
                f"`{key}.{name}` lists values that do not occur in {raw.source}: {listed(absent)}{hint} "
                f"`{name}` has {_holds(raw, columns[name])}."
            )
        if count := counts.get(f"alike_{i}"):
            alike = raw.table.filter(_differs_in_case(columns[name], values))
            spelled = alike.select(value=text(columns[name])).distinct().order_by("value").limit(_SHOWN)
            yield (
                f"{count:,} rows of {raw.source} differ from a value of `{key}.{name}` only in case "
                f"({listed(spelled.to_pyarrow()['value'].to_pylist())}). Case matters: list both spellings if both count."
            )
        if count := counts.get(f"unreadable_{i}"):
            kind = "times" if row_filter.of_times else "numbers"
            yield f"{count:,} values of `{name}` in {raw.source} are not {kind}; `{key}` does not select their rows."


def _common_values(raw: RawTable, column: Column) -> dict[str, int]:
    """The most common values -> their rows; a missing value is not one of them."""
    values = raw.table.select(value=text(column))
    rows = values.filter(values.value.notnull()).group_by("value").agg(rows=lambda t: t.count())
    common = rows.order_by(ibis.desc("rows"), "value").limit(100).to_pyarrow().to_pylist()
    return {str(row["value"]): int(row["rows"]) for row in common}


def _holds(raw: RawTable, column: Column) -> str:
    """List the most common values of a column: `Paid (138), Failed (43)`."""
    common = [f"{value} ({rows:,})" for value, rows in _common_values(raw, column).items()]
    more = int(fetch_scalar(text(column).nunique())) - _SHOWN
    shown = ", ".join(common[:_SHOWN]) or "no values"
    return f"{shown} and {more:,} more" if more > 0 else shown


def _content(raw: RawTable, name: str, column: Column, row_filter: RowFilter, resolution: str) -> str:
    shown = _range(raw, column, row_filter, resolution) if row_filter.bounds else _holds(raw, column)
    return f"`{name}` has {shown}"


def _range(raw: RawTable, column: Column, row_filter: RowFilter, resolution: str) -> str:
    """Describe a column that is compared with bounds: `0 to 49`."""
    value = _comparable(column, row_filter, resolution)
    ends = fetch_row(raw.table.aggregate(first=value.min(), last=value.max()))
    if ends["first"] is None:
        return "no values"
    first, last = (iso(int(v)) if row_filter.of_times else f"{v:g}" for v in (ends["first"], ends["last"]))
    return f"{first} to {last}"
