"""The benchmark of the intervals: its worlds, its truth, and its page."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def coverage():
    # not by its name, which is also that of a package that measures tests
    spec = importlib.util.spec_from_file_location("benchmark_of_coverage", ROOT / "benchmarks" / "interval_coverage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        patch.setattr(module, "POPULATION", 40_000)
        yield module


@pytest.fixture(scope="module")
def population(coverage):
    return coverage.Population(coverage.WORLDS["strong, calibrated"], 0.1)


def test_the_true_values_are_those_of_many_outcomes(coverage, population):
    rows, y = population.sample(np.random.default_rng(0), 10_000)
    p = population.probability(rows.seen)
    assert y.mean() == pytest.approx(0.1, abs=0.003)
    assert roc_auc_score(y, p) == pytest.approx(population.true["roc_auc"], abs=0.01)
    assert np.mean((p - y) ** 2) == pytest.approx(population.true["brier"], abs=0.003)
    met = rows.seen > coverage.RULE
    assert y[met].mean() == pytest.approx(population.true["definition: rate"], abs=0.015)


def test_a_calibrated_world_is_calibrated_and_another_is_not(coverage, population):
    off = coverage.Population(coverage.WORLDS["weak, not calibrated"], 0.1).true
    assert population.true["calibration_error"] < 0.003
    assert population.true["observed_over_expected"] == pytest.approx(1, abs=0.01)
    assert off["calibration_error"] > 0.03
    assert off["observed_over_expected"] < 0.8


def test_snapshots_of_an_entity_convert_together(coverage):
    rows, y = coverage.Population(coverage.WORLDS["weak, alike, calibrated"], 0.1).sample(
        np.random.default_rng(0), 4000
    )
    first, second = y[:-1], y[1:]
    same = rows.who[:-1] == rows.who[1:]
    assert first[same & (second == 1)].mean() > 3 * first[~same & (second == 1)].mean()


def test_every_interval_is_asked_for_its_truth(coverage, population):
    found = coverage.figures(population, np.random.default_rng(0), 30)
    assert set(population.true) <= set(found)
    assert (
        len(set(found) - set(population.true)) == 3
    )  # conversions expected, which have no true value but those that came


def test_the_table_counts_what_was_missed(coverage):
    figure = {"below": 3, "above": 1, "of": 100, "width": 0.1, "truth": 0.5}
    cells = [
        {"world": "w", "conversions": 25, "base_rate": 0.1, "figures": {"roc_auc": figure}},
        {"world": "v", "conversions": 60, "base_rate": 0.1, "figures": {"roc_auc": {**figure, "below": 0}}},
    ]
    assert coverage.table(cells).splitlines()[2] == (
        "| roc_auc | 96.0 | 99.0 |  |  | **97.5** | 1.5 / 1.0 | 96.0, 99.0 |"
    )


def test_the_plan_has_every_size_with_200_repetitions_and_every_world(coverage):
    planned = coverage.plan(quick=False)
    assert {(n, base) for _, n, base, _ in planned} == {
        (n, base) for n in coverage.CONVERSIONS for base in coverage.BASE_RATES if (n, base) != (400, 0.015)
    }
    assert {world for world, *_ in planned} == set(coverage.WORLDS)
    assert min(repetitions for *_, repetitions in planned) == 200


def test_the_page_holds_the_table_of_the_results(coverage):
    cells = json.loads(coverage.RESULTS.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "intervals.md").read_text(encoding="utf-8")
    assert coverage.table(cells) in page, (
        "put the table that `python benchmarks/interval_coverage.py` prints into docs/intervals.md"
    )
