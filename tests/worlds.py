"""A small product on disk, for tests that start from files: write the rows, get the config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.sources.duckdb_session import Connection, open_session
from pql_model.sources.read import Sources, read_sources
from pql_model.time import iso, parse_instant

Row = Mapping[str, Any]
TIMES = ("signed_up", "time", "known_at")


def at(text: str) -> int:
    """`at("2026-01-05")`, `at("2026-01-05T12:00")`: an instant."""
    return parse_instant(text)


def product(
    home: Path, accounts: Sequence[Row], events: Sequence[Row], conversions: Sequence[Row], **config: Any
) -> Config:
    """Write accounts.csv, events.csv, conversions.csv and pql.yaml into `home`, and read the config back.

    Parameters
    ----------
    accounts
        Rows of `account`, `signed_up` (may be None, or left out of all rows) and any traits.
    events
        Rows of `account`, `event`, `time`, and where wanted `user`, `known_at`; any other key becomes a value.
    conversions
        Rows of `account`, `time` and, where wanted, `value`.
    config
        Keys of `pql.yaml` to set or replace. Default: a trial with a horizon of 30 days.

    Instants are integers (microseconds) or texts, which are written as they are.
    """
    raw = {
        "name": "small-world",
        "events": [_event_table(events)],
        "entities": {"table": "accounts.csv", "columns": _mapped(accounts, {"entity": "account"}, ("signed_up",))},
        "conversions": {
            "table": "conversions.csv",
            "columns": _mapped(conversions, {"entity": "account", "time": "time"}, ("value",)),
        },
        "motion": "trial",
        "max_set_aside": 1.0,
        **config,
    }
    _write(home / "accounts.csv", accounts, ("account",))
    _write(home / "events.csv", events, ("account", "event", "time"))
    _write(home / "conversions.csv", conversions, ("account", "time"))
    (home / "pql.yaml").write_text(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return load_config(home / "pql.yaml")


@contextmanager
def opened(config: Config) -> Iterator[tuple[Connection, Sources]]:
    """A workbench with the product's sources read into it."""
    with open_session("1GB") as con:
        yield con, read_sources(con, config)


def rows_of(table: Any) -> list[dict[str, Any]]:
    """The rows of a workbench table, in no promised order, with None for missing."""
    return list(table.to_pyarrow().to_pylist())


def _event_table(events: Sequence[Row]) -> dict[str, Any]:
    columns = {"entity": "account", "event": "event", "time": "time"}
    table: dict[str, Any] = {"table": "events.csv", "columns": _mapped(events, columns, ("user", "known_at"))}
    values = [key for key in _keys(events) if key not in (*columns.values(), "user", "known_at")]
    return {**table, "values": {key: key for key in values}} if values else table


def _mapped(rows: Sequence[Row], columns: dict[str, str], optional: Sequence[str]) -> dict[str, str]:
    return {**columns, **{key: key for key in optional if key in _keys(rows)}}


def _keys(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _write(path: Path, rows: Sequence[Row], least: Sequence[str]) -> None:
    columns = list(dict.fromkeys([*least, *_keys(rows)]))
    cells = [[_cell(column, row.get(column)) for column in columns] for row in rows]
    pd.DataFrame(cells, columns=columns, dtype=object).to_csv(path, index=False)


def _cell(column: str, value: Any) -> Any:
    return iso(value) if column in TIMES and isinstance(value, int) else value
