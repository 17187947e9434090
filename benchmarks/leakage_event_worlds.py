"""Products whose events or event values know the outcome, for measuring the leakage audit.

A payment is often recorded later than it happened: by a nightly batch, when an invoice is settled, or at the end of a
trial. Whatever the product logs in between comes before the recorded conversion and is visible to a snapshot. The honest
part is made to look guilty: pricing pages, checkouts, upgrade buttons and payment methods that most buyers use shortly
before they pay, events whose names only sound like a payment, and values that grow with usage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

START = pd.Timestamp("2025-01-01", tz="UTC")
DAYS, HORIZON = 300, 30
MINUTES = 1 / 1440


@dataclass(frozen=True)
class EventLeak:
    """An event for a share of the converters, a while before their recorded payment, and for a few others.

    Attributes
    ----------
    words
        What is planted.
    share, others
        Share of the converters, and number of others per converter.
    earliest, latest
        Days before the recorded payment.
    """

    words: str
    share: float
    others: float
    earliest: float
    latest: float


EVENT_LEAKS = {
    "Converted": EventLeak("one to three days before, for 96 of 100", 0.95, 0.04, 3, 1),
    "Subscription Started": EventLeak("five to twenty-five minutes before", 0.95, 0.02, 25 * MINUTES, 5 * MINUTES),
    "payment_succeeded": EventLeak("before a nightly batch that records the payment", 0.95, 0.02, 1, 0),
    "Abo abgeschlossen": EventLeak("two to ten hours before, for six in ten", 0.6, 0.02, 10 / 24, 2 / 24),
    "plan-upgraded": EventLeak("one to two days before, for three in ten", 0.3, 0.01, 2, 1),
    "trialConverted": EventLeak("up to four days before, for four in ten", 0.41, 0.0, 4, 0.5),
    "workspace migrated": EventLeak("one to five days before, under a name that says nothing", 0.9, 0.02, 5, 1),
    "limits lifted": EventLeak("half a day to a day and a half before, for four in ten", 0.41, 0.0, 1.5, 0.5),
    "seat pool created": EventLeak("26 hours before, to two minutes; by half as many others", 0.8, 0.5, 1.084, 1.081),
}
VALUE_LEAKS = {
    "converted": "1 from three days before the recorded payment, otherwise 0",
    "is_paying": "1 from a day before the recorded payment, for six in ten, otherwise 0",
    "plan_price": "29 or 99 from two days before the recorded payment, otherwise 0",
    "account_status": "7 from three days before the recorded payment, otherwise 1 to 3",
    "credit_limit": "fifty times as large from four days before the recorded payment",
}
"""Values of `login` that know the outcome."""
HONEST_VALUES = ("megabytes", "seats", "price_shown", "cart_value")


@dataclass(frozen=True)
class EventWorld:
    """What was made: honest events and values, and the planted leaks."""

    honest: frozenset[str]
    leaks: frozenset[str]
    conversions: int


def make_event_world(home: Path, seed: int, leaks: frozenset[str], conversions: int | None = None) -> EventWorld:
    """Write a product with 60 to 500 conversions to `home`.

    Parameters
    ----------
    leaks
        The leaks to plant: names of `EVENT_LEAKS` and `VALUE_LEAKS`.
    conversions
        Their number, instead of a random one.
    """
    rng = np.random.default_rng([seed, 13])
    drawn = int(np.exp(rng.uniform(np.log(60), np.log(500))))
    conversions = conversions or drawn
    n = int(conversions / rng.uniform(0.04, 0.15))
    merit = rng.normal(0, 1.2, n)
    y = np.zeros(n, bool)
    y[np.argsort(-(merit + rng.gumbel(0, 1, n)))[:conversions]] = True
    began = np.sort(rng.uniform(0, DAYS, n))
    pays = np.where(y, began + rng.uniform(4, 4 + HORIZON, n), np.inf)
    if "payment_succeeded" in leaks:  # recorded at two in the morning
        pays = np.where(y, np.ceil(pays) + 2 / 24, np.inf)
    honest = _honest_events(rng, began, pays, merit)
    parts = [honest]
    for name, leak in EVENT_LEAKS.items():
        if name in leaks:
            parts.append(_leaking_event(rng, name, leak, began, pays))
    log = pd.concat(parts, ignore_index=True)
    values = _values(rng, log, pays, leaks)
    _write(home, log.assign(**values), merit, began, pays, rng)
    return EventWorld(frozenset(honest["event"]) | set(HONEST_VALUES), leaks, conversions)


def _honest_events(rng: np.random.Generator, began: np.ndarray, pays: np.ndarray, merit: np.ndarray) -> pd.DataFrame:
    n, y = len(began), np.isfinite(pays)
    parts = []
    for name, before, after in (
        ("login", 1.0, 2.0),
        ("upload", 0.4, 1.0),
        ("invite", 0.1, 0.2),
        ("Email subscribed", 0.02, 0),
    ):
        rate = before * np.exp(0.35 * merit)
        parts.append(_poisson(rng, name, began, np.minimum(pays, began + 45), rate))
        parts.append(_poisson(rng, name, pays, pays + 40, np.where(y, after, 0)))
    chance = 1 / (1 + np.exp(-merit))
    intents: tuple[tuple[str, float, float, Callable[[int], np.ndarray]], ...] = (
        ("Viewed pricing", 0.7, 0.25, lambda k: rng.exponential(3, k)),
        ("Checkout started", 0.75, 0.05, lambda k: rng.exponential(0.4, k)),
        ("Upgrade clicked", 0.6, 0.06, lambda k: rng.exponential(1.5, k)),
        ("Added payment method", 0.6, 0.025, lambda k: rng.exponential(1, k)),
        ("payment_failed", 0.1, 0.01, lambda k: rng.exponential(2, k)),
    )
    for name, of_converters, of_others, wait in intents:
        who = np.flatnonzero(y & (rng.random(n) < of_converters))
        parts.append(_rows(who, name, np.maximum(began[who], pays[who] - wait(len(who)))))
        who = np.flatnonzero(~y & (rng.random(n) < 2 * chance * of_others))
        parts.append(_rows(who, name, began[who] + rng.uniform(0, 25, len(who))))
    who = np.flatnonzero(rng.random(n) < 0.2)  # a customer of theirs paid them
    parts.append(_rows(who, "Invoice paid", began[who] + rng.uniform(0, 20, len(who))))
    who = np.arange(n)
    parts.append(_rows(who, "Onboarding completed", began + rng.uniform(0, 3 * MINUTES, n)))
    return pd.concat(parts, ignore_index=True)


def _rows(who: np.ndarray, event: str, day: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"who": who, "event": event, "day": day})


def _poisson(rng: np.random.Generator, name: str, start: np.ndarray, end: np.ndarray, rate: np.ndarray) -> pd.DataFrame:
    known = np.isfinite(start)
    start, end = np.where(known, start, 0), np.where(known, end, 0)
    who = np.repeat(np.arange(len(start)), rng.poisson(rate * (end - start)))
    return _rows(who, name, start[who] + rng.random(len(who)) * (end - start)[who])


def _leaking_event(
    rng: np.random.Generator, name: str, leak: EventLeak, began: np.ndarray, pays: np.ndarray
) -> pd.DataFrame:
    y = np.isfinite(pays)
    who = np.flatnonzero(y & (rng.random(len(y)) < leak.share))
    day = np.maximum(began[who], pays[who] - rng.uniform(leak.latest, leak.earliest, len(who)))
    others = rng.choice(np.flatnonzero(~y), int(leak.others * y.sum()), replace=False)
    return pd.concat([_rows(who, name, day), _rows(others, name, began[others] + rng.uniform(0, 20, len(others)))])


def _values(
    rng: np.random.Generator, log: pd.DataFrame, pays: np.ndarray, leaks: frozenset[str]
) -> dict[str, np.ndarray]:
    n, day = len(log), log["day"].to_numpy()
    left = pays[log["who"].to_numpy()] - day  # to the recorded payment; negative after it
    login, event = log["event"].to_numpy() == "login", log["event"].to_numpy()
    six_in_ten = (log["who"].to_numpy() * 7919 % 10) < 6
    price = np.where(log["who"].to_numpy() % 2, 29.0, 99.0)
    limit = np.exp(rng.normal(3, 1, n)) * np.where(left < 4, 50, 1)
    made = {
        "converted": (left < 3) * 1.0,
        "is_paying": ((left < 1) & six_in_ten) * 1.0,
        "plan_price": np.where(left < 2, price, 0.0),
        "account_status": np.where(left < 3, 7.0, rng.integers(1, 4, n)),
        "credit_limit": limit,
    }
    honest = {
        "megabytes": np.where(event == "upload", np.exp(rng.normal(1, 1, n)), np.nan),
        "seats": np.where(login, rng.integers(1, 6, n), np.nan),
        "price_shown": np.where(event == "Viewed pricing", rng.choice([0.0, 29.0, 99.0], n), np.nan),
        "cart_value": np.where(event == "Checkout started", rng.choice([29.0, 99.0, 290.0], n), np.nan),
    }
    return honest | {name: np.where(login, column, np.nan) for name, column in made.items() if name in leaks}


def _when(days: np.ndarray) -> pd.DatetimeIndex:
    return START + pd.to_timedelta(np.round(np.where(np.isfinite(days), days, 0) * 86_400), unit="s")


def _write(
    home: Path, log: pd.DataFrame, merit: np.ndarray, began: np.ndarray, pays: np.ndarray, rng: np.random.Generator
) -> None:
    names = np.array([f"a{i}" for i in range(len(pays))], object)
    log = log[log["day"] < DAYS + HORIZON]
    values = [column for column in log.columns if column not in ("who", "event", "day")]
    table = {"account": names[log["who"]], "event": log["event"], "time": _when(log["day"].to_numpy())}
    pd.DataFrame({**table, **{value: log[value] for value in values}}).to_parquet(home / "events.parquet")
    size = np.round(np.exp(3 + 0.4 * merit + rng.normal(0, 1, len(merit))))
    pd.DataFrame({"account": names, "created": _when(began), "employees": size}).to_parquet(home / "accounts.parquet")
    paid = np.flatnonzero(pays < DAYS + HORIZON)
    pd.DataFrame({"account": names[paid], "time": _when(pays[paid])}).to_parquet(home / "paid.parquet")
    columns = {"entity": "account", "event": "event", "time": "time"}
    config = {
        "name": "audited",
        "events": [{"table": "events.parquet", "columns": columns, "values": {value: value for value in values}}],
        "entities": {"table": "accounts.parquet", "columns": {"entity": "account", "signed_up": "created"}},
        "conversions": {"table": "paid.parquet", "columns": {"entity": "account", "time": "time"}},
        "motion": "trial",
        "snapshots": {"at_days": [3, 7, 14]},
        "horizon": f"{HORIZON}d",
        "windows": {"first": ["7d"], "last": ["7d"]},
    }
    (home / "pql.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
