"""The benchmark of the leakage audit: its made-up products and its page."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def benchmark_of(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


def test_the_page_is_that_of_the_figures(benchmark_of):
    results = json.loads((ROOT / "benchmarks" / "results" / "leakage.json").read_text(encoding="utf-8"))
    assert benchmark_of("leakage").page(results) == (ROOT / "docs" / "leakage.md").read_text(encoding="utf-8")


def test_a_product_without_leaks_and_the_same_with_them(benchmark_of, tmp_path):
    worlds = benchmark_of("leakage_worlds")
    (tmp_path / "clean").mkdir()
    (tmp_path / "leaking").mkdir()
    clean, leaking = (worlds.make_world(tmp_path / name, 3, name == "leaking") for name in ("clean", "leaking"))
    assert clean.leaks == frozenset()
    assert leaking.leaks == frozenset(worlds.LEAKS)
    assert leaking.honest == clean.honest - {"seats"}
    paid = [pd.read_parquet(tmp_path / name / "paid.parquet") for name in ("clean", "leaking")]
    pd.testing.assert_frame_equal(*paid)
    accounts = pd.read_parquet(tmp_path / "leaking" / "accounts.parquet")
    sorted_by_outcome = accounts["account"].isin(paid[0]["account"]).to_numpy()
    assert sorted_by_outcome[: len(paid[0])].all()


def test_the_same_seed_gives_the_same_product(benchmark_of, tmp_path):
    worlds = benchmark_of("leakage_worlds")
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        worlds.make_world(tmp_path / name, 5, leaking=True)
        made.append([pd.read_parquet(tmp_path / name / f"{table}.parquet") for table in ("accounts", "events", "then")])
    for one, two in zip(*made, strict=True):
        pd.testing.assert_frame_equal(one, two)


def test_planted_events_come_before_the_recorded_payment(benchmark_of, tmp_path):
    worlds = benchmark_of("leakage_event_worlds")
    leaks = frozenset({"workspace migrated", "converted"})
    made = worlds.make_event_world(tmp_path, 2, leaks, conversions=80)
    assert (made.leaks, made.conversions) == (leaks, 80)
    events, paid = (pd.read_parquet(tmp_path / f"{table}.parquet") for table in ("events", "paid"))
    planted = events[events["event"] == "workspace migrated"].merge(paid, on="account", suffixes=("", "_paid"))
    assert len(planted) > 40
    assert (planted["time"] < planted["time_paid"]).all()
    flagged = events[events["converted"] == 1].merge(paid, on="account", how="left", suffixes=("", "_paid"))
    assert (flagged["time"] > flagged["time_paid"] - pd.Timedelta(days=3, seconds=2)).all()


def test_a_product_without_leaks_has_neither_planted_events_nor_values(benchmark_of, tmp_path):
    worlds = benchmark_of("leakage_event_worlds")
    worlds.make_event_world(tmp_path, 2, frozenset(), conversions=80)
    events = pd.read_parquet(tmp_path / "events.parquet")
    assert not set(events["event"]) & set(worlds.EVENT_LEAKS)
    assert not set(events.columns) & set(worlds.VALUE_LEAKS)
