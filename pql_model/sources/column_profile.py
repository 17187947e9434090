"""The columns of a raw table measured over all of its rows, for `pql init`.

A file is often sorted by time or by account, so its first rows say little about the others. What is returned is small:
the values of a column with their rows (of a large column, those of a hash sample that is the same in every table), and
the cells of rows spread evenly over the table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.sources.casts import identifier
from pql_model.sources.duckdb_session import Connection, fetch_row
from pql_model.sources.files import RawTable

Table = Any
Column = Any

PROFILE_ROWS = 10_000
"""Rows whose cells are returned."""
MOST_VALUES = 30_000
"""A column with more different values is described by a sixteenth of them, or a sixteenth of that."""
_EXACT = 2.0**53
"""Above this, neighbouring integers are the same float64."""


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
        Whether it holds floats beyond 2**53, in which different whole numbers have become one.
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
    (True, 62)
    """
    return not zeros or hashlib.md5(value.encode(), usedforsecurity=False).hexdigest().startswith("0" * zeros)


def profile_columns(con: Connection, raw: RawTable, name: str) -> tuple[int, list[ColumnProfile]]:
    """Measure every column of a raw table; the fields of objects are columns with dotted names.

    Parameters
    ----------
    con : Connection
        A session that keeps the order of rows.
    raw : RawTable
        The table.
    name : str
        The name of the staged copy.

    Returns
    -------
    rows : int
        Number of rows.
    profiles : list of ColumnProfile
        One per column.
    """
    columns = _with_fields(raw)
    texts = con.create_table(name, raw.table.select(**{f"c{i}": identifier(c) for i, c in enumerate(columns.values())}))
    floats = {f"c{i}": c for i, c in enumerate(columns.values()) if c.type().is_floating()}
    counts = fetch_row(
        texts.aggregate(
            rows=texts.count(),
            **{f"filled_{c}": texts[c].count() for c in texts.columns},
            **{f"distinct_{c}": texts[c].approx_nunique() for c in texts.columns},
        )
    )
    largest = (
        fetch_row(raw.table.aggregate(**{c: column.abs().max() for c, column in floats.items()})) if floats else {}
    )
    cells = _cells(texts, counts["rows"])
    profiles = []
    for i, column in enumerate(columns):
        key = f"c{i}"
        zeros = _zeros(counts[f"distinct_{key}"])
        lossy = (largest.get(key) or 0) > _EXACT
        values = _values(texts, key, zeros)
        profiles.append(ColumnProfile(column, cells[key], counts[f"filled_{key}"], values, zeros, lossy))
    return counts["rows"], profiles


def _zeros(distinct: int) -> int:
    zeros = 0
    while distinct > MOST_VALUES * 16**zeros:
        zeros += 1
    return zeros


def _values(texts: Table, key: str, zeros: int) -> dict[str, int]:
    filled = texts.filter(texts[key].notnull())
    if zeros:
        filled = filled.filter(filled[key].hexdigest("md5").startswith("0" * zeros))
    counted = filled.group_by(value=filled[key]).agg(n=filled.count())
    rows = counted.order_by(counted.n.desc(), counted.value).to_pyarrow()
    return dict(zip(rows["value"].to_pylist(), rows["n"].to_pylist(), strict=True))


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
