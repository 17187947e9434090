"""A step in how often entities do an event is told from one heavy user among few."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pql_model.monitoring.by_entity import EntityLogs, chance_of_step, confirm_repeats
from pql_model.monitoring.volume import EventChange
from pql_model.sources.duckdb_session import open_session

CHANGED = 100


def entities(rng, count, factor=1.0, days=6):
    """Entities of which some do far more than others, on all of their days."""
    own = rng.normal(0, 0.6, count) + np.log(factor)
    n = rng.integers(1, days, count).astype(float)
    return EntityLogs(n, n * own + rng.normal(0, 0.5, count) * np.sqrt(n))


def with_heavy_user(logs, days=25.0, factor=12.0):
    return EntityLogs(np.append(logs.days, days), np.append(logs.logs, days * np.log(factor)))


@pytest.mark.parametrize("seed", range(5))
def test_an_event_that_all_send_twice_is_beyond_chance(seed):
    rng = np.random.default_rng(seed)
    assert chance_of_step(entities(rng, 900), entities(rng, 120, factor=2)) < 1e-7


@pytest.mark.parametrize("seed", range(20))
def test_a_heavy_user_among_few_is_chance(seed):
    rng = np.random.default_rng(seed)
    before, after = entities(rng, 200), with_heavy_user(entities(rng, 12))

    assert after.mean > before.mean + np.log(1.6)
    assert chance_of_step(before, after) > 0.01


def test_a_side_of_one_entity_says_nothing():
    rng = np.random.default_rng(0)
    assert chance_of_step(entities(rng, 200), EntityLogs(np.array([40.0]), np.array([90.0]))) == 1


def log(rng, doubled, heavy=0):
    """Rows of an event by day and entity; from a day on twice as many, or many of one entity."""
    rows = []
    for entity in range(300):
        start = int(rng.integers(0, 120))
        for day in range(start, start + int(rng.integers(1, 8))):
            n = 1 + int(rng.poisson(1))
            rows.append((f"e{entity}", "x", float(n * (2 if doubled and day >= CHANGED else 1)), day))
    rows += [("heavy", "x", 60.0, day) for day in range(CHANGED, CHANGED + heavy)]
    return pd.DataFrame(rows, columns=["entity", "event", "n", "day"])


@pytest.mark.parametrize(("doubled", "heavy", "stays"), [(True, 0, True), (False, 19, False)])
def test_repeats_are_asked_of_the_entities(doubled, heavy, stays):
    change = EventChange("x", "repeated", CHANGED, 200.0, 100.0, 20, True)
    fell = EventChange("x", "fell", CHANGED, 50.0, 100.0, 20, True)
    with open_session("1GB") as con:
        table = con.create_table("log", log(np.random.default_rng(3), doubled, heavy))
        assert confirm_repeats([fell, change], table, 0, 500) == ([fell, change] if stays else [fell])
