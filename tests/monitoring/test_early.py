"""Estimates before outcomes are final."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pql_model.monitoring.early import EarlyEstimate, TimeToConvert, early_estimate, with_due_share
from pql_model.statistics.estimate import Estimate
from pql_model.time import DAY

HORIZON = 30 * DAY


def rows(n: int, p: float, converting: int, days_ago: int, delay: int = 1) -> pd.DataFrame:
    """`n` entities scored some days ago, of whom some converted `delay` days later; now is day 100."""
    as_of = (100 - days_ago) * DAY
    came = np.where(np.arange(n) < converting, as_of + delay * DAY, -1)
    return pd.DataFrame(
        {
            "entity": [f"a{i}" for i in range(n)],
            "as_of": as_of,
            "probability": p,
            "known": True,
            "final": days_ago >= 30,
            "converted": pd.array([i < converting if days_ago >= 30 else None for i in range(n)], dtype="boolean"),
            "converted_at": pd.array(came, dtype="Int64").copy(),
        }
    ).assign(converted_at=lambda t: t["converted_at"].mask(t["converted_at"] < 0))


UNIFORM = TimeToConvert.of(np.linspace(0, HORIZON, 301)[:-1])


def test_early_conversions_are_scaled_by_the_time_to_convert_of_the_past():
    found = early_estimate(rows(1000, 0.1, 50, days_ago=15), UNIFORM, 100 * DAY, HORIZON)

    assert found.expected == pytest.approx(100)
    assert found.due == pytest.approx(50, rel=0.02)
    assert found.ratio.value == pytest.approx(1, rel=0.02)
    assert found.ratio.low < 0.8 < 1.25 < found.ratio.high
    assert found.text.startswith("Estimate")
    assert found.to_dict()["estimate"] is True


def test_the_interval_covers_the_truth_in_nineteen_of_twenty_worlds():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(80):
        past = TimeToConvert.of(rng.integers(0, HORIZON, 60))
        n = int(rng.binomial(600, 0.1 * 0.5))
        found = early_estimate(rows(600, 0.1, n, days_ago=15), past, 100 * DAY, HORIZON)
        covered += found.ratio.low <= 1 <= found.ratio.high
    assert covered >= 72


def test_nothing_yet_has_an_upper_end():
    found = early_estimate(rows(1000, 0.1, 0, days_ago=15), UNIFORM, 100 * DAY, HORIZON)

    assert found.ratio.value == 0
    assert found.ratio.high == pytest.approx(3.69 / 50, rel=0.03)


def test_there_is_no_estimate_without_a_past_or_of_rows_that_are_too_young_or_final():
    few = TimeToConvert.of(np.arange(5) * DAY)
    assert early_estimate(rows(100, 0.1, 5, days_ago=15), few, 100 * DAY, HORIZON) is None
    assert early_estimate(rows(100, 0.1, 5, days_ago=3), UNIFORM, 100 * DAY, HORIZON) is None
    assert early_estimate(rows(100, 0.1, 5, days_ago=40), UNIFORM, 100 * DAY, HORIZON) is None


def test_an_entity_counts_once_and_a_conversion_after_the_end_of_the_data_does_not_count():
    twice = pd.concat([rows(10, 0.1, 10, days_ago=15), rows(10, 0.1, 10, days_ago=14)], ignore_index=True)
    assert with_due_share(twice, UNIFORM, 100 * DAY, HORIZON)["weight"].sum() == pytest.approx(10)
    later = rows(10, 0.1, 10, days_ago=15, delay=20)
    assert not with_due_share(later, UNIFORM, 100 * DAY, HORIZON)["converted_by_now"].any()


def test_rows_of_unknown_entities_are_left_out():
    unknown = rows(10, 0.1, 2, days_ago=40).assign(known=False)
    assert with_due_share(unknown, UNIFORM, 100 * DAY, HORIZON).empty


def test_an_interval_that_leaves_out_1_says_why_it_is_no_finding():
    high = EarlyEstimate(200, 12.0, 5.0, 12.0, Estimate(2.4, 1.17, 4.9))

    assert high.departs
    assert "this is no finding" in high.text
    assert "in less than 1% of quiet looks" in high.text
    assert "no finding" not in replace(high, found=True).text
    usual = EarlyEstimate(200, 12.0, 5.0, 6.0, Estimate(1.2, 0.6, 2.4))
    assert not usual.departs
    assert "finding" not in usual.text
