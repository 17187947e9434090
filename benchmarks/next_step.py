"""Is the next step the planted one, and is nothing offered where nothing counts? In small products whose rule is known.

    python benchmarks/next_step.py [--worlds 20]

An account has a pace, which makes all its behaviours go together, a taste for each of six events, and a size. Its chance to
convert follows from what is planted: thresholds of two events (a third event mostly happens together with the first), nothing, or
the size alone, where larger accounts are busier too. A model (without tuning), criteria found on earlier accounts and tested on
later ones, and the slopes of the behaviours on later accounts are those of `pql train`; the next steps are those of 1,000 new accounts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from scipy.special import expit

from pql_model.criteria import results as results_of_mining
from pql_model.criteria.candidates import candidate_columns, family_of
from pql_model.criteria.definition_metrics import Outcomes
from pql_model.criteria.evaluate import BoundCriterion, Columns
from pql_model.criteria.mine import mine_criteria
from pql_model.criteria.results import find_criteria
from pql_model.decide.next_step import NextStep, NextSteps
from pql_model.decide.step_evidence import behaviour_slopes
from pql_model.decide.steps import Predictions, Step
from pql_model.features.spec import parse_feature
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.model.train import Budget, fit_model
from pql_model.time import DAY, Duration

EVENTS = ("invite", "board", "export", "comment", "search", "report")
SIZES = ("1-10", "11-50", "51-200", "201+")
EARLIER, LATER, NEW, DAYS, RATE, SEED = 2000, 1000, 1000, 14, 0.15, 7
RESAMPLES = 10  # of the interval of a threshold, which no step reads; a training draws 200
KINDS = ("two thresholds", "nothing", "the size alone")
MANIFEST = Manifest(
    (
        *(
            ModelColumn(f"{event}.{measure}", "feature")
            for event in (*EVENTS, "any")
            for measure in ("count.ever", "count.last_7d", "active_days.ever", "days_since_last.ever")
        ),
        ModelColumn("trait.size", "category", tuple(sorted(SIZES))),
    )
)


@dataclass(frozen=True)
class Accounts:
    """Accounts at day 14: features, log-odds of converting, and outcomes."""

    table: pd.DataFrame
    odds: np.ndarray
    converted: np.ndarray


class World:
    """A product. What is planted: event -> least count, and what it adds to the log-odds.

    Parameters
    ----------
    kind
        One of `KINDS`.
    seed
        Rates, thresholds and weights.
    """

    def __init__(self, kind: str, seed: int) -> None:
        rng = np.random.default_rng([KINDS.index(kind), seed])
        self._rng, self._size_alone = rng, kind == "the size alone"
        self._rates = np.exp(rng.uniform(np.log(0.12), np.log(0.8), len(EVENTS)))
        self._order = rng.permutation(len(EVENTS))
        self.planted: dict[str, tuple[int, float]] = {}
        self._base = 0.0
        reference, size = self._usage(20_000)
        if kind == "two thresholds":
            for k in self._order[:2]:
                count = reference[:, k].sum(axis=1)
                allowed = [t for t in range(1, 30) if 0.15 <= (count >= t).mean() <= 0.45]
                self.planted[EVENTS[k]] = int(rng.choice(allowed)), float(rng.uniform(0.9, 1.6))
        odds = self._odds(reference, size)
        low, high = -12.0, 4.0
        while high - low > 1e-6:
            middle = (low + high) / 2
            low, high = (middle, high) if expit(odds + middle).mean() < RATE else (low, middle)
        self._base = low

    def _usage(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Counts (accounts, events, days) and sizes."""
        rng = self._rng
        size = rng.choice(len(SIZES), n, p=[0.4, 0.3, 0.2, 0.1])
        pace = rng.gamma(1.6, 1 / 1.6, n) * (np.array([0.6, 1.0, 1.6, 2.2])[size] if self._size_alone else 1.0)
        taste = rng.gamma(1.3, 1 / 1.3, (n, len(EVENTS)))
        days = rng.poisson((pace[:, None] * taste * self._rates)[:, :, None], (n, len(EVENTS), DAYS))
        first, follower = self._order[0], self._order[2]
        days[:, follower] = rng.binomial(days[:, first], 0.8) + rng.poisson(0.02, (n, DAYS))
        return days, size

    def _odds(self, days: np.ndarray, size: np.ndarray) -> np.ndarray:
        of_size = (
            np.array([0.0, 0.8, 1.6, 2.2]) if self._size_alone else np.array([0.0, 0.3, 0.6, 0.3]) * bool(self.planted)
        )
        odds = of_size[size] + self._base
        for event, (least, weight) in self.planted.items():
            odds = odds + weight * (days[:, EVENTS.index(event)].sum(axis=1) >= least)
        return odds

    def draw(self, n: int) -> Accounts:
        """Draw accounts and what comes of them."""
        days, size = self._usage(n)
        columns: dict[str, Any] = {"trait.size": np.array(SIZES)[size]}
        for name, of in (*zip(EVENTS, np.moveaxis(days, 1, 0), strict=True), ("any", days.sum(axis=1))):
            last = np.where(of.any(axis=1), np.argmax(of[:, ::-1] > 0, axis=1) + 0.5, np.nan)
            measures = of.sum(axis=1), of[:, -7:].sum(axis=1), (of > 0).sum(axis=1), last
            names = ("count.ever", "count.last_7d", "active_days.ever", "days_since_last.ever")
            columns |= {f"{name}.{measure}": v.astype(float) for measure, v in zip(names, measures, strict=True)}
        odds = self._odds(days, size)
        return Accounts(pd.DataFrame(columns)[MANIFEST.names], odds, self._rng.random(n) < expit(odds))


@dataclass(frozen=True)
class Result:
    """What one world was told.

    Attributes
    ----------
    usage
        Confirmed criteria about events.
    open, offered, planted, instead
        New accounts with an open criterion of a planted event, with a next step, with a planted one, and with another one
        although a planted criterion is open.
    gain, true_gain
        Mean predicted gain of the planted steps, and what they truly add; NaN without such steps.
    """

    usage: int
    open: int
    offered: int
    planted: int
    instead: int
    gain: float
    true_gain: float


def run(kind: str, seed: int) -> Result:
    """Train on one world and look at the next steps of new accounts."""
    world = World(kind, seed)
    past, new = world.draw(EARLIER + LATER), world.draw(NEW)
    n = len(past.converted)
    as_of = 20_000 * DAY + np.arange(n) * 365 * DAY // n
    frame = pd.DataFrame({"entity": [f"a{k:05d}" for k in range(n)], "as_of": as_of, "signed_up": as_of - DAYS * DAY})
    frame = frame.assign(converted=past.converted)
    earlier = np.arange(n) < EARLIER
    X = MANIFEST.matrix(past.table)
    fit = fit_model(frame[earlier], X[earlier], MANIFEST, Duration(30 * DAY), "trial", SEED, Budget(1), search=False)
    probability = fit.calibration.apply(fit.predictor.margin(X))
    of_size = fit.predictor.contributions(X[earlier])[:, MANIFEST.names.index("trait.size")]
    candidates = candidate_columns(
        MANIFEST.columns, past.table[earlier], frame["signed_up"].to_numpy(float)[earlier], as_of[earlier]
    )
    outcomes = Outcomes.of_snapshots(frame, "trial", probability)
    traits = {family_of(MANIFEST.columns[-1]): of_size}
    with patch.object(results_of_mining, "mine_criteria", partial(mine_criteria, resamples=RESAMPLES)):
        results = find_criteria(
            *(candidates, past.table, outcomes, earlier, ~earlier, traits),
            rows="",
            in_force=None,
            leads_a_week=None,
            seed=SEED,
        )
    criteria = [BoundCriterion(result.criterion, result.id) for result in results.criteria]
    slopes = behaviour_slopes(
        [c.criterion for c in criteria],
        fit.predictor.contributions(X[~earlier]),
        MANIFEST,
        fit.calibration,
        past.converted[~earlier],
        frame["entity"].to_numpy()[~earlier],
    )
    columns = Columns.of_table(new.table, criteria)
    predictions = Predictions(fit.predictor.margin, fit.calibration.apply)
    steps = NextSteps(criteria, MANIFEST, slopes).find(columns, MANIFEST.matrix(new.table), predictions)
    return _result(world, new, criteria, columns, steps)


def _result(
    world: World, new: Accounts, criteria: Sequence[BoundCriterion], columns: Columns, steps: Sequence[NextStep | None]
) -> Result:
    known = [Step.of(c, MANIFEST) for c in criteria if c.criterion.event in world.planted]
    could = np.zeros(NEW, bool)
    for step in known:
        could |= step.gap(columns, None).open if step is not None else False
    event = np.array([None if step is None else step.condition.criterion.event for step in steps], object)
    planted = np.isin(event, list(world.planted)) if world.planted else np.zeros(NEW, bool)
    return Result(
        usage=sum(c.criterion.event is not None for c in criteria),
        open=int(could.sum()),
        offered=int((event != None).sum()),  # noqa: E711 (element by element)
        planted=int(planted.sum()),
        instead=int((could & (event != None) & ~planted).sum()),  # noqa: E711
        gain=float(
            np.mean([step.gain.value for step, of in zip(steps, planted, strict=True) if of and step] or [np.nan])
        ),
        true_gain=_true_gain(world, new, steps, np.flatnonzero(planted)),
    )


def _true_gain(world: World, new: Accounts, steps: Sequence[NextStep | None], rows: np.ndarray) -> float:
    """What the planted weights add once the steps are made, on average."""
    gains = []
    for row in rows.tolist():
        step = steps[row]
        assert step is not None
        event = parse_feature(step.condition.column).event
        least, weight = world.planted[event]
        count = new.table[f"{event}.count.ever"][row]
        reached = count < least <= count + step.needed - (step.value or 0.0)
        gains.append(expit(new.odds[row] + weight * reached) - expit(new.odds[row]))
    return float(np.mean(gains or [np.nan]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=20, help="of each kind")
    worlds = parser.parse_args().worlds
    print(
        "| what counts | worlds | with a confirmed criterion of an event | with any next step | next steps that are planted | "
        "another although a planted one is open | open planted ones that are offered | predicted gain, of the true one |"
    )
    print("|---" * 8 + "|")
    for kind in KINDS:
        found = [run(kind, seed) for seed in range(worlds)]
        offered, could = sum(r.offered for r in found), sum(r.open for r in found)
        cells = [kind, worlds, sum(r.usage > 0 for r in found), f"**{sum(r.offered > 0 for r in found)}**"]
        if could:
            cells += [
                f"**{sum(r.planted for r in found) / max(1, offered):.1%}**",
                f"{sum(r.instead for r in found) / could:.1%}",
                f"{sum(r.planted for r in found) / could:.0%}",
                f"{np.nanmean([r.gain for r in found]) / np.nanmean([r.true_gain for r in found]):.0%}",
            ]
        print("| " + " | ".join(map(str, [*cells, *[""] * (8 - len(cells))])) + " |", flush=True)


if __name__ == "__main__":
    main()
