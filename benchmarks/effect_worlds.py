"""Ledgers of made-up products with a known effect of contact, decided day by day by the code that decides real runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.special import expit

from pql_model.decide.bands import Bands
from pql_model.decide.holdout import ties, unit_hash
from pql_model.decide.policy import PolicyRule
from pql_model.decide.select import SelectionInput, select
from pql_model.decide.state import RunState
from pql_model.ledger.schema import LEDGER_SCHEMA
from pql_model.time import DAY, parse_instant

PRODUCT = "made-up"
START = parse_instant("2026-01-05")
BANDS = Bands.of({"high": 0.25, "medium": 0.1, "low": 0.03})
_AT_RISK = 14
"""Days for which an account is scored."""


@dataclass(frozen=True)
class EffectWorld:
    """A product whose leads are contacted.

    Attributes
    ----------
    effect
        By how much a contact raises the chance to convert within the horizon.
    share
        Day -> share of the hold-out.
    contacted
        Chance that an alerted account is contacted.
    leaked
        Chance that a held-out account is contacted all the same.
    capacity
        Leads a week; None: everybody with a probability of 0.2 is alerted.
    mean
        Mean log-odds of an account.
    """

    effect: float = 0.1
    share: Callable[[int], float] = field(default=lambda day: 0.2)
    contacted: float = 1.0
    leaked: float = 0.0
    capacity: int | None = 40
    per_day: int = 30
    days: int = 182
    every: int = 1
    """Days between runs."""
    horizon: int = 30
    mean: float = -2.2
    spread: float = 1.2
    every_row: bool = False
    """Whether the ledger has the rows that do not qualify as well."""
    late: int = 0
    """Days until outcomes end after the last run."""


def ledger_of(world: EffectWorld, seed: int) -> pa.Table:
    """Make the ledger of a world: every account at risk on every day."""
    rng = np.random.default_rng(seed)
    n = world.per_day * world.days
    signed_up = np.sort(rng.integers(0, world.days, n))
    names = np.array([f"s{seed}-{k:05d}" for k in range(n)])
    level = rng.normal(world.mean, world.spread, n)
    tie = ties(PRODUCT, names)
    hashes = np.array([unit_hash(PRODUCT, name) for name in names])
    paid = np.full(n, np.inf)
    contacted_at, qualified = np.full(n, np.inf), np.zeros(n, bool)
    rule = PolicyRule(0.2, world.capacity, "", 7 * DAY if world.capacity else None)
    state, parts = RunState(), []
    for day in range(0, world.days, world.every):
        here = np.flatnonzero((signed_up <= day) & (day < signed_up + _AT_RISK) & (paid >= day))
        probability = expit(level[here] + rng.normal(0, 0.15, len(here)))
        out = hashes[here] < world.share(day)
        rows = SelectionInput(
            names[here].tolist(), probability, None, *(np.zeros(len(here), bool),) * 2, out, tie[here]
        )
        at = START + day * DAY
        chosen = select(rule, rows, at, state, 14 * DAY, 0.8)
        state = chosen.state
        new = chosen.newly_qualified | ((chosen.suppressed == "held_out") & ~qualified[here])
        _decide_outcomes(
            world, rng, here[new & ~qualified[here]], out[new & ~qualified[here]], level, day, paid, contacted_at
        )
        _contact_released(world, rng, here[chosen.newly_qualified & qualified[here]], day, contacted_at, paid)
        qualified[here[new]] = True
        keep = np.ones(len(here), bool) if world.every_row else chosen.is_pql | pd.notna(chosen.suppressed)
        parts.append(
            pd.DataFrame(
                {
                    "entity": names[here],
                    "as_of": at,
                    "probability": probability,
                    "band": BANDS.of_probability(probability),
                    "is_pql": chosen.is_pql,
                    "newly_qualified": chosen.newly_qualified,
                    "suppressed": chosen.suppressed,
                    "held_out": out,
                    "_paid": START + paid[here] * DAY,
                    "_place": here,
                }
            )[keep]
        )
    frame = pd.concat(parts, ignore_index=True)
    place = frame["_place"].to_numpy()
    paid_at, contact = START + paid[place] * DAY, START + contacted_at[place] * DAY
    as_of = frame["as_of"].to_numpy(float)
    end = START + (world.days + world.late) * DAY
    final = as_of + world.horizon * DAY <= end
    converted = (paid_at < as_of + world.horizon * DAY) & final
    instants = pd.DataFrame(
        {
            "contacted_at": np.where((contact >= as_of) & (contact < end), contact, np.nan),
            "converted_at": np.where(paid_at < end, paid_at, np.nan),
        }
    )
    return ledger_table(
        frame.drop(columns=["_paid", "_place"]).assign(
            final=final,
            converted=np.where(final, converted, None),
            value=np.where(paid_at < end, 100.0, np.nan),
            **instants,
        )
    )


def _decide_outcomes(
    world: EffectWorld,
    rng: np.random.Generator,
    new: np.ndarray,
    out: np.ndarray,
    level: np.ndarray,
    day: int,
    paid: np.ndarray,
    contacted_at: np.ndarray,
) -> None:
    """Draw what accounts do that have just qualified, with and without a contact."""
    base = expit(level[new])
    anyway = rng.random(len(new)) < base
    persuaded = rng.random(len(new)) < np.clip(world.effect / (1 - base), 0, 1)
    lost = rng.random(len(new)) < np.clip(-world.effect / base, 0, 1)
    touched = rng.random(len(new)) < np.where(out, world.leaked, world.contacted)
    pays = np.where(touched, (anyway & ~lost) | persuaded, anyway)
    delay = rng.uniform(0.5, world.horizon - 0.5, len(new))
    paid[new] = np.where(pays, day + delay, np.inf)
    contacted_at[new] = np.where(touched, day + rng.uniform(0.1, 3, len(new)), np.inf)


def _contact_released(
    world: EffectWorld, rng: np.random.Generator, new: np.ndarray, day: int, contacted_at: np.ndarray, paid: np.ndarray
) -> None:
    """Contact accounts that were held out and are alerted now, because the share was lowered."""
    never = new[~np.isfinite(contacted_at[new])]
    contacted_at[never] = day + rng.uniform(0.1, 3, len(never))
    persuaded = never[(rng.random(len(never)) < world.effect) & ~np.isfinite(paid[never])]
    paid[persuaded] = day + rng.uniform(0.5, world.horizon - 0.5, len(persuaded))


def ledger_table(rows: pd.DataFrame | Sequence[dict[str, Any]]) -> pa.Table:
    """Complete hand-made rows to a ledger: what is not given is what an ordinary row has."""
    frame = pd.DataFrame(rows)
    if frame.empty:
        return LEDGER_SCHEMA.empty_table()
    defaults = {
        "source": "score",
        "model_name": PRODUCT,
        "model_version": "1",
        "feature_set": "f",
        "probability": 0.3,
        "is_pql": False,
        "newly_qualified": False,
        "held_out": False,
        "known": True,
        "final": True,
    }
    columns = {}
    for column in LEDGER_SCHEMA:
        if column.name == "scored_at":
            shortly_after = frame["as_of"] + DAY // 24
            given = frame.get("scored_at", shortly_after)
            frame = frame.assign(scored_at=given.fillna(shortly_after))
        if column.name not in frame:
            columns[column.name] = pa.array([defaults.get(column.name)] * len(frame), column.type)
            continue
        values = frame[column.name]
        if column.name in defaults:
            values = values.astype(object).where(values.notna() | (column.name == "converted"), defaults[column.name])
        if pa.types.is_timestamp(column.type):
            whole = [None if pd.isna(value) else int(value) for value in values]
            columns[column.name] = pa.array(whole, pa.int64()).cast(column.type)
        else:
            columns[column.name] = pa.array(values, column.type, from_pandas=True)
    return pa.table(columns, schema=LEDGER_SCHEMA)
