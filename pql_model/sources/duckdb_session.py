"""The embedded DuckDB in which all tables are prepared: bounded memory, spilling to a folder that is removed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import ibis

from pql_model.errors import DataError

Connection = Any  # an Ibis backend

MEMORY_SHARE = 0.5
"""Share of the machine's memory that DuckDB may use before it spills to disk."""


@contextmanager
def open_session(memory_limit: str | None = None, keep_order: bool = False) -> Iterator[Connection]:
    """An empty DuckDB database in a temporary folder, gone afterwards.

    Parameters
    ----------
    memory_limit
        Such as `4GB`. Default: the environment's `PQL_MEMORY_LIMIT`, else half of the machine's memory.
    keep_order
        Keep the rows of files in their order, which costs memory; only `pql init` looks at the first rows.

    Raises
    ------
    DataError
        If the limit is no size.

    Examples
    --------
    >>> with open_workbench("1GB") as con:
    ...     con.raw_sql("select current_setting('TimeZone')").fetchone()
    ('UTC',)
    """
    limit = memory_limit or os.environ.get("PQL_MEMORY_LIMIT") or _half_of_memory()
    with tempfile.TemporaryDirectory(prefix="pql-", ignore_cleanup_errors=True) as folder:
        database, spill = str(Path(folder) / "work.duckdb"), str(Path(folder) / "spill")
        try:
            con = ibis.duckdb.connect(database, memory_limit=limit, temp_directory=spill)
        except duckdb.ParserException as error:
            raise DataError(f"`{limit}` is no memory limit", allowed="a size such as 4GB or 512MB") from error
        try:
            con.raw_sql("SET TimeZone = 'UTC'")
            con.raw_sql("SET autoinstall_known_extensions = false")  # nothing is fetched
            con.raw_sql(f"SET preserve_insertion_order = {str(keep_order).lower()}")
            yield con
        finally:
            con.disconnect()


@contextmanager
def in_file_order(con: Connection) -> Iterator[None]:
    """Read files row by row in their order for a while: it costs memory, so only small tables are read so."""
    before = con.raw_sql("select current_setting('preserve_insertion_order')").fetchone()[0]
    con.raw_sql("SET preserve_insertion_order = true")
    try:
        yield
    finally:
        con.raw_sql(f"SET preserve_insertion_order = {str(bool(before)).lower()}")


def _half_of_memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # not known on every system
        return "4GB"
    return f"{max(1, int(total * MEMORY_SHARE / 2**30))}GB"
