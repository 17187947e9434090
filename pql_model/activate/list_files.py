"""Lists as files: csv with flat columns, parquet as `pql score` writes it, JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pql_model.activate.flat import FLAT_COLUMNS, flat_row, safe_cell
from pql_model.atomic import atomic_write
from pql_model.decide.rows import COLUMNS, table_row
from pql_model.errors import DataError
from pql_model.time import iso

Rows = Iterable[dict[str, Any]]
_AT_ONCE = 5_000
_TYPES = {"number": pa.float64(), "flag": pa.bool_(), "time": pa.timestamp("us", "UTC")}


def resolved_path(home: Path, pattern: str, as_of: int) -> Path:
    """Fill in `{as_of}`, without the colons that some systems refuse in names."""
    return home / pattern.replace("{as_of}", iso(as_of).replace(":", ""))


def write_rows(path: Path, rows: Rows) -> int:
    """Write scored rows, whole or not at all, in the form of the file's ending; return their number.

    Raises
    ------
    DataError
        If the file cannot be written, or holds something else.
    """
    writers: dict[str, Callable[[Path], int]] = {
        ".csv": lambda at: write_csv(at, FLAT_COLUMNS, map(flat_row, rows)),
        ".parquet": lambda at: _write_parquet(at, rows),
        ".jsonl": lambda at: _write_json_lines(at, rows),
    }
    return write_whole(path, writers[path.suffix], "entity")


def write_whole(path: Path, write: Callable[[Path], int], first_column: str) -> int:
    """Replace a file by what `write` puts into a new one, unless it holds something else."""
    counts: list[int] = []
    try:
        _refuse_other(path, first_column)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, lambda at: counts.append(write(at)))
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"The file could not be written; what it held before is unchanged: {error}",
            received=path,
            remedy="free disk space or correct `path`, and sync again: the rows still wait",
        ) from error
    return counts[0]


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write a csv in UTF-8 with a header, and return the number of its rows."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\r\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _cell(row[name]) for name in columns})
            count += 1
    return count


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else safe_cell(value)


def _write_json_lines(path: Path, rows: Rows) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def _write_parquet(path: Path, rows: Rows) -> int:
    count = 0
    schema = score_schema()
    with pq.ParquetWriter(path, schema) as writer:
        for table in score_tables(rows, schema):
            writer.write_table(table)
            count += len(table)
    return count


def score_schema() -> pa.Schema:
    """The types of a scored row in a table: lists and objects as JSON text, instants in UTC."""
    return pa.schema([(name, _TYPES.get(kind, pa.string())) for name, kind in COLUMNS.items()])


def score_tables(rows: Rows, schema: pa.Schema) -> Iterator[pa.Table]:
    """Collect scored rows into tables of bounded size; columns that a row lacks are null."""
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(table_row({name: row.get(name) for name in schema.names}))
        if len(chunk) == _AT_ONCE:
            yield pa.Table.from_pylist(chunk, schema)
            chunk = []
    if chunk:
        yield pa.Table.from_pylist(chunk, schema)


def _refuse_other(path: Path, first_column: str) -> None:
    """Do not overwrite a file that holds something else."""
    if not path.exists():
        return
    try:
        if path.suffix == ".parquet":
            ours = first_column in pq.read_schema(path).names
        else:
            with path.open(encoding="utf-8-sig") as file:
                line = file.readline(100_000)
            ours = line == "" or first_column in line
    except (UnicodeDecodeError, pa.ArrowException):
        ours = False
    if not ours:
        raise DataError(
            "The file to write exists and does not hold a list of leads", received=path, remedy="name another `path`"
        )
