"""Small products of other shapes than the demo, written to a folder with their `pql.yaml`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

START = np.datetime64("2025-01-01T00:00:00", "s")


def stamps(days: Any) -> Any:
    """Days since the start as UTC timestamps."""
    return pd.to_datetime(when(days), utc=True)


def when(days: Any) -> Any:
    """Days since the start as ISO texts."""
    seconds = np.round(np.asarray(days, float) * 86_400).astype("timedelta64[s]")
    return np.datetime_as_string(START + seconds, timezone="UTC")


def write_config(home: Path, **raw: Any) -> Path:
    (home / "pql.yaml").write_text(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return home / "pql.yaml"


def freemium_files(home: Path, accounts: int = 150, days: int = 210) -> tuple[Path, int]:
    """Three csv.gz with the time column `at`, rows that arrive late, values, and accounts as json lines.

    Returns the config and how many rows of events were written. Who uploads much pays.
    """
    rng = np.random.default_rng(5)
    keen = rng.random(accounts) < 0.35
    began = rng.uniform(0, 60, accounts)
    pays = np.where(rng.random(accounts) < np.where(keen, 0.75, 0.08), began + rng.uniform(40, 140, accounts), np.inf)
    parts = []
    for account in range(accounts):
        rate = 0.5 if keen[account] else 0.2
        at = np.sort(rng.uniform(began[account], days, rng.poisson(rate * (days - began[account])) + 1))
        parts.append(pd.DataFrame({"workspace": f"w{account}", "day": at, "keen": keen[account]}))
    log = pd.concat(parts, ignore_index=True)
    upload = rng.random(len(log)) < np.where(log["keen"], 0.6, 0.15)
    log["what"] = np.where(upload, "file uploaded", "page viewed")
    log["at"] = when(log["day"])
    log["arrived"] = when(log["day"] + rng.exponential(0.2, len(log)))
    log["size_mb"] = np.where(upload, np.round(rng.exponential(3, len(log)), 2), np.nan)
    for part in range(3):
        log.loc[log.index % 3 == part, ["workspace", "what", "at", "arrived", "size_mb"]].to_csv(
            home / f"events_{part}.csv.gz", index=False
        )
    lines = [
        {"workspace": f"w{i}", "created": when(began[i]).item(), "size": str(rng.choice(["small", "large"]))}
        for i in range(accounts)
    ]
    (home / "accounts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    paid = np.flatnonzero(pays < days)
    pd.DataFrame({"workspace": [f"w{i}" for i in paid], "paid_at": when(pays[paid])}).to_csv(
        home / "paid.csv", index=False
    )
    config = write_config(
        home,
        name="free-boards",
        events=[
            {
                "table": "events_*.csv.gz",
                "columns": {"entity": "workspace", "event": "what", "time": "at", "known_at": "arrived"},
                "values": {"megabytes": "size_mb"},
            }
        ],
        entities={"table": "accounts.jsonl", "columns": {"entity": "workspace", "signed_up": "created"}},
        conversions={"table": "paid.csv", "columns": {"entity": "workspace", "time": "paid_at"}},
        motion="freemium",
        snapshots={"every": "14d", "active_within": "28d"},
        horizon="30d",
        windows={"first": ["7d"], "last": ["7d", "28d"]},
    )
    return config, len(log)


def weekly_counts(home: Path, portals: int = 150, weeks: int = 36) -> Path:
    """A table that is already counted by week, with distinct users, and no sign-ups. Busy portals pay."""
    rng = np.random.default_rng(6)
    busy = rng.random(portals) < 0.3
    pays = np.where(rng.random(portals) < np.where(busy, 0.7, 0.1), rng.uniform(40, 240, portals), np.inf)
    portal, week = (a.ravel() for a in np.meshgrid(np.arange(portals), np.arange(weeks), indexing="ij"))
    table = pd.DataFrame(
        {
            "PORTAL": portal,
            "week": stamps(week * 7),
            "ACTIONS_EMAIL": rng.poisson(np.where(busy[portal], 6, 2)),
            "USERS_EMAIL": rng.integers(0, 4, len(portal)),
            "ACTIONS_DEALS": rng.poisson(1, len(portal)),
        }
    )
    table.to_parquet(home / "weekly.parquet")
    pd.DataFrame({"id": np.arange(portals), "country": rng.choice(["DE", "FR"], portals)}).to_csv(
        home / "portals.csv", index=False
    )
    paid = np.flatnonzero(pays < weeks * 7)
    pd.DataFrame({"id": paid, "day": [text[:10] for text in when(pays[paid])]}).to_csv(home / "paid.csv", index=False)
    return write_config(
        home,
        name="weekly-portals",
        events=[
            {
                "table": "weekly.parquet",
                "columns": {"entity": "PORTAL", "time": "week"},
                "counts": {"email_sent": "ACTIONS_EMAIL", "deal_edited": "ACTIONS_DEALS"},
                "users": {"email_sent": "USERS_EMAIL"},
                "covers": "7d",
            }
        ],
        entities={"table": "portals.csv", "columns": {"entity": "id"}},
        conversions={"table": "paid.csv", "columns": {"entity": "id", "time": "day"}},
        motion="freemium",
        snapshots={"every": "14d", "active_within": "28d"},
        horizon="28d",
        windows={"last": ["7d", "28d"]},
    )


def trial_files(
    home: Path, names: Sequence[str] = ("login", "upload"), accounts: int = 240, each: int = 12, **config: Any
) -> Path:
    """accounts, events and paid of a trial, as parquet with real timestamps, which read fastest.

    Who does the first of `names` often pays. The trait `seats` holds numbers written as texts.
    """
    rng = np.random.default_rng(8)
    began = np.sort(rng.uniform(0, 200, accounts))
    keen = rng.random(accounts) < 0.4
    pays = rng.random(accounts) < np.where(keen, 0.6, 0.1)
    who = np.repeat(np.arange(accounts), each)
    lead = rng.random(len(who)) < np.where(keen[who], 0.6, 0.2)
    other = rng.integers(0, len(names), len(who))
    log = pd.DataFrame(
        {
            "account": who,
            "action": np.array(names, object)[np.where(lead, 0, other)],
            "time": stamps(began[who] + rng.uniform(0, 7, len(who))),
        }
    )
    log.to_parquet(home / "events.parquet")
    seats = rng.integers(1, 9, accounts).astype(str).astype(object)
    who_can = pd.DataFrame({"account": np.arange(accounts), "created": stamps(began), "seats": seats})
    who_can.to_parquet(home / "accounts.parquet")
    paid = np.flatnonzero(pays)
    later = stamps(began[paid] + rng.uniform(8, 20, len(paid)))
    pd.DataFrame({"account": paid, "time": later}).to_parquet(home / "paid.parquet")
    return write_config(
        home,
        **{
            "name": "small-trial",
            "events": [
                {"table": "events.parquet", "columns": {"entity": "account", "event": "action", "time": "time"}}
            ],
            "entities": {"table": "accounts.parquet", "columns": {"entity": "account", "signed_up": "created"}},
            "conversions": {"table": "paid.parquet", "columns": {"entity": "account", "time": "time"}},
            "motion": "trial",
            "snapshots": {"at_days": [7]},
            "horizon": "14d",
            "windows": {"first": ["7d"], "last": []},
            **config,
        },
    )
