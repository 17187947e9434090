"""The score log as a table of the config's connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from sqlglot import exp

from pql_model.errors import DataError, listed
from pql_model.sources.files import database_file, driver_errors, without_password

_POSITIONS_PER_QUERY = 1_000
_ROWS_PER_BATCH = 100_000


@dataclass(frozen=True)
class LogTable:
    """A table of a database.

    Parameters
    ----------
    url
        URL of the connection; paths in it are relative to `home`.
    name
        `name`, or `schema.name` in a database with schemas.
    order
        Columns that give the rows one stable order.
    """

    url: str
    home: Path
    name: str
    order: tuple[str, ...]

    def append(self, parts: Iterable[pa.Table], required: Sequence[str] | None = None) -> None:
        """Add rows. The table is created if needed, and each part is added in one transaction.

        Parameters
        ----------
        required
            Columns that an existing table must have, by default all; others that it lacks, because an earlier version wrote
            it, are added.

        Raises
        ------
        DataError
            If the database cannot be used, or the table has other columns.
        """
        database, bare = self._name
        with self._connected() as con:
            for part in parts:
                if not table_exists(con, database, bare):
                    con.create_table(bare, schema=ibis.schema(part.schema), database=database)
                present = con.table(bare, database=database).columns
                self._refuse_other(present, part.column_names if required is None else required)
                add_columns(
                    con, database, bare, {n: part.schema.field(n) for n in part.column_names if n not in present}
                )
                con.insert(bare, part, database=database)

    def read(self, columns: Sequence[str], positions: Sequence[int] | None = None) -> pa.Table:
        """Read columns of all rows, or of the rows at some positions of the order.

        Raises
        ------
        DataError
            If the database cannot be used, or the table does not exist or lacks columns.
        """
        database, bare = self._name
        with self._connected() as con:
            if not table_exists(con, database, bare):
                raise DataError(
                    "The connection has no such table: there is no score log yet",
                    received=self.name,
                    remedy="score first",
                )
            table = con.table(bare, database=database)
            self._refuse_other(table.columns, columns)
            table = _with_readable_times(con, table, columns)
            position = ibis.row_number().over(ibis.window(order_by=list(self.order)))
            table = table.mutate(position=position).order_by("position")
            if positions is None:
                return table.select(*columns).to_pyarrow()
            starts = range(0, max(1, len(positions)), _POSITIONS_PER_QUERY)
            parts = [
                table.filter(table.position.isin(list(positions[k : k + _POSITIONS_PER_QUERY])))
                .select(*columns)
                .to_pyarrow()
                for k in starts
            ]
            return pa.concat_tables(parts)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Read columns of all rows, in no order, part by part.

        Raises
        ------
        DataError
            If the database cannot be used, or the table lacks columns.
        """
        database, bare = self._name
        with self._connected() as con:
            table = con.table(bare, database=database)
            self._refuse_other(table.columns, columns)
            rows = _with_readable_times(con, table, columns).select(*columns)
            for batch in rows.to_pyarrow_batches(chunk_size=_ROWS_PER_BATCH):
                yield pa.Table.from_batches([batch])

    def columns(self) -> list[str]:
        """List the columns; empty if there is no table.

        Raises
        ------
        DataError
            If the database cannot be used.
        """
        database, bare = self._name
        with self._connected() as con:
            return list(con.table(bare, database=database).columns) if table_exists(con, database, bare) else []

    def delete(self, column: str, values: Sequence[str]) -> None:
        """Delete the rows with one of some texts in a column, in one transaction.

        Raises
        ------
        DataError
            If the database cannot be used.
        """
        self._change([exp.delete(self._target, where=_one_of(column, values))])

    def replace(
        self,
        changes: Iterable[tuple[Mapping[str, str | None], Mapping[str, str | None]]],
        key: str,
        kept: Sequence[str],
    ) -> None:
        """Replace texts by others in one transaction.

        Parameters
        ----------
        changes
            Texts of the columns of a row, and the texts that every row with these gets instead.
        key, kept
            Rows with one of the texts `kept` in the column `key` are not changed.

        Raises
        ------
        DataError
            If the database cannot be used.
        """
        self._change(
            exp.Update(
                this=self._target,
                expressions=[exp.EQ(this=_column(name), expression=exp.convert(text)) for name, text in new.items()],
                where=exp.Where(
                    this=exp.and_(*(_equals(name, text) for name, text in old.items()), exp.not_(_one_of(key, kept)))
                ),
            )
            for old, new in changes
        )

    def _change(self, statements: Iterable[Any]) -> None:
        with self._connected() as con:
            cursor = con.con.cursor()
            cursor.execute("BEGIN")
            for statement in statements:
                cursor.execute(statement.sql(con.dialect))
            cursor.execute("COMMIT")

    @property
    def _target(self) -> exp.Table:
        database, bare = self._name
        schema = exp.to_identifier(database, quoted=True) if database is not None else None
        return exp.Table(this=exp.to_identifier(bare, quoted=True), db=schema)

    @property
    def _name(self) -> tuple[str | None, str]:
        schema, _, bare = self.name.rpartition(".")
        return schema or None, bare

    def _refuse_other(self, present: Sequence[str], needed: Sequence[str]) -> None:
        if missing := [name for name in needed if name not in present]:
            raise DataError(
                f"The table `{self.name}` is not a score log: it lacks {listed(missing, 3)}",
                received=listed(present),
                remedy="name another table under `score_log:`; it is created if it does not exist",
            )

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        try:
            con = connect_database(self.url, self.home)
            try:
                yield con
            finally:
                con.disconnect()
        except DataError:
            raise
        except driver_errors() as error:
            message = str(error).replace(self.url, without_password(self.url))
            raise DataError(
                f"The score log cannot be used in the connection: {message}",
                received=without_password(self.url),
                remedy="correct `connection:` or `score_log:`, or grant write access",
            ) from error


def _column(name: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name, quoted=True))


def _equals(column: str, text: str | None) -> exp.Expression:
    other = exp.convert(text)
    return (
        exp.Is(this=_column(column), expression=other)
        if text is None
        else exp.EQ(this=_column(column), expression=other)
    )


def _with_readable_times(con: Any, table: Any, columns: Sequence[str]) -> Any:
    """Read the times of SQLite as texts: a column of it may hold values of any type."""
    if con.name != "sqlite":
        return table
    return table.mutate(**{n: table[n].cast("string") for n in columns if table[n].type().is_timestamp()})


def _one_of(column: str, values: Sequence[str]) -> exp.In:
    return exp.In(this=_column(column), expressions=[exp.Literal.string(value) for value in values])


def connect_database(url: str, home: Path) -> Any:
    """Connect to a database that may be written to; the path of a file is relative to `home`."""
    if url.startswith("duckdb:"):
        return ibis.duckdb.connect(str(database_file(url, home)))
    if url.startswith("sqlite:"):
        return ibis.sqlite.connect(str(database_file(url, home)))
    return ibis.connect(url)


def add_columns(con: Any, database: str | None, bare: str, columns: Mapping[str, pa.Field]) -> None:
    """Add columns to a table, null in the rows that it has."""
    schema = exp.to_identifier(database, quoted=True) if database is not None else None
    table = exp.Table(this=exp.to_identifier(bare, quoted=True), db=schema).sql(con.dialect)
    for name, field in columns.items():
        kind = con.compiler.type_mapper.to_string(ibis.schema(pa.schema([field]))[field.name])
        query = f"ALTER TABLE {table} ADD COLUMN {exp.to_identifier(name, quoted=True).sql(con.dialect)} {kind}"
        if con.name == "duckdb":
            con.con.execute(query)
        else:
            with con._safe_raw_sql(query):
                pass


def table_exists(con: Any, database: str | None, bare: str) -> bool:
    """Tell whether a database has a table, on any engine."""
    if con.name != "duckdb":
        return bare in con.list_tables(database=database)
    # `list_tables` of Ibis 12 calls a function that DuckDB 2 no longer has
    query = "select table_schema, table_name from information_schema.tables where table_catalog = current_database()"
    return (database or "main", bare) in con.raw_sql(query).fetchall()
