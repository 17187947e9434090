"""A table of the connection that rows are added to and read from again: the score log of a warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from pql_model.errors import DataError, listed
from pql_model.sources.files import database_file, driver_errors, without_password

_AT_ONCE = 1_000


@dataclass(frozen=True)
class LogTable:
    """A table of a database.

    Parameters
    ----------
    url
        The connection; paths in it start from `home`.
    name
        `name`, or `schema.name` in a database that has schemas.
    order
        Columns that put the rows into one order, the same each time they are read.
    """

    url: str
    home: Path
    name: str
    order: tuple[str, ...]

    def append(self, parts: Iterable[pa.Table]) -> None:
        """Add rows; the table is made if it is not there, and each part is added whole or not at all.

        Raises
        ------
        DataError
            If the database cannot be used, or the table has other columns.
        """
        database, bare = self._name
        with self._connected() as con:
            for part in parts:
                if not _there(con, database, bare):
                    con.create_table(bare, schema=ibis.schema(part.schema), database=database)
                self._refuse_other(con.table(bare, database=database).columns, part.column_names)
                con.insert(bare, part, database=database)

    def read(self, columns: Sequence[str], places: Sequence[int] | None = None) -> pa.Table:
        """These columns, of all rows or of those at some places of the order.

        Raises
        ------
        DataError
            If the database cannot be used, or the table is not there or lacks columns.
        """
        database, bare = self._name
        with self._connected() as con:
            if not _there(con, database, bare):
                raise DataError(
                    "The connection has no such table: there is no score log yet",
                    received=self.name,
                    remedy="score first",
                )
            found = con.table(bare, database=database)
            self._refuse_other(found.columns, columns)
            if con.name == "sqlite":  # its columns hold anything, whatever type they declare
                found = found.mutate(**{n: found[n].cast("string") for n in columns if found[n].type().is_timestamp()})
            found = found.mutate(place=ibis.row_number().over(ibis.window(order_by=list(self.order)))).order_by("place")
            if places is None:
                return found.select(*columns).to_pyarrow()
            starts = range(0, max(1, len(places)), _AT_ONCE)
            parts = [
                found.filter(found.place.isin(list(places[k : k + _AT_ONCE]))).select(*columns).to_pyarrow()
                for k in starts
            ]
            return pa.concat_tables(parts)

    @property
    def _name(self) -> tuple[str | None, str]:
        schema, _, bare = self.name.rpartition(".")
        return schema or None, bare

    def _refuse_other(self, there: Sequence[str], needed: Sequence[str]) -> None:
        if lacking := [name for name in needed if name not in there]:
            raise DataError(
                f"The table `{self.name}` is no score log: it lacks {listed(lacking, 3)}",
                received=listed(there),
                remedy="name another under `score_log:`; it is made when it is not there",
            )

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        try:
            con = _connection(self.url, self.home)
            try:
                yield con
            finally:
                con.disconnect()
        except DataError:
            raise
        except driver_errors() as error:
            said = str(error).replace(self.url, without_password(self.url))
            raise DataError(
                f"The score log cannot be used in the connection: {said}",
                received=without_password(self.url),
                remedy="correct `connection:` or `score_log:`, or let it be written to",
            ) from error


def _connection(url: str, home: Path) -> Any:
    if url.startswith("duckdb:"):
        return ibis.duckdb.connect(str(database_file(url, home)))
    if url.startswith("sqlite:"):
        return ibis.sqlite.connect(str(database_file(url, home)))
    return ibis.connect(url)


def _there(con: Any, database: str | None, bare: str) -> bool:
    if con.name != "duckdb":
        return bare in con.list_tables(database=database)
    # Ibis 12 calls what DuckDB 2 no longer has
    query = "select table_schema, table_name from information_schema.tables where table_catalog = current_database()"
    return (database or "main", bare) in con.raw_sql(query).fetchall()
