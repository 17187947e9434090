"""Twenty worlds scored daily with a capacity of 25 leads a week: the cap, who waits, and what is won beside a weekly batch.

    python benchmarks/capacity.py

A world has 140 days: the rule is set on the first 70, and its capacity is worked on the others. An account has a true
chance to pay. Its probability comes closer to it from day to day (trial), or follows its changing use (freemium).
A win is an alert before a payment within 30 days. The best tenth are the best of the accounts that ever reach the level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from pql_model.config.policy_settings import Policy
from pql_model.decide.holdout import ties
from pql_model.decide.policy import Period, PolicyRule, make_rule
from pql_model.decide.select import CAPACITY, SelectionInput, select
from pql_model.decide.state import RunState
from pql_model.time import DAY

LEADS, DAYS, WORKED_FROM, HORIZON = 25, 140, 70, 30
SEEDS = 4
SIGN_UPS = {"steady": 12, "growing": 12, "campaigns": 10, "weekdays": 12, "freemium": 5}
"""Kind of world -> accounts that sign up in a day."""
_FIRST, _LAST = 3, 15
"""Days since sign-up between which a trial is scored."""


@dataclass(frozen=True)
class World:
    """Per day the accounts at risk and their probabilities; per account the day on which it pays, or infinity."""

    days: list[tuple[np.ndarray, np.ndarray]]
    signed_up: np.ndarray
    paid: np.ndarray
    freemium: bool


def world(kind: str, seed: int) -> World:
    """Make a world of a kind."""
    rng = np.random.default_rng([seed, list(SIGN_UPS).index(kind)])
    signed_up = _sign_ups(kind, rng)
    return (_freemium if kind == "freemium" else _trial)(signed_up, rng)


def _sign_ups(kind: str, rng: np.random.Generator) -> np.ndarray:
    days = np.arange(-_LAST, DAYS)
    rate = np.full(len(days), float(SIGN_UPS[kind]))
    if kind == "growing":
        rate *= 1 + 2 * np.clip(days, 0, None) / DAYS
    elif kind == "campaigns":
        rate *= np.where(days // 7 % 6 == 3, 3, 1)
    elif kind == "weekdays":
        rate *= np.array([1.6, 1.6, 1.4, 1.3, 1.1, 0.1, 0.1])[days % 7]
    stock = rng.integers(-300, -_LAST, 1_500) if kind == "freemium" else np.empty(0, int)
    return np.concatenate([stock, np.repeat(days, rng.poisson(rate))])


def _trial(signed_up: np.ndarray, rng: np.random.Generator) -> World:
    n = len(signed_up)
    truth, first_guess = rng.normal(-3, 1.3, n), rng.normal(0, 0.7, n)
    pays = rng.random(n) < expit(truth)
    paid = np.where(pays, signed_up + _FIRST + rng.exponential(9, n), np.inf)
    days = []
    for day in range(DAYS):
        age = day - signed_up
        here = np.flatnonzero((age >= _FIRST) & (age < _LAST) & (paid >= day))
        known = np.clip((age[here] - _FIRST) / 10, 0, 1)
        guess = (1 - known) * (-3 + 0.6 * (truth[here] + 3) + first_guess[here]) + known * truth[here]
        days.append((here, expit(guess + rng.normal(0, 0.12, len(here)))))
    return World(days, signed_up, paid, freemium=False)


def _freemium(signed_up: np.ndarray, rng: np.random.Generator) -> World:
    n = len(signed_up)
    usual, now, paid = rng.normal(-4.2, 0.8, n), rng.normal(0, 1.2, n), np.full(n, np.inf)
    days = []
    for day in range(DAYS):
        now = 0.93 * now + np.sqrt(1 - 0.93**2) * rng.normal(0, 1.2, n)
        at_risk = (signed_up + _FIRST <= day) & (paid >= day)
        here = np.flatnonzero(at_risk & (rng.random(n) < 0.95))
        days.append((here, expit(usual[here] + now[here] + rng.normal(0, 0.1, len(here)))))
        pays = at_risk & (rng.random(n) < 1 - (1 - expit(usual + now)) ** (1 / 12))
        paid = np.where(pays, day + 0.5, paid)
    return World(days, signed_up, paid, freemium=True)


def rule_of(of: World) -> PolicyRule:
    """The rule that training would set on the first days."""
    looks = []
    for day in range(0, WORKED_FROM, 7 if of.freemium else 1):
        here, probability = of.days[day]
        seen = np.ones(len(here), bool) if of.freemium else np.isin(day - of.signed_up[here], [3, 7, 14])
        converted = of.paid[here] < day + HORIZON
        looks.append(pd.DataFrame({"entity": here, "at": day * DAY, "p": probability, "y": converted})[seen])
    rows = pd.concat(looks)
    period = Period(*(rows[name].to_numpy() for name in ("entity", "at", "y", "p")), repeated=of.freemium)
    return make_rule(Policy.model_validate({"capacity": {"leads": LEADS, "per": "7d"}}), period)


def work(of: World, every: int = 1) -> dict[str, float]:
    """Score every so many days from `WORKED_FROM` on."""
    rule, names = rule_of(of), [f"account-{i}" for i in range(len(of.paid))]
    tie, state = ties("worlds", names), RunState()
    alerts: list[tuple[int, int]] = []
    reached: dict[int, int] = {}
    peak = np.zeros(len(names))
    by_day, out_of_order = np.zeros(DAYS, int), 0
    for day in range(WORKED_FROM, DAYS):
        here, probability = of.days[day]
        peak[here] = np.maximum(peak[here], probability)
        for account in here[probability >= rule.probability].tolist():
            reached.setdefault(account, day)
        if (day - WORKED_FROM) % every:
            continue
        nobody = np.zeros(len(here), bool)
        rows = SelectionInput([names[i] for i in here], probability, None, nobody, nobody, nobody, tie[here])
        selection = select(rule, rows, day * DAY, state, 14 * DAY, 0.8)
        state, new = selection.state, selection.newly_qualified
        alerts += [(account, day) for account in here[new].tolist()]
        by_day[day] = new.sum()
        if new.any():
            out_of_order += int((probability[selection.suppressed == CAPACITY] > probability[new].min()).sum())
    alerted = dict(reversed(alerts))  # the first alert of each
    leads = [account for account, day in reached.items() if WORKED_FROM < day < DAYS - 7]
    best = sorted(leads, key=lambda account: -peak[account])[: max(1, len(leads) // 10)]
    top = float(peak[best].min())
    since = {a: next(d for d in range(WORKED_FROM, DAYS) if _at(of, d, a) >= top) for a in best}
    waits = np.array([alerted.get(a, np.inf) - day for a, day in since.items()])
    waits_of_all = np.array([max(0, day - reached[a]) for a, day in alerted.items() if a in reached])
    worked = by_day[WORKED_FROM:]
    return {
        "alerts": int(worked.sum()),
        "most_in_7_days": int(np.convolve(worked, np.ones(7, int), "valid").max()),
        "first_week": " ".join(map(str, worked[:8])),
        "out_of_order": out_of_order,
        "best_tenth": len(best),
        "best_within_a_day": int((waits <= 1).sum()),
        "wait_p50": float(np.median(waits_of_all)),
        "wait_p95": float(np.quantile(waits_of_all, 0.95)),
        "wins": len({a for a, day in alerts if day <= of.paid[a] < day + HORIZON}),
    }


def _at(of: World, day: int, account: int) -> float:
    here, probability = of.days[day]
    place = np.searchsorted(here, account)
    return float(probability[place]) if place < len(here) and here[place] == account else 0.0


def main() -> None:
    print(
        "| worlds | alerts | most in 7 days | the first 8 days | out of order | best tenth within a day | wait p50, p95 | wins | weekly batch: wins |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in SIGN_UPS:
        worlds = [world(kind, seed) for seed in range(SEEDS)]
        daily = pd.DataFrame([work(of) for of in worlds])
        weekly = pd.DataFrame([work(of, every=7) for of in worlds])
        within, best = daily["best_within_a_day"].sum(), daily["best_tenth"].sum()
        print(
            f"| {SEEDS} {kind} | {daily['alerts'].sum()} | {daily['most_in_7_days'].max()} | {daily['first_week'][0]} | "
            f"{daily['out_of_order'].sum()} | {within} of {best} | {daily['wait_p50'].mean():.1f}, {daily['wait_p95'].mean():.1f} | "
            f"{daily['wins'].sum()} | {weekly['wins'].sum()} |"
        )


if __name__ == "__main__":
    main()
