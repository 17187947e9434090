import numpy as np
import pandas as pd
import pytest

from pql_model.errors import DataError, NotEnoughDataError
from pql_model.evaluation.backtest_schedule import CutoffRequest, _cutoffs_from_end, plan_schedule, read_cutoffs
from pql_model.time import DAY, Duration, iso, parse_instant

HORIZON = Duration.parse("10d")
NOW = parse_instant("2026-01-01")


def day(number):
    """Days since 2025-01-01."""
    return parse_instant("2025-01-01") + int(number * DAY)


def dated(numbers):
    return tuple(iso(day(number)) for number in numbers)


@pytest.fixture
def thirty():
    """One snapshot a day from day 0 to day 89 of an entity of its own; every second one converts."""
    return pd.DataFrame(
        {
            "entity": [f"e{i}" for i in range(90)],
            "as_of": [day(i) for i in range(90)],
            "converted": [i % 2 == 0 for i in range(90)],
        }
    )


def walk(frame, *numbers, every=None, motion="trial"):
    asked = CutoffRequest(dated(numbers), Duration.parse(every) if every else None)
    return plan_schedule(frame, asked, HORIZON, motion, NOW)


def days_of(mask):
    return np.flatnonzero(mask).tolist()


def test_training_uses_final_snapshots_and_scoring_runs_to_the_next_cut_off(thirty):
    first, second = walk(thirty, 40, 55).steps
    assert days_of(first.train) == list(range(31))  # day 30 is final at day 40 exactly
    assert days_of(first.scored) == list(range(40, 55))
    assert days_of(second.train) == list(range(46))
    assert days_of(second.scored) == list(range(55, 70))  # as long as the step before


def test_a_snapshot_whose_horizon_ends_a_microsecond_after_the_cut_off_is_not_trained_on(thirty):
    thirty.loc[30, "as_of"] += 1
    assert days_of(walk(thirty, 40).steps[0].train) == list(range(30))


def test_a_snapshot_at_the_cut_off_is_scored_and_one_at_the_next_is_not(thirty):
    thirty.loc[[0, 1], "as_of"] = [day(40), day(50)]
    first, _ = walk(thirty, 40, 50).steps
    assert days_of(first.scored) == [0, *range(40, 50)]


def test_a_single_cut_off_is_used_for_one_horizon(thirty):
    (only,) = walk(thirty, 40).steps
    assert (iso(only.cutoff), iso(only.until)) == dated([40, 50])


def test_cut_offs_are_sorted_and_repeated_ones_dropped(thirty):
    asked = CutoffRequest(("2025-03-01", "2025-02-20", "2025-03-01", "2025-03-01T00:00:00Z"))
    steps = plan_schedule(thirty, asked, HORIZON, "trial", NOW).steps
    assert [iso(step.cutoff) for step in steps] == ["2025-02-20", "2025-03-01"]


def test_cut_offs_are_counted_back_while_fifty_conversions_remain():
    frame = pd.DataFrame(
        {"entity": range(180), "as_of": [day(i / 2) for i in range(180)], "converted": [i % 4 != 0 for i in range(180)]}
    )
    steps = walk(frame, every="12d").steps
    # the last snapshot is at day 89.5, so the last period ends with day 90; at day 42, 49 are known
    assert [iso(step.cutoff) for step in steps] == list(dated([54, 66, 78]))
    assert [iso(step.until) for step in steps] == list(dated([66, 78, 90]))
    assert int(frame["converted"][steps[0].train].sum()) == 66
    assert days_of(steps[-1].scored) == list(range(156, 180))


def test_several_snapshots_of_an_entity_are_one_conversion(thirty):
    converted = thirty.assign(converted=True)
    later = converted.assign(as_of=converted["as_of"] + DAY)
    once, thrice = (
        _cutoffs_from_end(frame, Duration.parse("5d"), HORIZON)
        for frame in (converted, pd.concat([converted, converted, later[:-1]], ignore_index=True))
    )
    assert once == thrice


def test_too_few_conversions_for_one_step_reports_the_count(thirty):
    with pytest.raises(
        NotEnoughDataError,
        match=r"cut-off, 2025-03-12, there are too few conversions to train on.*31 conversions.*50 or more",
    ):
        walk(thirty, every="20d")


def test_a_trial_entity_seen_in_training_is_not_scored_but_counted(thirty):
    thirty.loc[45, "entity"] = "e5"
    (step,) = walk(thirty, 40).steps
    assert days_of(step.scored) == [40, 41, 42, 43, 44, 46, 47, 48, 49]
    assert step.left_out == {"in_training": 1}


def test_a_freemium_entity_is_scored_repeatedly(thirty):
    thirty.loc[45, "entity"] = "e5"
    (step,) = walk(thirty, 40, motion="freemium").steps
    assert days_of(step.scored) == list(range(40, 50))
    assert step.left_out == {}


def test_a_cut_off_with_too_few_conversions_before_it_is_skipped_with_its_reason(thirty):
    result = walk(thirty, 20, 40)
    assert [iso(step.cutoff) for step in result.steps] == list(dated([40]))
    assert [skip.to_dict() for skip in result.skipped] == [
        {
            "cutoff": "2025-01-21",
            "reason": "6 conversions among 11 snapshots with a final outcome by then; at least 10 are needed",
        }
    ]


def test_cut_offs_with_one_class_or_nobody_to_score_are_skipped(thirty):
    everyone = thirty.assign(converted=True)
    with pytest.raises(NotEnoughDataError, match="2025-02-10: all 31 snapshots with a final outcome by then converted"):
        walk(everyone, 40)
    gap = thirty.drop(index=range(40, 50))
    assert "nobody was at risk between 2025-02-10 and 2025-02-20" in walk(gap, 40, 50).skipped[0].reason
    again = thirty.assign(entity=thirty["entity"].where(thirty.index < 40, "e0"))
    with pytest.raises(
        NotEnoughDataError, match="nobody was at risk between 2025-02-10 and 2025-02-20, but 10 that are in train"
    ):
        walk(again, 40)


def test_all_invalid_cut_offs_are_reported_together(thirty):
    asked = CutoffRequest(("2025-02-10", "soon", "2025-13-01", "2024-12-31", "2025-12-01", "2030-01-01"))
    with pytest.raises(DataError, match="5 cut-offs cannot be used") as caught:
        plan_schedule(thirty, asked, HORIZON, "trial", NOW)
    assert caught.value.received == (
        "`soon` is neither a date (2026-06-30) nor a time (2026-06-30T12:00:00Z); "
        "`2025-13-01` is neither a date (2026-06-30) nor a time (2026-06-30T12:00:00Z); "
        "2024-12-31 is too early: no outcome was final by then; "
        "2025-12-01 is too late: no later snapshot has a final outcome; "
        "2030-01-01 is in the future"
    )
    assert caught.value.allowed == "dates from 2025-01-11 to 2025-03-31"


@pytest.mark.parametrize(
    ("cutoffs", "every", "payload"),
    [
        ("2025-01-01", "30d", "both a list and a step"),
        (None, None, "none"),
        (" , ", None, "none"),
        (None, "monthly", "not a duration. Received: monthly"),
        (None, "0d", "not a duration. Received: 0d"),
    ],
)
def test_exactly_one_of_a_list_and_a_step_is_required(cutoffs, every, payload):
    with pytest.raises(DataError, match=payload):
        read_cutoffs(cutoffs, every)
