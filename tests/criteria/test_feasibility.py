import math

import numpy as np
import pandas as pd
import pytest

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.feasibility import trait_notes, trivial_conditions, unmet_notes, value_bounds, window_notes
from pql_model.errors import DataError
from pql_model.time import DAY


def definition(*conditions, join="all"):
    return Definition.model_validate({join: list(conditions)})


def entity(measure, window="ever", **compare):
    return {"event": "any", "measure": measure, "window": window, **compare}


def faults(*conditions, names=None):
    return [f"{fault.path}: {fault.message}" for fault in trivial_conditions(definition(*conditions), names)]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            entity("active_days", "first 7d", at_least=30),
            "nobody can meet it: days active in the first 7 days lies between 0 and 8, and the condition requires `>= 30`",
        ),
        (
            entity("top_user_share", more_than=1),
            "nobody can meet it: share of the most active user so far lies between 0 and 1, and the condition requires `> 1`",
        ),
        (
            entity("distinct_users", less_than=0),
            "nobody can meet it: users active so far is never below 0, and the condition requires `< 0`",
        ),
        (
            entity("trend", "last 7d", at_least=1.5),
            "nobody can meet it: trend of activity in the last 7 days lies between -1 and 1, and the condition requires `>= 1.5`",
        ),
        (
            {"event": "Sent", "at_least": 0},
            "everybody meets it: number of `Sent` so far is never below 0, and the condition requires `>= 0`",
        ),
        (
            {"event": "Sent", "more_than": -1},
            "everybody meets it: number of `Sent` so far is never below 0, and the condition requires `> -1`",
        ),
        (
            entity("active_days", "first 7d", at_most=8),
            "everybody meets it: days active in the first 7 days lies between 0 and 8, and the condition requires `<= 8`",
        ),
        (
            {"event": "Sent", "operator": "==", "threshold": -2},
            "nobody can meet it: number of `Sent` so far is never below 0, and the condition requires `== -2`",
        ),
        (
            {"event": "Sent", "operator": "!=", "threshold": -2},
            "everybody meets it: number of `Sent` so far is never below 0, and the condition requires `!= -2`",
        ),
    ],
)
def test_conditions_that_never_or_always_hold_are_found_from_the_measure_alone(condition, message):
    assert faults(condition) == [f"all.0: {message}"]


@pytest.mark.parametrize(
    "condition",
    [
        entity("active_days", "first 7d", at_least=8),  # from noon to noon seven days touch eight dates
        entity("top_user_share", at_least=1),
        entity("trend", "last 7d", at_least=0),
        entity("trend", "last 7d", at_least=-1),  # accounts without events have no trend
        entity("days_since_last", at_least=0),  # accounts without events have no last event
        entity("days_since_last", at_most=400),
        {"event": "Sent", "at_least": 10**9},
        {"event": "Sent", "measure": "sum", "value": "mb", "at_least": -5},
        {"trait": "seats", "at_least": -1},
    ],
)
def test_possible_conditions_pass(condition):
    assert faults(condition) == []


def test_all_faults_are_reported_together_each_with_its_position():
    result = faults(
        {"event": "Sent", "at_least": 0}, {"event": "Sent", "at_least": 1}, entity("top_user_share", more_than=2)
    )
    assert [line.split(":")[0] for line in result] == ["all.0", "all.2"]
    third = definition({"event": "Sent", "at_least": 0}, join="any")
    assert [fault.path for fault in trivial_conditions(third)] == ["any.0"]


@pytest.mark.parametrize(
    ("measure", "window", "most"),
    [
        ("active_days", "first 7d", 8),
        ("active_days", "last 36h", 3),
        ("active_days", "last 12h", 2),
        ("longest_streak_days", "last 7d", 8),
        ("sessions", "last 1h", 3),
        ("session_minutes", "first 1d", 1440),
        ("days_since_last", "last 7d", 7),
        ("days_to_first", "first 2d", 2),
        ("days_to_first", "last 2d", math.inf),
        ("count", "last 1d", math.inf),
        ("active_days", "ever", math.inf),
        ("breadth", "ever", 5),
    ],
)
def test_a_window_bounds_the_measure(measure, window, most):
    assert value_bounds(Criterion.model_validate(entity(measure, window, at_least=1)), event_names=5)[1] == most


def test_the_bound_on_active_days_is_reached():
    """The bound is reached and not exceeded, wherever midnight falls in the window."""
    for hours in (12, 24, 36, 168):
        most = max(len({(start + h) // 24 for h in range(hours)}) for start in range(24))
        condition = entity("active_days", f"first {hours}h", at_least=1)
        assert value_bounds(Criterion.model_validate(condition))[1] in (most, most + 1)


SIZES = pd.DataFrame(
    {"trait.size": ["1-10", "51-200", None], "trait.seats": [3.0, 4.0, np.nan], "trait.none": [None] * 3}
)


def test_a_trait_value_that_no_entity_has_is_rejected_with_the_nearest():
    with pytest.raises(
        DataError, match=r"No entity has `51-20` as trait `size`, did you mean `51-200`\? .*Allowed: 1-10, 51-200"
    ):
        trait_notes(definition({"trait": "size", "in": ["51-20"]}), SIZES)
    with pytest.raises(
        DataError, match=r"No entity has any of the listed values of trait `size`. Received: tiny, huge"
    ):
        trait_notes(definition({"trait": "size", "in": ["tiny", "huge"]}), SIZES)


def test_an_absent_value_among_several_is_noted():
    assert trait_notes(definition({"trait": "size", "in": ["1-10", "51-20", "??"]}), SIZES) == [
        "No entity has `51-20` as trait `size`, did you mean `51-200`?",
        "No entity has `??` as trait `size`.",
    ]
    assert trait_notes(definition({"trait": "seats", "in": [3]}, {"event": "Sent", "at_least": 1}), SIZES) == []


def test_a_trait_without_numbers_cannot_be_compared():
    with pytest.raises(
        DataError, match=r"compares trait `size` with a number, but the trait holds no numbers.* Received: 1-10, 51-200"
    ):
        trait_notes(definition({"trait": "size", "at_least": 3}), SIZES)
    with pytest.raises(DataError, match=r"but the trait holds no numbers.* Received: only missing values"):
        trait_notes(definition({"trait": "none", "at_least": 3}), SIZES)
    assert trait_notes(definition({"trait": "seats", "at_least": 3}), SIZES) == []


def test_an_open_first_window_is_noted():
    both = definition(
        {"event": "Sent", "at_least": 1, "within": "first 7d"}, {"event": "any", "at_least": 1, "within": "last 30d"}
    )
    as_of = np.array([3.0, 7.0, 8.0, 6.9]) * DAY
    assert window_notes(both, np.zeros(4), as_of) == [
        "`first 7d` is still open at 2 of 4 rows: only events up to that point are counted."
    ]
    assert window_notes(both, np.zeros(2), as_of[1:3]) == []


def test_unmet_conditions_are_explained():
    table = pd.DataFrame(
        {"Sent.count.ever": [0.0, 9.0], "Help.days_since_last.ever": [np.nan, np.nan], "trait.size": ["s", "m"]}
    )
    both = definition(
        {"event": "Sent", "at_least": 10},
        {"event": "Help", "measure": "days_since_last", "at_most": 3},
        {"trait": "size", "in": ["s"]},
    )
    assert unmet_notes(both, table) == [
        "Alone, at least 10 `Sent` so far: met by 0 of 2 rows; the values range from 0 to 9.",
        "Alone, at most 3 days since the last `Help`: met by 0 of 2 rows; no row has a value.",
        "Alone, `size` is s: met by 1 of 2 rows.",
    ]
