"""Cells that hold several ids: a group key stored as a list, such as `["acme", "umbrella"]`. The row belongs to each."""

from __future__ import annotations

from typing import Any

import ibis

from pql_model.sources.casts import identifier
from pql_model.sources.duckdb_session import Connection

Table = Any
Column = Any

_LIST = r"^\s*\["
_QUOTED = r"""^\s*\[\s*['"]"""
"""How a list of texts begins in JSON, and as Python writes it."""
_ROW, _RANK, _IDS = "pql_row", "pql_rank", "pql_ids"


@ibis.udf.scalar.builtin(name="to_json")  # type: ignore[untyped-decorator]
def _to_json(values: list[str]) -> str:  # type: ignore[empty-body]
    """DuckDB's JSON of a list."""


@ibis.udf.scalar.builtin(name="json_valid")  # type: ignore[untyped-decorator]
def _json_valid(document: str) -> bool:  # type: ignore[empty-body]
    """DuckDB's test for JSON."""


@ibis.udf.scalar.builtin(name="json_extract_string")  # type: ignore[untyped-decorator]
def _json_texts(document: str, path: str) -> list[str]:  # type: ignore[empty-body]
    """DuckDB's texts of the items that a path with a wildcard matches."""


def ids(column: Column) -> Column:
    """Read a column of ids, in which a cell may hold a list, as texts. `with_each_id` reads the lists."""
    return _to_json(column.cast("array<string>")) if column.type().is_array() else identifier(column)


def list_form(table: Table, column: Column) -> str | None:
    """How the cells of a column of ids hold lists: `array`, `json` (its text), `other` (another text); None if none does."""
    if column.type().is_array():
        return "array"
    cells = table.select(cell=identifier(column)).filter(lambda t: t.cell.re_search(_LIST))
    if cells.filter(_json_valid(cells.cell)).limit(1).to_pyarrow().num_rows:
        return "json"
    return "other" if cells.filter(cells.cell.re_search(_QUOTED)).limit(1).to_pyarrow().num_rows else None


def with_each_id(con: Connection, table: Table, name: str, *columns: str) -> Table:
    """Give a row whose cell holds a list to each id in it, once.

    A list is an array, or its text: JSON (`["a", "b"]`, also of one id) or as Python writes it (`['a', 'b']`). An empty
    list is a missing id. Any other text is a single id.

    Parameters
    ----------
    con : Connection
        An open session.
    table : Table
        A staged table whose `columns` were read by `ids`.
    name : str
        Name of the table that is created if there are lists.
    """
    for column in columns:
        if table.filter(table[column].re_search(_LIST)).limit(1).to_pyarrow().num_rows:
            table = con.create_table(f"{name}_by_{column}", _unnested(table, column))
    return table


def _unnested(table: Table, column: str) -> Table:
    """One row per distinct id; a list without an id leaves one row without."""
    cell = table[column]
    items = ibis.ifelse(cell.re_search(_LIST), _items_of(cell), ibis.array([cell]))
    rows = table.mutate(**{column: items.unnest(), _ROW: ibis.row_number()})
    rows = rows.mutate(**{column: identifier(rows[column])})
    # 12 and "12.0" are one id, hence not earlier; a null beside an id says nothing
    rank = ibis.row_number().over(ibis.window(group_by=[_ROW, column]))
    ids_in_row = rows[column].count().over(ibis.window(group_by=_ROW))
    rows = rows.mutate(**{_RANK: rank, _IDS: ids_in_row})
    return rows.filter((rows[_RANK] == 0) & (rows[column].notnull() | (rows[_IDS] == 0))).drop(_ROW, _RANK, _IDS)


def _items_of(text: Column) -> Column:
    """The items of a list; one null if it is empty, so that the row remains."""
    in_json = ibis.ifelse(_json_valid(text), text, ibis.null("string"))
    quoted = ibis.ifelse(text.re_search(_QUOTED), text, ibis.null("string"))
    items = ibis.coalesce(_json_texts(in_json, "$[*]"), quoted.try_cast("array<string>"), ibis.array([text]))
    return ibis.ifelse(items.length() > 0, items, ibis.array([ibis.null("string")]))
