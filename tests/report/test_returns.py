"""What a list of leads brings in a week, beside direct counts."""

from __future__ import annotations

import numpy as np
import pytest

from pql_model.criteria.definition_metrics import Outcomes
from pql_model.report.returns import at_capacity, frontier, on_frontier, weekly_return
from pql_model.time import DAY, WEEK, week_of

MONDAY = 4 * DAY  # 1970-01-05


def outcomes(rows: int = 4000, weeks: int = 8, seed: int = 3, values: bool = True) -> Outcomes:
    rng = np.random.default_rng(seed)
    as_of = MONDAY + rng.integers(0, weeks * WEEK, rows)
    probability = rng.beta(1, 9, rows)
    converted = rng.random(rows) < probability
    value = np.where(converted, rng.lognormal(3, 1, rows), np.nan) if values else None
    return Outcomes(np.arange(rows), as_of, as_of, converted, probability, value)


def test_a_week_of_a_rule_is_what_was_counted():
    rows = outcomes()
    mask = rows.probability > 0.2
    found = weekly_return(mask, rows)

    assert (found["entities"], found["conversions"]) == (mask.sum(), (mask & rows.converted).sum())
    assert found["leads_per_week"]["value"] == pytest.approx(mask.sum() / 8)
    assert found["wins_per_week"]["value"] == pytest.approx((mask & rows.converted).sum() / 8)
    assert found["value_per_week"]["value"] == pytest.approx(np.nansum(rows.value[mask]) / 8, rel=1e-6)
    assert found["recall"]["value"] == pytest.approx((mask & rows.converted).sum() / rows.converted.sum(), abs=1e-6)


def test_conversions_without_a_value_have_that_of_the_others():
    rows = outcomes()
    known = rows.value.copy()
    known[np.flatnonzero(rows.converted)[::2]] = np.nan
    rows = Outcomes(rows.entity, rows.as_of, rows.begins, rows.converted, rows.probability, known)
    mask = np.ones(len(rows), bool)

    found = weekly_return(mask, rows)["value_per_week"]["value"]
    assert found == pytest.approx(np.nanmean(known) * rows.converted.sum() / 8, rel=1e-6)


def test_without_values_or_with_few_there_is_no_value():
    rows = outcomes(values=False)
    assert weekly_return(np.ones(len(rows), bool), rows)["value_per_week"] is None
    rows = outcomes()
    four = np.zeros(len(rows), bool)
    four[np.flatnonzero(rows.converted)[:4]] = True
    assert weekly_return(four, rows)["value_per_week"] is None


def test_intervals_of_wins_and_value_hold_the_truth():
    """Worlds whose rule converts at 0.3, with lognormal values."""
    held = np.zeros(2)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        as_of = MONDAY + rng.integers(0, 4 * WEEK, 800)
        converted = rng.random(800) < 0.3
        value = np.where(converted, rng.lognormal(3, 0.7, 800), np.nan)
        mask = np.arange(800) % 4 == 0
        found = weekly_return(mask, Outcomes(np.arange(800), as_of, as_of, converted, None, value))
        leads = mask.sum() / 4
        truths = leads * 0.3, leads * 0.3 * np.exp(3 + 0.7**2 / 2)
        for k, (name, truth) in enumerate(zip(("wins_per_week", "value_per_week"), truths, strict=True)):
            held[k] += found[name]["low"] <= truth <= found[name]["high"]
    assert (held >= 88).all(), held


def test_the_frontier_is_the_best_rows_by_probability():
    rows = outcomes()
    order = np.argsort(-rows.probability, kind="stable")
    points = frontier(rows)

    for point in points:
        best = order[: point["entities"]]
        assert point["conversions"] == rows.converted[best].sum()
        assert point["leads_per_week"] == pytest.approx(point["entities"] / 8, rel=0.01)
    assert points[-1]["entities"] == len(rows)
    assert np.diff([point["leads_per_week"] for point in points]).min() > 0
    assert week_of(rows.as_of).min() == MONDAY


@pytest.mark.parametrize("leads", [1, 7, 25, 60, 200])
def test_a_list_never_has_more_leads_than_the_team_can_work(leads):
    rows = outcomes()
    found = on_frontier(frontier(rows), leads, int(rows.converted.sum()))

    assert 0.9 * leads - 1 < found["leads_per_week"] <= leads


def test_of_a_list_that_is_too_long_a_part_is_worked_at_its_own_rate():
    rows = outcomes()
    weekly = weekly_return(rows.probability > 0.1, rows)
    own = weekly["leads_per_week"]["value"]
    half, more = at_capacity(weekly, own / 2), at_capacity(weekly, 3 * own)

    assert half["rate"] == more["rate"] == weekly["rate"]
    assert half["wins_per_week"]["value"] == pytest.approx(weekly["wins_per_week"]["value"] / 2, rel=1e-4)
    assert half["recall"]["value"] == pytest.approx(weekly["recall"]["value"] / 2, rel=1e-4)
    assert more["leads_per_week"] == pytest.approx(own, abs=1e-5)
    assert more["wins_per_week"]["value"] == pytest.approx(weekly["wins_per_week"]["value"], rel=1e-4)


def test_without_rows_or_probabilities_there_is_no_frontier():
    rows = outcomes()
    assert frontier(rows[np.zeros(len(rows), bool)]) == []
    assert frontier(Outcomes(rows.entity, rows.as_of, rows.begins, rows.converted)) == []
    assert on_frontier([], 25, 10) is None
