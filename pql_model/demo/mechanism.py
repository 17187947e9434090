"""The planted mechanism: who pays and when, and the probability of paying as known at day 7 and day 14."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
import pandas as pd

from pql_model.demo.usage import (
    AUTOMATING,
    AUTOMATION,
    END,
    INVITE,
    NEVER,
    SEATS,
    SIZES,
    TRIAL,
    Accounts,
    Bools,
    Floats,
    Ints,
    done_by_age,
    seats_by_age,
)
from pql_model.time import DAY, SECOND

DECISION_DAY, HORIZON_DAYS = 14, 30
CRITERIA: tuple[dict[str, Any], ...] = (
    {
        "event": "Teammate Invited",
        "measure": "count",
        "window": "first 7d",
        "operator": ">=",
        "threshold": 3,
        "weight": 1.5,
    },
    {
        "event": "Automation Run",
        "measure": "count",
        "window": "first 14d",
        "operator": ">=",
        "threshold": 2,
        "weight": 1.2,
    },
    {"event": "any", "measure": "distinct_users", "window": "ever", "operator": ">=", "threshold": 4, "weight": 0.8},
)
"""Planted criteria. `ever` means up to the decision; weights are log-odds."""
SIZE_EFFECT = dict(zip(SIZES, (0.0, 0.4, 0.7, 0.2, 0.1), strict=True))
_INVITES, _RUNS, _USERS = (int(criterion["threshold"]) for criterion in CRITERIA)
_WEIGHTS = np.array([criterion["weight"] for criterion in CRITERIA])
_BASE, _NOISE = -3.65, 0.3
_EARLY, _EARLY_FROM = 0.014, 1  # share of accounts that pay early, evenly from that day to the decision
_DELAY_SHAPE, _DELAY_DAYS = 1.3, 10.0  # Weibull


def payments(rng: np.random.Generator, accounts: Accounts, trial: pd.DataFrame, odds: Floats | None = None) -> Ints:
    """Payment time of each account, or NEVER. Internal accounts never pay.

    `odds` are the log-odds of paying at the decision; default: those of the planted criteria.
    """
    odds = odds_at_decision(accounts, trial) if odds is None else odds
    decided = rng.random(accounts.n) < _sigmoid(odds + rng.normal(0, _NOISE, accounts.n))
    age = np.where(decided, DECISION_DAY + _DELAY_DAYS * rng.weibull(_DELAY_SHAPE, accounts.n), np.inf)
    early = rng.random(accounts.n) < _EARLY
    age = np.where(early, rng.uniform(_EARLY_FROM, DECISION_DAY, accounts.n), age)
    pays = np.isfinite(age) & ~accounts.internal
    return np.where(pays, accounts.signed_up + (np.where(pays, age, 0) * 86_400).astype(np.int64) * SECOND, NEVER)


def true_probabilities(accounts: Accounts, trial: pd.DataFrame, paid_at: Ints) -> pd.DataFrame:
    """account, as_of, probability and converted of every snapshot at risk at day 7 and day 14."""
    parts = []
    for days, chance in ((7, _chance_at_7(accounts, trial)), (DECISION_DAY, _chance_at_14(accounts, trial))):
        as_of = accounts.signed_up + days * DAY
        risk = np.flatnonzero(~accounts.internal & (paid_at >= as_of) & (as_of < END))
        converted = paid_at[risk] < as_of[risk] + HORIZON_DAYS * DAY
        columns = {"account": risk, "as_of": as_of[risk], "probability": chance[risk], "converted": converted}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _chance_at_14(accounts: Accounts, trial: pd.DataFrame) -> Floats:
    return _decides(odds_at_decision(accounts, trial)) * _delay_within(HORIZON_DAYS)


def _chance_at_7(accounts: Accounts, trial: pd.DataFrame) -> Floats:
    """Average over the possible second weeks, in which runs and the sessions of each seat are independent.

    Week two contains each hour of the week once, so the weekly rhythm cancels and the mean count is rate x pace.
    """
    invited = done_by_age(trial, accounts, INVITE, 7) >= _INVITES
    missing = _RUNS - done_by_age(trial, accounts, AUTOMATION, 7)
    automated = _poisson_at_least(missing, accounts.automating * AUTOMATING.mean(7, DECISION_DAY))
    joins = 1 - np.exp(-accounts.pace * TRIAL.mean(7, DECISION_DAY))
    shared = _seats_at_least(_USERS, np.where(seats_by_age(trial, accounts, 7), 1.0, joins))
    decides = np.zeros(accounts.n)
    for runs, p_runs in ((True, automated), (False, 1 - automated)):
        for users, p_users in ((True, shared), (False, 1 - shared)):
            odds = _odds(accounts, invited, np.full(accounts.n, runs), np.full(accounts.n, users))
            decides += p_runs * p_users * _decides(odds)
    span = DECISION_DAY - _EARLY_FROM
    early = _EARLY * 7 / span / (1 - _EARLY * (7 - _EARLY_FROM) / span)  # in week two, given not in week one
    return early + (1 - early) * decides * _delay_within(HORIZON_DAYS - 7)


def odds_at_decision(accounts: Accounts, trial: pd.DataFrame) -> Floats:
    """Log-odds of paying by the planted criteria and the company size."""
    return _odds(
        accounts,
        done_by_age(trial, accounts, INVITE, 7) >= _INVITES,
        done_by_age(trial, accounts, AUTOMATION, DECISION_DAY) >= _RUNS,
        seats_by_age(trial, accounts, DECISION_DAY).sum(axis=1) >= _USERS,
    )


def _odds(accounts: Accounts, invited: Bools, automated: Bools, shared: Bools) -> Floats:
    habits = np.column_stack([invited, automated, shared])
    odds: Floats = _BASE + habits @ _WEIGHTS + np.array(list(SIZE_EFFECT.values()))[accounts.size]
    return odds


def _sigmoid(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-odds)))


def _decides(odds: Floats) -> Floats:
    """Probability of deciding to pay, averaged over the noise by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    return np.asarray(_sigmoid(odds[:, None] + _NOISE * nodes) @ (weights / weights.sum()))


def _delay_within(days: int) -> float:
    return float(1 - np.exp(-((days / _DELAY_DAYS) ** _DELAY_SHAPE)))


def _poisson_at_least(minimum: Ints, mean: Floats) -> Floats:
    """Probability of at least `minimum` events (at most _RUNS), given their mean."""
    fewer = [np.where(k < minimum, np.exp(-mean) * mean**k / factorial(k), 0.0) for k in range(_RUNS)]
    return np.asarray(1 - np.sum(fewer, axis=0))


def _seats_at_least(minimum: int, active: Floats) -> Floats:
    """Probability that at least `minimum` seats are active, given the probability of each (Poisson-binomial)."""
    exactly = np.zeros((active.shape[0], SEATS + 1))
    exactly[:, 0] = 1
    for p in active.T[:, :, None]:
        shifted = np.pad(exactly[:, :-1], ((0, 0), (1, 0)))
        exactly = exactly * (1 - p) + shifted * p
    return np.asarray(exactly[:, minimum:].sum(axis=1))
