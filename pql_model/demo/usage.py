"""Generated accounts and their usage: hidden pace, team and preferences, and Poisson processes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pql_model.time import DAY, HOUR, SECOND, to_instant

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

START, END = to_instant(dt.date(2025, 1, 1)), to_instant(dt.date(2026, 2, 1))
NEVER = np.iinfo(np.int64).max
SEATS = 8

EVENTS = (
    "Board Created",
    "Card Moved",
    "Comment Added",
    "File Uploaded",
    "Report Exported",
    "Help Page Viewed",
    "Pricing Viewed",
    "Desktop App Installed",
    "Teammate Invited",
    "Automation Run",
)
BOARD, UPLOAD, INSTALL, INVITE, AUTOMATION = 0, 3, 7, 8, 9
_MIX = np.array([0.09, 0.42, 0.22, 0.10, 0.05, 0.06, 0.04, 0.02])  # shares of the first eight events within sessions
SIZES = ("1-10", "11-50", "51-200", "201-1000", "")  # the last one: left blank on the form


@dataclass(frozen=True)
class Pace:
    """Activity by age: `level` events a day between consecutive `days` since the start."""

    days: tuple[int, ...]
    level: tuple[float, ...]

    def mean(self, start: int, end: int) -> float:
        """Expected number of events between two ages."""
        days, level = np.array(self.days), np.array(self.level)
        return float((np.clip(np.minimum(days[1:], end) - np.maximum(days[:-1], start), 0, None) * level).sum())


TRIAL = Pace((0, 1, 7, 14, 45), (1.6, 0.8, 0.5, 0.06))
INVITING = Pace((0, 2, 7, 14), (0.6, 0.12, 0.06))
AUTOMATING = Pace((0, 2, 14, 45), (0.3, 0.7, 0.1))
PAYING = Pace((0, 45), (1.0,))

WEEKDAYS = np.array([1.2, 1.3, 1.3, 1.3, 1.1, 0.4, 0.4])
HOURS = 0.35 + np.exp(-(((np.arange(24) - 14) / 4.5) ** 2))
RHYTHM = np.outer(WEEKDAYS, HOURS / HOURS.mean()).ravel()
"""Weight of each of the 168 hours from Monday 00:00 UTC, with mean 1, so that a full week keeps its expected count."""


@dataclass(frozen=True)
class Accounts:
    """Properties of accounts, mostly hidden from the model. `pace` has a column per seat, 0 for an empty seat."""

    signed_up: Ints
    size: Ints
    internal: Bools
    pace: Floats
    inviting: Floats
    automating: Floats
    tastes: Floats

    @property
    def n(self) -> int:
        return int(self.signed_up.size)


def draw_accounts(rng: np.random.Generator, n: int) -> Accounts:
    """Accounts in the order in which they sign up. `quality` ties pace, team, invitations and automation together."""
    internal = np.zeros(n, dtype=bool)
    internal[rng.choice(n, max(2, n // 200), replace=False)] = True
    size = rng.choice(4, n, p=[0.46, 0.31, 0.16, 0.07])
    quality = rng.normal(0, 1, n)
    pace = np.exp(rng.normal(-1.35, 0.75, n) + 0.5 * quality) * np.where(internal, 6, 1)
    team = np.minimum(SEATS, 1 + rng.poisson(np.exp(rng.normal(0.2, 0.5, n) + 0.4 * quality + 0.15 * size)))
    eager = np.array([1.0, *(0.85 / np.arange(1, SEATS) ** 0.7)])
    tastes = rng.gamma(2.0, 1 / 2.0, (n, _MIX.size)) * _MIX
    return Accounts(
        signed_up=_sign_ups(rng, n),
        size=np.where(rng.random(n) < 0.06, len(SIZES) - 1, size),
        internal=internal,
        pace=pace[:, None] * np.where(np.arange(SEATS) < team[:, None], eager, 0),
        inviting=np.exp(rng.normal(-1.2, 1.1, n) + 0.5 * quality) * np.sqrt(team),
        automating=np.exp(rng.normal(-2.8, 1.3, n) + 0.5 * quality),
        tastes=np.cumsum(tastes / tastes.sum(axis=1, keepdims=True), axis=1),
    )


def _sign_ups(rng: np.random.Generator, n: int) -> Ints:
    """Sign-ups over 2025: growth, two strong seasons (spring and autumn), quiet weekends and nights."""
    day = np.arange(365)
    demand = (1 + day / 730) * (1 + 0.25 * np.cos(2 * np.pi * (day - 75) / 182.5)) * WEEKDAYS[(day + 2) % 7]
    hour = rng.choice(24, n, p=HOURS / HOURS.sum())
    seconds = rng.choice(365, n, p=demand / demand.sum()) * 86_400 + hour * 3600 + rng.integers(0, 3600, n)
    return np.asarray(START + np.sort(seconds) * SECOND)


def trial_usage(rng: np.random.Generator, accounts: Accounts) -> pd.DataFrame:
    """Usage before payment: account, user, action, time. It is independent of who will pay."""
    everyone = np.arange(accounts.n)
    sessions = (
        accounts.signed_up + rng.integers(20, 300, accounts.n) * SECOND
    )  # the owner's first board, so that every owner is active
    invited = _arrivals(rng, accounts.inviting, accounts.signed_up, INVITING)
    return pd.concat(
        [
            _log(everyone, 0, BOARD, sessions),
            _sessions(rng, accounts, accounts.signed_up, np.ones(accounts.n), TRIAL),
            _log(invited[0], 0, INVITE, invited[1]),
            _automations(rng, accounts.automating, accounts.signed_up, AUTOMATING),
        ]
    )


def paid_usage(rng: np.random.Generator, accounts: Accounts, paid_at: Ints) -> pd.DataFrame:
    """Additional usage after payment, several times that of the trial."""
    pays = np.flatnonzero(paid_at != NEVER)
    extra = np.zeros(accounts.n)
    extra[pays] = 0.7 + 0.5 / accounts.pace[pays].sum(axis=1)
    since = np.where(paid_at == NEVER, 0, paid_at)
    automating = np.where(paid_at == NEVER, 0.0, 0.15 + accounts.automating)
    return pd.concat([_sessions(rng, accounts, since, extra, PAYING), _automations(rng, automating, since, PAYING)])


def done_by_age(log: pd.DataFrame, accounts: Accounts, action: int, days: int) -> Ints:
    """Number of times each account did an action in its first days."""
    early = log[(log["action"] == action) & _before_age(log, accounts, days)]
    return np.bincount(early["account"], minlength=accounts.n)


def seats_by_age(log: pd.DataFrame, accounts: Accounts, days: int) -> Bools:
    """Seats of each account that were active in its first days."""
    early = log[(log["user"] >= 0) & _before_age(log, accounts, days)]
    active = np.zeros((accounts.n, SEATS), dtype=bool)
    active[early["account"].to_numpy(), early["user"].to_numpy()] = True
    return active


def _before_age(log: pd.DataFrame, accounts: Accounts, days: int) -> Bools:
    return np.asarray(log["time"].to_numpy() < accounts.signed_up[log["account"].to_numpy()] + days * DAY)


def _arrivals(rng: np.random.Generator, rate: Floats, since: Ints, pace: Pace) -> tuple[Ints, Ints]:
    """Draw a Poisson process per row with intensity `rate` x pace from `since` on: row and instant of each arrival."""
    mass = np.concatenate([[0.0], np.cumsum(np.diff(pace.days) * pace.level)])
    row = np.repeat(np.arange(rate.size), rng.poisson(rate * mass[-1] * RHYTHM.max()))
    age = np.interp(rng.random(row.size) * mass[-1], mass, pace.days)
    time = since[row] + (age * 86_400).astype(np.int64) * SECOND
    hour_of_week = (time // HOUR + 3 * 24) % RHYTHM.size  # the epoch was a Thursday
    keep = rng.random(row.size) * RHYTHM.max() < RHYTHM[hour_of_week]
    return row[keep], time[keep]


def _sessions(rng: np.random.Generator, accounts: Accounts, since: Ints, scale: Floats, pace: Pace) -> pd.DataFrame:
    """Sessions of every user. Each starts with an event, so a user with a session is active."""
    seat, begun = _arrivals(rng, (accounts.pace * scale[:, None]).ravel(), np.repeat(since, SEATS), pace)
    size = 1 + rng.poisson(2.2, seat.size)
    first = np.repeat(np.cumsum(size) - size, size)
    elapsed = np.cumsum(1 + rng.exponential(100, size.sum()).astype(np.int64))
    time = np.repeat(begun, size) + (elapsed - elapsed[first]) * SECOND
    account, user = np.divmod(np.repeat(seat, size), SEATS)
    action = (rng.random(account.size)[:, None] > accounts.tastes[account, :-1]).sum(axis=1)
    return _log(account, user, action, time)


def _automations(rng: np.random.Generator, rate: Floats, since: Ints, pace: Pace) -> pd.DataFrame:
    """Automation runs, which happen without a user."""
    account, time = _arrivals(rng, rate, since, pace)
    return _log(account, -1, AUTOMATION, time)


def _log(account: Ints, user: Ints | int, action: Ints | int, time: Ints) -> pd.DataFrame:
    return pd.DataFrame({"account": account, "user": user, "action": action, "time": time})
