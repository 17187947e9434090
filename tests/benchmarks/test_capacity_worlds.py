"""Daily runs with a capacity in made-up worlds: what the page of decisions promises."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", ["growing", "freemium"])
def test_the_best_are_alerted_at_once_the_cap_holds_and_no_week_is_idle(kind, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    capacity = importlib.import_module("capacity")
    of = capacity.world(kind, 11)
    daily, weekly = capacity.work(of), capacity.work(of, every=7)
    assert daily["most_in_7_days"] == 25
    assert daily["alerts"] == 250
    assert daily["out_of_order"] == 0
    assert daily["best_within_a_day"] >= 0.95 * daily["best_tenth"]
    assert daily["wins"] >= weekly["wins"]
