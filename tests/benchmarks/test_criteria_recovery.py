"""The benchmark of mining: its worlds, how it counts, and its page."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pql_model.config.definition import Criterion

ROOT = Path(__file__).resolve().parents[2]


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, module)  # dataclasses look their module up
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def worlds():
    return load("criteria_worlds", "criteria_worlds.py")


@pytest.fixture(scope="module")
def benchmark(worlds):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "criteria_worlds", worlds)
        return load("benchmark_of_criteria", "criteria.py")


@pytest.fixture(scope="module")
def world(worlds):
    return worlds.criteria_world(4000, rule_seed=3)


def counted(world, rule):
    """What a planted rule counts, from the log alone."""
    log = world.events.merge(world.accounts, on="account")
    day = (log["time"] - log["created"]).dt.total_seconds() / 86_400
    low, high = {"first 7d": (0, 7), "last 7d": (7, 14), "first 14d": (0, 14), "ever": (0, 14)}[rule.window]
    log = log[(day >= low) & (day < high)]
    if rule.measure == "distinct_users":
        counts = log.groupby("account")["user"].nunique()
    else:
        counts = log[log["action"] == rule.event].groupby("account").size()
    return counts.reindex(world.accounts["account"], fill_value=0).to_numpy()


def test_accounts_that_meet_a_planted_rule_convert_more_often_by_its_weight(world):
    met = np.column_stack([counted(world, rule) >= rule.threshold for rule in world.planted])
    assert met.shape[1] == 4
    odds = np.log(world.chance / (1 - world.chance))
    effects = np.linalg.lstsq(np.column_stack([np.ones(len(met)), met]), odds, rcond=None)[0][1:]
    assert effects == pytest.approx([rule.weight for rule in world.planted], abs=0.08)


def test_a_tenth_decides_to_pay_and_the_payments_say_so(world):
    assert world.chance.mean() == pytest.approx(0.1, abs=0.015)
    delay = world.payments.merge(world.accounts, on="account").eval("paid - created").dt.total_seconds() / 86_400
    paid = delay[delay >= 14]
    assert len(paid) / 4000 == pytest.approx(world.chance.mean(), abs=0.02)
    assert (paid < 44).mean() > 0.98


def test_another_year_is_the_same_product_with_other_accounts(worlds, world):
    other = worlds.criteria_world(4000, rule_seed=3, sample_seed=1)
    assert other.planted == world.planted
    assert other.conversions != world.conversions
    assert other.chance.mean() == pytest.approx(world.chance.mean(), abs=0.015)


def test_in_a_world_of_noise_everybody_has_about_the_same_chance(worlds):
    noise = worlds.criteria_world(2000, rule_seed=9, planted=0)
    assert noise.planted == ()
    assert np.log(noise.chance / (1 - noise.chance)).std() == pytest.approx(0.3, abs=0.03)
    sizes = [noise.chance[noise.accounts["company_size"] == size].mean() for size in worlds.SIZES]
    assert max(sizes) - min(sizes) < 0.02


def found(condition, also=(), interval=(1, 9)):
    alternatives = tuple(SimpleNamespace(condition=Criterion.model_validate(c), share=0.3) for c in also)
    mined = SimpleNamespace(
        condition=Criterion.model_validate(condition),
        alternatives=alternatives,
        threshold_interval=interval,
        threshold_agreement=0.5,
    )
    return SimpleNamespace(mined=mined)


@pytest.mark.parametrize(
    ("condition", "also", "how"),
    [
        ({"event": "Export Made", "at_least": 5, "within": "last 14d"}, (), "exactly"),
        ({"event": "Export Made", "at_least": 5}, (), "exactly"),
        ({"event": "Export Made", "at_least": 6}, (), "nearly"),
        ({"event": "Export Made", "at_least": 7}, (), "behaviour"),
        ({"event": "Export Made", "at_least": 5, "within": "first 7d"}, (), "behaviour"),
        (
            {"event": "Export Made", "at_least": 3, "within": "first 7d"},
            ({"event": "Export Made", "at_least": 4},),
            "nearly",
        ),
        (
            {"event": "Export Made", "at_least": 3, "within": "first 7d"},
            ({"event": "Export Made", "at_least": 8},),
            "behaviour",
        ),
        ({"event": "Export Made", "measure": "active_days", "at_least": 5}, (), "behaviour"),
        ({"event": "Help Read", "at_least": 5}, (), "missed"),
    ],
)
def test_how_a_planted_criterion_came_back(benchmark, worlds, condition, also, how):
    rule = worlds.Planted("Export Made", "count", "first 14d", 5, 1.0)
    assert benchmark.standing(rule, [found(condition, also)])[0] == how


def test_people_of_the_account_are_a_behaviour_of_their_own(benchmark, worlds):
    rule = worlds.Planted("any", "distinct_users", "ever", 4, 1.0)
    busy = found({"event": "any", "measure": "active_days", "at_least": 4})
    people = found({"event": "any", "measure": "distinct_users", "at_least": 4})
    assert benchmark.standing(rule, [busy])[0] == "missed"
    assert benchmark.standing(rule, [busy, people]) == ("exactly", people)


def record(size, how, false=(), kind="planted", rules=(), **overrides):
    planted = [{"planted": "x", "found": each, "inside": each != "missed" or None} for each in how]
    return {
        "kind": kind,
        "accounts": size,
        "seed": 1,
        "earlier": [2000, 200],
        "planted": planted,
        "false": list(false),
        "traits": [],
        "not_confirmed": [],
        "rules": list(rules),
        **overrides,
    }


def test_the_recovery_table_counts_shares_of_planted_and_false_ones_a_world(benchmark):
    records = [
        record(3000, ["exactly"] * 3 + ["missed"], ["y"]),
        record(3000, ["exactly"] * 2 + ["nearly", "behaviour"]),
    ]
    assert benchmark.recovery_table(records).splitlines()[2] == (
        "| 3,000 | 2 | 200 | 8 | **62%** | 12% | 12% | 12% | 0.50 | 100% of 7 |"
    )


def test_the_noise_table_counts_worlds_with_any_criterion(benchmark):
    records = [
        record(3000, [], kind="noise"),
        record(3000, [], ["y"], kind="noise"),
        record(3000, [], kind="noise", not_confirmed=["z"]),
    ]
    assert benchmark.noise_table(records).splitlines()[2] == "| 3 | 3,000 | 2 | 1 |"


def test_the_interval_table_counts_those_that_hold(benchmark):
    rule = {"joined": True, "qualified": 200, "low": 0.1, "high": 0.2, "true": 0.15, "next_year": 0.21}
    rules = [rule, {**rule, "joined": False, "next_year": 0.2}]
    assert benchmark.interval_table([record(3000, [], rules=rules)]).splitlines()[2:] == [
        "| 3,000 | 1 criteria | 200 | 10.0 | **100.0%** | **100.0%** |",
        "| 3,000 | 1 definitions | 200 | 10.0 | **100.0%** | **0.0%** |",
        "| all | 2 | 200 | 10.0 | **100.0%** | **50.0%** |",
    ]


def test_the_page_holds_the_tables_of_the_results(benchmark):
    records = benchmark.read()
    page = (ROOT / "docs" / "criteria.md").read_text(encoding="utf-8")
    for table in (benchmark.recovery_table, benchmark.noise_table, benchmark.interval_table):
        assert table(records) in page, "put what `python benchmarks/criteria.py --table` prints into docs/criteria.md"


def test_the_results_are_complete(benchmark):
    records = json.loads(benchmark.RESULTS.read_text(encoding="utf-8"))
    worlds = [(r["kind"], r["accounts"], r["seed"]) for r in records]
    assert len(set(worlds)) == len(worlds)
    assert all({"true", "next_year"} <= set(rule) for r in records if r["kind"] == "planted" for rule in r["rules"])
