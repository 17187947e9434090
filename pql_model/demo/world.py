"""A small product whose conversions follow a planted, known rule, so that what is learned can be compared with it.

In this order, so that no decision can look ahead:

1. Accounts sign up, each with a hidden pace, team and taste.
2. They use the trial. Sessions, invitations and automation runs are separate Poisson processes.
3. A few pay early, by an even draw over days 1 to 14 that reads nothing. The others decide at day 14: their log-odds
   are a base, the planted criteria met by then, the size on the sign-up form, and a little noise. Those who decide
   to pay do so after a delay that is independent of everything.
4. From the payment on the account is used much more. Only now do the leaking columns know something.
5. Unusable rows are mixed in, each unusable for one reason, so that every count is exact.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pql_model.errors import DataError
from pql_model.windows import DAY, HOUR, MINUTE, SECOND, iso, to_instant

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pace = tuple[tuple[int, ...], tuple[float, ...]]

START, END = to_instant(dt.date(2025, 1, 1)), to_instant(dt.date(2026, 2, 1))
DECISION_DAY, HORIZON_DAYS, SEATS, NEVER = 14, 30, 8, np.iinfo(np.int64).max

EVENTS = ("Board Created", "Card Moved", "Comment Added", "File Uploaded", "Report Exported", "Help Page Viewed",
          "Pricing Viewed", "Desktop App Installed", "Teammate Invited", "Automation Run")  # fmt: skip
MIX = np.array([0.09, 0.42, 0.22, 0.10, 0.05, 0.06, 0.04, 0.02])  # of what happens inside sessions: the first eight
BOARD, UPLOAD, INVITE, AUTOMATION = (EVENTS.index(e) for e in (EVENTS[0], "File Uploaded", *EVENTS[8:]))

CRITERIA: tuple[dict[str, Any], ...] = (
    {"event": "Teammate Invited", "measure": "count", "window": "first 7d", "operator": ">=", "threshold": 3,
     "weight": 1.4},
    {"event": "Automation Run", "measure": "count", "window": "first 14d", "operator": ">=", "threshold": 2,
     "weight": 1.1},
    {"event": "any", "measure": "distinct_users", "window": "ever", "operator": ">=", "threshold": 4, "weight": 0.7},
)  # fmt: skip
WEIGHTS = np.array([criterion["weight"] for criterion in CRITERIA])
SIZES = {"1-10": 0.0, "11-50": 0.4, "51-200": 0.7, "201-1000": 0.2, "": 0.1}  # "": left blank on the form
BASE, NOISE, EARLY = -3.55, 0.3, 0.014

# Days since sign-up and events a day in each stretch; level over days 7 to 14, which are then 7 x the level.
TRIAL: Pace = ((0, 1, 7, 14, 45), (2.0, 0.8, 0.5, 0.06))
INVITING: Pace = ((0, 2, 7, 14), (0.6, 0.12, 0.06))
AUTOMATING: Pace = ((0, 2, 14, 45), (0.3, 0.7, 0.1))
PAYING: Pace = ((0, 45), (1.0,))

_DAYS, _HOURS = np.array([1.2, 1.3, 1.3, 1.3, 1.1, 0.4, 0.4]), 0.35 + np.exp(-(((np.arange(24) - 14) / 4.5) ** 2))
RHYTHM = np.outer(_DAYS, _HOURS / _HOURS.mean()).ravel()  # of the 168 hours from Monday 00:00 UTC; its mean is 1

CONFIG = """\
# A made-up product for `pql demo`; truth.json beside this file says how its accounts really decide.
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
  table: subscriptions.csv
  columns: {entity: account_id, time: paid_at, value: mrr}
motion: trial
snapshots: {at_days: [7, 14]}
horizon: 30d
exclude: {entities: {email_domain: [nimbus.test]}}
definition:  # the rule in force today
  all: [{event: Board Created, at_least: 2, within: first 7d}]
policy: {capacity: {leads: 25, per: 7d}}
"""


@dataclass(frozen=True)
class Truth:
    """What is really so in a `World`.

    Attributes
    ----------
    criteria
        The planted criteria: event, measure, window, operator, threshold, and weight in log-odds. `ever` is as of
        the decision at day 14.
    traits
        Trait -> value -> what it adds to the log-odds; the empty text is a missing value.
    leaking_columns
        Columns of the accounts that know the outcome.
    expected_set_aside
        Reason -> exact number of rows of the events that cannot be used.
    probabilities
        entity, as_of (naive UTC, microseconds), probability: of converting in [as_of, as_of + 30 days) for every
        account at risk at day 7 and at day 14. At day 14 it is exact: the log-odds of what was done by then, averaged
        over the noise, times the chance that the delay is short enough. At day 7 it is the average of that over
        week two, worked out from each account's hidden pace, plus the chance of paying early. The hidden pace is
        not in the files, so a model can come close at day 7 but not quite there.
    base_rate, roc_auc
        Share of these snapshots that converted, and the ROC-AUC that `probabilities` reach, where the horizon
        ended within the data.
    """

    criteria: list[dict[str, Any]]
    traits: dict[str, dict[str, float]]
    leaking_columns: list[str]
    expected_set_aside: dict[str, int]
    probabilities: pd.DataFrame
    base_rate: float
    roc_auc: float

    def as_json(self) -> dict[str, Any]:
        """The same as plain values; the probabilities column by column."""
        table = self.probabilities
        columns = {"entity": list(table["entity"]), "as_of": _texts(table["as_of"].to_numpy()),
                   "probability": [round(p, 6) for p in table["probability"]]}  # fmt: skip
        return {**vars(self), "probabilities": columns}


@dataclass(frozen=True)
class World:
    """The tables of a product as they are written, the truth behind them, and the config that describes them."""

    accounts: pd.DataFrame
    events: pd.DataFrame
    conversions: pd.DataFrame
    truth: Truth
    config: str


@dataclass(frozen=True)
class _Accounts:
    """What an account is, most of it hidden. One row an account; `pace` has one column a seat."""

    signed_up: Ints
    size: Ints
    internal: Bools
    pace: Floats
    inviting: Floats
    automating: Floats
    tastes: Floats


def make_world(accounts: int = 4000, seed: int = 7) -> World:
    """A product of so many accounts, its history, and the truth about it.

    Parameters
    ----------
    accounts
        How many sign up in 2025, at least 50; one in two hundred of them is internal and excluded by the config.
    seed
        The same seed gives the same world.

    Raises
    ------
    DataError
        If there are too few accounts to plant anything in.

    Examples
    --------
    >>> world = make_world(accounts=200)
    >>> len(world.accounts), sorted(world.truth.expected_set_aside)[:3]
    (200, ['after_observed_until', 'before_signup', 'bot'])
    """
    if accounts < 50:
        raise DataError("The world needs more accounts", received=accounts, allowed="50 or more")
    rng = np.random.default_rng(seed)
    who = _accounts(rng, accounts)
    trial = _trial_usage(rng, who)
    paid = _payments(rng, who, trial)
    used = pd.concat([trial, _paid_usage(rng, who, paid)])
    used = used[used["time"] < END].sort_values(["time", "account", "action"], kind="stable", ignore_index=True)
    paid = np.where(paid < END, paid, NEVER)
    names = np.array([f"acc-{number:05d}" for number in range(accounts)], dtype=object)
    events, set_aside = _with_unusable_rows(rng, _as_rows(rng, used, names), names, who.signed_up)
    probabilities, converted = _true_probabilities(who, trial, paid)
    mature = probabilities["as_of"].to_numpy() + HORIZON_DAYS * DAY <= used["time"].max()
    chance = probabilities["probability"].to_numpy()
    truth = Truth(
        criteria=[dict(criterion) for criterion in CRITERIA],
        traits={"company_size": dict(SIZES)},
        leaking_columns=["lifetime_logins", "account_manager"],
        expected_set_aside=set_aside,
        probabilities=probabilities.assign(
            entity=names[probabilities["entity"]], as_of=probabilities["as_of"].to_numpy().astype("datetime64[us]")
        ),
        base_rate=float(converted[mature].mean()),
        roc_auc=_roc_auc(converted[mature], chance[mature]),
    )
    table = _account_table(rng, who, names, trial, paid)
    return World(table, events, _subscriptions(rng, who, names, paid), truth, CONFIG)


def write_world(world: World, folder: Path) -> None:
    """Write accounts.csv, events.parquet, subscriptions.csv, pql.yaml and truth.json, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = json.dumps(world.truth.as_json(), indent=1)
    files: dict[str, Callable[[Path], object]] = {
        "accounts.csv": lambda path: world.accounts.to_csv(path, index=False, lineterminator="\n"),
        "events.parquet": lambda path: world.events.to_parquet(path, index=False),
        "subscriptions.csv": lambda path: world.conversions.to_csv(path, index=False, lineterminator="\n"),
        "truth.json": lambda path: path.write_text(truth + "\n", encoding="utf-8"),
        "pql.yaml": lambda path: path.write_text(world.config, encoding="utf-8"),
    }
    for name, write in files.items():
        unfinished = folder / f".{name}.{os.getpid()}.tmp"
        try:
            write(unfinished)
            os.replace(unfinished, folder / name)
        finally:
            unfinished.unlink(missing_ok=True)


def _accounts(rng: np.random.Generator, n: int) -> _Accounts:
    day = np.arange(365)
    demand = (1 + day / 730) * (1 + 0.25 * np.cos(2 * np.pi * (day - 75) / 182.5)) * _DAYS[(day + 2) % 7]
    hour = rng.choice(24, n, p=_HOURS / _HOURS.sum())
    seconds = rng.choice(365, n, p=demand / demand.sum()) * 86_400 + hour * 3600 + rng.integers(0, 3600, n)
    internal = np.zeros(n, dtype=bool)
    internal[rng.choice(n, max(2, n // 200), replace=False)] = True
    size = rng.choice(4, n, p=[0.46, 0.31, 0.16, 0.07])
    quality = rng.normal(0, 1, n)
    pace = np.exp(rng.normal(-1.35, 0.85, n) + 0.35 * quality) * np.where(internal, 6, 1)
    team = np.minimum(SEATS, 1 + rng.poisson(np.exp(rng.normal(0.15, 0.6, n) + 0.25 * quality + 0.15 * size)))
    eager = np.array([1.0, *(0.85 / np.arange(1, SEATS) ** 0.7)])
    return _Accounts(
        signed_up=START + np.sort(seconds) * SECOND,
        size=np.where(rng.random(n) < 0.06, len(SIZES) - 1, size),
        internal=internal,
        pace=pace[:, None] * np.where(np.arange(SEATS) < team[:, None], eager, 0),
        inviting=np.exp(rng.normal(-0.75, 1.2, n) + 0.3 * quality) * np.sqrt(team),
        automating=np.exp(rng.normal(-2.3, 1.4, n) + 0.3 * quality),
        tastes=np.cumsum(_shares(rng.gamma(2.0, 1 / 2.0, (n, MIX.size)) * MIX), axis=1),
    )


def _shares(parts: Floats) -> Floats:
    return parts / parts.sum(axis=1, keepdims=True)


def _arrivals(rng: np.random.Generator, rate: Floats, since: Ints, pace: Pace) -> tuple[Ints, Ints]:
    """A Poisson process for each row, `rate` times the pace from `since` on: rows and instants of the arrivals."""
    edges = np.array(pace[0], dtype=float)
    mass = np.concatenate([[0.0], np.cumsum(np.diff(edges) * pace[1])])
    row = np.repeat(np.arange(rate.size), rng.poisson(rate * mass[-1] * RHYTHM.max()))
    age = np.interp(rng.random(row.size) * mass[-1], mass, edges)
    time = since[row] + (age * 86_400).astype(np.int64) * SECOND
    monday = 3 * 24  # the epoch was a Thursday
    keep = rng.random(row.size) * RHYTHM.max() < RHYTHM[(time // HOUR + monday) % RHYTHM.size]
    return row[keep], time[keep]


def _log(account: Ints, user: Ints | int, action: Ints | int, time: Ints) -> pd.DataFrame:
    return pd.DataFrame({"account": account, "user": user, "action": action, "time": time})


def _sessions(rng: np.random.Generator, who: _Accounts, since: Ints, scale: Floats, pace: Pace) -> pd.DataFrame:
    """Sessions of every user: each holds at least one event, so a session makes a user active."""
    seat, begun = _arrivals(rng, (who.pace * scale[:, None]).ravel(), np.repeat(since, SEATS), pace)
    size = 1 + rng.poisson(2.2, seat.size)
    first = np.repeat(np.cumsum(size) - size, size)
    passed = np.cumsum(rng.exponential(100, size.sum()).astype(np.int64))
    time = np.repeat(begun, size) + (passed - passed[first]) * SECOND if seat.size else begun
    account, user = np.divmod(np.repeat(seat, size), SEATS)
    action = (rng.random(account.size)[:, None] > who.tastes[account, :-1]).sum(axis=1)
    return _log(account, user, action, time)


def _trial_usage(rng: np.random.Generator, who: _Accounts) -> pd.DataFrame:
    """What is done without having paid. It knows nothing of who will pay."""
    everyone = np.arange(who.signed_up.size)
    opened = who.signed_up + rng.integers(20, 300, everyone.size) * SECOND  # the owner's first board
    invited = _arrivals(rng, who.inviting, who.signed_up, INVITING)
    automated = _arrivals(rng, who.automating, who.signed_up, AUTOMATING)
    return pd.concat(
        [
            _log(everyone, 0, BOARD, opened),
            _sessions(rng, who, who.signed_up, np.ones(everyone.size), TRIAL),
            _log(invited[0], 0, INVITE, invited[1]),
            _log(automated[0], -1, AUTOMATION, automated[1]),  # runs by itself: no user
        ]
    )


def _paid_usage(rng: np.random.Generator, who: _Accounts, paid: Ints) -> pd.DataFrame:
    """What is done on top after paying: several times the trial."""
    since, pays = np.where(paid == NEVER, 0, paid), (paid != NEVER).astype(float)
    more = pays * (0.6 / who.pace.sum(axis=1) + 1.0)
    automated = _arrivals(rng, pays * (0.2 + who.automating), since, PAYING)
    return pd.concat([_sessions(rng, who, since, more, PAYING), _log(automated[0], -1, AUTOMATION, automated[1])])


def _count(who: _Accounts, log: pd.DataFrame, action: int, days: int) -> Ints:
    early = log[(log["action"] == action) & (log["time"] < who.signed_up[log["account"]] + days * DAY)]
    return np.bincount(early["account"], minlength=who.signed_up.size)


def _seen(who: _Accounts, log: pd.DataFrame, days: int) -> Bools:
    """Which seats were active in the first days."""
    early = log[(log["user"] >= 0) & (log["time"] < who.signed_up[log["account"]] + days * DAY)]
    seen = np.zeros((who.signed_up.size, SEATS), dtype=bool)
    seen[early["account"], early["user"]] = True
    return seen


def _log_odds(who: _Accounts, invited: Bools, automated: Bools, shared: Bools) -> Floats:
    met = np.column_stack([invited, automated, shared])
    odds: Floats = BASE + met @ WEIGHTS + np.array(list(SIZES.values()))[who.size]
    return odds


def _payments(rng: np.random.Generator, who: _Accounts, log: pd.DataFrame) -> Ints:
    """When each account pays, or NEVER."""
    n = who.signed_up.size
    odds = _log_odds(who, _count(who, log, INVITE, 7) >= 3, _count(who, log, AUTOMATION, DECISION_DAY) >= 2,
                     _seen(who, log, DECISION_DAY).sum(axis=1) >= 4)  # fmt: skip
    decided = rng.random(n) < _sigmoid(odds + rng.normal(0, NOISE, n))
    age = np.where(decided, DECISION_DAY + 10 * rng.weibull(1.3, n), np.inf)
    age = np.where(rng.random(n) < EARLY, rng.uniform(1, DECISION_DAY, n), age)
    pays = np.isfinite(age) & ~who.internal
    return np.where(pays, who.signed_up + (np.where(pays, age, 0) * 86_400).astype(np.int64) * SECOND, NEVER)


def _delay_within(days: int) -> float:
    """Chance that the Weibull delay above is shorter."""
    return float(1 - np.exp(-((days / 10) ** 1.3)))


def _sigmoid(odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-odds))


def _decides(odds: Floats) -> Floats:
    """Chance of deciding to pay, averaged over the noise by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    average: Floats = _sigmoid(odds[:, None] + NOISE * nodes) @ (weights / weights.sum())
    return average


def _true_probabilities(who: _Accounts, log: pd.DataFrame, paid: Ints) -> tuple[pd.DataFrame, Bools]:
    """(entity row, as_of, probability) of the snapshots at risk, and which of them converted."""
    parts, converted = [], []
    for days, chance in ((7, _chance_at_7(who, log)), (DECISION_DAY, _chance_at_14(who, log))):
        as_of = who.signed_up + days * DAY
        at_risk = np.flatnonzero(~who.internal & (paid >= as_of) & (as_of < END))
        parts.append(pd.DataFrame({"entity": at_risk, "as_of": as_of[at_risk], "probability": chance[at_risk]}))
        converted.append(paid[at_risk] < as_of[at_risk] + HORIZON_DAYS * DAY)
    return pd.concat(parts, ignore_index=True), np.concatenate(converted)


def _chance_at_14(who: _Accounts, log: pd.DataFrame) -> Floats:
    odds = _log_odds(who, _count(who, log, INVITE, 7) >= 3, _count(who, log, AUTOMATION, DECISION_DAY) >= 2,
                     _seen(who, log, DECISION_DAY).sum(axis=1) >= 4)  # fmt: skip
    return _decides(odds) * _delay_within(HORIZON_DAYS)


def _chance_at_7(who: _Accounts, log: pd.DataFrame) -> Floats:
    """Average over week two: automation runs and the sessions of each seat are independent Poisson processes.

    Week two spans each hour of the week once, so the rhythm cancels and the mean count is 7 x rate x level.
    """
    invited, runs = _count(who, log, INVITE, 7) >= 3, _count(who, log, AUTOMATION, 7)
    mean = 7 * who.automating * AUTOMATING[1][1]
    automated = np.select([runs >= 2, runs == 1], [1.0, 1 - np.exp(-mean)], 1 - np.exp(-mean) * (1 + mean))
    shared = _at_least_4(np.where(_seen(who, log, 7), 1.0, 1 - np.exp(-7 * who.pace * TRIAL[1][2])))
    decides = np.zeros(invited.size)
    for runs_met, p_runs in ((True, automated), (False, 1 - automated)):
        for users_met, p_users in ((True, shared), (False, 1 - shared)):
            odds = _log_odds(who, invited, np.full(invited.shape, runs_met), np.full(invited.shape, users_met))
            decides += p_runs * p_users * _decides(odds)
    early = EARLY * 7 / 13 / (1 - EARLY * 6 / 13)  # in days 7 to 14 of 1 to 14, given not before day 7
    return early + (1 - early) * decides * _delay_within(HORIZON_DAYS - 7)


def _at_least_4(active: Floats) -> Floats:
    """Chance that at least four seats are active, given the chance of each."""
    exactly = np.zeros((active.shape[0], SEATS + 1))
    exactly[:, 0] = 1
    for p in active.T:
        exactly[:, 1:] = exactly[:, 1:] * (1 - p)[:, None] + exactly[:, :-1] * p[:, None]
        exactly[:, 0] *= 1 - p
    chance: Floats = exactly[:, 4:].sum(axis=1)
    return chance


def _roc_auc(positive: Bools, score: Floats) -> float:
    """Mann-Whitney; 0.5 where there is only one class."""
    ranks = pd.Series(score).rank().to_numpy()
    yes, no = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - yes * (yes + 1) / 2) / (yes * no)) if yes and no else 0.5


def _texts(instants: Any) -> list[str]:
    return list(np.datetime_as_string(np.asarray(instants).astype("datetime64[us]").astype("datetime64[s]"), timezone="UTC"))
