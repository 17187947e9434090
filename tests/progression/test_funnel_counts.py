"""A funnel of a few entities, counted by hand."""

import numpy as np
import pandas as pd
import pytest

from pql_model.progression.funnel_counts import by_cohort, by_segment, follow, stage_figures
from pql_model.time import DAY, Duration

NAN = np.nan


def frame(*rows):
    """Days: signed_up, activated, SQL, paid."""
    return pd.DataFrame(rows, columns=["signed_up", "activated", "SQL", "paid"], dtype=float) * DAY


ROWS = frame(
    (0, 1, 5, 9),
    (0, 2, NAN, 6),  # skips SQL
    (0, 4, 3, NAN),  # SQL before activated
    (0, NAN, NAN, 40),  # pays too late
    (1, -2, NAN, NAN),  # activated before it signed up
    (25, 26, NAN, 27),  # signed up too late to be followed
)
STAGES = ["activated", "SQL", "paid"]


def figures(rows=ROWS, **options):
    return {
        each.stage: each for each in stage_figures(follow(rows, STAGES, Duration.parse("20d"), 44 * DAY, **options))
    }


def test_each_stage_is_counted_by_its_first_time_within_reach():
    result = figures()
    assert {name: (each.entities, each.of) for name, each in result.items()} == {
        "signed_up": (5, 5),
        "activated": (3, 5),
        "SQL": (2, 5),
        "paid": (2, 5),
    }
    assert result["paid"].of_signed_up.value == 0.4
    assert result["SQL"].of_previous.value == pytest.approx(2 / 3)
    assert result["paid"].of_previous.value == 0.5


def test_skipped_and_backward_stages_are_counted_and_give_no_negative_time():
    result = figures()
    assert (result["SQL"].backwards, result["paid"].skipped) == (1, 1)
    assert result["SQL"].days_from_previous.value == 4.0  # of the first entity only
    assert result["SQL"].days_from_sign_up.value == 4.0  # of 5 and 3
    assert result["paid"].days_from_sign_up.value == 7.5


def test_entities_that_signed_up_too_late_are_left_out_and_counted():
    followed = follow(ROWS, STAGES, Duration.parse("20d"), 44 * DAY)
    assert (len(followed.frame), followed.too_young) == (5, 1)
    assert follow(ROWS, STAGES, Duration.parse("20d"), 45 * DAY).too_young == 0


def test_a_stage_is_counted_among_those_of_which_it_would_be_known():
    result = figures(known_from={"SQL": 1 * DAY})
    assert (result["SQL"].of, result["SQL"].entities) == (1, 0)
    assert result["paid"].of == 5
    assert result["paid"].of_previous.value != result["paid"].of_previous.value  # nobody reached SQL since: unknown


def test_the_future_changes_nothing():
    later = ROWS.where(ROWS < 44 * DAY)
    assert figures(ROWS)["paid"].to_dict() == figures(later)["paid"].to_dict()


def test_cohorts_are_months_and_segments_are_values():
    rows = frame((0, 1, NAN, NAN), (30, NAN, NAN, 31), (31, 32, NAN, NAN))
    followed = follow(rows, STAGES, Duration.parse("5d"), 99 * DAY)
    assert {month: [s.entities for s in stages] for month, stages in by_cohort(followed).items()} == {
        "1970-01": [2, 1, 0, 1],
        "1970-02": [1, 1, 0, 0],
    }
    parts = by_segment(followed, np.array(["b", None, "a"], object))
    assert {name: stages[0].entities for name, stages in parts.items()} == {"a": 1, "b": 1}
