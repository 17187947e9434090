"""Products with and without leaks, for measuring the leakage audit.

The honest part is made to look guilty: strong traits, a category of which most convert, gaps that differ by outcome, an
identifier that counts up while the rate drifts, a price page that is looked at right before paying, a report that mostly
customers export, rows that arrive late for everybody, traits that change for everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

START = pd.Timestamp("2025-01-01", tz="UTC")
DAYS, HORIZON = 300, 30
LEAKS = {
    "lifetime_usage": "a number with a ROC-AUC of 0.95",
    "temperature": "a judgement: 35 % of those who convert are hot, 35 % of the others cold, the rest unknown",
    "account_manager": "filled for 85 % of those who convert and 1 % of the others",
    "campaign": "missing for 85 % of those who convert and 5 % of the others",
    "sequence": "a number given in the order of the outcome",
    "contract_id": "the same, left out by its name",
    "billing_batch": "a key shared by eight entities of one outcome",
    "seen": "a date that lies after as_of for most of those who convert",
    "seen_epoch": "the same, written as a number",
    "last_touch": "a category with a ROC-AUC of 0.65 whose name speaks of later",
    "seats": "changed between two extracts for 40 % of those who convert and 3 % of the others",
    "(row order)": "rows sorted by the outcome",
    "checkout started": "one to twenty minutes before paying, and tried in vain by half as many others",
    "invoice read": "by customers only",
    "sales call": "logged days after it happened, for those who convert after they did",
}
"""What is planted, all at once."""


@dataclass(frozen=True)
class World:
    """What was made: honest traits and events, and the planted leaks."""

    honest: frozenset[str]
    leaks: frozenset[str]
    conversions: int


def make_world(home: Path, seed: int, leaking: bool) -> World:
    """Write a product with 60 to 500 conversions to `home`."""
    rng = np.random.default_rng(seed)
    conversions = int(np.exp(rng.uniform(np.log(60), np.log(500))))
    n = int(conversions / rng.uniform(0.04, 0.15))
    accounts, merit = _accounts(rng, n)
    y = np.zeros(n, bool)
    y[np.argsort(-(merit + rng.gumbel(0, 1, n)))[:conversions]] = True  # so many, with odds of e^merit
    began = np.sort(rng.uniform(0, DAYS, n))
    pays = np.where(y, began + rng.uniform(7, 7 + HORIZON, n), np.inf)
    log = _events(rng, began, pays, merit)
    accounts = accounts.assign(account=[f"a{i}" for i in range(n)], created=_when(began))
    honest = {*accounts.columns} - {"account", "created"} | set(log["event"])
    earlier_accounts = accounts.copy()
    moved = rng.random(n) < 0.03
    earlier_accounts.loc[moved, "seats"] += 1
    leaks: set[str] = set()
    if leaking:
        accounts = accounts.assign(**_leaking_columns(rng, y, began, pays))
        earlier_accounts = earlier_accounts.assign(
            seats=np.where(y & (rng.random(n) < 0.4), 1, earlier_accounts["seats"])
        )
        log = pd.concat([log, _leaking_events(rng, began, pays, y)])
        accounts = accounts.iloc[np.argsort(~y, kind="stable")]
        leaks = set(LEAKS)
        honest -= leaks
    _write(home, accounts, earlier_accounts, log, pays)
    return World(frozenset(honest), frozenset(leaks), conversions)


def _accounts(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Honest traits, and how they and what is hidden move the log-odds."""
    size, fit = rng.normal(0, 1, n), rng.normal(0, 1, n)
    source = rng.choice(["referral", "search", "advert", "partner"], n, p=[0.05, 0.5, 0.35, 0.1])
    drift = np.linspace(0.6, -0.6, n)
    merit = (
        rng.uniform(0.9, 1.8) * size
        + 0.7 * fit
        + np.where(source == "referral", 2.5, np.where(source == "advert", -1.5, 0))
        + drift
    )
    form = rng.random(n) < 1 / (1 + np.exp(-(0.5 + merit)))
    columns = {
        "employees": np.round(np.exp(4 + 1.2 * size)),
        "revenue": rng.integers(1, 10**9, n) * np.exp(fit),
        "number": np.arange(n) + 70_000,
        "source": source,
        "occupation": np.where(form, rng.choice(["manager", "student", "other"], n), None),
        "phone": np.where(rng.random(n) < 0.15 + 0.25 * form, "yes", None),
        "parent": rng.integers(0, n // 5, n),
        "seats": rng.integers(2, 12, n),
        "region": rng.choice(["EU", "US", "APAC"], n),
        "founded": rng.integers(1950, 2025, n),
    }
    noise = {f"noise_{i}": rng.normal(0, 1, n) for i in range(6)}
    return pd.DataFrame({**columns, **noise}), merit


def _events(rng: np.random.Generator, began: np.ndarray, pays: np.ndarray, merit: np.ndarray) -> pd.DataFrame:
    """Who pays is used five times as much from then on."""
    parts = []
    for name, before, after in (("login", 1.0, 5.0), ("upload", 0.4, 2.0), ("invite", 0.1, 0.2), ("export", 0.01, 1.0)):
        rate = before * np.exp(0.5 * merit)
        parts.append(_poisson(rng, name, began, np.minimum(pays, began + 45), rate))
        parts.append(_poisson(rng, name, pays, pays + 40, np.where(np.isfinite(pays), after, 0)))
    looks = rng.random(len(began)) < 0.3
    parts.append(
        pd.DataFrame(
            {
                "who": np.flatnonzero(looks),
                "event": "pricing viewed",
                "day": (began + rng.uniform(0, 20, len(began)))[looks],
            }
        )
    )
    at_once = np.isfinite(pays) & (rng.random(len(began)) < 0.5)
    parts.append(
        pd.DataFrame(
            {
                "who": np.flatnonzero(at_once),
                "event": "pricing viewed",
                "day": pays[at_once] - rng.uniform(0, 20, at_once.sum()) / 1440,
            }
        )
    )
    early = np.isfinite(pays)
    parts.append(
        pd.DataFrame(
            {
                "who": np.flatnonzero(early),
                "event": "pricing viewed",
                "day": (began + (pays - began) * rng.random(len(began)))[early],
            }
        )
    )
    log = pd.concat(parts, ignore_index=True)
    log["arrives"] = log["day"] + np.where(rng.random(len(log)) < 0.05, rng.uniform(1, 9, len(log)), 0.001)
    return log


def _poisson(rng: np.random.Generator, name: str, start: np.ndarray, end: np.ndarray, rate: np.ndarray) -> pd.DataFrame:
    length = np.where(np.isfinite(start), np.maximum(end - np.where(np.isfinite(start), start, 0), 0), 0)
    length = np.where(np.isfinite(length), length, 0)
    accounts = np.repeat(np.arange(len(start)), rng.poisson(rate * length))
    return pd.DataFrame(
        {"who": accounts, "event": name, "day": start[accounts] + rng.random(len(accounts)) * length[accounts]}
    )


def _leaking_columns(rng: np.random.Generator, y: np.ndarray, began: np.ndarray, pays: np.ndarray) -> dict[str, object]:
    n = len(y)

    def of(converters: float, others: float) -> np.ndarray:
        return np.asarray(rng.random(n) < np.where(y, converters, others))

    temperature = np.where(of(0.35, 0.002), "hot", np.where(of(0.002, 0.35), "cold", "unknown"))
    seen_at = np.where(y, pays + rng.uniform(0, 90, n), began + rng.uniform(0, 6, n))
    batch = np.where(y, np.cumsum(y) // 8, n + np.cumsum(~y) // 8)
    return {
        "lifetime_usage": np.exp(rng.normal(0, 1, n) + 2.33 * y),
        "temperature": temperature,
        "account_manager": np.where(of(0.85, 0.01), rng.choice(["Ito", "Rossi"], n), None),
        "campaign": np.where(of(0.85, 0.05), None, "spring"),
        "sequence": np.argsort(np.argsort(~y + rng.random(n))) + 1,
        "contract_id": np.argsort(np.argsort(~y + rng.random(n))) + 5000,
        "billing_batch": [f"B{b}" for b in batch],
        "seen": np.datetime_as_string(_when(seen_at).to_numpy("datetime64[s]")),
        "seen_epoch": _when(seen_at).astype("int64") // 10**9
        if str(_when(seen_at).dtype).startswith("datetime64[s")
        else _when(seen_at).to_numpy("datetime64[s]").astype(np.int64),
        "last_touch": np.where(of(0.55, 0.25), "sales", "none"),
    }


def _leaking_events(rng: np.random.Generator, began: np.ndarray, pays: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    converters = np.flatnonzero(y)
    non_converters = rng.choice(np.flatnonzero(~y), len(converters) // 2, replace=False)
    prospects = rng.choice(np.flatnonzero(~y), 2 * len(converters), replace=False)
    parts = [
        pd.DataFrame(
            {
                "who": converters,
                "event": "checkout started",
                "day": pays[converters] - rng.uniform(1, 20, len(converters)) / 1440,
            }
        ),
        pd.DataFrame(
            {
                "who": non_converters,
                "event": "checkout started",
                "day": began[non_converters] + rng.uniform(0, 20, len(non_converters)),
            }
        ),
        pd.DataFrame(
            {
                "who": converters,
                "event": "invoice read",
                "day": pays[converters] + rng.uniform(0.1, 20, len(converters)),
            }
        ),
    ]
    log = pd.concat(parts, ignore_index=True)
    log["arrives"] = log["day"]
    before = pd.DataFrame(
        {"who": converters, "event": "sales call", "day": began[converters] + rng.uniform(0, 5, len(converters))}
    )
    free = pd.DataFrame(
        {"who": prospects, "event": "sales call", "day": began[prospects] + rng.uniform(0, 5, len(prospects))}
    )
    before["arrives"] = np.where(rng.random(len(converters)) < 0.5, pays[converters] + 1, before["day"])
    return pd.concat([log, before, free.assign(arrives=free["day"])], ignore_index=True)


def _when(days: np.ndarray) -> pd.DatetimeIndex:
    return START + pd.to_timedelta(np.round(np.where(np.isfinite(days), days, 0) * 86_400), unit="s")


def _write(
    home: Path, accounts: pd.DataFrame, earlier_accounts: pd.DataFrame, log: pd.DataFrame, pays: np.ndarray
) -> None:
    names = np.array([f"a{i}" for i in range(len(pays))], object)
    log = log[log["day"] < DAYS + HORIZON]
    table = {"account": names[log["who"]], "event": log["event"], "time": _when(log["day"].to_numpy())}
    pd.DataFrame({**table, "arrived": _when(log["arrives"].to_numpy())}).to_parquet(home / "events.parquet")
    accounts.to_parquet(home / "accounts.parquet")
    earlier_accounts.to_parquet(home / "then.parquet")
    payers = np.flatnonzero(pays < DAYS + HORIZON)
    pd.DataFrame({"account": names[payers], "time": _when(pays[payers])}).to_parquet(home / "paid.parquet")
    columns = {"entity": "account", "event": "event", "time": "time", "known_at": "arrived"}
    config = {
        "name": "audited",
        "events": [{"table": "events.parquet", "columns": columns}],
        "entities": {
            "table": "accounts.parquet",
            "columns": {"entity": "account", "signed_up": "created"},
            "earlier": {"table": "then.parquet"},
        },
        "conversions": {"table": "paid.parquet", "columns": {"entity": "account", "time": "time"}},
        "motion": "trial",
        "snapshots": {"at_days": [7]},
        "horizon": f"{HORIZON}d",
        "windows": {"first": ["7d"], "last": ["7d"]},
    }
    (home / "pql.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
