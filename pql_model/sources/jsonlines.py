"""Files of JSON lines read as a table of documents: one object per line, every other line counted as broken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis

from pql_model.errors import DataError
from pql_model.sources.delimited import MAX_LINE, Unread, buffer_for, is_gzipped, rejected
from pql_model.sources.duckdb_session import Connection, row_count
from pql_model.sources.encodings import refuse_other_encoding

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
    """Extract the text of a field from JSON objects; null where the text is not JSON or has no such field.

    The path is a JSON pointer (RFC 6901), which allows any character in a key.
    """
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
    return _json_text(_valid_or_null(document), pointer)


def keys_of(table: Table, document: Column) -> list[str]:
    """List all keys of the objects in a column of JSON."""
    objects = table.select(document=_valid_or_null(document)).filter(lambda t: _json_type(t.document) == "OBJECT")
    keys = objects.select(key=_json_keys(objects.document).unnest()).distinct().order_by("key")
    return [str(key) for key in keys.to_pyarrow()["key"].to_pylist()]


def _valid_or_null(document: Column) -> Column:
    return ibis.ifelse(_json_valid(document), document, ibis.null("string"))


def read_json_lines(
    con: Connection, source: str, paths: Sequence[str], name: str
) -> tuple[dict[str, Column], Table, Unread]:
    """Read files as one table of documents.

    Lines are read as text, because DuckDB's JSON reader turns a broken line into an empty row.

    Returns
    -------
    columns : dict
        Key -> column.
    table : Table
        Column `document`: one JSON object per row.
    unread : Unread
        Lines that are not JSON objects.
    """
    parts, unread = [], Unread()
    for gzipped in sorted({is_gzipped(path) for path in paths}):
        files = [path for path in paths if is_gzipped(path) == gzipped]
        view = con.read_csv(
            files,
            table_name=f"{name}_view{gzipped:d}",
            columns={"document": "VARCHAR"},
            header=False,
            auto_detect=False,
            delim="\x01",
            quote="",
            escape="",
            store_rejects=True,
            strict_mode=False,
            compression="gzip" if gzipped else "none",
            max_line_size=MAX_LINE,
            buffer_size=buffer_for(files),
        )
        filled = view.filter(view.document.notnull() & (view.document.strip() != ""))
        parts.append(con.create_table(f"{name}_lines{gzipped:d}", filled))
        unread += rejected(con)[0]
    lines = parts[0] if len(parts) == 1 else ibis.union(*parts)
    valid = lines.filter(_json_valid(lines.document))
    valid = valid.filter(_json_type(valid.document) == "OBJECT")
    table = con.create_table(f"{name}_documents", valid)
    unread += Unread(row_count(lines) - row_count(table))
    keys = keys_of(table, table.document)
    if not keys:
        refuse_other_encoding(source, paths)
        raise DataError(
            f"{source} has no JSON object", allowed="JSON lines: one object per line", remedy="convert the file"
        )
    return {key: field_of(table.document, [key]) for key in keys}, table, unread
