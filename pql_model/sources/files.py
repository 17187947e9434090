"""From a file, a glob or a table of a connection to a raw table: nothing interpreted, broken lines counted."""

from __future__ import annotations

import glob
import sqlite3
import sys
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import duckdb
import ibis
from ibis.common.exceptions import IbisError

from pql_model.config.schema import EMBEDDED
from pql_model.errors import DataError, did_you_mean, listed, nearest
from pql_model.sources.delimited import read_delimited
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.jsonlines import field_of, keys_of, read_json_lines

Table = Any
Column = Any

_KINDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}
_ALLOWED = "csv, tsv, json lines (each also .gz), parquet, or a glob of them"
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
    """A table as it came.

    Attributes
    ----------
    source
        What the config calls it.
    columns
        Its column names, as in the file.
    broken_lines
        Lines that are no rows: wrong number of fields, a quote that never ends, not JSON, too long.
    in_order
        Whether its rows have an order, as those of files do.
    """

    source: str
    table: Table
    names: dict[str, Column]
    broken_lines: int = 0
    in_order: bool = True

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
        inner = self._inner(name)
        if inner is not None:
            return inner
        there = [*self.columns, *self._inner_names(name.split(".")[0])]
        close = nearest(name, there)
        raise DataError(
            f"{self.source} has no column `{name}`" + did_you_mean(close),
            received=f"{key}: {name}",
            allowed=there,
            remedy=f"correct `{key}` in the config",
        )

    def _inner(self, name: str) -> Column | None:
        """`properties.size`: a field of a struct, or of an object written as JSON, where any row has it."""
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
        column = column[part]
    return column


def read_raw(con: Connection, table: str, home: Path, connection: str | None = None, name: str = "raw") -> RawTable:
    """Stage a table of the config in the workbench under `name`.

    Raises
    ------
    DataError
        If it is missing, empty of columns, or not of a readable kind.
    """
    if connection is not None and connection not in EMBEDDED and file_kind(table) is None:
        return _from_connection(con, connection, table, home, name)
    paths = _paths(table, home)
    kind = file_kind(paths[0])
    try:
        if kind == "parquet":
            staged = con.read_parquet(paths, table_name=name, union_by_name=True)
            return RawTable(table, staged, {column: staged[column] for column in staged.columns})
        if kind == "csv":
            names, staged, broken = read_delimited(con, paths, name)
        else:
            names, staged, broken = read_json_lines(con, table, paths, name)
        return RawTable(table, staged, names, broken)
    except (duckdb.Error, OSError, EOFError, zlib.error) as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(
            f"{table} cannot be read: {first}", remedy="check that the file is whole and of the kind its ending says"
        ) from error


def file_kind(path: str) -> str | None:
    """`csv`, `parquet` or `json` for what names files, None for a table of a connection."""
    plain = path.lower().removesuffix(".gz")
    return next((kind for ending, kind in _KINDS.items() if plain.endswith(ending)), None)


def _paths(table: str, home: Path) -> list[str]:
    path = home / table
    found = [str(path)] if path.is_file() else []
    if not found and glob.has_magic(table):
        relative = sorted(glob.glob(table, root_dir=home, recursive=True))
        found = [str(home / match) for match in relative if (home / match).is_file()]
    if not found:
        folder = path if path.is_dir() else path.parent
        there = sorted(entry.name for entry in folder.iterdir() if entry.is_file()) if folder.is_dir() else []
        close = nearest(Path(table).name, there)
        raise DataError(
            f"There is no file {table}" + did_you_mean(close),
            received=f"{path}, a folder" if path.is_dir() else path,
            allowed=there or None,
            remedy="correct `table:` in the config; paths start from its folder; `folder/*.csv` names several",
        )
    kinds = {file_kind(path) for path in found}
    if None in kinds or len(kinds) > 1:
        raise DataError(f"{table} is not a kind of file that can be read", received=listed(found, 5), allowed=_ALLOWED)
    return found


# ---------------------------------------------------------------- connections


def _from_connection(con: Connection, url: str, table: str, home: Path, name: str) -> RawTable:
    """Copy a table of a database into the workbench: DuckDB files are attached, the rest goes through Arrow."""
    try:
        copy = _from_duckdb if url.startswith("duckdb:") else _from_elsewhere
        staged = copy(con, url, table, home, name)
    except DataError:
        raise
    except driver_errors() as error:
        said = str(error).replace(url, without_password(url))
        raise DataError(
            f"The connection cannot be used: {said}", received=without_password(url), remedy="correct `connection:`"
        ) from error
    return RawTable(table, staged, {column: staged[column] for column in staged.columns}, in_order=False)


def _from_duckdb(con: Connection, url: str, table: str, home: Path, name: str) -> Table:
    path = str(database_file(url, home))
    con.attach(path.replace("'", "''"), name=_ATTACHED, read_only=True)
    try:
        # not `list_tables`: Ibis 12 calls what DuckDB 2 no longer has
        rows = con.raw_sql(
            "select table_schema, table_name from information_schema.tables where table_catalog = 'connected'"
        ).fetchall()
        there = {name if schema == "main" else f"{schema}.{name}": (schema, name) for schema, name in rows}
        schema, bare = there.get(table) or there[_known(table.removeprefix("main."), there)]
        return con.create_table(name, con.table(bare, database=(_ATTACHED, schema)))
    finally:
        con.detach(_ATTACHED)


def _from_elsewhere(con: Connection, url: str, table: str, home: Path, name: str) -> Table:
    lite = url.startswith("sqlite:")
    other = ibis.connect(f"sqlite://{database_file(url, home)}" if lite else url)
    try:
        *schema, bare = table.split(".")
        database = ".".join(schema) or None
        found = other.table(_known(bare, other.list_tables(database=database)), database=database)
        if lite:  # its columns hold anything, whatever type they declare
            found = found.select(**{column: found[column].cast("string") for column in found.columns})
        con.con.register(_ATTACHED, found.to_pyarrow_batches())
        try:
            return con.create_table(name, con.table(_ATTACHED))
        finally:
            con.con.unregister(_ATTACHED)
    finally:
        other.disconnect()


def _known(table: str, there: Iterable[str]) -> str:
    if table in there:
        return table
    close = nearest(table, there)
    raise DataError(
        f"The connection has no table `{table}`" + did_you_mean(close),
        received=table,
        allowed=sorted(there),
        remedy="correct `table:` in the config",
    )


def database_file(url: str, home: Path) -> Path:
    """`duckdb://shop.duckdb` and `sqlite:///shop.db` start from the config's folder; an absolute path is one."""
    written = url.split(":", 1)[1].split("?")[0].removeprefix("//")
    path = Path(written)
    if not path.is_absolute() or not path.is_file():
        path = home / written.lstrip("/")
    if not path.is_file():
        there = sorted(entry.name for entry in home.iterdir() if entry.is_file()) if home.is_dir() else []
        close = nearest(path.name, there)
        raise DataError(
            f"There is no database {written}" + did_you_mean(close),
            received=url,
            remedy="correct `connection:` in the config; paths start from the config's folder",
        )
    return path


def driver_errors() -> tuple[type[BaseException], ...]:
    """What a database can raise: every driver has its own `Error`, and only one that was imported can raise it."""
    drivers = [sys.modules[name] for name in _DRIVERS if name in sys.modules]
    errors = [error for driver in drivers if isinstance(error := getattr(driver, "Error", None), type)]
    return (IbisError, duckdb.Error, sqlite3.Error, OSError, ImportError, ValueError, *errors)


def without_password(url: str) -> str:
    parts = urlparse(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url
