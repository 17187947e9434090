"""Weeks and months of sign-up."""

from __future__ import annotations

import numpy as np

from pql_model.criteria.definition_metrics import Outcomes
from pql_model.report.cohort_counts import monthly_counts, weekly_counts
from pql_model.time import DAY, WEEK, iso, parse_instant

MONDAY = parse_instant("2026-01-05")


def weeks(rows: int = 600) -> tuple[list[dict], Outcomes, np.ndarray]:
    rng = np.random.default_rng(1)
    begins = MONDAY + rng.integers(0, 12 * WEEK, rows)
    outcomes = Outcomes(np.arange(rows), begins + 7 * DAY, begins, rng.random(rows) < 0.2)
    met = rng.random(rows) < 0.4
    return weekly_counts(outcomes, {"d1": met}, MONDAY + 15 * WEEK, MONDAY + 11 * WEEK), outcomes, met


def test_weeks_hold_every_row_once():
    found, outcomes, met = weeks()

    assert [week["week"] for week in found] == [iso(MONDAY + k * WEEK) for k in range(16)]
    assert sum(week["entities"] for week in found) == len(outcomes)
    assert sum(week["by_definition"]["d1"]["qualified"] for week in found) == met.sum()
    assert sum(week["by_definition"]["d1"]["conversions"] for week in found) == (met & outcomes.converted).sum()
    assert [week["finished"] for week in found] == [True] * 11 + [False] * 5


def test_months_add_up_to_the_same_and_keep_earlier_and_later_weeks_apart():
    found, outcomes, met = weeks()
    later_from = iso(MONDAY + 6 * WEEK)  # 16 February
    months = monthly_counts(found, later_from)

    assert [month["week"][:10] for month in months] == [
        "2026-01-05",
        "2026-02-02",
        "2026-02-16",
        "2026-03-02",
        "2026-04-06",
    ]
    assert sum(month["entities"] for month in months) == len(outcomes)
    assert sum(month["by_definition"]["d1"]["qualified"] for month in months) == met.sum()
    assert [month["finished"] for month in months] == [True, True, True, False, False]
    assert len(monthly_counts(found, None)) == 4
    assert monthly_counts([], later_from) == []
