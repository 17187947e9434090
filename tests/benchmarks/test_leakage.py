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
