"""A small generated product whose conversions follow a known rule, so that results can be compared with the truth.

The steps run in this order, so that no decision can look ahead:

1. Accounts sign up, each with a hidden pace, team and preferences.
2. They use the trial. Sessions, invitations and automation runs are separate Poisson processes.
3. A few pay early, at a uniformly random time between days 1 and 14, whatever they did. The others decide at day 14: their
   log-odds are a base, the planted criteria met by then, the company size, and a little noise. Those who decide to pay do so
   after an independent delay.
4. After payment, usage increases several times. Only now are the leaking columns written.
5. Unusable rows are mixed in, each unusable for one reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pql_model.atomic import atomic_write, atomic_write_text
from pql_model.demo.mechanism import CRITERIA, HORIZON_DAYS, SIZE_EFFECT, payments, true_probabilities
from pql_model.demo.unusable import Names, as_rows, iso_texts, with_unusable_rows
from pql_model.demo.usage import END, NEVER, SIZES, Accounts, Bools, Ints, draw_accounts, paid_usage, trial_usage
from pql_model.errors import DataError
from pql_model.statistics.univariate_auc import roc_auc
from pql_model.time import DAY

MANAGERS = ("A. Ito", "B. Okafor", "C. Lindqvist", "D. Moreau", "E. Rossi", "F. Haddad", "G. Novak")
REGIONS = {"Europe": 0.36, "North America": 0.34, "Asia Pacific": 0.16, "Latin America": 0.10, "": 0.04}
CONFIG = """\
# A generated product for `pql demo`. truth.json beside this file documents how its accounts really decide.
name: nimbus-boards
entity: account
events:
  - table: events.parquet
    columns: {entity: account_id, user: user_id, event: action, time: occurred, id: event_id, user_agent: user_agent}
    values: {megabytes: size_mb}
entities:
  table: accounts.csv
  columns: {entity: account_id, signed_up: created_at}
conversions:
  table: subscriptions.csv  # several rows an account: the first one counts
  columns: {entity: account_id, time: paid_at, value: mrr}
motion: trial  # of 14 days
snapshots: {at_days: [7, 14]}
horizon: 30d
exclude: {entities: {email_domain: [nimbus.test]}}  # our own accounts
definition:  # the rule in force today
  all: [{event: Board Created, at_least: 2, within: first 14d}]
policy: {capacity: {leads: 25, per: 7d}}
score_log: score_log/  # every score is recorded; `pql replay` recomputes them
seed: 7
"""


@dataclass(frozen=True)
class Truth:
    """The truth behind a `World`.

    Attributes
    ----------
    criteria
        Planted criteria: event, measure, window, operator, threshold, and weight in log-odds. `ever` means up to the
        decision at day 14.
    traits
        Trait -> value -> effect on the log-odds. The empty text stands for a missing value.
    leaking_columns
        Account columns that know the outcome.
    expected_set_aside
        Reason -> exact number of unusable event rows.
    probabilities
        entity, as_of (UTC, naive, microseconds) and the probability of converting in [as_of, as_of + 30 days), for every
        account at risk at day 7 and at day 14. At day 14 it is exact: the log-odds given the usage so far, averaged over the
        noise, times the probability that the delay is short enough. At day 7 it averages this over the possible second
        weeks, given each account's hidden pace, plus the probability of paying early. The pace is not in the files, so at
        day 7 a model can come close to this probability but not reach it.
    base_rate, roc_auc
        Conversion rate of these snapshots, and the ROC-AUC of `probabilities` on them, where the horizon ended within
        the data.
    """

    criteria: list[dict[str, Any]]
    traits: dict[str, dict[str, float]]
    leaking_columns: list[str]
    expected_set_aside: dict[str, int]
    probabilities: pd.DataFrame
    base_rate: float
    roc_auc: float

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values, with `probabilities` by column."""
        table = self.probabilities
        columns = {
            "entity": table["entity"].tolist(),
            "as_of": iso_texts(table["as_of"].to_numpy().astype(np.int64)).tolist(),
            "probability": table["probability"].round(6).tolist(),
        }
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"probabilities": columns}


@dataclass(frozen=True)
class World:
    """The tables of a product, the config that describes them, and the truth behind them."""

    accounts: pd.DataFrame
    events: pd.DataFrame
    conversions: pd.DataFrame
    truth: Truth
    config: str


def make_world(accounts: int = 4000, seed: int = 7) -> World:
    """Generate a product with a history up to the end of January 2026, and the truth about it.

    Parameters
    ----------
    accounts
        Number of accounts that sign up in 2025, at least 50. One in 200 is internal and excluded by the config.
    seed
        Random seed; the same seed gives the same world.

    Raises
    ------
    DataError
        If there are too few accounts to plant anything in.

    Examples
    --------
    >>> world = make_world(accounts=200)
    >>> len(world.accounts), world.truth.expected_set_aside["bot"]
    (200, 12)
    """
    if accounts < 50:
        raise DataError("There are too few accounts to plant anything in", received=accounts, allowed="50 or more")
    rng = np.random.default_rng(seed)
    people = draw_accounts(rng, accounts)
    trial = trial_usage(rng, people)
    return make_tables(rng, people, trial, payments(rng, people, trial))


def make_tables(rng: np.random.Generator, people: Accounts, trial: pd.DataFrame, decided: Ints) -> World:
    """Generate what follows the decisions to pay, and write everything as tables.

    The truth is that of the planted mechanism, whatever decided.
    """
    paid_at = np.where(decided < END, decided, NEVER)
    usage = pd.concat([trial, paid_usage(rng, people, paid_at)])
    usage = usage[usage["time"] < END].sort_values(["time", "account", "user", "action"], ignore_index=True)
    names = np.array([f"acc-{number:05d}" for number in range(1, people.n + 1)], dtype=object)
    events, set_aside = with_unusable_rows(rng, as_rows(rng, usage, names), names, people.signed_up)
    newest = max(int(usage["time"].max()), int(paid_at[paid_at != NEVER].max(initial=0)))
    truth = _truth(true_probabilities(people, trial, paid_at), names, newest, set_aside)
    return World(
        _accounts(rng, people, names, usage, paid_at),
        events,
        _subscriptions(rng, people, names, paid_at),
        truth,
        CONFIG,
    )


def write_world(world: World, folder: Path) -> None:
    """Write accounts.csv, events.parquet, subscriptions.csv, truth.json and pql.yaml, each atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = json.dumps(world.truth.to_dict(), indent=1)
    for name, table in (("accounts.csv", world.accounts), ("subscriptions.csv", world.conversions)):
        atomic_write(folder / name, partial(table.to_csv, index=False, lineterminator="\n"))
    atomic_write(folder / "events.parquet", partial(world.events.to_parquet, index=False))
    atomic_write_text(folder / "truth.json", truth + "\n")
    atomic_write_text(folder / "pql.yaml", world.config)


def _truth(snapshots: pd.DataFrame, names: Names, newest: int, set_aside: dict[str, int]) -> Truth:
    mature = snapshots[snapshots["as_of"] + HORIZON_DAYS * DAY <= newest]
    converted = mature["converted"].to_numpy()
    as_of = snapshots["as_of"].to_numpy().astype("datetime64[us]")
    return Truth(
        criteria=[dict(criterion) for criterion in CRITERIA],
        traits={"company_size": dict(SIZE_EFFECT)},
        leaking_columns=["lifetime_logins", "account_manager"],
        expected_set_aside=set_aside,
        probabilities=pd.DataFrame(
            {"entity": names[snapshots["account"]], "as_of": as_of, "probability": snapshots["probability"]}
        ),
        base_rate=float(converted.mean()),
        roc_auc=roc_auc(mature["probability"].to_numpy(), converted),
    )


def _accounts(
    rng: np.random.Generator, accounts: Accounts, names: Names, usage: pd.DataFrame, paid_at: Ints
) -> pd.DataFrame:
    """Accounts as exported at the end; the last two columns know the outcome."""
    pays = paid_at != NEVER
    days_paid = np.where(pays, END - np.where(pays, paid_at, 0), 0) / DAY
    acts = np.bincount(usage["account"], minlength=accounts.n)
    logins = 1 + rng.poisson(acts / 4) + rng.poisson(np.where(pays, 25 + 1.5 * days_paid, 0))
    managers = rng.choice(MANAGERS, accounts.n)
    regions = rng.choice(list(REGIONS), accounts.n, p=list(REGIONS.values()))
    work = (rng.random(accounts.n) < 0.68) | accounts.internal
    return pd.DataFrame(
        {
            "account_id": names,
            "created_at": iso_texts(accounts.signed_up),
            "company_size": np.array(SIZES, dtype=object)[accounts.size],
            "region": regions.astype(object),
            "email_kind": np.where(work, "work", "free").astype(object),
            "email_domain": _domains(rng, work, accounts),
            "lifetime_logins": logins,
            "account_manager": np.where(pays & (rng.random(accounts.n) < 0.97), managers, "").astype(object),
        }
    ).replace("", None)


def _domains(rng: np.random.Generator, work: Bools, accounts: Accounts) -> Names:
    own = np.array([f"company-{number}.example" for number in rng.permutation(accounts.n)], dtype=object)
    free = rng.choice(np.array(["gmail.com", "outlook.com", "yahoo.com", "proton.me"], dtype=object), accounts.n)
    return np.asarray(np.where(accounts.internal, "nimbus.test", np.where(work, own, free)), dtype=object)


def _subscriptions(rng: np.random.Generator, accounts: Accounts, names: Names, paid_at: Ints) -> pd.DataFrame:
    """One row per payment; some accounts pay monthly. The row order carries no information."""
    price = np.array([29, 79, 199, 499, 59])[accounts.size] * rng.integers(1, 4, accounts.n)
    monthly = rng.random(accounts.n) < 0.4
    parts = []
    for month in range(4):
        paid_on = np.where(paid_at == NEVER, END, paid_at) + month * 30 * DAY
        due_rows = np.flatnonzero((paid_on < END) & (monthly | (month == 0)))
        parts.append(
            pd.DataFrame(
                {"account_id": names[due_rows], "paid_at": iso_texts(paid_on[due_rows]), "mrr": price[due_rows]}
            )
        )
    table = pd.concat(parts, ignore_index=True)
    return table.iloc[rng.permutation(len(table))].reset_index(drop=True)
