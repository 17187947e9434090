"""Files of JSON lines to a table of documents: one object a line, everything else counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis

from pql_model.errors import DataError
from pql_model.sources.delimited import MAX_LINE, buffer_for, is_zipped, rejected
from pql_model.sources.duckdb_session import Connection

Table = Any
Column = Any


@ibis.udf.scalar.builtin(name="json_extract_string")  # type: ignore[untyped-decorator]
def _json_text(document: str, path: str) -> str:  # type: ignore[empty-body]
    """DuckDB's text of a JSON value."""


@ibis.udf.scalar.builtin(name="json_valid")  # type: ignore[untyped-decorator]
def _json_valid(document: str) -> bool:  # type: ignore[empty-body]
    """DuckDB's test for JSON."""


@ibis.udf.scalar.builtin(name="json_type")  # type: ignore[untyped-decorator]
def _json_type(document: str) -> str:  # type: ignore[empty-body]
    """DuckDB's type of a JSON document."""


@ibis.udf.scalar.builtin(name="json_keys")  # type: ignore[untyped-decorator]
def _json_keys(document: str) -> list[str]:  # type: ignore[empty-body]
    """DuckDB's keys of a JSON object."""


def field_of(document: Column, parts: Sequence[str]) -> Column:
    """The text of a field of JSON objects, null where the text is no JSON or has no such field.

    The way to it is a JSON pointer (RFC 6901), which allows any character in a key.
    """
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
    return _json_text(ibis.ifelse(_json_valid(document), document, ibis.null("string")), pointer)


def keys_of(table: Table, document: Column) -> list[str]:
    """All keys of the objects in a column of JSON."""
    whole = ibis.ifelse(_json_valid(document), document, ibis.null("string"))
    objects = table.select(document=whole).filter(lambda t: _json_type(t.document) == "OBJECT")
    keys = objects.select(key=_json_keys(objects.document).unnest()).distinct().order_by("key")
    return [str(key) for key in keys.to_pyarrow()["key"].to_pylist()]


def read_json_lines(
    con: Connection, source: str, paths: Sequence[str], name: str
) -> tuple[dict[str, Column], Table, int]:
    """All files as one table of documents: the columns by their key, the table, the broken lines.

    The lines are read as text, because DuckDB's own reader turns a broken line into an empty row.
    """
    parts, broken = [], 0
    for zipped in sorted({is_zipped(path) for path in paths}):
        files = [path for path in paths if is_zipped(path) == zipped]
        view = con.read_csv(
            files,
            table_name=f"{name}_view{zipped:d}",
            columns={"document": "VARCHAR"},
            header=False,
            auto_detect=False,
            delim="\x01",
            quote="",
            escape="",
            store_rejects=True,
            strict_mode=False,
            compression="gzip" if zipped else "none",
            max_line_size=MAX_LINE,
            buffer_size=buffer_for(files),
        )
        filled = view.filter(view.document.notnull() & (view.document.strip() != ""))
        parts.append(con.create_table(f"{name}_lines{zipped:d}", filled))
        broken += rejected(con)[0]
    lines = parts[0] if len(parts) == 1 else ibis.union(*parts)
    valid = lines.filter(_json_valid(lines.document))
    valid = valid.filter(_json_type(valid.document) == "OBJECT")
    table = con.create_table(f"{name}_documents", valid)
    broken += _count(lines) - _count(table)
    keys = keys_of(table, table.document)
    if not keys:
        raise DataError(
            f"{source} holds no JSON object", allowed="json lines: one object a line", remedy="convert the file"
        )
    return {key: field_of(table.document, [key]) for key in keys}, table, broken


def _count(table: Table) -> int:
    return int(table.count().to_pyarrow().as_py())
