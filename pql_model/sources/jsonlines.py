"""Files of JSON read as a table of documents: one object per line, or an array of objects; anything else is broken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis

from pql_model.errors import DataError
from pql_model.sources.delimited import MAX_LINE, Unread, buffer_for, rejected
from pql_model.sources.duckdb_session import Connection, fetch_row, row_count
from pql_model.sources.encodings import refuse_other_encoding
from pql_model.sources.file_format import is_gzipped, open_bytes

Table = Any
Column = Any

_BLANK = b" \t\r\n\xef\xbb\xbf"
"""White space, and the byte order mark."""


@ibis.udf.scalar.builtin(name="json_extract_string")  # type: ignore[untyped-decorator]
def _json_text(document: str, path: str) -> str:  # type: ignore[empty-body]
    """DuckDB's text of a JSON value."""


@ibis.udf.scalar.builtin(name="json_extract")  # type: ignore[untyped-decorator]
def _json_part(document: str, path: str) -> str:  # type: ignore[empty-body]
    """DuckDB's JSON value at a place."""


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
    return _json_text(_valid_or_null(document), _pointer(parts))


def _pointer(parts: Sequence[str]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


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

    Lines are read as text, because DuckDB's JSON reader turns a broken line into an empty row. Only an array of objects,
    and objects over several lines, are left to it: there a fault spoils the whole file.

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
    layouts = {path: _layout(path) for path in paths}
    for number, path in enumerate(path for path in paths if layouts[path] != "lines"):
        parts.append(_objects(con, path, layouts[path], f"{name}_objects{number}"))
    by_line = [path for path in paths if layouts[path] == "lines"]
    for gzipped in sorted({is_gzipped(path) for path in by_line}):
        files = [path for path in by_line if is_gzipped(path) == gzipped]
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
            f"{source} has no JSON object",
            allowed="JSON lines, one object per line, or an array of objects",
            remedy="convert the file",
        )
    if row_count(table) == 1:
        _refuse_envelope(source, table, keys)
    return {key: field_of(table.document, [key]) for key in keys}, table, unread


def _layout(path: str) -> str:
    """Tell how the objects of a file are laid out, in DuckDB's words; `lines` for one per line."""
    with open_bytes(path) as file:
        while (line := file.readline(MAX_LINE)) and not line.strip(_BLANK):
            pass
    first = line.strip(_BLANK)
    return "array" if first.startswith(b"[") else "unstructured" if first == b"{" else "lines"


def _objects(con: Connection, path: str, layout: str, name: str) -> Table:
    packed = "gzip" if is_gzipped(path) else "uncompressed"
    documents = con.con.execute(
        "select json::varchar as document from read_json_objects(?, format=?, compression=?, maximum_object_size=?)",
        [path, layout, packed, MAX_LINE],
    ).to_arrow_table()
    return con.create_table(name, documents, overwrite=True)


def _refuse_envelope(source: str, table: Table, keys: Sequence[str]) -> None:
    """Refuse an answer of an API that was saved whole, of which one key holds the rows."""
    kinds = {f"k{i}": _json_type(_json_part(table.document, _pointer([key]))) for i, key in enumerate(keys)}
    row = fetch_row(table.select(**kinds))
    if arrays := [key for i, key in enumerate(keys) if row[f"k{i}"] == "ARRAY"]:
        raise DataError(
            f"{source} is a single object, which seems to hold the rows under `{arrays[0]}`",
            allowed="JSON lines, one object per line, or an array of objects",
            remedy=f"write the rows alone, for example with `jq -c '.{arrays[0]}[]'`",
        )
