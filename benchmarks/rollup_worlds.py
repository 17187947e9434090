"""The products of the roll-up benchmark, each written to a folder with its `pql.yaml`: accounts with users inside."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import pql_model

DATA = Path(os.environ.get("PQL_BENCH_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
DAY = 86_400_000_000
TEAM = """\
name: teams
entity: account
events:
  - table: events.parquet
    columns: {entity: workspace, user: person, event: action, time: occurred}
entities: {table: workspaces.parquet, columns: {entity: workspace, signed_up: created}}
conversions: {table: subscriptions.parquet, columns: {entity: workspace, time: paid_at}}
motion: trial
snapshots: {at_days: [14]}
horizon: 30d
"""
RELAX = """\
name: relax-organisations
entity: account
events:
  - table: logins.parquet
    event: logged_in
    columns: {entity: org_id, user: user_id, time: time_stamp}
entities: {table: organisations.parquet, columns: {entity: org_id, signed_up: creation_time}}
conversions: {table: adopted.parquet, columns: {entity: org_id, time: adopted_at}}
motion: freemium
snapshots: {every: 28d, active_within: 28d}
horizon: 60d
resolution: day
"""


def demo(home: Path, accounts: int, seed: int) -> Path:
    """The demo, in which one of three planted criteria is `distinct_users >= 4`."""
    return pql_model.make_demo(home, accounts, seed) / "pql.yaml"


def named_demo(home: Path, accounts: int, seed: int) -> Path:
    """The demo without the events that name no user, which a user-level score cannot see."""
    config = demo(home, accounts, seed)
    events = pd.read_parquet(home / "events.parquet")
    events[events["user_id"].notna()].to_parquet(home / "events.parquet", index=False)
    return config


def champion(home: Path, accounts: int, seed: int) -> Path:
    """Who pays depends on the most reports that any one user built, and on nothing else."""
    return _teams(home, accounts, seed, most_by_one)


def total(home: Path, accounts: int, seed: int) -> Path:
    """Who pays depends on the reports of all users together, whoever built them."""
    return _teams(home, accounts, seed, all_together)


def most_by_one(reports: np.ndarray) -> np.ndarray:
    """Reports of the busiest user of each account, from (accounts, users)."""
    return reports.max(axis=1)


def all_together(reports: np.ndarray) -> np.ndarray:
    """Reports of all users of each account."""
    return reports.sum(axis=1)


def _teams(home: Path, accounts: int, seed: int, carrier: Callable[[np.ndarray], np.ndarray]) -> Path:
    """A trial of 14 days with teams of 1 to 12. The quarter with the highest `carrier` pays nine times as often in odds."""
    rng = np.random.default_rng(seed)
    seats = np.minimum(12, 1 + rng.poisson(rng.gamma(1.5, 2, accounts)))
    pace = np.where(np.arange(12) < seats[:, None], rng.gamma(0.8, 6, (accounts, 12)), 0)
    tastes = rng.dirichlet([1, 2, 2, 1], (accounts, 12))  # users of one account differ in what they do
    counts = rng.poisson(pace[:, :, None] * tastes)
    account, person, action = (np.repeat(at, counts.ravel()) for at in np.indices(counts.shape).reshape(3, -1))
    began = pd.Timestamp("2025-01-01").value // 1000 + np.sort(rng.integers(0, 365, accounts)) * DAY
    carried = carrier(counts[:, :, 0])
    pays = rng.random(accounts) < 1 / (1 + np.exp(3.1 - 2.2 * (carried >= np.quantile(carried, 0.75))))
    time = began[account] + rng.integers(0, 14 * DAY, len(account))
    paid_at = (began + 14 * DAY + rng.integers(0, 29 * DAY, accounts))[pays]
    names = np.array(["Report Built", "Page Viewed", "Comment Added", "File Uploaded"])
    log = {"workspace": account, "person": account * 12 + person, "action": names[action], "occurred": _stamps(time)}
    _write(home, "events", log)
    _write(home, "workspaces", {"workspace": np.arange(accounts), "created": _stamps(began)})
    _write(home, "subscriptions", {"workspace": np.flatnonzero(pays), "paid_at": _stamps(paid_at)})
    (home / "pql.yaml").write_text(TEAM, encoding="utf-8")
    return home / "pql.yaml"


def relax(home: Path, accounts: int, seed: int) -> Path:
    """417 real organisations, until the first of their users adopts: third login day inside a week. Always the same."""
    if not (DATA / "relax").is_dir():
        sys.exit(f"There is no relax in {DATA}; set PQL_BENCH_DATA to the folder that holds it, or name other worlds.")
    users, adopted, logins = (pd.read_csv(DATA / "relax" / f"{t}.csv.gz") for t in ("users", "adopted", "engagement"))
    org_of = users.set_index("user_id")["org_id"]
    first = users.groupby("org_id", as_index=False)["creation_time"].min()
    first.to_parquet(home / "organisations.parquet", index=False)
    for name, table in (("adopted", adopted), ("logins", logins)):
        table.assign(org_id=table["user_id"].map(org_of)).to_parquet(home / f"{name}.parquet", index=False)
    (home / "pql.yaml").write_text(RELAX, encoding="utf-8")
    return home / "pql.yaml"


def _stamps(instants: np.ndarray) -> pd.DatetimeIndex:
    return pd.to_datetime(instants, unit="us", utc=True)


def _write(home: Path, name: str, columns: dict[str, object]) -> None:
    pd.DataFrame(columns).to_parquet(home / f"{name}.parquet", index=False)


WORLDS = {
    "demo": (demo, 4000, (7, 8)),
    "demo of 8,000": (demo, 8000, (7, 8)),
    "demo, events that name a user": (named_demo, 4000, (7, 8)),
    "one champion": (champion, 4000, (1, 2, 3)),
    "the total": (total, 4000, (1, 2, 3)),
    "relax": (relax, 417, (0,)),
}
"""Name -> how it is written, how many accounts, which seeds."""
