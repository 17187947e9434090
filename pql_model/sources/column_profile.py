"""The columns of a raw table measured over all of its rows, for `pql init`.

A file is often sorted by time or by account, so its first rows say little about the others. What is returned is small:
the values of a column with their rows (of a large column, those of a hash sample that is the same in every table), and
the cells of rows spread evenly over the table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.sources.casts import identifier
from pql_model.sources.duckdb_session import Connection, fetch_row, row_count
from pql_model.sources.files import RawTable
from pql_model.sources.id_columns import lossy_ids

Table = Any
Column = Any

PROFILE_ROWS = 10_000
"""Rows whose cells are returned."""
MOST_VALUES = 30_000
"""A column with more different values is described by a sixteenth of them, or a sixteenth of that."""


@dataclass(frozen=True)
class ColumnProfile:
    """One column over all rows.

    Attributes
    ----------
    cells
        Its values in the sampled rows, in the order of the file; None where there is none.
    rows
        Number of rows with a value.
    values
        Value -> number of rows.
    zeros
        Where not 0, `values` holds only the values whose MD5 begins with as many zeros, a sixteenth for each.
    is_lossy
        Whether it holds floats in which different whole numbers have become one.
    """

    name: str
    cells: tuple[str | None, ...]
    rows: int
    values: Mapping[str, int]
    zeros: int = 0
    is_lossy: bool = False


def is_sampled(value: str, zeros: int) -> bool:
    """Whether a hash sample with as many leading zeros holds a value.

    >>> is_sampled("acc_1", 0), sum(is_sampled(str(number), 1) for number in range(1_000))
    (True, 77)
    """
    return not zeros or hashlib.md5(value.encode(), usedforsecurity=False).hexdigest().startswith("0" * zeros)


@dataclass(frozen=True)
class TableProfile:
    """A table over all rows: their number, how many are alike another one in every column, and its columns."""

    rows: int
    repeats: int
    columns: list[ColumnProfile]


def profile_columns(con: Connection, raw: RawTable, name: str) -> TableProfile:
    """Measure every column of a raw table; the fields of objects are columns with dotted names.

    Parameters
    ----------
    con : Connection
        A session that keeps the order of rows.
    raw : RawTable
        The table.
    name : str
        The name of the staged copy.
    """
    columns = _with_fields(raw)
    texts = con.create_table(name, raw.table.select(**{f"c{i}": identifier(c) for i, c in enumerate(columns.values())}))
    floats = [(f"lossy_c{i}", column) for i, column in enumerate(columns.values()) if column.type().is_floating()]
    lossy = {key: test.any() for key, column in floats if (test := lossy_ids(column)) is not None}
    counts = fetch_row(
        texts.aggregate(
            rows=texts.count(),
            **{f"filled_{c}": texts[c].count() for c in texts.columns},
            **{f"distinct_{c}": texts[c].approx_nunique() for c in texts.columns},
        )
    )
    lost_digits = fetch_row(raw.table.aggregate(**lossy)) if lossy else {}
    cells = _cells(texts, counts["rows"])
    zeros = {key: _zeros(counts[f"distinct_{key}"]) for key in texts.columns}
    few = _values(texts, [key for key in texts.columns if not zeros[key]])
    profiles = []
    for key, column in zip(texts.columns, columns, strict=True):
        values = _sampled_values(texts, key, zeros[key]) if zeros[key] else few[key]
        is_lossy = bool(lost_digits.get(f"lossy_{key}"))
        profiles.append(ColumnProfile(column, cells[key], counts[f"filled_{key}"], values, zeros[key], is_lossy))
    rows = counts["rows"]
    unique = any(p.rows == rows and sum(p.values.values()) == len(p.values) for p in profiles)
    repeats = 0 if unique else rows - row_count(texts.distinct())
    return TableProfile(rows, repeats, profiles)


def _zeros(distinct: int) -> int:
    zeros = 0
    while distinct > MOST_VALUES * 16**zeros:
        zeros += 1
    return zeros


def _values(texts: Table, keys: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count the values of several columns in one pass."""
    found: dict[str, dict[str, int]] = {key: {} for key in keys}
    if keys:
        long = texts.select(*keys).pivot_longer(list(keys), names_to="key", values_to="value")
        for key, value, rows in _counted(long.filter(long.value.notnull()).group_by("key", "value")):
            found[key][value] = rows
    return found


def _sampled_values(texts: Table, key: str, zeros: int) -> dict[str, int]:
    sampled = texts.filter(texts[key].hexdigest("md5").startswith("0" * zeros)).mutate(key=ibis.literal(key))
    return {value: rows for _, value, rows in _counted(sampled.group_by("key", value=sampled[key]))}


def _counted(groups: Any) -> Iterator[tuple[str, str, int]]:
    counted = groups.agg(rows=lambda t: t.count())
    rows = counted.order_by(counted.key, counted.rows.desc(), counted.value).to_pyarrow()
    return zip(*(rows[name].to_pylist() for name in ("key", "value", "rows")), strict=True)


def _cells(texts: Table, rows: int) -> dict[str, tuple[str | None, ...]]:
    step = max(1, -(-rows // PROFILE_ROWS))
    numbered = texts.mutate(position=ibis.row_number())
    spread = numbered.filter(numbered.position % step == 0).order_by("position").to_pyarrow()
    return {column: tuple(spread[column].to_pylist()) for column in texts.columns}


def _with_fields(raw: RawTable) -> dict[str, Column]:
    """All columns; one that holds objects is replaced by their fields."""
    columns: dict[str, Column] = {}
    for name, column in raw.names.items():
        fields = _fields(raw, column)
        columns |= {f"{name}.{field}": raw.column(f"{name}.{field}", name) for field in fields} or {name: column}
    return columns


def _fields(raw: RawTable, column: Column) -> list[str]:
    kind = column.type()
    if kind.is_struct():
        return list(_paths(_as_object(kind)))
    if not (kind.is_string() or kind.is_json()):
        return []
    few = raw.table.select(text=column.cast("string")).filter(lambda t: t.text.startswith("{")).limit(PROFILE_ROWS)
    fields: dict[str, None] = {}
    for text in few.to_pyarrow()["text"].to_pylist():
        try:
            fields |= dict.fromkeys(_paths(json.loads(text)))
        except json.JSONDecodeError:  # a text that only looks like an object
            continue
    return list(fields)


def _as_object(kind: Any) -> dict[str, Any]:
    return {name: _as_object(inner) if inner.is_struct() else True for name, inner in kind.items()}


def _paths(document: Mapping[str, Any], depth: int = 3) -> Iterator[str]:
    """Yield the dotted names of the fields that have a value."""
    for key, value in document.items():
        if isinstance(value, dict) and depth > 1:
            yield from (f"{key}.{inner}" for inner in _paths(value, depth - 1) if "." not in key)
        elif value is not None and "." not in key:
            yield key
