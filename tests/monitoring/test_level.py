"""Level of the probabilities and of the conversion rate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pql_model.monitoring.level import level_findings, tail, widest_departure
from pql_model.time import DAY, iso

ERROR = 0.17


def world(rng, days, factor=lambda day: 1.0, per_day=15, p=0.12, final_before=None) -> pd.DataFrame:
    """Entities scored once, whose odds come true times a factor; from `final_before` on half of the conversions are due."""
    day = np.repeat(np.arange(days), per_day)
    probability = np.clip(rng.beta(2, 2 / p - 2, len(day)), 0, 0.9)
    due = np.where(day < (final_before if final_before is not None else days), 1.0, 0.5)
    rate = probability * np.array([factor(d) for d in day]) * due
    return pd.DataFrame(
        {
            "entity": np.arange(len(day)),
            "as_of": day * DAY,
            "probability": probability,
            "final": due == 1.0,
            "due_share": due,
            "converted_by_now": rng.random(len(day)) < np.clip(rate, 0, 1),
        }
    )


def kinds(rows, base=0.12, error=ERROR):
    return {f.kind: f for f in level_findings(rows, error, base, error, 0.1, "version 1")}


def test_quiet_worlds_stay_quiet_and_cut_odds_are_found():
    rng = np.random.default_rng(1)
    quiet = [kinds(world(rng, 70)) for _ in range(40)]
    cut = [kinds(world(rng, 70, lambda day: 1 / 3 if day > 5 else 1)) for _ in range(40)]

    assert sum(bool(found) for found in quiet) <= 1
    assert sum("calibration_off" in found and "base_rate_changed" in found for found in cut) >= 38
    assert all(found["calibration_off"].severity == "act" for found in cut if "calibration_off" in found)


def test_looking_at_nested_stretches_raises_no_more_alarms_than_one_look():
    rng = np.random.default_rng(9)
    final = np.ones(70 * 15, bool)
    p_values = []
    for level in rng.gamma(1 / ERROR**2, ERROR**2, 400):
        rows = world(rng, 70, lambda day, level=level: level)
        entity, came = rows["entity"].to_numpy(), rows["converted_by_now"].to_numpy(float)
        stretch = widest_departure(rows["as_of"].to_numpy(), entity, rows["probability"].to_numpy(), came, ERROR, final)
        p_values.append(stretch.p_value)

    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(np.array(p_values) < 0.5) == pytest.approx(0.5, abs=0.1)


def test_a_level_that_moves_by_what_the_model_says_of_itself_is_quiet():
    rng = np.random.default_rng(2)
    moved = [kinds(world(rng, 70, lambda day, f=f: f)) for f in np.exp(rng.normal(0, 0.15, 60))]

    assert sum(bool(found) for found in moved) <= 3


def test_a_change_of_mix_that_the_model_knows_is_no_fault_of_its_level():
    rows = world(np.random.default_rng(3), 100, p=0.04)
    found = kinds(rows, base=0.12)

    assert set(found) == {"base_rate_changed"}
    assert found["base_rate_changed"].severity == "watch"
    assert found["base_rate_changed"].figure == pytest.approx(0.04, abs=0.01)
    assert "12.0%" in found["base_rate_changed"].words


def test_a_change_last_month_is_dated_there():
    rows = world(np.random.default_rng(4), 200, lambda day: 0.2 if day >= 150 else 1, per_day=20)
    finding = kinds(rows)["calibration_off"]

    assert finding.since // DAY in (139, 154, 169)
    assert iso(finding.since // DAY * DAY) in finding.words
    assert finding.figure < finding.expected


def test_more_than_promised_is_found_too():
    finding = kinds(world(np.random.default_rng(5), 70, lambda day: 2.2))["calibration_off"]
    assert finding.figure > finding.expected
    assert "more than promised" in finding.words


def test_what_needs_an_estimate_is_at_most_watch():
    rows = world(np.random.default_rng(6), 60, lambda day: 0.2, per_day=25, final_before=3)
    finding = kinds(rows)["calibration_off"]

    assert finding.severity == "watch"
    assert "estimate from early conversions" in finding.words


def test_a_year_without_a_conversion_is_found_and_few_rows_are_not_judged():
    rng = np.random.default_rng(7)
    assert kinds(world(rng, 365, lambda day: 0.0, per_day=3))["calibration_off"].figure == 0
    assert kinds(world(rng, 5, lambda day: 0.0)) == {}
    assert level_findings(world(rng, 0), ERROR, 0.1, ERROR, 0.1, "version 1") == ()


def test_scores_of_every_day_are_not_more_evidence():
    rng = np.random.default_rng(8)
    once = world(rng, 30, lambda day: 0.6, per_day=6)
    daily = pd.concat([once.assign(as_of=once["as_of"] + k) for k in range(12)], ignore_index=True)

    assert [f.words for f in level_findings(daily, ERROR, 0.12, ERROR, 0.1, "x")] == [
        f.words for f in level_findings(once, ERROR, 0.12, ERROR, 0.1, "x")
    ]


def test_the_tail_is_that_of_a_poisson_count_where_the_level_is_certain():
    assert tail(5, 10, 0) == pytest.approx(2 * 0.0671, abs=1e-3)
    assert tail(10, 10, 0) == 1
