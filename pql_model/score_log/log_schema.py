"""Columns of the score log: scored rows with the inputs of the model, so that each can be recomputed later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pql_model.decide.rows import COLUMNS
from pql_model.errors import DataError
from pql_model.time import parse_instant, to_datetime, to_instant

_KINDS = {
    "text": pa.string(),
    "json": pa.string(),
    "time": pa.timestamp("us", "UTC"),
    "number": pa.float64(),
    "flag": pa.bool_(),
}
_LOG_COLUMNS = {
    "source": pa.string(),
    "model_name": pa.string(),
    "inputs": pa.list_(pa.float64()),
    "inputs_digest": pa.string(),
}
SCHEMA = pa.schema([*((name, _KINDS[kind]) for name, kind in COLUMNS.items()), *_LOG_COLUMNS.items()])
"""All columns: those of a scored row, then its source, its model and the inputs of the model."""
SOURCES = ("score", "service")
_NAN_BITS = np.uint64(0x7FF8000000000000)


@dataclass(frozen=True)
class LogRow:
    """One row of the log, as far as replaying needs it.

    Attributes
    ----------
    as_of
        None if a caller of the service sent finished features without `as_of`.
    inputs
        Inputs of the model, in the order of its manifest; NaN for missing.
    """

    entity: str
    as_of: int | None
    scored_at: int
    source: str
    model_name: str
    model_version: str
    feature_set: str
    probability: float
    score: float
    usage: float
    fit: float
    timing: float
    reasons: list[dict[str, Any]]
    inputs: np.ndarray
    inputs_digest: str


REPLAY_SCHEMA = pa.schema([SCHEMA.field(name) for name in LogRow.__dataclass_fields__])
"""The columns that replaying reads; a log may have others."""
INDEX_SCHEMA = pa.schema([SCHEMA.field(name) for name in ("entity", "scored_at")])
"""The columns by which rows are selected."""


def inputs_digest(feature_set: str, inputs: np.ndarray) -> str:
    """Hash the inputs of the model: equal numbers give equal digests on every machine.

    SHA-256 of the feature set's hash and the inputs as little-endian float64, with one NaN and without -0.0.

    Examples
    --------
    >>> inputs_digest("a", np.array([0.0, np.nan])) == inputs_digest("a", np.array([-0.0, -np.nan]))
    True
    >>> inputs_digest("a", np.array([1.0])) == inputs_digest("b", np.array([1.0]))
    False
    """
    numbers = np.ascontiguousarray(inputs, dtype="<f8")
    bits = numbers.view("<u8").copy()
    bits[np.isnan(numbers)] = _NAN_BITS
    bits[numbers == 0] = 0
    return hashlib.sha256(feature_set.encode() + b"\n" + bits.tobytes()).hexdigest()


def log_table(rows: pd.DataFrame, inputs: Sequence[np.ndarray], source: str, model_name: Sequence[str]) -> pa.Table:
    """Build rows of the log.

    Parameters
    ----------
    rows
        Scored rows; an absent column becomes null.
    inputs
        Inputs of the model, one array per row.
    source
        One of `SOURCES`.
    model_name
        One name per row.
    """
    digests = [inputs_digest(*row) for row in zip(rows["feature_set"], inputs, strict=True)]
    columns = {
        "source": pa.array([source] * len(rows), pa.string()),
        "model_name": pa.array(list(model_name), pa.string()),
        "inputs": _lists(inputs),
        "inputs_digest": pa.array(digests, pa.string()),
    }
    return pa.table([columns[f.name] if f.name in columns else _column(rows, f) for f in SCHEMA], schema=SCHEMA)


def _column(rows: pd.DataFrame, field: pa.Field) -> pa.Array:
    if field.name not in rows.columns:
        return pa.nulls(len(rows), field.type)
    column = rows[field.name]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert(None)  # UTC; Arrow warns about other zones
    return pa.array(column, field.type, from_pandas=True)


def _lists(inputs: Sequence[np.ndarray]) -> pa.Array:
    flat = np.concatenate([np.empty(0), *inputs])
    offsets = np.cumsum([0, *(len(row) for row in inputs)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(flat, mask=np.isnan(flat)))


def log_rows(table: pa.Table) -> Iterator[LogRow]:
    """Read the rows of a table with the columns of `REPLAY_SCHEMA`.

    Raises
    ------
    DataError
        If a row lacks a value that every row has when it is written.
    """
    names = [name for name in REPLAY_SCHEMA.names if name != "inputs"]
    for row, inputs in zip(table.select(names).to_pylist(), table["inputs"], strict=True):
        missing = [name for name in names if row[name] is None and name != "as_of"] + ["inputs"] * (not inputs.is_valid)
        if missing:
            raise _damaged(row, f"it has no `{missing[0]}`")
        numbers = inputs.values.to_numpy(zero_copy_only=False).astype(np.float64)
        times = {name: None if row[name] is None else to_instant(row[name]) for name in ("as_of", "scored_at")}
        yield LogRow(**{**row, **times, "reasons": _reasons(row), "inputs": numbers})


def _reasons(row: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        payload = json.loads(row["reasons"])
    except ValueError as error:
        raise _damaged(row, f"its `reasons` are not JSON: {error}") from error
    if not isinstance(payload, list) or not all(isinstance(reason, dict) for reason in payload):
        raise _damaged(row, "its `reasons` are not a list of objects")
    return payload


def _damaged(row: dict[str, Any], why: str) -> DataError:
    return DataError(
        f"A row of the score log was changed after it was written: {why}",
        received=f"entity {row['entity']}, scored at {row['scored_at']}",
        remedy="restore it, or remove it from the log",
    )


def encode_lists(table: pa.Table) -> pa.Table:
    """Encode `inputs` as JSON text without loss, for databases without list columns."""
    texts = [json.dumps(inputs) for inputs in table["inputs"].to_pylist()]
    return _with(table, "inputs", pa.array(texts, pa.string()))


def decode_columns(table: pa.Table) -> pa.Table:
    """Restore the types of a table that a database returned: lists and times may be texts, booleans may be numbers.

    Raises
    ------
    DataError
        If a cell holds something else.
    """
    try:
        decoders: dict[str, Callable[[str], Any]] = {"inputs": json.loads, "as_of": _time_of, "scored_at": _time_of}
        for name in decoders.keys() & set(table.column_names):
            if pa.types.is_string(table.schema.field(name).type):
                values = [None if text is None else decoders[name](text) for text in table[name].to_pylist()]
                table = _with(table, name, pa.array(values, SCHEMA.field(name).type))
        return table.cast(pa.schema([SCHEMA.field(name) for name in table.column_names]))
    except (pa.ArrowException, ValueError) as error:
        raise DataError(
            f"The table of the score log holds other data: {error}",
            remedy="name another table under `score_log:`; it is created if it does not exist",
        ) from error


def _time_of(text: str) -> datetime:
    return to_datetime(parse_instant(text))


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)
