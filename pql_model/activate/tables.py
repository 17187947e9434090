"""Lists as a table with one row per entity, written by the MERGE of its engine in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from pql_model.activate.list_files import score_schema, score_tables
from pql_model.activate.secrets import mask_address
from pql_model.errors import DataError, listed
from pql_model.score_log.database_table import add_columns, connect_database, table_exists
from pql_model.sources.files import driver_errors, find_database, without_password

_FILES = ("duckdb:", "sqlite:")
_KEY = "entity"


def upsert_rows(
    url: str,
    home: Path,
    table: str,
    rows: Iterable[dict[str, Any]],
    *,
    mirror: bool,
    variable: str | None = None,
    key: str = "connection",
) -> int:
    """Insert or update one row per entity, all or none; return the number of rows.

    Parameters
    ----------
    url
        URL of the connection; a file in it is relative to `home`.
    table
        `name` or `schema.name`. It is created if needed; columns that it lacks are added.
    mirror
        Whether to remove the rows of entities that are not among `rows`.
    variable
        The environment variable that the URL comes from, which makes it a secret: errors name the variable instead.
    key
        The key of the config that the URL comes from, if it is not a secret.

    Raises
    ------
    DataError
        If the database cannot be used; the table then holds what it held before.
    """
    schema, _, name = table.rpartition(".")
    database = schema or None
    shown, place = (f"the value of {variable}", variable) if variable else (without_password(url), f"`{key}`")
    if url.startswith(_FILES) and find_database(url, home) is None:
        raise DataError(
            "There is no database file for the table",
            received=shown,
            remedy=f"correct {place}, or create the database; a relative path starts from the config's folder",
        )
    try:
        with _connected(url, home) as con:
            types = score_schema()
            stage = _empty_stage(con, types)
            count = 0
            for part in score_tables(rows, types):
                con.insert(stage, part)
                count += len(part)
            with _transaction(con):
                _prepare(con, name, database, types)
                if count:
                    con.upsert(name, con.table(stage).select(*types.names), on=_KEY, database=database)
                if mirror:
                    _remove_others(con, name, database, stage)
            return count
    except DataError:
        raise
    except driver_errors() as error:
        words = mask_address(str(error), url) if variable else str(error).replace(url, shown)
        raise DataError(
            f"The table `{table}` could not be written and is unchanged: {words}",
            received=shown,
            remedy=f"correct {place}, or `table` under `sync:`, or grant write access; the rows still wait",
        ) from error


def _empty_stage(con: Any, types: pa.Schema) -> str:
    """Create a temporary table; that of Ibis 12 cannot be found again in DuckDB 2."""
    name = str(ibis.util.gen_name("pql_stage"))
    columns = ", ".join(f"{_quoted(column)} {_type(con, kind)}" for column, kind in ibis.schema(types).items())
    _execute(con, f"CREATE TEMPORARY TABLE {_quoted(name)} ({columns})")
    return name


def _prepare(con: Any, name: str, database: str | None, types: pa.Schema) -> None:
    """Create the table, or add the columns that it lacks."""
    if not table_exists(con, database, name):
        con.create_table(name, schema=ibis.schema(types), database=database)
        return
    present = con.table(name, database=database).columns
    if _KEY not in present:
        raise DataError(
            f"The table `{name}` exists and is not a table of scores: it has no column `{_KEY}`",
            received=listed(present),
            remedy="name another `table` under `sync:`; it is created if it does not exist",
        )
    add_columns(con, database, name, {column: types.field(column) for column in types.names if column not in present})


def _remove_others(con: Any, name: str, database: str | None, stage: str) -> None:
    key = _quoted(_KEY)
    keep = f"SELECT {key} FROM {_quoted(stage)}"  # noqa: S608  # quoted names
    _execute(con, f"DELETE FROM {_quoted(name, database)} WHERE {key} NOT IN ({keep})")  # noqa: S608


def _execute(con: Any, query: str) -> None:
    if con.name == "duckdb":
        con.con.execute(query)
        return
    with con._safe_raw_sql(query):
        pass


def _quoted(name: str, database: str | None = None) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in (database, name) if part)


def _type(con: Any, kind: Any) -> str:
    return str(con.compiler.type_mapper.to_string(kind))


@contextmanager
def _connected(url: str, home: Path) -> Iterator[Any]:
    con = connect_database(url, home)
    try:
        yield con
    finally:
        con.disconnect()


@contextmanager
def _transaction(con: Any) -> Iterator[None]:
    """Run statements of a connection as one, on engines whose driver can."""
    if con.name != "duckdb":
        with con.con.transaction() if con.name == "postgres" else nullcontext():
            yield
        return
    con.con.begin()
    try:
        yield
    except BaseException:
        con.con.rollback()
        raise
    con.con.commit()
