"""Sixty days of noise: what hysteresis, cool-down, capacity and hold-out promise, they keep together."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def flips(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("flips")


def test_in_sixty_daily_runs_nobody_is_alerted_more_than_every_cool_down(flips):
    run = flips.Days(flips.ABOVE)
    days = [np.flatnonzero(alerts) for alerts in run.alerts.T if alerts.sum() > 1]
    assert min(np.diff(at).min() for at in days) >= 14
    assert run.most_alerts <= 5  # once, and once more after each of four cool-downs of 14 days


def test_without_hysteresis_and_cool_down_leads_would_flip_daily(flips):
    free, kept = flips.Days(flips.ABOVE, stay=1.0, cool_down=0), flips.Days(flips.ABOVE)
    assert free.most_alerts > 15
    assert kept.changes < 0.7 * free.changes
    assert kept.alerts.sum() < 0.5 * free.alerts.sum()


def test_in_sixty_daily_runs_no_week_exceeds_the_capacity_and_none_is_idle(flips):
    run = flips.Days(flips.CAPACITY)
    assert run.most_in(7) == 50
    assert run.alerts.sum() >= 0.97 * 60 * 50 / 7  # some runs start before the places of a week ago are free
    assert run.alerts.sum(axis=1).max() <= 9  # an even pace: nobody new comes


def test_the_hold_out_is_never_alerted_in_sixty_days_and_takes_no_place(flips):
    run = flips.Days(flips.CAPACITY, share=0.2)
    assert run.held.sum() > 300
    assert not run.alerts[:, run.held].any()
    assert run.alerts.sum() >= 0.97 * 60 * 50 / 7  # some runs start before the places of a week ago are free


def test_the_table_has_a_line_for_each_policy(flips, capsys, monkeypatch):
    monkeypatch.setattr(flips, "SETTINGS", {"x": (flips.CAPACITY, 0.8, 0)})
    flips.main()
    assert capsys.readouterr().out.splitlines()[2].startswith("| x | ")
