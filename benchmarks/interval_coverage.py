"""How often the 95 % intervals hold the truth, in generated worlds where the truth is known.

    python benchmarks/interval_coverage.py                   all cells; a quarter of an hour on two idle cores
    python benchmarks/interval_coverage.py --quick           the same worlds with few repetitions

Entities have one to four snapshots; a trait of the entity that no model sees makes their outcomes alike. The model's
score is a fixed function of what it sees, so every metric has a value in the infinite population, computed here on two
million rows from the true probabilities, without the luck of the outcomes. Writes benchmarks/results/coverage.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from pql_model.decide.policy import expected_conversions
from pql_model.model.calibrate import fit_calibration
from pql_model.statistics.count_metrics import LevelCounts
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.metrics import METRICS, evaluate, paired_difference, reliability_table

RESULTS = Path(__file__).resolve().parent / "results" / "coverage.json"
CONVERSIONS, BASE_RATES = (25, 60, 150, 400), (0.015, 0.05, 0.1, 0.3)
POPULATION = 800_000  # entities, about two million rows
RULE = 1.2  # the rule in force: what is seen of an entity is above this
BINS = 10


@dataclass(frozen=True)
class World:
    """What is true, and how well the model sees it.

    Attributes
    ----------
    slope, effect
        Of the log-odds on what can be seen, and the spread of what cannot, which snapshots of an entity share.
    noise
        Added to what the model sees.
    calibrated
        Whether its probabilities are right; else they are too extreme and too high.
    """

    slope: float
    effect: float
    noise: float
    calibrated: bool


WORLDS = {
    "strong, calibrated": World(1.4, 1.0, 0.5, True),
    "strong, alike, not calibrated": World(3.5, 4.0, 0.8, False),
    "weak, alike, calibrated": World(2.0, 4.0, 1.0, True),
    "weak, not calibrated": World(0.9, 1.0, 1.0, False),
}


@dataclass(frozen=True)
class Rows:
    """Snapshots: whose, true probability, what the model sees, and two other models' scores."""

    who: np.ndarray
    truth: np.ndarray
    seen: np.ndarray
    near: np.ndarray
    far: np.ndarray


class Population:
    """A world at one base rate, with the true value of every figure."""

    def __init__(self, world: World, base: float) -> None:
        self.world, self.base, self.intercept = world, base, 0.0
        reference = self._entities(np.random.default_rng(1), 200_000)
        margin = logit(reference.truth)
        self.intercept = float(brentq(lambda a: expit(margin + a).mean() - base, -40, 20))
        everyone = self._entities(np.random.default_rng(2), POPULATION)
        self.rows_per_entity = len(everyone.who) / POPULATION
        self._curve = _rates_by_what_is_seen(everyone)
        self.bins = np.quantile(self.probability(everyone.seen), np.arange(1, BINS) / BINS)
        self.top = float(np.quantile(self.probability(everyone.seen), 0.9))
        self.true = self._truth(everyone)

    def _entities(self, rng: np.random.Generator, n: int) -> Rows:
        own, hidden = rng.normal(size=n), self.world.effect * rng.normal(size=n)
        entities = np.repeat(np.arange(n), 1 + rng.binomial(3, expit(0.7 * own)))  # the active are seen more often
        x = math.sqrt(0.7) * own[entities] + math.sqrt(0.3) * rng.normal(size=len(entities))
        observed = x + self.world.noise * rng.normal(size=len(entities))
        near, far = (observed + spread * rng.normal(size=len(entities)) for spread in (0.1, 1.0))
        return Rows(entities, expit(self.intercept + self.world.slope * x + hidden[entities]), observed, near, far)

    def probability(self, observed: np.ndarray) -> np.ndarray:
        margin = np.interp(observed, *self._curve)
        if not self.world.calibrated:
            margin = 1.5 * margin - 0.5 * logit(self.base) + 0.35
        return expit(margin)

    def sample(self, rng: np.random.Generator, conversions: int) -> tuple[Rows, np.ndarray]:
        """Entities that convert about so often, and their outcomes."""
        rows = self._entities(rng, round(conversions / self.base / self.rows_per_entity))
        return rows, (rng.random(len(rows.who)) < rows.truth).astype(float)

    def _truth(self, rows: Rows) -> dict[str, float]:
        p, qualified = self.probability(rows.seen), rows.seen > RULE
        metrics = _metrics(p, rows.truth, self.bins)
        auc = {name: _metrics(getattr(rows, name), rows.truth)["roc_auc"] for name in ("near", "far")}
        return metrics | {
            "difference of AUC, nearly equal models": metrics["roc_auc"] - auc["near"],
            "difference of AUC, unequal models": metrics["roc_auc"] - auc["far"],
            "definition: rate": float(rows.truth[qualified].mean()),
            "definition: recall": float(rows.truth[qualified].sum() / rows.truth.sum()),
            "definition: qualified share": float(qualified.mean()),
            **{
                f"reliability bin {i}": float(rows.truth[np.searchsorted(self.bins, p) == i].mean())
                for i in range(BINS)
            },
        }


def _rates_by_what_is_seen(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    parts = np.array_split(np.argsort(rows.seen), 400)
    middles = np.array([rows.seen[part].mean() for part in parts])
    rates = np.array([rows.truth[part].mean() for part in parts])
    return middles, logit(IsotonicRegression().fit_transform(middles, rates))


def _metrics(score: np.ndarray, truth: np.ndarray, edges: np.ndarray | None = None) -> dict[str, float]:
    """Every metric in the population: each row counts as often as it converts."""
    level, place = np.unique(score, return_inverse=True)
    bins = np.searchsorted(edges, level) if edges is not None else np.zeros(len(level), int)
    positives, rows = np.bincount(place, truth), np.bincount(place).astype(float)
    tally = LevelCounts(level[::-1], bins[::-1], positives[::-1, None], rows[::-1, None])
    names = METRICS if edges is not None else ["roc_auc"]
    return {name: float(METRICS[name](tally)[0]) for name in names}


def figures(population: Population, rng: np.random.Generator, conversions: int) -> dict[str, tuple[Estimate, float]]:
    """Every interval that the library gives for one sample, with the truth."""
    rows, y = population.sample(rng, conversions)
    p, qualified = population.probability(rows.seen), rows.seen > RULE
    metrics = evaluate(y, p, rows.who)
    metrics["difference of AUC, nearly equal models"] = paired_difference(y, p, rows.near, rows.who)
    metrics["difference of AUC, unequal models"] = paired_difference(y, p, rows.far, rows.who)
    for name, of, among in (
        ("rate", y, qualified),
        ("recall", qualified, y == 1),
        ("qualified share", qualified, y >= 0),
    ):
        flat = np.zeros(int(among.sum()))  # what `evaluation` does for the definition in force
        metrics[f"definition: {name}"] = evaluate(of[among], flat, rows.who[among], names=["base_rate"])["base_rate"]
    for i, row in enumerate(reliability_table(y, p, rows.who).itertuples()):
        metrics[f"reliability bin {i}"] = Estimate(row.observed, row.low, row.high)
    return {name: (estimate, population.true[name]) for name, estimate in metrics.items()} | _promised(
        population, rng, conversions
    )


def _promised(population: Population, rng: np.random.Generator, conversions: int) -> dict[str, tuple[Estimate, float]]:
    """Conversions expected among the best tenth, one snapshot an entity, and those that came."""
    rows, y = population.sample(rng, conversions)
    last = np.append(rows.who[1:] != rows.who[:-1], True)
    p = population.probability(rows.seen)
    selected = last & (p >= population.top)
    training, outcome = population.sample(rng, conversions)
    calibration = fit_calibration(logit(population.probability(training.seen)), outcome)
    payload, converted = calibration.apply(logit(p[selected])), len(np.unique(training.who[outcome == 1]))
    came = float(y[selected].sum())
    expected = {
        "expected conversions": (expected_conversions(payload, converted**-0.5), came),
        "expected conversions, without the error of the level": (expected_conversions(payload), came),
    }
    if population.world.calibrated:
        expected["expected conversions, true probabilities"] = (expected_conversions(p[selected]), came)
    return expected


def cell(world: str, conversions: int, base: float, repetitions: int) -> dict[str, object]:
    """Coverage of everything at one size in one world."""
    population = Population(WORLDS[world], base)
    rng = np.random.default_rng([conversions, round(1000 * base)])
    counts: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])
    for _ in range(repetitions):
        for name, (estimate, truth) in figures(population, rng, conversions).items():
            if not math.isnan(estimate.low):
                outcome = (truth < estimate.low - 1e-9, truth > estimate.high + 1e-9, 1.0, estimate.high - estimate.low)
                label = "reliability bin" if name.startswith("reliability bin") else name
                counts[label] = [a + b for a, b in zip(counts[label], outcome, strict=True)]
    figures_of = {
        name: {
            "below": int(low),
            "above": int(high),
            "of": int(n),
            "width": width / n,
            "truth": population.true.get(name),
        }
        for name, (low, high, n, width) in counts.items()
    }
    return {"world": world, "conversions": conversions, "base_rate": base, "figures": figures_of}


def plan(quick: bool) -> list[tuple[str, int, float, int]]:
    """A world at each size, in turn, and where rows are few a second one; the largest first, 26,667 rows left out."""
    names, cells = list(WORLDS), []
    for i, conversions in enumerate(CONVERSIONS):
        for j, base in enumerate(BASE_RATES):
            rows = conversions / base
            worlds = [names[(i + j) % 4], names[(i + j + 3) % 4]][: 2 if rows < 1_700 else 1 if rows < 20_000 else 0]
            cells += [(name, conversions, base, 20 if quick else 200 if rows > 1_700 else 300) for name in worlds]
    return sorted(cells, key=lambda c: -c[1] / c[2] * c[3])


def table(cells: list[dict]) -> str:
    """Coverage in per cent by figure and number of conversions, and the range over the cells."""
    names = list(dict.fromkeys(name for c in cells for name in c["figures"]))
    lines = [
        "| interval of | " + " | ".join(map(str, CONVERSIONS)) + " | all | truth below / above | lowest, highest cell |"
    ]
    lines.append("|---" * (len(CONVERSIONS) + 4) + "|")
    for name in names:
        at = {
            n: [c["figures"][name] for c in cells if c["conversions"] == n and name in c["figures"]]
            for n in CONVERSIONS
        }
        all_results = [result for of in at.values() for result in of]
        by_cell = [_covered([result]) for result in all_results]
        missed = [
            100 * sum(f[side] for f in all_results) / sum(f["of"] for f in all_results) for side in ("below", "above")
        ]
        columns = [f"{_covered(of):.1f}" if of else "" for of in at.values()]
        columns += [
            f"**{_covered(all_results):.1f}**",
            f"{missed[0]:.1f} / {missed[1]:.1f}",
            f"{min(by_cell):.1f}, {max(by_cell):.1f}",
        ]
        lines.append(f"| {name} | " + " | ".join(columns) + " |")
    return "\n".join(lines)


def _covered(results: list[dict]) -> float:
    return 100 * (1 - sum(f["below"] + f["above"] for f in results) / sum(f["of"] for f in results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 repetitions; writes nothing")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    args = parser.parse_args()
    with ProcessPoolExecutor(args.processes) as pool:
        cells = list(pool.map(cell, *zip(*plan(args.quick), strict=True)))
    if not args.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        lines = ",\n".join(json.dumps(result) for result in cells)  # one cell a line
        RESULTS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(table(cells))


if __name__ == "__main__":
    main()
