"""Hand-made ledgers."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from pql_model.outreach.alerts import alerted_leads
from pql_model.outreach.logged_runs import logged_runs
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY, parse_instant

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
effect_worlds = importlib.import_module("effect_worlds")
sys.path.pop(0)

PRODUCT = effect_worlds.PRODUCT
T0 = parse_instant("2026-03-02")
HORIZON = 30 * DAY


def row(entity: str, day: float, arm: str = "alerted", **other: Any) -> dict[str, Any]:
    """A row of an entity: `alerted`, `held_out`, `pql` (since an earlier run) or `quiet`."""
    flags = {
        "alerted": {"is_pql": True, "newly_qualified": True},
        "held_out": {"suppressed": "held_out", "held_out": True},
        "pql": {"is_pql": True},
        "quiet": {},
    }[arm]
    return {"entity": entity, "as_of": T0 + day * DAY, "band": "high", "converted": False, **flags, **other}


@contextmanager
def ledger(*rows: dict[str, Any]) -> Iterator[Any]:
    """The rows as an Ibis table."""
    with open_session("1GB") as con:
        yield con.create_table("ledger", effect_worlds.ledger_table(list(rows)))


@contextmanager
def session_table(rows: Any) -> Iterator[Any]:
    """A ledger as an Ibis table."""
    with open_session("1GB") as con:
        yield con.create_table("ledger", rows)


MEANINGS = ("contacted", "accepted", "rejected", "won")


def leads_of(*rows: dict[str, Any], until: int, answers: list[dict[str, Any]] | None = None) -> Any:
    """The alerts of the rows, with the feedback that stands in them, or with these answers."""
    if answers is None:
        answers = [
            {
                "entity": row["entity"],
                "time": row[f"{meaning}_at"],
                "meaning": meaning,
                "reason": row.get("rejected_reason") if meaning == "rejected" else None,
                "owner": row.get("owner"),
            }
            for row in rows
            for meaning in MEANINGS
            if row.get(f"{meaning}_at") is not None
        ]
    text = pa.string()
    schema = pa.schema([("entity", text), ("time", pa.int64()), ("meaning", text), ("reason", text), ("owner", text)])
    with ledger(*rows) as table:
        feedback = ibis.memtable(pa.Table.from_pylist(answers, schema=schema)) if answers else None
        return alerted_leads(table, feedback, logged_runs(table, HORIZON), until)
