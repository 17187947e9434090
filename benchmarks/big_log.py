"""Seconds by stage and peak memory of a training on a generated log of two million events.

    python benchmarks/big_log.py [accounts] [events]

The world: a trial, 40 event names of falling frequency, five users an account, two planted thresholds.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import pql_model

CONFIG = """\
name: big-log
entity: account
events:
  - table: events.parquet
    columns: {entity: workspace, user: person, event: action, time: occurred, id: insert_id}
    values: {megabytes: size_mb}
entities: {table: workspaces.csv, columns: {entity: workspace, signed_up: created}}
conversions: {table: subscriptions.csv, columns: {entity: workspace, time: paid_at, value: mrr}}
motion: trial
snapshots: {at_days: [3, 7, 14]}
horizon: 30d
"""
DAY = 86_400_000_000


def write(home: Path, accounts: int, events: int, seed: int = 3) -> int:
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2025-01-01").value // 1000
    signed_up = start + (rng.random(accounts) * 400 * DAY).astype(np.int64)
    owner = np.repeat(np.arange(accounts), rng.poisson(rng.gamma(1.2, 1, accounts) * events / accounts / 1.2))
    n = len(owner)
    time = signed_up[owner] + (rng.exponential(8, n) * DAY).astype(np.int64)
    rarity = 1 / np.arange(1, 41) ** 1.1
    event = rng.choice(40, n, p=rarity / rarity.sum())
    first_week = time < signed_up[owner] + 7 * DAY
    often = np.bincount(owner[(event == 5) & first_week], minlength=accounts) >= 4
    twice = np.bincount(owner[(event == 9) & first_week], minlength=accounts) >= 2
    pays = rng.random(accounts) < 1 / (1 + np.exp(3.4 - 1.4 * often - 1.1 * twice))
    paid_at = signed_up + ((7 + rng.random(accounts) * 28) * DAY).astype(np.int64)
    names = np.array([f"w{i}" for i in range(accounts)])
    table = {"workspace": names[owner], "person": (owner * 10 + rng.integers(0, 5, n)).astype(str)}
    table |= {"action": np.array([f"event {i}" for i in range(40)])[event], "occurred": pd.to_datetime(time, unit="us")}
    table |= {"insert_id": np.arange(n), "size_mb": rng.exponential(2, n)}
    pd.DataFrame(table).to_parquet(home / "events.parquet", index=False)
    size = rng.choice(["S", "M", "L"], accounts)
    created = pd.to_datetime(signed_up, unit="us")
    pd.DataFrame({"workspace": names, "created": created, "size": size}).to_csv(home / "workspaces.csv", index=False)
    payments = pd.DataFrame({"workspace": names, "paid_at": pd.to_datetime(paid_at, unit="us"), "mrr": 10})[pays]
    payments.to_csv(home / "subscriptions.csv", index=False)
    (home / "pql.yaml").write_text(CONFIG, encoding="utf-8")
    return n


def main(accounts: int = 12_000, events: int = 2_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = write(Path(folder), accounts, events)
        result = pql_model.train(Path(folder) / "pql.yaml").to_dict()
    figures = {"events": rows, **{k: result[k] for k in ("features", "seconds", "peak_memory_mb", "verdict")}}
    figures["roc_auc"] = result["test"]["roc_auc"]
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
