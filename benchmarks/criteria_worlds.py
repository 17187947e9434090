"""Products with planted criteria, drawn at random: event logs, accounts and payments whose rule is known.

Each account has a hidden pace, a team and a taste for each event, so that all behaviours go together although only the
planted ones count. At day 14 an account decides: its log-odds are a base, the planted criteria it meets by then, its
size, and noise. The delay until it pays depends on nothing. Without planted criteria nothing counts, nor does the size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

EVENTS = (
    "Board Created",
    "Teammate Invited",
    "Automation Run",
    "File Uploaded",
    "Export Made",
    "Comment Added",
    "Search Used",
    "Help Read",
    "Report Shared",
    "Template Applied",
)
SIZES, SIZE_EFFECT = ("1-10", "11-50", "51-200", "201+"), np.array([0.0, 0.3, 0.6, 0.3])
TRIAL_DAYS, HORIZON_DAYS, SEATS = 14, 30, 8
DELAY, SHAPE = 8.0, 1.3
"""Days from the decision to the payment: Weibull."""
DAY = 86_400_000_000
START = 1_735_689_600_000_000  # 2025-01-01
WINDOWS = {"first 7d": slice(0, 7), "first 14d": slice(0, 14), "last 7d": slice(7, 14)}


@dataclass(frozen=True)
class Planted:
    """One planted criterion and what it adds to the log-odds."""

    event: str
    measure: str
    window: str
    threshold: int
    weight: float


@dataclass(frozen=True)
class CriteriaWorld:
    """Tables of a product, its config, and the rule by which its accounts decide.

    Attributes
    ----------
    chance
        Of each account's conversion within the horizon if it has not converted by day 14, in the order of `accounts`.
    """

    events: pd.DataFrame
    accounts: pd.DataFrame
    payments: pd.DataFrame
    config: dict[str, Any]
    planted: tuple[Planted, ...]
    chance: np.ndarray
    conversions: int

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        self.events.to_parquet(folder / "events.parquet", index=False)
        self.accounts.to_parquet(folder / "accounts.parquet", index=False)
        self.payments.to_parquet(folder / "payments.parquet", index=False)
        path = folder / "pql.yaml"
        path.write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")
        return path


def criteria_world(
    accounts: int, rule_seed: int, sample_seed: int = 0, planted: int = 4, base_rate: float = 0.1
) -> CriteriaWorld:
    """Draw a product and what its accounts did.

    Parameters
    ----------
    rule_seed
        Rates of the events and the planted criteria: the product.
    sample_seed
        The accounts: another seed is another year of the same product.
    planted
        How many criteria decide; 0 is a world of noise.
    base_rate
        Share of accounts that decide to pay.
    """
    product = np.random.default_rng([rule_seed, 1])
    kinds = int(product.integers(6, len(EVENTS) + 1))
    names = tuple(product.permutation(EVENTS)[:kinds])
    rate = np.exp(product.uniform(np.log(0.12), np.log(1.6), kinds))
    early = product.uniform(-0.05, 0.1, kinds)
    rng = np.random.default_rng([rule_seed, sample_seed, 2])
    counts, joined_at, signed_up, size = _usage(rng, accounts, rate, early)
    reference = _usage(np.random.default_rng([rule_seed, 3]), 20_000, rate, early)
    rules = _draw_rules(product, names, reference, planted)
    of_size = SIZE_EFFECT * (planted > 0)
    odds = _odds(rules, names, counts, joined_at) + of_size[size] + rng.normal(0, 0.3, accounts)
    reference_odds = _odds(rules, names, *reference[:2]) + of_size[reference[3]]
    chance = 1 / (1 + np.exp(-odds - base_odds(reference_odds, base_rate)))
    decides = rng.random(accounts) < chance
    paid_day = TRIAL_DAYS + DELAY * rng.weibull(SHAPE, accounts)
    early_bird = rng.random(accounts) < 0.01
    paid_day = np.where(early_bird, rng.uniform(1, TRIAL_DAYS, accounts), np.where(decides, paid_day, np.inf))
    pays = np.isfinite(paid_day)
    entity = np.array([f"acc-{k:06d}" for k in range(accounts)], dtype=object)
    paid_at = signed_up[pays] + (paid_day[pays] * DAY).astype(np.int64)
    return CriteriaWorld(
        _log(rng, counts, joined_at, signed_up, entity, names),
        pd.DataFrame({"account": entity, "created": _time(signed_up), "company_size": np.array(SIZES)[size]}),
        pd.DataFrame({"account": entity[pays], "paid": _time(paid_at)}),
        _config(rule_seed),
        rules,
        chance * -np.expm1(-((HORIZON_DAYS / DELAY) ** SHAPE)),
        int(pays.sum()),
    )


def _usage(rng: np.random.Generator, n: int, rate: np.ndarray, early: np.ndarray) -> Any:
    """Counts (accounts, events, days), the day each seat joins (14 is never), sign-up, size."""
    pace = rng.gamma(1.6, 1 / 1.6, n)
    taste = rng.gamma(1.3, 1 / 1.3, (n, len(rate)))
    drift = np.exp(rng.normal(0, 0.06, (n, 1, 1)) * np.arange(TRIAL_DAYS))
    day = np.exp(-early[None, :, None] * np.arange(TRIAL_DAYS))
    counts = rng.poisson(pace[:, None, None] * taste[:, :, None] * rate[None, :, None] * day * drift)
    joins = rng.exponential(6.0 / np.maximum(pace, 0.1)[:, None] * np.arange(1, SEATS), (n, SEATS - 1))
    joined_at = np.minimum(np.concatenate([np.zeros((n, 1)), np.sort(joins, axis=1)], axis=1), TRIAL_DAYS).astype(
        np.int64
    )
    signed_up = START + rng.integers(0, 365 * 86_400, n) * 1_000_000
    return counts, joined_at, signed_up, rng.choice(len(SIZES), n, p=[0.4, 0.3, 0.2, 0.1])


def _measured(
    rule: tuple[str, str, str], names: tuple[str, ...], counts: np.ndarray, joined_at: np.ndarray
) -> np.ndarray:
    event, measure, window = rule
    if measure == "distinct_users":
        return np.asarray((joined_at < TRIAL_DAYS).sum(axis=1))
    return np.asarray(counts[:, names.index(event), WINDOWS[window]].sum(axis=1))


def _draw_rules(rng: np.random.Generator, names: tuple[str, ...], reference: Any, planted: int) -> tuple[Planted, ...]:
    """Different events, windows at random, thresholds that 12 to 45 % meet."""
    rules: list[Planted] = []
    people = rng.random() < 0.5
    for event in rng.permutation(np.array(names)):
        if len(rules) == planted:
            break
        key = (str(event), "count", str(rng.choice(list(WINDOWS))))
        if people and len(rules) == planted - 1:
            key = ("any", "distinct_users", "ever")
        values = _measured(key, names, reference[0], reference[1])
        shares = {t: float((values >= t).mean()) for t in range(1, 41)}
        allowed = [t for t, share in shares.items() if 0.12 <= share <= 0.45]
        weight = float(rng.uniform(0.9, 1.8))
        if allowed:
            rules.append(Planted(*key, int(rng.choice(allowed)), round(weight, 2)))
    return tuple(rules)


def _odds(rules: tuple[Planted, ...], names: tuple[str, ...], counts: np.ndarray, joined_at: np.ndarray) -> np.ndarray:
    odds = np.zeros(len(joined_at))
    for rule in rules:
        odds += rule.weight * (
            _measured((rule.event, rule.measure, rule.window), names, counts, joined_at) >= rule.threshold
        )
    return odds


def base_odds(odds: np.ndarray, share: float) -> float:
    """What to add to the log-odds so that this share decides to pay."""
    low, high = -12.0, 2.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 / (1 + np.exp(-odds - middle))).mean() < share else (low, middle)
    return low


def _log(
    rng: np.random.Generator,
    counts: np.ndarray,
    joined_at: np.ndarray,
    signed_up: np.ndarray,
    entity: np.ndarray,
    names: tuple[str, ...],
) -> pd.DataFrame:
    """One row an act, by a seat that has joined by that day; each seat opens the product when it joins, and again at times."""
    account, event, day = np.nonzero(counts)
    times = counts[account, event, day]
    account, event, day = np.repeat(account, times), np.repeat(event, times), np.repeat(day, times)
    present = (joined_at[account] <= day[:, None]).sum(axis=1)
    seat = (rng.random(len(account)) * present).astype(np.int64)
    accounts, place = np.nonzero(joined_at < TRIAL_DAYS)
    first = joined_at[accounts, place]
    opens = rng.poisson(0.5, len(accounts)) + 1  # the first on the day the seat joins
    further = np.repeat(np.arange(len(accounts)), opens)
    day_of = np.where(
        np.r_[True, further[1:] != further[:-1]],
        first[further],
        (first[further] + rng.random(len(further)) * (TRIAL_DAYS - first[further])).astype(np.int64),
    )
    account = np.concatenate([account, accounts[further]])
    event = np.concatenate([event, np.full(len(further), len(names))])
    day, seat = np.concatenate([day, day_of]), np.concatenate([seat, place[further]])
    time = signed_up[account] + day * DAY + (rng.random(len(account)) * 86_400).astype(np.int64) * 1_000_000
    log = pd.DataFrame(
        {
            "account": entity[account],
            "user": np.char.add(entity[account].astype(str), np.char.add("-", seat.astype(str))).astype(object),
            "action": np.array([*names, "App Opened"], dtype=object)[event],
            "time": _time(time),
        }
    )
    return log.iloc[rng.permutation(len(log))].reset_index(drop=True)


def _time(instants: np.ndarray) -> np.ndarray:
    return np.asarray(instants).astype("datetime64[us]")


def _config(rule_seed: int) -> dict[str, Any]:
    return {
        "name": f"criteria-world-{rule_seed}",
        "entity": "account",
        "events": [
            {
                "table": "events.parquet",
                "columns": {"entity": "account", "user": "user", "event": "action", "time": "time"},
            }
        ],
        "entities": {"table": "accounts.parquet", "columns": {"entity": "account", "signed_up": "created"}},
        "conversions": {"table": "payments.parquet", "columns": {"entity": "account", "time": "paid"}},
        "motion": "trial",
        "snapshots": {"at_days": [7, 14]},
        "horizon": f"{HORIZON_DAYS}d",
    }
