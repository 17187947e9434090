"""Files, globs and database tables staged as raw tables: nothing interpreted, broken lines counted."""

from __future__ import annotations

import glob
import sqlite3
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.common.exceptions import IbisError

from pql_model.config.schema import EMBEDDED
from pql_model.config.text_format import NumberMarks
from pql_model.errors import DataError, did_you_mean, listed, nearest
from pql_model.sources.casts import plain_numbers
from pql_model.sources.delimited import delimiter_of, read_delimited
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.encodings import in_utf8, refuse_other_encoding
from pql_model.sources.file_format import ALLOWED, file_kind, refuse_other_format
from pql_model.sources.jsonlines import field_of, keys_of, read_json_lines

Table = Any
Column = Any

_IN_EVERY_FILE = ("columns.entity", "columns.event", "columns.time", "columns.signed_up")
"""Keys of the columns without which a row cannot be used."""
_ATTACHED = "connected"
_DRIVERS = (
    "psycopg",
    "psycopg2",
    "MySQLdb",
    "pymysql",
    "snowflake.connector",
    "oracledb",
    "pyodbc",
    "trino.exceptions",
)


@dataclass(frozen=True)
class RawTable:
    """A table before any interpretation.

    Attributes
    ----------
    source
        Its name in the config.
    table
        The staged table.
    names
        Column name in the source -> column of the staged table.
    broken_lines, not_utf8_lines
        Lines that are not rows: wrong number of fields, an unclosed quote, not JSON, too long; lines that are not UTF-8.
    in_order
        Whether the rows have an order, as those of files do.
    left_out, warnings
        Rows that `where:` does not select, and sentences a person should read about it.
    repeated
        Rows alike in everything that `drop_repeats` leaves out.
    delimiter
        What separates the columns of a text file; None for other files.
    lacking
        Column -> the names of the files, of several, that do not have it.
    marks, numbers
        The marks of its numbers, and the columns that are read with them.
    """

    source: str
    table: Table
    names: dict[str, Column]
    broken_lines: int = 0
    in_order: bool = True
    left_out: int = 0
    warnings: tuple[str, ...] = ()
    repeated: int = 0
    delimiter: str | None = None
    marks: NumberMarks | None = None
    numbers: frozenset[str] = frozenset()
    not_utf8_lines: int = 0
    lacking: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def unread(self) -> dict[str, int]:
        """Lines that are not rows, by reason."""
        return {"broken_line": self.broken_lines, "not_utf8": self.not_utf8_lines}

    @property
    def columns(self) -> list[str]:
        return list(self.names)

    def column(self, name: str, key: str) -> Column:
        """Get the column that `key` of the config names; `properties.size` reaches into an object.

        Raises
        ------
        DataError
            If there is no such column, with the nearest name.
        """
        column = self._find(name, key)
        if self.marks is None or name not in self.numbers or not column.type().is_string():
            return column
        return plain_numbers(column, self.marks)

    def _find(self, name: str, key: str) -> Column:
        if name in self.names:
            if name in self.lacking and key.endswith(_IN_EVERY_FILE):
                raise DataError(
                    f"Some files of {self.source} have no column `{name}`, and others have it",
                    received=listed(self.lacking[name], 5),
                    remedy="give every file the same header line: a part of a split file has none",
                )
            return self.names[name]
        inner = self._inner(name)
        if inner is not None:
            return inner
        allowed = [*self.columns, *self._inner_names(name.split(".")[0])]
        raise DataError(
            f"{self.source} has no column `{name}`" + did_you_mean(nearest(name, allowed)),
            received=f"{key}: {name}",
            allowed=allowed,
            remedy=f"correct `{key}` in the config",
        )

    def _inner(self, name: str) -> Column | None:
        """Find `properties.size` as a field of a struct, or of JSON objects where any row has it."""
        parts = name.split(".")
        for depth in range(len(parts) - 1, 0, -1):
            outer = self.names.get(".".join(parts[:depth]))
            if outer is None:
                continue
            if outer.type().is_struct():
                return _field_of_struct(outer, parts[depth:])
            if outer.type().is_string() or outer.type().is_json():
                field = field_of(outer.cast("string"), parts[depth:])
                return field if self.table.filter(field.notnull()).limit(1).to_pyarrow().num_rows else None
        return None

    def _inner_names(self, name: str) -> list[str]:
        outer = self.names.get(name)
        if outer is None or not (outer.type().is_struct() or outer.type().is_string()):
            return []
        inner = outer.type().names if outer.type().is_struct() else keys_of(self.table, outer)
        return [f"{name}.{key}" for key in inner]


def _field_of_struct(column: Column, parts: Sequence[str]) -> Column | None:
    for part in parts:
        if not column.type().is_struct() or part not in column.type().names:
            return None
        column = with_known_type(column[part])
    return column


def read_raw(
    con: Connection,
    table: str,
    home: Path,
    connection: str | None = None,
    name: str = "raw",
    encoding: str | None = None,
) -> RawTable:
    """Stage a table of the config under `name`.

    Parameters
    ----------
    con : Connection
        An open session.
    table : str
        A file, a glob, or a table of the connection.
    home : Path
        The folder that relative paths start from.
    connection : str, optional
        The URL of the database; by default the embedded DuckDB.
    name : str
        The name of the staged table.
    encoding : str, optional
        The encoding of text files that are not UTF-8.

    Raises
    ------
    DataError
        If the table is missing, has no columns, has an unknown format, or another encoding.
    """
    if connection is not None and _is_of_connection(table, connection):
        return _from_connection(con, connection, table, home, name)
    paths = _paths(table, home)
    kind = file_kind(paths[0])
    try:
        if kind == "parquet":
            if len(paths) > 1:
                _refuse_other_types(table, paths)
            staged = con.read_parquet(paths, table_name=name, union_by_name=True)
            return RawTable(table, staged, {column: with_known_type(staged[column]) for column in staged.columns})
        with in_utf8(table, paths, encoding) as files:
            if kind == "csv":
                names, staged, unread, lacking = read_delimited(con, files, name)
            else:
                lacking = {}
                names, staged, unread = read_json_lines(con, table, files, name)
            if unread.not_utf8:
                refuse_other_encoding(table, files)
            delimiter = delimiter_of(files[0]) if kind == "csv" else None
        return RawTable(
            table,
            staged,
            names,
            unread.broken,
            not_utf8_lines=unread.not_utf8,
            delimiter=delimiter,
            lacking=lacking,
        )
    except (duckdb.Error, OSError, EOFError, zlib.error) as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(
            f"{table} cannot be read: {first}",
            remedy="check that the file is complete and has the format its extension says",
        ) from error


def _refuse_other_types(table: str, paths: Sequence[str]) -> None:
    """Refuse Parquet files of which one has times where another has numbers: DuckDB finds no type for both."""
    seen: dict[str, tuple[str, str]] = {}
    for path in paths:
        for column in pq.read_schema(path):
            kind = "times" if pa.types.is_temporal(column.type) else "numbers" if _is_number(column.type) else None
            if kind is None:
                continue
            other, first = seen.setdefault(column.name, (kind, Path(path).name))
            if other != kind:
                raise DataError(
                    f"The files of {table} have different types in `{column.name}`",
                    received=f"{other} in {first}, {kind} in {Path(path).name}",
                    remedy="write all of them with one type, or give each file a table of its own",
                )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def with_known_type(column: Column) -> Column:
    """Read DuckDB's nanoseconds with a zone, a type that Ibis does not know and pandas writes, as microseconds."""
    kind = column.type()
    is_nanoseconds = kind.is_unknown() and "TIMESTAMPTZ_NS" in str(kind.raw_type)
    return column.cast("timestamp('UTC')") if is_nanoseconds else column


def _is_of_connection(table: str, connection: str | None) -> bool:
    return connection is not None and connection not in EMBEDDED and file_kind(table) is None


def paths_of(table: str, home: Path, connection: str | None = None) -> list[str]:
    """List the files of a table; an empty list where it is a table of the connection."""
    return [] if _is_of_connection(table, connection) else _paths(table, home)


def _paths(table: str, home: Path) -> list[str]:
    path = home / table
    paths = [str(path)] if path.is_file() else []
    if not paths and glob.has_magic(table):
        matches = sorted(glob.glob(table, root_dir=home, recursive=True))
        paths = [str(home / match) for match in matches if (home / match).is_file()]
    if not paths:
        files = _files_in(path if path.is_dir() else path.parent)
        raise DataError(
            f"There is no file {table}" + did_you_mean(nearest(Path(table).name, files)),
            received=f"{path}, a folder" if path.is_dir() else path,
            allowed=files or None,
            remedy="correct `table:` in the config; paths start from its folder, and `folder/*.csv` names several files",
        )
    kinds = {file_kind(path) for path in paths}
    for file in paths:
        refuse_other_format(file, file_kind(file))
    if None in kinds or len(kinds) > 1:
        raise DataError(f"{table} does not have a readable format", received=listed(paths, 5), allowed=ALLOWED)
    return paths


def _files_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_file()) if folder.is_dir() else []


# ---------------------------------------------------------------- connections


def _from_connection(con: Connection, url: str, table: str, home: Path, name: str) -> RawTable:
    """Copy a database table into the session: DuckDB files are attached, other databases go through Arrow."""
    try:
        copy = _from_duckdb if url.startswith("duckdb:") else _from_elsewhere
        staged = copy(con, url, table, home, name)
    except DataError:
        raise
    except driver_errors() as error:
        safe = without_password(url)
        raise DataError(
            f"The connection failed: {str(error).replace(url, safe)}", received=safe, remedy="correct `connection:`"
        ) from error
    names = {column: with_known_type(staged[column]) for column in staged.columns}
    return RawTable(table, staged, names, in_order=False)


def _from_duckdb(con: Connection, url: str, table: str, home: Path, name: str) -> Table:
    path = str(database_file(url, home))
    con.attach(path.replace("'", "''"), name=_ATTACHED, read_only=True)
    try:
        # not `list_tables`: Ibis 12 calls a function that DuckDB 2 removed
        rows = con.raw_sql(
            "select table_schema, table_name from information_schema.tables where table_catalog = 'connected'"
        ).fetchall()
        tables = {name if schema == "main" else f"{schema}.{name}": (schema, name) for schema, name in rows}
        schema, bare = tables.get(table) or tables[_existing(table.removeprefix("main."), tables)]
        return con.create_table(name, con.table(bare, database=(_ATTACHED, schema)))
    finally:
        con.detach(_ATTACHED)


def _from_elsewhere(con: Connection, url: str, table: str, home: Path, name: str) -> Table:
    is_sqlite = url.startswith("sqlite:")
    other = ibis.connect(f"sqlite://{database_file(url, home)}" if is_sqlite else url)
    try:
        *schema, bare = table.split(".")
        database = ".".join(schema) or None
        rows = other.table(_existing(bare, other.list_tables(database=database)), database=database)
        if is_sqlite:  # a column may hold values of any type, whatever type it declares
            rows = rows.select(**{column: rows[column].cast("string") for column in rows.columns})
        con.con.register(_ATTACHED, rows.to_pyarrow_batches())
        try:
            return con.create_table(name, con.table(_ATTACHED))
        finally:
            con.con.unregister(_ATTACHED)
    finally:
        other.disconnect()


def _existing(table: str, tables: Iterable[str]) -> str:
    if table in tables:
        return table
    raise DataError(
        f"The connection has no table `{table}`" + did_you_mean(nearest(table, tables)),
        received=table,
        allowed=sorted(tables),
        remedy="correct `table:` in the config",
    )


def database_file(url: str, home: Path) -> Path:
    """Find the file of `duckdb://shop.duckdb` or `sqlite:///shop.db`; a relative path starts from the config's folder."""
    path = find_database(url, home)
    if path is None:
        location = _location(url)
        raise DataError(
            f"There is no database {location}" + did_you_mean(nearest(Path(location).name, _files_in(home))),
            received=url,
            remedy="correct `connection:` in the config; paths start from the config's folder",
        )
    return path


def find_database(url: str, home: Path) -> Path | None:
    """Find the file of a URL; None if there is none."""
    path = Path(_location(url))
    if not path.is_absolute() or not path.is_file():
        path = home / _location(url).lstrip("/")
    return path if path.is_file() else None


def _location(url: str) -> str:
    return url.split(":", 1)[1].split("?")[0].removeprefix("//")


def driver_errors() -> tuple[type[BaseException], ...]:
    """List the errors a database can raise. Every driver has its own `Error`, and only an imported one can raise it."""
    drivers = [sys.modules[name] for name in _DRIVERS if name in sys.modules]
    errors = [error for driver in drivers if isinstance(error := getattr(driver, "Error", None), type)]
    return (IbisError, duckdb.Error, sqlite3.Error, OSError, ImportError, ValueError, *errors)


def without_password(url: str) -> str:
    """Mask the password of a URL."""
    parts = urlparse(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url
