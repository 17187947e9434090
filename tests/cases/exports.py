"""Exports as companies have them: folders with the files of a vendor, and products written from rows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pql_model.config.schema import Config
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import Sources, read_sources

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("PQL_CASES") or ROOT.parent / "shared" / "cases")
"""The folder of the exports; tests that need it are skipped where it is missing."""


def case(name: str) -> Path:
    """The folder of one export."""
    folder = FOLDER / name
    if not folder.is_dir():
        pytest.skip(f"the exports are not here: set PQL_CASES to the folder that holds {name}")
    return folder


def config_of(home: Path, conversions: dict[str, Any], **more: Any) -> Config:
    """The config of a trial with accounts.csv and events.csv, and this table of conversions."""
    columns = {"entity": "account_id", "user": "user_id", "event": "event", "time": "timestamp", "id": "event_id"}
    raw = {
        "name": "export",
        "events": [{"table": "events.csv", "columns": columns}],
        "entities": {"table": "accounts.csv", "columns": {"entity": "account_id", "signed_up": "created_at"}},
        "conversions": conversions,
        "motion": "trial",
        **more,
    }
    return Config.model_validate(raw).at(home)


def read_export(config: Config) -> tuple[Sources, dict[str, dict[str, Any]]]:
    """The sources of a product, and its conversions by entity."""
    with open_session("1GB") as con:
        sources = read_sources(con, config)
        rows = sources.conversions.table.to_pyarrow().to_pylist()
    return sources, {row["entity"]: row for row in rows}


def write_export(home: Path, conversions: list[dict[str, Any]], accounts: int = 8) -> Path:
    """Accounts a0, a1, ... that signed up on 2025-03-01 with one event a day for sixty days, and a file of conversions."""
    names = [f"a{number}" for number in range(accounts)]
    pd.DataFrame({"account_id": names, "created_at": "2025-03-01"}).to_csv(home / "accounts.csv", index=False)
    days = pd.date_range("2025-03-02", periods=60).strftime("%Y-%m-%dT09:00:00Z")
    log = pd.DataFrame({"account_id": [names[place % accounts] for place in range(60)], "timestamp": days})
    log = log.assign(user_id=log.account_id, event="login", event_id=[f"e{place}" for place in range(60)])
    log.to_csv(home / "events.csv", index=False)
    pd.DataFrame(conversions).to_csv(home / "paid.csv", index=False)
    return home
