"""Sketches of files for `pql init`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pql_model.discovery.sketch import SKETCH_ROWS, ColumnSketch, TableSketch, kind_of
from pql_model.sources.casts import text
from pql_model.sources.duckdb_session import Connection, row_count
from pql_model.sources.files import read_raw

_SAMPLES = 200


def sketch_table(con: Connection, table: str, home: Path, name: str) -> TableSketch:
    """Sketch a file or glob: its columns, samples of their values, and its number of rows.

    Objects inside JSON lines become columns with dotted names.

    Parameters
    ----------
    con : Connection
        A session that keeps the order of rows.
    table : str
        A file or a glob.
    home : Path
        The folder that relative paths start from.
    name : str
        The name of the staged table.

    Raises
    ------
    DataError
        If the file is missing or cannot be read.
    """
    raw = read_raw(con, table, home, name=name)
    rows = row_count(raw.table)
    texts = {f"c{i}": text(raw.names[column]) for i, column in enumerate(raw.columns)}
    head = raw.table.select(**texts).limit(SKETCH_ROWS).to_pyarrow().to_pylist()
    records = [{column: row[f"c{i}"] for i, column in enumerate(raw.columns)} for row in head]
    if "document" in raw.table.columns:
        records = [_flatten(record) for record in records]
    names = list(dict.fromkeys(key for record in records for key in record)) or raw.columns
    return TableSketch(table, tuple(_column(column, [r.get(column) for r in records]) for column in names), rows)


def _flatten(record: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        inner = _parse_object(value)
        if inner is None:
            flat[key] = value
        else:
            flat |= {
                f"{key}.{k}": None if v is None else v if isinstance(v, str) else json.dumps(v)
                for k, v in inner.items()
            }
    return flat


def _parse_object(value: Any) -> dict[str, Any] | None:
    if not (isinstance(value, str) and value.startswith("{")):
        return None
    try:
        loaded = json.loads(value)
    except json.JSONDecodeError:  # a text that only looks like an object
        return None
    return loaded if isinstance(loaded, dict) else None


def _column(name: str, values: list[str | None]) -> ColumnSketch:
    present = [value for value in values if value is not None]
    samples = tuple(present[:_SAMPLES])
    return ColumnSketch(name, samples, len(set(present)), len(present) / max(len(values), 1), kind_of(samples, name))
