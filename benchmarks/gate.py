"""How often the promotion gate lets a challenger pass, in generated comparisons of known truth.

    python benchmarks/gate.py [repetitions]

Two snapshots an entity, base rate 10 %. A model's score is the true log-odds plus noise of which 70 % of the variance is
shared by both models, calibrated on the truth; then its odds are multiplied as the case says.
Prints the table of docs/method.md.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from pql_model.evaluation.gate import ChampionComparison, gate_decision
from pql_model.evaluation.verdict import Verdict
from pql_model.statistics.metrics import paired_difference

CONVERSIONS = (50, 100, 300)
RATE, SNAPSHOTS, SHARED = 0.1, 2, 0.7


@dataclass(frozen=True)
class Model:
    """Its noise, and what is wrong with its probabilities."""

    noise: float = 0.7
    odds: float = 1.0


CASES = {
    "nothing": (Model(), Model()),
    "the champion's odds are 1.5 times too high": (Model(), Model(odds=1.5)),
    "the champion's odds are 2 times too high": (Model(), Model(odds=2)),
    "the challenger ranks better (ROC-AUC + 0.065)": (Model(noise=0.2), Model(noise=1.1)),
    "the challenger ranks better, but its odds are 2 times too high": (Model(noise=0.2, odds=2), Model(noise=1.1)),
    "the challenger ranks worse (ROC-AUC - 0.065)": (Model(noise=1.1), Model(noise=0.2)),
    "the challenger ranks worse, and the champion's odds are 2 times too high": (
        Model(noise=1.1),
        Model(noise=0.2, odds=2),
    ),
}


def world(rng: np.random.Generator, conversions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entities, true log-odds and outcomes of about so many converted rows."""
    entities = np.repeat(np.arange(int(conversions / RATE / SNAPSHOTS)), SNAPSHOTS)
    raw = rng.normal(0, 1.2, entities.max() + 1)[entities] + rng.normal(0, 0.4, len(entities))
    truth = raw + brentq(lambda level: expit(raw + level).mean() - RATE, -20, 20)
    return entities, truth, (rng.random(len(truth)) < expit(truth)).astype(float)


def probability(model: Model, truth: np.ndarray, shared: np.ndarray, own: np.ndarray) -> np.ndarray:
    score = truth + model.noise * (np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own)
    converts = expit(truth)
    regression = LogisticRegression(C=np.inf).fit(
        np.r_[score, score][:, None],
        np.repeat([1, 0], len(score)),
        sample_weight=np.r_[converts, 1 - converts],
    )
    return expit(regression.decision_function(score[:, None]) + np.log(model.odds))


def passes(rng: np.random.Generator, conversions: int, challenger: Model, champion: Model) -> bool:
    entities, truth, y = world(rng, conversions)
    shared, *own = rng.normal(size=(3, len(truth)))
    challenger_probability, champion_probability = (
        probability(m, truth, shared, o) for m, o in zip((challenger, champion), own, strict=True)
    )
    names = ("roc_auc", "log_loss", "calibration_error")
    differences = (
        paired_difference(y, challenger_probability, champion_probability, entities, name, resamples=300)
        for name in names
    )
    return gate_decision(Verdict("ready", "", ""), ChampionComparison("1", len(y), int(y.sum()), *differences)).passed


def main(repetitions: int) -> None:
    print(f"| what is different | {' | '.join(f'{n:,} conversions' for n in CONVERSIONS)} |")
    print("|---|" + "---|" * len(CONVERSIONS))
    for name, (challenger, champion) in CASES.items():
        rates = []
        for conversions in CONVERSIONS:
            rng = np.random.default_rng(conversions)
            rates.append(np.mean([passes(rng, conversions, challenger, champion) for _ in range(repetitions)]))
        print(f"| {name} | {' | '.join(f'{rate:.0%}' for rate in rates)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
