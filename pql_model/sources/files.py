"""From a file, a glob or a table of a connection to a raw table: nothing interpreted, broken lines counted."""

from __future__ import annotations

import csv
import glob
import gzip
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import duckdb
import ibis
from ibis.common.exceptions import IbisError

from pql_model.errors import DataError, listed, nearest
from pql_model.sources.workbench import Connection

Table = Any
Column = Any

_KINDS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet",
          ".jsonl": "json", ".ndjson": "json", ".json": "json"}  # fmt: skip
_ALLOWED = "csv, tsv, json lines (each also .gz), parquet, or a glob of them"
_EMBEDDED = ("duckdb://", "duckdb:")
_MAX_LINE = 32 * 2**20


@dataclass(frozen=True)
class RawTable:
    """A table as it came.

    Attributes
    ----------
    source
        What the config calls it.
    columns
        Its column names, as in the file.
    broken_lines
        Lines that are no rows: wrong number of fields, a quote that never ends, not JSON, too long.
    """

    source: str
    table: Table
    names: dict[str, Column]
    broken_lines: int = 0

    @property
    def columns(self) -> list[str]:
        return list(self.names)

    def column(self, name: str, key: str) -> Column:
        """The column that `key` of the config names.

        Raises
        ------
        DataError
            If there is none, with the nearest.
        """
        if name in self.names:
            return self.names[name]
        parts = name.split(".")
        if parts[0] in self.names and "document" in self.table.columns and len(parts) > 1:
            return _json_text(self.table.document, _json_path(parts))
        close = nearest(name, self.columns)
        raise DataError(
            f"{self.source} has no column `{name}`" + (f", did you mean `{close}`?" if close else ""),
            received=f"{key}: {name}",
            allowed=self.columns,
            remedy=f"correct `{key}` in the config",
        )


def read_raw(con: Connection, table: str, home: Path, connection: str | None = None, name: str = "raw") -> RawTable:
    """Stage a table of the config in the workbench under `name`.

    Raises
    ------
    DataError
        If it is missing, empty of columns, or not of a readable kind.
    """
    if connection is not None and connection not in _EMBEDDED and _kind(table) is None:
        return _from_connection(con, connection, table, home, name)
    paths = _paths(table, home)
    kind = _kind(paths[0])
    try:
        if kind == "parquet":
            staged = con.read_parquet(paths, table_name=name, union_by_name=True)
            return RawTable(table, staged, {column: staged[column] for column in staged.columns})
        if kind == "csv":
            return _read_csv(con, table, paths, name)
        return _read_json(con, table, paths, name)
    except (duckdb.Error, OSError, EOFError, UnicodeDecodeError) as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(
            f"{table} cannot be read: {first}", remedy="check that the file is whole and of the kind its ending says"
        ) from error


def _kind(path: str) -> str | None:
    plain = path.lower().removesuffix(".gz")
    return next((kind for ending, kind in _KINDS.items() if plain.endswith(ending)), None)


def _paths(table: str, home: Path) -> list[str]:
    pattern = str(home / table)
    found = sorted(glob.glob(pattern)) if glob.has_magic(table) else [pattern] * Path(pattern).is_file()
    if not found:
        folder = Path(pattern).parent
        there = sorted(entry.name for entry in folder.iterdir() if entry.is_file()) if folder.is_dir() else []
        close = nearest(Path(table).name, there)
        raise DataError(
            f"There is no file {table}" + (f", did you mean `{close}`?" if close else ""),
            received=pattern,
            allowed=there or None,
            remedy="correct `table:` in the config; paths start from the config's folder",
        )
    kinds = {_kind(path) for path in found}
    if None in kinds or len(kinds) > 1:
        raise DataError(f"{table} is not a kind of file that can be read", received=listed(found, 5), allowed=_ALLOWED)
    return found


# ---------------------------------------------------------------- csv


def _read_csv(con: Connection, source: str, paths: list[str], name: str) -> RawTable:
    """Everything as text, each file by its own header, so that neither types nor column order are guessed."""
    by_header: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for path in paths:
        by_header.setdefault(_header(path), []).append(path)
    every = list(dict.fromkeys(column for _, header in by_header for column in header))
    parts, broken = [], 0
    for part, ((delimiter, header), files) in enumerate(by_header.items()):
        view = con.read_csv(
            files, table_name=f"{name}_view{part}", columns={f"c{every.index(column)}": "VARCHAR" for column in header},
            header=True, auto_detect=False, delim=delimiter, quote='"', escape='"', store_rejects=True,
            strict_mode=True, max_line_size=_MAX_LINE, buffer_size=_buffer_for(files),
        )  # fmt: skip
        table = con.create_table(f"{name}_part{part}", view)
        broken += _rejected(con)
        missing = {f"c{i}": ibis.null("string") for i in range(len(every)) if f"c{i}" not in table.columns}
        parts.append(table.mutate(**missing).select(*[f"c{i}" for i in range(len(every))]))
    table = parts[0] if len(parts) == 1 else ibis.union(*parts)
    return RawTable(source, table, {column: table[f"c{i}"] for i, column in enumerate(every)}, broken)


def _header(path: str) -> tuple[str, tuple[str, ...]]:
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        line = file.readline(_MAX_LINE)
    if not line.strip():
        raise DataError(f"{Path(path).name} is empty", remedy="give a file with a header line and rows")
    delimiter = max(",;\t|", key=line.count)
    header = tuple(column.strip() for column in next(csv.reader(io.StringIO(line), delimiter=delimiter)))
    repeated = sorted({column for column in header if header.count(column) > 1})
    if repeated:
        raise DataError(f"{Path(path).name} has columns of the same name: {listed(repeated)}", remedy="rename them")
    return delimiter, header


def _buffer_for(paths: list[str]) -> int:
    """A read buffer that holds the longest line: DuckDB drops a longer one without a word."""
    return 2 * max([_MAX_LINE, *(_longest_line(path) for path in paths)])


def _longest_line(path: str) -> int:
    zipped = path.endswith(".gz")
    if Path(path).stat().st_size < (_MAX_LINE // 1000 if zipped else _MAX_LINE):
        return 0  # gzip shrinks a thousandfold at most
    longest = current = 0
    with gzip.open(path) if zipped else open(path, "rb") as file:
        while chunk := file.read(2**20):
            pieces = chunk.split(b"\n")
            current += len(pieces[0])
            if len(pieces) > 1:
                longest = max([longest, current, *map(len, pieces[1:-1])])
                current = len(pieces[-1])
    return max(longest, current)


def _rejected(con: Connection) -> int:
    """Lines the last scan could not read; one line can have several errors."""
    rejects = con.table("reject_errors")
    latest = rejects.filter(rejects.scan_id == rejects.scan_id.max().as_scalar())
    count = latest.select("file_id", "line").distinct().count().to_pyarrow().as_py()
    con.raw_sql("delete from reject_errors")
    con.raw_sql("delete from reject_scans")
    return int(count)


# ---------------------------------------------------------------- json lines


@ibis.udf.scalar.builtin(name="json_extract_string")
def _json_text(document: str, path: str) -> str:  # type: ignore[empty-body]
    """DuckDB's text of a JSON value."""


@ibis.udf.scalar.builtin(name="json_valid")
def _json_valid(document: str) -> bool:  # type: ignore[empty-body]
    """DuckDB's test for JSON."""


@ibis.udf.scalar.builtin(name="json_type")
def _json_type(document: str) -> str:  # type: ignore[empty-body]
    """DuckDB's type of a JSON document."""


@ibis.udf.scalar.builtin(name="json_keys")
def _json_keys(document: str) -> list[str]:  # type: ignore[empty-body]
    """DuckDB's keys of a JSON object."""


def _json_path(parts: Iterable[str]) -> str:
    return "$" + "".join(f'."{part}"' for part in parts)


def _read_json(con: Connection, source: str, paths: list[str], name: str) -> RawTable:
    """One object a line; read as text, because DuckDB's own reader turns a broken line into an empty row."""
    view = con.read_csv(
        paths, table_name=f"{name}_view", columns={"document": "VARCHAR"}, header=False, auto_detect=False,
        delim="\x01", quote="", escape="", store_rejects=True, strict_mode=False, max_line_size=_MAX_LINE,
        buffer_size=_buffer_for(paths),
    )  # fmt: skip
    lines = con.create_table(f"{name}_lines", view.filter(view.document.notnull() & (view.document.strip() != "")))
    broken = _rejected(con)
    valid = lines.mutate(fine=_json_valid(lines.document))
    valid = valid.filter(valid.fine).filter(lambda t: _json_type(t.document) == "OBJECT").select("document")
    table = con.create_table(f"{name}_documents", valid)
    broken += _count(lines) - _count(table)
    keys = (
        table.select(key=_json_keys(table.document).unnest()).distinct().order_by("key").to_pyarrow()["key"].to_pylist()
    )
    if not keys:
        raise DataError(
            f"{source} holds no JSON object", allowed="json lines: one object a line", remedy="convert the file"
        )
    return RawTable(source, table, {key: _json_text(table.document, _json_path([key])) for key in keys}, broken)


def _count(table: Table) -> int:
    return int(table.count().to_pyarrow().as_py())


# ---------------------------------------------------------------- connections


def _from_connection(con: Connection, url: str, table: str, home: Path, name: str) -> RawTable:
    """Copy a table of a database into the workbench; DuckDB files are attached, the rest goes through Arrow."""
    try:
        if url.startswith("duckdb:"):
            path = home / urlparse(url).path.lstrip("/") if url.startswith("duckdb://") else home / url[7:]
            other = ibis.duckdb.connect(str(path), read_only=True)
        else:
            other = ibis.connect(url)
        *schema, bare = table.split(".")
        there = sorted(other.list_tables(database=".".join(schema) or None))
        if bare not in there:
            close = nearest(bare, there)
            raise DataError(
                f"The connection has no table `{table}`" + (f", did you mean `{close}`?" if close else ""),
                received=table, allowed=there, remedy="correct `table:` in the config",
            )  # fmt: skip
        staged = con.create_table(name, other.table(bare, database=".".join(schema) or None).to_pyarrow())
        other.disconnect()
    except (IbisError, duckdb.Error, OSError, ImportError) as error:
        raise DataError(f"The connection cannot be used: {error}", received=_without_password(url)) from error
    return RawTable(table, staged, {column: staged[column] for column in staged.columns})


def _without_password(url: str) -> str:
    parts = urlparse(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url
