"""Outcome ledgers made by hand, for the statistics of the monitor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pql_model.ledger.schema import LEDGER_SCHEMA
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY, parse_instant

START = parse_instant("2026-01-01")
DEFAULTS: dict[str, Any] = {
    "source": "replayed",
    "model_name": "boards",
    "model_version": "1",
    "feature_set": "f",
    "band": "low",
    "is_pql": False,
    "held_out": False,
    "known": True,
    "final": True,
}


def said(entity: Any, day: Any, probability: Any, converted: Any, **columns: Any) -> pd.DataFrame:
    """Rows of a ledger; `day` counts from 2026-01-01, and columns that are not named have the usual value or none."""
    rows = pd.DataFrame({"entity": entity, "as_of": START + np.asarray(day) * DAY, "probability": probability})
    rows["converted"] = pd.array(converted, dtype="boolean")
    rows["scored_at"] = rows["as_of"]
    return rows.assign(**{**DEFAULTS, **columns})


@contextmanager
def ledger_table(rows: pd.DataFrame) -> Iterator[tuple[Any, Any]]:
    """A session and the rows in it, with the columns of every ledger."""
    full = rows.copy()
    for name in ("as_of", "scored_at", "converted_at"):
        if name in full:
            full[name] = pd.to_datetime(full[name].astype("Int64"), unit="us", utc=True)
    for name in LEDGER_SCHEMA.names:
        if name not in full:
            full[name] = None
    table = pa.Table.from_pandas(full[LEDGER_SCHEMA.names], schema=LEDGER_SCHEMA, preserve_index=False)
    with open_session() as con:
        yield con, con.create_table("ledger", table)


def entities(con: Any, signed_up: dict[str, int]) -> Any:
    """The entities of the sources, with the day of their sign-up."""
    columns = {
        "entity": pa.array(list(signed_up), pa.string()),
        "signed_up": pa.array([START + day * DAY for day in signed_up.values()], pa.int64()),
    }
    return con.create_table("listed", pa.table(columns))
