"""Do the intervals of `pql forecast` hold what comes? In generated products that are steady, grow, drift or break.

    python benchmarks/forecast.py

A product is 420 days of sign-ups with a rhythm of the week and noise beyond chance; 8 to 10 % convert, in a trial mostly after
its end on day 14, in freemium after 60 days on average. At four dates the next weeks are forecast from what was known.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd

from pql_model.outlook.cohorts import Cohorts
from pql_model.outlook.daily_history import History
from pql_model.outlook.weeks import make_outlook

DAYS, DATES = 420, (200, 250, 300, 350)
KINDS = {
    "steady": "nothing changes",
    "growth": "sign-ups grow by 8 % a month",
    "fast growth": "by 20 % a month",
    "drift": "sign-ups and conversion rate wander",
    "decline": "the conversion rate halves within a year",
    "campaign": "three times the sign-ups for two weeks",
    "break": "the conversion rate falls by 40 % from one day to the next",
}
NEVER = 10**6


def product(kind: str, motion: str, per_week: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Day of sign-up and of conversion of each entity."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind), int(per_week), motion == "trial"])
    day = np.arange(DAYS)
    rate = 0.08 if motion == "trial" else 0.10
    flow, level = np.full(DAYS, per_week / 7 / rate), np.ones(DAYS)
    if kind == "growth":
        flow *= 1.08 ** ((day - 210) / 30)
    elif kind == "fast growth":
        flow *= 1.2 ** ((day - 300) / 30)
    elif kind == "drift":
        flow *= np.exp(np.cumsum(rng.normal(0, 0.018, DAYS)))
        level = np.exp(np.cumsum(rng.normal(0, 0.015, DAYS)))
    elif kind == "decline":
        level = 0.5 ** ((day - 210) / 365)
    elif kind == "campaign":
        start = rng.integers(100, 400)
        flow *= np.where((day >= start) & (day < start + 14), 3, 1)
    elif kind == "break":
        level = np.where(day > rng.integers(100, 400), 0.6, 1.0)
    rhythm = np.array([1.2, 1.3, 1.3, 1.2, 1.0, 0.5, 0.5])[day % 7]
    signed_up = np.repeat(day, rng.poisson(flow * rhythm * rng.gamma(20, 1 / 20, DAYS)))
    n = len(signed_up)
    pays = rng.random(n) < np.minimum(rate * level[signed_up] * rng.gamma(2, 0.5, n), 0.9)
    if motion == "trial":
        wait = np.where(rng.random(n) < 0.2, rng.uniform(1, 14, n), 14 + rng.exponential(6, n))
    else:
        wait = rng.exponential(60, n)
    return signed_up, np.where(pays, np.floor(signed_up + rng.random(n) + wait), NEVER).astype(int)


def measure(kind: str, motion: str, per_week: float, weeks: int, worlds: int) -> dict[str, float]:
    """How often the intervals of the total, of its weeks and of the value hold; width, and error of the total."""
    rows = []
    for seed in range(worlds):
        signed_up, converted = product(kind, motion, per_week, seed)
        full = Cohorts.of(DAYS, signed_up, converted, np.ones(len(signed_up), int))
        day = np.sort(converted[converted < DAYS])
        value = np.random.default_rng(seed).gamma(2, 50, len(day))
        for date in DATES:
            known = day < date
            outlook = make_outlook(History(0, full.before(date), day[known], value[known]), weeks)
            came = full.conversions[date : date + 7 * weeks]
            worth = value[(day >= date) & (day < date + 7 * weeks)].sum()
            total = outlook.total.conversions
            paid = outlook.total.value
            rows.append(
                {
                    "held": total.low <= came.sum() <= total.high,
                    "weeks held": np.mean(
                        [
                            week.conversions.low <= n <= week.conversions.high
                            for week, n in zip(outlook.weeks, came.reshape(-1, 7).sum(axis=1), strict=True)
                        ]
                    ),
                    "value held": np.nan if paid is None else paid.low <= worth <= paid.high,
                    "width": (total.high - total.low) / max(total.value, 1.0),
                    "error": abs(came.sum() / max(total.value, 1.0) - 1),
                }
            )
    return pd.DataFrame(rows).astype(float).mean().to_dict() | {"trials": float(len(rows))}


def run(worlds: int, weeks: int, show: Callable[[str], None] = print) -> None:
    """Print one line per kind, motion and size."""
    show("| the product | motion | conversions a week | dates | total held | weeks held | value held | width | error |")
    show("|---|---|---|---|---|---|---|---|---|")
    for kind, words in KINDS.items():
        for motion in ("trial", "freemium"):
            for per_week in (4, 30):
                m = measure(kind, motion, per_week, weeks, worlds)
                show(
                    f"| {words} | {motion} | {per_week} | {m['trials']:.0f} | {m['held']:.0%} | {m['weeks held']:.0%} | "
                    f"{m['value held']:.0%} | {m['width']:.2f} | {m['error']:.0%} |"
                )


def main() -> None:
    arguments = argparse.ArgumentParser(description="Whether the intervals of a forecast hold.")
    arguments.add_argument("--worlds", type=int, default=15, help="Of each kind and size.")
    arguments.add_argument("--weeks", type=int, default=8, help="Weeks to forecast.")
    chosen = arguments.parse_args()
    run(chosen.worlds, chosen.weeks)


if __name__ == "__main__":
    main()
