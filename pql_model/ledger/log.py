"""The score log as a table of the session: of its files only the columns that the ledger holds are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa
import pyarrow.parquet as pq

from pql_model.errors import DataError
from pql_model.ledger.schema import SAID

Connection = Any
Table = Any

NEEDED = ("entity", "scored_at", "source", "model_name", "model_version", "feature_set", "probability")
"""Columns without which a file is not part of a score log; others are null where a file lacks them."""


@ibis.udf.scalar.builtin(name="epoch_us")  # type: ignore[untyped-decorator]
def _epoch_us(when: dt.timestamp) -> int:  # type: ignore[empty-body]
    """DuckDB's microseconds since the epoch."""


def _stored(field: pa.Field) -> pa.Field:
    return pa.field(field.name, pa.int64() if pa.types.is_timestamp(field.type) else field.type)


LOGGED = ibis.schema(pa.schema([_stored(field) for field in SAID]))
"""The columns of `SAID` with instants in microseconds, each of which may be null."""


def read_log_files(con: Connection, files: Sequence[Path]) -> Table:
    """Read the files of a log, with instants in microseconds; nothing is loaded into memory.

    Parameters
    ----------
    con : Connection
        An open session.
    files : sequence of Path
        Parquet files; there may be none.

    Raises
    ------
    DataError
        If a file cannot be read or is not part of a score log.
    """
    if not files:
        return con.create_table("logged", schema=LOGGED, overwrite=True)
    present = set().union(*(_columns_of(file) for file in files))
    raw = con.read_parquet([str(file) for file in files], table_name="logged_files", union_by_name=True)
    return _in_microseconds(raw.select(*(name for name in SAID.names if name in present)))


def _columns_of(file: Path) -> list[str]:
    try:
        schema = pq.read_schema(file)
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"A file of the score log cannot be read: {error}",
            received=file,
            remedy="remove it from the folder; the other files are complete by themselves",
        ) from error
    present = dict(zip(schema.names, schema.types, strict=True))
    wrong = [field for field in SAID if field.name in present and not _readable(present[field.name], field.type)]
    if wrong:
        raise DataError(
            f"A file in the folder of the score log has a column `{wrong[0].name}` of another type",
            received=f"{file}: {present[wrong[0].name]}",
            allowed=str(wrong[0].type),
            remedy="remove it from the folder, or write it again as `pql score` does",
        )
    if missing := [name for name in NEEDED if name not in schema.names]:
        raise DataError(
            f"A file in the folder of the score log is not part of it: it has no column `{missing[0]}`",
            received=file,
            remedy="remove it from the folder",
        )
    return list(schema.names)


def _readable(stored: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a stored column can be read as the ledger's: an instant is an instant, a number a number."""
    if pa.types.is_null(stored) or pa.types.is_string(wanted):
        return True
    if pa.types.is_timestamp(wanted):
        return bool(pa.types.is_timestamp(stored))
    if pa.types.is_boolean(wanted):
        return bool(pa.types.is_boolean(stored))
    return bool(pa.types.is_floating(stored) or pa.types.is_integer(stored) or pa.types.is_decimal(stored))


def read_log_batches(con: Connection, batches: Iterable[pa.Table]) -> Table:
    """Store the rows of a log that lies in a database, part by part, with instants in microseconds.

    Parameters
    ----------
    con : Connection
        An open session.
    batches : iterable of pyarrow.Table
        Rows with the columns of `SAID`, or some of them.
    """
    table = con.create_table("logged", schema=LOGGED, overwrite=True)
    for batch in batches:
        part = _in_microseconds(memory_table(batch))
        con.insert("logged", part)
    return table


def memory_table(rows: pa.Table) -> Table:
    """Make rows a table of the session, to insert them."""
    return ibis.memtable(rows)


def _in_microseconds(raw: Table) -> Table:
    columns = {}
    for field in SAID:
        if field.name not in raw.columns:
            columns[field.name] = ibis.null(LOGGED[field.name])
        elif pa.types.is_timestamp(field.type):
            columns[field.name] = _epoch_us(raw[field.name])
        else:
            columns[field.name] = raw[field.name].cast(LOGGED[field.name])
    return raw.select(**columns)
