"""The score log: scored rows with the numbers that the model read, so that each can be recomputed later."""

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

from pql_model.decide.rows import NAMES
from pql_model.errors import DataError
from pql_model.time import parse_instant, to_datetime, to_instant

_TIME, _NUMBERS = pa.timestamp("us", "UTC"), pa.list_(pa.float64())
_TYPES = {
    "as_of": _TIME,
    "scored_at": _TIME,
    "probability": pa.float64(),
    "score": pa.float64(),
    "usage": pa.float64(),
    "fit": pa.float64(),
    "timing": pa.float64(),
    "is_pql": pa.bool_(),
    "meets_definition": pa.bool_(),
    "newly_qualified": pa.bool_(),
    "inputs": _NUMBERS,
}
_OWN = ("source", "model_name", "inputs", "inputs_digest")
SCHEMA = pa.schema([(name, _TYPES.get(name, pa.string())) for name in (*NAMES, *_OWN)])
"""The columns of the log: those of a scored row, then where it was scored, by which model, and what the model read."""
SOURCES = ("score", "service")
_MISSING = np.uint64(0x7FF8000000000000)


@dataclass(frozen=True)
class LogRow:
    """What replaying needs of one row of the log.

    Attributes
    ----------
    as_of
        None where a caller of the service sent finished features and did not say.
    inputs
        The row that the boosters read, in the order of the model's manifest; NaN for missing.
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


REPLAYED = pa.schema([SCHEMA.field(name) for name in LogRow.__dataclass_fields__])
"""The columns that replaying reads: a log of another release may have others beside them."""


def inputs_digest(feature_set: str, inputs: np.ndarray) -> str:
    """SHA-256 of what the model read, the same on every machine: equal numbers give equal digests.

    Hashed are the feature set's hash and the float64, little endian; every NaN is the same one, and -0.0 is 0.0.

    >>> inputs_digest("a", np.array([0.0, np.nan])) == inputs_digest("a", np.array([-0.0, -np.nan]))
    True
    >>> inputs_digest("a", np.array([1.0])) == inputs_digest("b", np.array([1.0]))
    False
    """
    numbers = np.ascontiguousarray(inputs, dtype="<f8")
    bits = numbers.view("<u8").copy()
    bits[np.isnan(numbers)] = _MISSING
    bits[numbers == 0] = 0
    return hashlib.sha256(feature_set.encode() + b"\n" + bits.tobytes()).hexdigest()


def log_table(rows: pd.DataFrame, inputs: Sequence[np.ndarray], source: str, model_name: Sequence[str]) -> pa.Table:
    """Rows of the log.

    Parameters
    ----------
    rows
        Scored rows; a column that is not there is missing throughout.
    inputs
        Of each row what the model read.
    source
        One of `SOURCES`.
    model_name
        Of each row.
    """
    digests = [inputs_digest(*of) for of in zip(rows["feature_set"], inputs, strict=True)]
    own = {
        "source": pa.array([source] * len(rows), pa.string()),
        "model_name": pa.array(list(model_name), pa.string()),
        "inputs": _lists(inputs),
        "inputs_digest": pa.array(digests, pa.string()),
    }
    return pa.table([own[f.name] if f.name in own else _column(rows, f) for f in SCHEMA], schema=SCHEMA)


def _column(rows: pd.DataFrame, field: pa.Field) -> pa.Array:
    if field.name not in rows.columns:
        return pa.nulls(len(rows), field.type)
    column = rows[field.name]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert(None)  # UTC; Arrow would warn otherwise
    return pa.array(column, field.type, from_pandas=True)


def _lists(inputs: Sequence[np.ndarray]) -> pa.Array:
    flat = np.concatenate([np.empty(0), *inputs])
    offsets = np.cumsum([0, *(len(row) for row in inputs)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(flat, mask=np.isnan(flat)))


def log_rows(table: pa.Table) -> Iterator[LogRow]:
    """The rows of a table with the columns of `REPLAYED`.

    Raises
    ------
    DataError
        If something is missing in a row that every row has when it is written.
    """
    names = [name for name in REPLAYED.names if name != "inputs"]
    for row, inputs in zip(table.select(names).to_pylist(), table["inputs"], strict=True):
        lacking = [name for name in names if row[name] is None and name != "as_of"] + ["inputs"] * (not inputs.is_valid)
        if lacking:
            raise _damaged(row, f"it has no `{lacking[0]}`")
        numbers = inputs.values.to_numpy(zero_copy_only=False).astype(np.float64)
        times = {name: None if row[name] is None else to_instant(row[name]) for name in ("as_of", "scored_at")}
        yield LogRow(**{**row, **times, "reasons": _reasons(row), "inputs": numbers})


def _reasons(row: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        payload = json.loads(row["reasons"])
    except ValueError as error:
        raise _damaged(row, f"its `reasons` are no JSON: {error}") from error
    if not isinstance(payload, list) or not all(isinstance(reason, dict) for reason in payload):
        raise _damaged(row, "its `reasons` are no list of objects")
    return payload


def _damaged(row: dict[str, Any], why: str) -> DataError:
    return DataError(
        f"A row of the score log was changed after it was written: {why}",
        received=f"entity {row['entity']}, scored at {row['scored_at']}",
        remedy="restore it, or take it out of the log",
    )


def flattened(table: pa.Table) -> pa.Table:
    """For databases without lists: `inputs` as the text of a JSON list, missing as null, every digit kept."""
    texts = [json.dumps(inputs) for inputs in table["inputs"].to_pylist()]
    return _with(table, "inputs", pa.array(texts, pa.string()))


def restored(table: pa.Table) -> pa.Table:
    """Columns that `flattened` made, as a database gave them back: times may be texts, truth values numbers.

    Raises
    ------
    DataError
        If a cell holds something else.
    """
    try:
        read: dict[str, Callable[[str], Any]] = {"inputs": json.loads, "as_of": _time_of, "scored_at": _time_of}
        for name in read.keys() & set(table.column_names):
            if pa.types.is_string(table.schema.field(name).type):
                values = [None if text is None else read[name](text) for text in table[name].to_pylist()]
                table = _with(table, name, pa.array(values, _TYPES[name]))
        return table.cast(pa.schema([SCHEMA.field(name) for name in table.column_names]))
    except (pa.ArrowException, ValueError) as error:
        raise DataError(
            f"The table of the score log holds something else: {error}",
            remedy="name another under `score_log:`; it is made when it is not there",
        ) from error


def _time_of(text: str) -> datetime:
    return to_datetime(parse_instant(text))


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)
