"""Files on disk and the rows read from them, for the tests of the sources."""

from __future__ import annotations

import atexit
import gzip
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pql_model.config.schema import Config
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.files import RawTable, read_raw
from pql_model.sources.read import Sources, read_sources


def put(home: Path, name: str, content: str | bytes) -> str:
    """Write a file, gzipped if its name says so, and give back its name."""
    data = content.encode() if isinstance(content, str) else content
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)
    return name


def rows_of_raw(raw: RawTable) -> list[dict[str, object]]:
    """The rows under the names of the file, in no promised order."""
    numbered = {f"k{place}": column for place, column in enumerate(raw.names.values())}
    rows = raw.table.select(**numbered).to_pyarrow().to_pylist()
    return [dict(zip(raw.names, row.values(), strict=True)) for row in rows]


def read(home: Path, table: str, connection: str | None = None) -> tuple[list[dict[str, object]], int]:
    """The rows of a table, sorted, and how many lines were none."""
    with open_session("1GB") as con:
        raw = read_raw(con, table, home, connection)
        rows = sorted(rows_of_raw(raw), key=lambda row: [str(value) for value in row.values()])
        return rows, sum(raw.unread.values())


def of_column(values: pa.Array, expression):
    """Evaluate an expression on a column, row by row."""
    numbered = pa.table({"place": range(len(values)), "column": values})
    table = _session().create_table("numbered", numbered, overwrite=True)
    result = table.select("place", result=expression(table.column)).order_by("place")
    return result.to_pyarrow()["result"].to_pylist()


@cache
def _session() -> Any:
    """Open one session for all columns: opening it takes longer than evaluating an expression."""
    session = ExitStack()
    atexit.register(session.close)
    return session.enter_context(open_session("1GB"))


ACCOUNTS = "account,signed_up\na,2026-01-05\nb,2026-01-06\nc,2026-01-07\n"
CONVERSIONS = "account,paid_at,mrr\na,2026-01-20,100\n"
EVENTS = "account,person,action,at\n" + "".join(
    f"{account},u,login,2026-01-1{day}\n" for account in "abc" for day in range(5)
)


def log(*rows: str, header: str = "account,person,action,at\n") -> str:
    """A csv of events."""
    return header + "".join(f"{row}\n" for row in rows)


Content = str | bytes | Mapping[str, Any]
"""The text of a CSV file, or the columns of a Parquet file."""


def shop(
    home: Path, events: Content = EVENTS, accounts: Content = ACCOUNTS, paid: Content = CONVERSIONS, **keys: Any
) -> Config:
    """A trial product in `home`: three tables as csv or parquet, and any key of `pql.yaml` on top.

    `log`, `who`, `buys` are merged into the table of events, of entities, of conversions; `more` tables of events
    follow the first.
    """
    log, who, buys = (keys.pop(name, {}) for name in ("log", "who", "buys"))
    more = keys.pop("more", [])
    columns = {"entity": "account", "user": "person", "event": "action", "time": "at"}
    raw = {
        "name": "shop",
        "events": [{"table": _store(home, "events", events), "columns": columns, **log}, *more],
        "entities": {
            "table": _store(home, "accounts", accounts),
            "columns": {"entity": "account", "signed_up": "signed_up"},
            **who,
        },
        "conversions": {
            "table": _store(home, "paid", paid),
            "columns": {"entity": "account", "time": "paid_at", "value": "mrr"},
            **buys,
        },
        "motion": "trial",
        "max_set_aside": 1.0,
        **keys,
    }
    return Config.model_validate(raw).at(home)


def _store(home: Path, name: str, content: Content) -> str:
    if isinstance(content, str | bytes):
        return put(home, f"{name}.csv", content)
    pq.write_table(pa.table(dict(content)), home / f"{name}.parquet")
    return f"{name}.parquet"


@dataclass(frozen=True)
class Read:
    """What came of a product, as plain rows."""

    events: list[dict[str, Any]]
    entities: list[dict[str, Any]]
    conversions: list[dict[str, Any]]
    set_aside: dict[str, int]
    sources: Sources


def read_shop(home: Path, *args: Any, **keys: Any) -> Read:
    """Write a product, read its sources, and give back the rows sorted by entity and time."""
    config = shop(home, *args, **keys)
    with open_session("1GB") as con:
        sources = read_sources(con, config)
        events, entities, conversions = (
            _sorted(table) for table in (sources.events.table, sources.entities.table, sources.conversions.table)
        )
        return Read(events, entities, conversions, sources.events.by_reason(), sources)


def _sorted(table: Any) -> list[dict[str, Any]]:
    keys = [column for column in ("entity", "time", "event", "n", "user") if column in table.columns]
    return list(table.order_by(*keys).to_pyarrow().to_pylist())
