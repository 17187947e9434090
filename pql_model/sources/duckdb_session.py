"""The embedded DuckDB session that prepares all tables: bounded memory, spilling to a temporary folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import ibis
from ibis.expr.operations import DatabaseTable

from pql_model.errors import DataError

Connection = Any  # an Ibis backend
Table = Any

MEMORY_SHARE = 0.5
"""Share of the machine's memory that DuckDB may use before it spills to disk."""


@contextmanager
def open_session(memory_limit: str | None = None, keep_order: bool = False) -> Iterator[Connection]:
    """Open an empty DuckDB database in a temporary folder that is removed afterwards.

    Parameters
    ----------
    memory_limit : str, optional
        A size such as `4GB`. Default: the environment's `PQL_MEMORY_LIMIT`, else half of the machine's memory.
    keep_order : bool
        Read the rows of files in their order, which costs memory. Only `pql init` needs it, to sample the first rows.

    Yields
    ------
    Connection
        An Ibis connection whose session is in UTC and never downloads extensions.

    Raises
    ------
    DataError
        If the limit is not a size.

    Examples
    --------
    >>> with open_session("1GB") as con:
    ...     con.raw_sql("select current_setting('TimeZone')").fetchone()
    ('UTC',)
    """
    limit = memory_limit or os.environ.get("PQL_MEMORY_LIMIT") or _half_of_memory()
    with tempfile.TemporaryDirectory(prefix="pql-", ignore_cleanup_errors=True) as folder:
        database, spill = str(Path(folder) / "work.duckdb"), str(Path(folder) / "spill")
        try:
            con = ibis.duckdb.connect(database, memory_limit=limit, temp_directory=spill)
        except duckdb.ParserException as error:
            raise DataError(
                f"Invalid memory limit `{limit}`",
                allowed="a size such as 4GB or 512MB",
                remedy="correct the limit, or unset `PQL_MEMORY_LIMIT` to use half of the machine's memory",
            ) from error
        try:
            con.raw_sql("SET TimeZone = 'UTC'")
            con.raw_sql("SET autoinstall_known_extensions = false")  # nothing is fetched
            con.raw_sql(f"SET preserve_insertion_order = {str(keep_order).lower()}")
            yield con
        finally:
            con.disconnect()


@contextmanager
def in_file_order(con: Connection) -> Iterator[None]:
    """Keep the rows of files in their order inside the block. This costs memory, so it is for small tables."""
    before = con.raw_sql("select current_setting('preserve_insertion_order')").fetchone()[0]
    con.raw_sql("SET preserve_insertion_order = true")
    try:
        yield
    finally:
        con.raw_sql(f"SET preserve_insertion_order = {str(bool(before)).lower()}")


def fetch_row(query: Table) -> dict[str, Any]:
    """Fetch the only row of an aggregation."""
    row: dict[str, Any] = query.to_pyarrow().to_pylist()[0]
    return row


def fetch_scalar(expression: Any) -> Any:
    """Fetch a single value; None for null."""
    return expression.to_pyarrow().as_py()


def row_count(table: Table) -> int:
    """Count the rows of a table."""
    stored = table.op()
    if isinstance(stored, DatabaseTable):  # a count needs no compiler, which takes longer than it
        parts = filter(None, (stored.namespace.catalog, stored.namespace.database, stored.name))
        name = ".".join('"' + part.replace('"', '""') + '"' for part in parts)
        return int(table.get_backend().con.table(name).count("*").fetchall()[0][0])
    return int(fetch_scalar(table.count()))


def count_by(table: Table, column: str = "reason") -> dict[str, int]:
    """Count the rows of each value of a column; rows without a value are not counted."""
    rows = table.filter(table[column].notnull())[column].value_counts(name="rows").to_pyarrow().to_pylist()
    return {str(row[column]): int(row["rows"]) for row in rows}


def _half_of_memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # not every system reports its memory
        return "4GB"
    return f"{max(1, int(total * MEMORY_SHARE / 2**30))}GB"
