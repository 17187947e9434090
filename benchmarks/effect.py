"""A hundred worlds with a known effect of contact: how often the interval holds it, how often it is seen, and the bias.

    python benchmarks/effect.py
    python benchmarks/effect.py --worlds 20 --settings capacity

Each world is scored weekly for 20 weeks and decided by the code that decides real runs. The effect is that of being
alerted: what a contact adds, times the share of the alerted that are contacted.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from effect_worlds import BANDS, PRODUCT, EffectWorld, ledger_of

from pql_model.outreach.effect_measurement import EffectMeasurement, measure_effect
from pql_model.outreach.logged_runs import logged_runs
from pql_model.outreach.qualifications import first_qualifications
from pql_model.outreach.sample_size import power
from pql_model.sources.duckdb_session import open_session
from pql_model.statistics.estimate import Estimate
from pql_model.time import DAY


def _always(share: float) -> Callable[[int], float]:
    return lambda day: share


WEEKLY = EffectWorld(every=7, late=30, per_day=20, days=140, capacity=30)
SETTINGS = {
    "capacity of 30 a week, hold-out 20 %": WEEKLY,
    "the same without an effect": replace(WEEKLY, effect=0.0),
    "share lowered from 30 to 10 %": replace(WEEKLY, share=lambda day: 0.3 if day < 70 else 0.1),
    "small: 5 leads a week, hold-out 20 %": replace(WEEKLY, per_day=4, capacity=5),
    "an effect of -10 points": replace(WEEKLY, effect=-0.1),
    "threshold of 20 %, hold-out 10 %": replace(WEEKLY, share=_always(0.1), capacity=None),
    "few convert, effect 5 points": replace(WEEKLY, mean=-3.4, effect=0.05),
    "60 % contacted, 5 % of the hold-out too": replace(WEEKLY, contacted=0.6, leaked=0.05),
    "share raised from 10 to 30 %": replace(WEEKLY, share=lambda day: 0.1 if day < 70 else 0.3),
}


@dataclass(frozen=True)
class Outcome:
    """What was measured in a world: truth, intervals, and which intervals hold it."""

    truth: float
    plain: Estimate
    adjusted: Estimate
    bands: tuple[tuple[float, float], ...]
    promised: float


def measure(world: EffectWorld, seed: int) -> EffectMeasurement:
    """Measure the effect in a world, from its ledger."""
    with open_session("1GB") as con:
        table = con.create_table("ledger", ledger_of(world, seed))
        horizon = world.horizon * DAY
        qualifications = first_qualifications(table, logged_runs(table, horizon))
        return measure_effect(qualifications, PRODUCT, horizon, BANDS.names, world.share(world.days), True)


def _one(setting: str, seed: int) -> Outcome:
    world = SETTINGS[setting]
    measured = measure(world, seed)
    truth = world.effect * (world.contacted - world.leaked)
    bands = tuple((g.difference.low, g.difference.high) for g in measured.groups if g.is_known)
    both, share = measured.overall, world.share(world.days)
    n = both.alerted.entities + both.held_out.entities
    promised = power(measured.base_rate, truth, share, n) if truth else 0.05
    return Outcome(truth, both.difference, both.adjusted, bands, promised)


def run(setting: str, worlds: int) -> list[str]:
    """Measure the worlds of a setting: the cells of a row of the table."""
    with ProcessPoolExecutor(2) as pool:
        outcomes = list(pool.map(_one, [setting] * worlds, range(worlds)))
    return [setting, *cells(outcomes)]


def cells(outcomes: Sequence[Outcome]) -> list[str]:
    """Coverage, width, how often the effect is seen, the power promised, and the bias in points."""
    truth = np.array([o.truth for o in outcomes])
    plain, adjusted = ([getattr(o, name) for o in outcomes] for name in ("plain", "adjusted"))
    bands = [low <= o.truth <= high for o in outcomes for low, high in o.bands]
    bias = np.array([e.value for e in plain]) - truth
    seen = np.mean([e.low > 0 if o.truth >= 0 else e.high < 0 for e, o in zip(plain, outcomes, strict=True)])
    return [
        _coverage(plain, truth),
        _coverage(adjusted, truth),
        f"{_width(plain):.1f}, {_width(adjusted):.1f}",
        f"{np.mean(bands):.0%}",
        f"{seen:.0%}" if truth[0] else f"{np.mean([e.low > 0 or e.high < 0 for e in plain]):.0%}",
        f"{np.mean([o.promised for o in outcomes]):.0%}",
        f"{100 * bias.mean():+.1f} ({100 * bias.std(ddof=1) / math.sqrt(len(bias)):.1f})",
    ]


def _coverage(estimates: Sequence[Estimate], truth: np.ndarray) -> str:
    return f"{np.mean([e.low <= t <= e.high for e, t in zip(estimates, truth, strict=True)]):.0%}"


def _width(estimates: Sequence[Estimate]) -> float:
    return float(100 * np.mean([e.high - e.low for e in estimates]))


def main() -> None:
    """Print the table of docs/effect.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--settings", default="", help="only settings whose name holds this")
    arguments = parser.parse_args()
    print("| worlds | holds | adjusted holds | width in points | bands hold | seen | promised | bias in points |")
    print("|---|---|---|---|---|---|---|---|")
    for setting in SETTINGS:
        if arguments.settings in setting:
            print("| " + " | ".join(run(setting, arguments.worlds)) + " |", flush=True)


if __name__ == "__main__":
    main()
