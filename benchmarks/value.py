"""Does the interval of the expected value hold what comes? In worlds whose values differ by segment, with the level known.

    python benchmarks/value.py

Values are log-normal (sigma 0.5, 0.8 or 1.2) around a mean that is pooled or differs tenfold by segment. They are learnt from the
conversions of a past, and the value of a month with as many expected conversions is forecast.
"""

from __future__ import annotations

import argparse

import numpy as np

from pql_model.model.columns import Manifest, ModelColumn
from pql_model.model.conversion_value import learn_value

MANIFEST = Manifest((ModelColumn("trait.size", "category", ("small", "medium", "large")),))
MEANS = {"by segment": np.array([50.0, 150.0, 500.0]), "pooled": np.full(3, 150.0)}
CONVERSIONS, SIGMAS, RATE = (30, 100, 300), (0.5, 0.8, 1.2), 0.1


def conversions(rng: np.random.Generator, n: int, means: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Values and the matrix of n accounts."""
    size = rng.integers(0, 3, n)
    return means[size] * rng.lognormal(-(sigma**2) / 2, sigma, n), size[:, None].astype(float)


def holds(means: np.ndarray, sigma: float, number: int, seed: int) -> bool:
    """Whether the interval holds the value of the next month in one world."""
    rng = np.random.default_rng([seed, number])
    value = learn_value(*conversions(rng, number, means, sigma), MANIFEST, seed)
    assert value is not None
    rows = round(number / RATE)
    values, X = conversions(rng, rows, means, sigma)
    probability = rng.beta(1, 1 / RATE - 1, rows)
    found = value.of(X, MANIFEST).of_all(probability, 0.0)
    return bool(found.low <= values[rng.random(rows) < probability].sum() <= found.high)


def main() -> None:
    arguments = argparse.ArgumentParser(description="Coverage of expected values.")
    arguments.add_argument("--worlds", type=int, default=400, help="Per cell.")
    worlds = arguments.parse_args().worlds
    print(f"| values | conversions | {' | '.join(f'sigma {sigma}' for sigma in SIGMAS)} |")
    print("|---|---|" + "---|" * len(SIGMAS))
    for name, means in MEANS.items():
        for number in CONVERSIONS:
            cells = [np.mean([holds(means, sigma, number, seed) for seed in range(worlds)]) for sigma in SIGMAS]
            print(f"| {name} | {number} | {' | '.join(f'{cell:.0%}' for cell in cells)} |", flush=True)


if __name__ == "__main__":
    main()
