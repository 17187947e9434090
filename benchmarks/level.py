"""Which level should be served: that of the tested model, of a refit, or of the newest outcomes? In worlds whose rate moves.

    python benchmarks/level.py

A world is 13 months of accounts, one snapshot each, horizon 30 days; the ranking is exact, only the level is learnt. At five
instants the level is learnt from what was final then, and the next 30 days are forecast. Log loss is that of a level minus
that of the refit on all final outcomes, times 10,000. Coverage is how often the 95 % interval of the expected conversions
of the following week and month holds the number that came.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd
from drift import LEVELS, OTHER_ACCOUNTS, RATE
from scipy.optimize import brentq
from scipy.special import expit, logit

from pql_model.decide.policy import expected_conversions
from pql_model.evaluation.drift import newest_level
from pql_model.time import DAY, Duration

HORIZON = Duration(30 * DAY)
DAYS, HELD_OUT = 395, 140
"""Length of a world, and how long before an instant the training of a tested model ends (gap and test period)."""
INSTANTS = (250, 280, 310, 340, 365)
CONVERSIONS = (100, 300, 1000)
KINDS = (*LEVELS, OTHER_ACCOUNTS)


def world(kind: str, conversions: int, seed: int) -> pd.DataFrame:
    """day, converted and a margin that is exact but for a constant."""
    rng = np.random.default_rng(seed)
    rows = round(conversions / RATE)
    day = np.sort(rng.uniform(0, DAYS, rows))
    if kind == OTHER_ACCOUNTS:
        good = rng.random(rows) < np.where(day > 180, 0.2, 0.6)
        margin = logit(RATE) + np.where(good, 0.8, -0.8) + 0.8 * rng.normal(0, 1, rows)
        converted = rng.random(rows) < expit(margin)
    else:
        converted = rng.random(rows) < RATE * LEVELS[kind](day)
        margin = rng.normal(0, 1, rows) + converted - 0.5
    return pd.DataFrame({"day": day, "converted": converted.astype(float), "margin": margin})


def intercept(rows: pd.DataFrame) -> float:
    """The constant with which expected and observed conversions agree."""
    margin, converted = rows["margin"].to_numpy(), rows["converted"].to_numpy()
    return float(brentq(lambda level: (expit(margin + level) - converted).sum(), -20, 20))


def levels(rows: pd.DataFrame, at: int) -> tuple[dict[str, float], float]:
    """The level by each rule, and the relative error of the newest."""
    final = rows[rows["day"] + HORIZON.days <= at]
    refit = intercept(final)
    frame = pd.DataFrame(
        {
            "entity": np.arange(len(final)),
            "as_of": (final["day"] * DAY).astype(np.int64),
            "converted": final["converted"] > 0,
            "probability": expit(final["margin"] + refit),
        }
    )
    newest = newest_level(frame, HORIZON, at * DAY)
    tested = intercept(final[final["day"] <= at - HELD_OUT])
    return {"tested": tested, "refit": refit, "newest": refit + newest.addition}, newest.relative_error


def measure(rows: pd.DataFrame, at: int) -> dict[str, float]:
    """Log loss and expected conversions of the next month by each rule, and whether the intervals hold."""
    result: dict[str, float] = {}
    by_rule, error = levels(rows, at)
    month = rows[(rows["day"] > at) & (rows["day"] <= at + 30)]
    y = month["converted"].to_numpy()
    result["observed"] = y.sum()
    for name, level in by_rule.items():
        p = expit(month["margin"].to_numpy() + level)
        result[f"loss {name}"] = -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean()
        result[f"expected {name}"] = p.sum()
    for days in (7, 30):
        some = month[month["day"] <= at + days]
        estimate = expected_conversions(expit(some["margin"].to_numpy() + by_rule["newest"]), error)
        result[f"holds {days}"] = estimate.low <= some["converted"].sum() <= estimate.high
    return result


def on_worlds(worlds: int, show: Callable[[str], None] = print) -> None:
    """Print one line per kind of world and number of conversions."""
    show(
        "| the rate | conversions | observed / expected, tested | refit | newest | log loss, tested - refit | newest - refit "
        "| holds the week | holds the month |"
    )
    show("|---|---|---|---|---|---|---|---|---|")
    for kind in KINDS:
        for conversions in CONVERSIONS:
            cells = pd.DataFrame(
                [measure(world(kind, conversions, seed), at) for seed in range(worlds) for at in INSTANTS]
            )
            ratios = [
                cells["observed"].sum() / cells[f"expected {name}"].sum() for name in ("tested", "refit", "newest")
            ]
            losses = [1e4 * (cells[f"loss {name}"] - cells["loss refit"]).mean() for name in ("tested", "newest")]
            held = [cells[f"holds {days}"].mean() for days in (7, 30)]
            show(
                f"| {kind} | {conversions:,} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} | "
                f"{' | '.join(f'{loss:+.1f}' for loss in losses)} | {' | '.join(f'{share:.0%}' for share in held)} |"
            )


def main() -> None:
    arguments = argparse.ArgumentParser(description="Which level to serve where the rate moves.")
    arguments.add_argument("--worlds", type=int, default=60, help="Of each kind and size.")
    on_worlds(arguments.parse_args().worlds)


if __name__ == "__main__":
    main()
