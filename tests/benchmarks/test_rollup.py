"""The roll-up benchmark: who counts as a user of a snapshot, the roll-ups by hand, and its page."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import ibis
import numpy as np
import pandas as pd
import pytest

from pql_model.config.load import load_config
from pql_model.statistics.estimate import Estimate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def rollup(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("rollup")


@pytest.fixture
def worlds(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("rollup_worlds")


def test_roll_ups_of_three_two_and_no_users(rollup):
    account, score = np.array([0, 0, 0, 2, 2]), np.array([0.5, 0.2, 0.1, 0.3, 0.2])

    found = rollup.roll_up(account, score, 3, median=0.2, high=0.4)

    assert found["sum"] == pytest.approx([0.8, 0, 0.5])
    assert found["max"].tolist() == [0.5, 0, 0.3]
    assert found["mean"] == pytest.approx([0.8 / 3, 0, 0.25])
    assert found["noisy-or"] == pytest.approx([1 - 0.5 * 0.8 * 0.9, 0, 1 - 0.7 * 0.8])
    assert found["breadth 50"].tolist() == [1, 0, 1]
    assert found["breadth 80"].tolist() == [1, 0, 0]


def seen_users(rollup, *events, as_of=100):
    """Users of account `a` at `as_of`; an event is (account, user, time, known_at)."""
    columns = {"entity": "string", "user": "string", "time": "int64", "known_at": "int64"}
    log = ibis.memtable([dict(zip(columns, event, strict=True)) for event in events], schema=columns)
    arguments = {"entity": "string", "as_of": "int64", "signed_up": "int64"}
    snapshots = ibis.memtable([{"entity": "a", "as_of": as_of, "signed_up": 0}], schema=arguments)
    data = SimpleNamespace(
        sources=SimpleNamespace(events=SimpleNamespace(table=log)), snapshots=SimpleNamespace(table=snapshots)
    )
    _, users = rollup.user_snapshots(data)
    return sorted(row["entity"].split(rollup.SEPARATOR)[1] for row in users.to_pyarrow().to_pylist())


def test_a_user_exists_from_its_first_event_before_the_snapshot(rollup):
    events = [("a", "early", 99, None), ("a", "early", 150, None), ("a", "tie", 100, None), ("a", "later", 101, None)]

    assert seen_users(rollup, *events) == ["early"]


def test_a_user_whose_events_arrive_late_is_not_known_yet(rollup):
    assert seen_users(rollup, ("a", "late", 50, 100), ("a", "in time", 50, 99)) == ["in time"]


def test_events_without_a_user_and_of_other_accounts_make_no_user(rollup):
    assert seen_users(rollup, ("a", None, 50, None), ("b", "stranger", 50, None), ("a", "one", 50, None)) == ["one"]


def test_two_equal_worlds_halve_the_variance(rollup):
    found = rollup.pooled([Estimate(0.1, 0.0, 0.2), Estimate(0.3, 0.2, 0.4)])

    assert found.value == pytest.approx(0.2)
    assert found.high - found.value == pytest.approx(0.1 / np.sqrt(2))


def test_a_champion_is_one_user_and_a_total_is_all_of_them(worlds):
    reports = np.array([[5, 0, 0], [3, 3, 3]])

    assert worlds.most_by_one(reports).tolist() == [5, 3]
    assert worlds.all_together(reports).tolist() == [5, 9]


@pytest.mark.parametrize("world", ["one champion", "the total"])
def test_a_generated_world_can_be_read_and_has_conversions(worlds, world, tmp_path):
    config = load_config(worlds.WORLDS[world][0](tmp_path, 200, 1))
    paid, created = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("subscriptions", "workspaces"))
    after = paid.merge(created, on="workspace")
    days = (after["paid_at"] - after["created"]).dt.total_seconds() / 86_400

    assert config.entity == "account"
    assert 10 <= len(paid) <= 60
    assert days.min() >= 14
    assert days.max() < 44


def test_absent_real_data_are_said_in_one_sentence(worlds, tmp_path, monkeypatch):
    monkeypatch.setattr(worlds, "DATA", tmp_path)

    with pytest.raises(SystemExit, match=r"There is no relax in .*set PQL_BENCH_DATA"):
        worlds.relax(tmp_path, 417, 0)


def test_the_page_holds_the_tables_of_the_results(rollup):
    results = json.loads((ROOT / "benchmarks" / "results" / "rollup.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "rollup.md").read_text(encoding="utf-8")

    for table in rollup.tables(results["worlds"]).split("\n\n"):
        assert table in page, "put the tables that `python benchmarks/rollup.py` prints into docs/rollup.md"
