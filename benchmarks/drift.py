"""Is it better to move the probability to the newest outcomes? In worlds whose rate moves, and on the real data.

    python benchmarks/drift.py
    python benchmarks/drift.py --worlds 0 --real ds365 relax

A world is a year of accounts, one snapshot each, horizon 30 days; the model is exact for the level of the training
period. Test rows are the last 35 %. Log loss is that of the corrected probability minus that of the raw one, times 10,000.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from pql_model.evaluation.drift import corrected_probability
from pql_model.time import DAY, Duration

RATE, HORIZON = 0.1, Duration(30 * DAY)
START_OF_TEST = 365 * 0.65
LEVELS = {
    "constant": lambda day: np.ones_like(day),
    "halves in the middle of training": lambda day: np.where(day > 120, 0.5, 1.0),
    "halves late in training": lambda day: np.where(day > 180, 0.5, 1.0),
    "falls to a third over the year": lambda day: np.exp(-np.log(3) * day / 365),
    "falls to 0.4 of its level during a campaign of 35 days": lambda day: np.where((day > 240) & (day < 275), 0.4, 1.0),
    "rises and falls every 90 days": lambda day: np.exp(0.4 * np.sin(2 * np.pi * day / 90)),
}
OTHER_ACCOUNTS = "falls as different accounts arrive, which the features show"


def world(kind: str, conversions: int, seed: int) -> pd.DataFrame:
    """entity, as_of, converted, probability of a year."""
    rng = np.random.default_rng(seed)
    n = round(conversions / RATE)
    day = np.sort(rng.uniform(0, 365, n))
    if kind == OTHER_ACCOUNTS:
        is_good = rng.random(n) < np.where(day > 180, 0.2, 0.6)
        probability = expit(logit(RATE) + np.where(is_good, 0.8, -0.8) + 0.8 * rng.normal(0, 1, n))
        converted = rng.random(n) < probability
    else:
        converted = rng.random(n) < RATE * LEVELS[kind](day)
        known_rate = converted[day + HORIZON.days <= START_OF_TEST].mean()
        probability = expit(rng.normal(0, 1, n) + converted - 0.5 + logit(known_rate))
    return pd.DataFrame(
        {
            "entity": np.arange(n),
            "as_of": (day * DAY).astype(np.int64),
            "converted": converted,
            "probability": probability,
        }
    )


def measure(final: pd.DataFrame) -> tuple[float, float, float, float]:
    """Observed, expected raw and corrected, and the difference of log loss."""
    test = final["as_of"].to_numpy() >= START_OF_TEST * DAY
    y, raw = (final[name].to_numpy()[test] for name in ("converted", "probability"))
    corrected = corrected_probability(final, HORIZON, final["as_of"].to_numpy()[test], raw)
    losses = [-np.where(y, np.log(p), np.log1p(-p)).mean() for p in (raw, corrected)]
    return float(y.sum()), float(raw.sum()), float(corrected.sum()), float(losses[1] - losses[0])


def on_worlds(worlds: int) -> None:
    print("| the rate | conversions | observed / expected, raw | corrected | log loss, corrected - raw | worse in |")
    print("|---|---|---|---|---|---|")
    for kind in (*LEVELS, OTHER_ACCOUNTS):
        for conversions in (300, 1000):
            measures = np.array([measure(world(kind, conversions, seed)) for seed in range(worlds)])
            observed, raw, corrected, _ = measures.sum(axis=0)
            loss, share_worse = 1e4 * measures[:, 3].mean(), (measures[:, 3] > 0).mean()
            print(
                f"| {kind} | {conversions} | {observed / raw:.2f} | {observed / corrected:.2f} | {loss:+.1f} | {share_worse:.0%} |"
            )


def on_real(names: list[str], trials: int) -> None:
    from real_data import run

    print("| data | month | rows | expected | 95 % range | observed | | expected, corrected |")
    print("|---|---|---|---|---|---|---|---|")
    sentences = []
    for name in names:
        payload = run(name, trials)["calibration"]
        for m in payload["months"]:
            print(
                f"| {name} | {m['month']} | {m['rows']:,} | {m['expected']:.1f} | {m['low']} to {m['high']} | "
                f"{m['observed']} | {m['flag']} | {m['corrected_expected']:.1f} |"
            )
        sentences.append(f"{name}: {payload['sentence']}")
    print("\n".join(["", *sentences]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Raw against corrected probabilities where the rate moves.")
    parser.add_argument("--worlds", type=int, default=100, help="Of each kind and size.")
    parser.add_argument("--real", nargs="*", default=[], help="Real data sets; see real_data.py.")
    parser.add_argument("--trials", type=int, default=30)
    args = parser.parse_args()
    if args.worlds:
        on_worlds(args.worlds)
    if args.real:
        on_real(args.real, args.trials)


if __name__ == "__main__":
    main()
