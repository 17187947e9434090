import math

import numpy as np
import pandas as pd
import pytest

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.feasibility import certainties, limits, nobody_notes, trait_notes, window_notes
from pql_model.errors import DataError
from pql_model.time import DAY


def definition(*conditions, join="all"):
    return Definition.model_validate({join: list(conditions)})


def entity(measure, window="ever", **compare):
    return {"event": "any", "measure": measure, "window": window, **compare}


def said(*conditions, names=None):
    return [f"{fault.path}: {fault.message}" for fault in certainties(definition(*conditions), names)]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            entity("active_days", "first 7d", at_least=30),
            "nobody can meet it: days active in the first 7 days lies between 0 and 8, and it asks for `>= 30`",
        ),
        (
            entity("top_user_share", more_than=1),
            "nobody can meet it: share of the most active user so far lies between 0 and 1, and it asks for `> 1`",
        ),
        (
            entity("distinct_users", less_than=0),
            "nobody can meet it: users active so far is never below 0, and it asks for `< 0`",
        ),
        (
            entity("trend", "last 7d", at_least=1.5),
            "nobody can meet it: trend of activity in the last 7 days lies between -1 and 1, and it asks for `>= 1.5`",
        ),
        (
            {"event": "Sent", "at_least": 0},
            "everybody meets it: number of `Sent` so far is never below 0, and it asks for `>= 0`",
        ),
        (
            {"event": "Sent", "more_than": -1},
            "everybody meets it: number of `Sent` so far is never below 0, and it asks for `> -1`",
        ),
        (
            entity("active_days", "first 7d", at_most=8),
            "everybody meets it: days active in the first 7 days lies between 0 and 8, and it asks for `<= 8`",
        ),
        (
            {"event": "Sent", "operator": "==", "threshold": -2},
            "nobody can meet it: number of `Sent` so far is never below 0, and it asks for `== -2`",
        ),
        (
            {"event": "Sent", "operator": "!=", "threshold": -2},
            "everybody meets it: number of `Sent` so far is never below 0, and it asks for `!= -2`",
        ),
    ],
)
def test_what_nobody_or_everybody_meets_is_said_from_the_measure_alone(condition, message):
    assert said(condition) == [f"all.0: {message}"]


@pytest.mark.parametrize(
    "condition",
    [
        entity("active_days", "first 7d", at_least=8),  # from noon to noon seven days touch eight dates
        entity("top_user_share", at_least=1),
        entity("trend", "last 7d", at_least=0),
        entity("trend", "last 7d", at_least=-1),  # whoever did anything: of others there is no trend
        entity("days_since_last", at_least=0),  # whoever did anything
        entity("days_since_last", at_most=400),
        {"event": "Sent", "at_least": 10**9},
        {"event": "Sent", "measure": "sum", "value": "mb", "at_least": -5},
        {"trait": "seats", "at_least": -1},
    ],
)
def test_what_is_possible_passes(condition):
    assert said(condition) == []


def test_all_faults_are_told_at_once_each_with_its_place():
    found = said(
        {"event": "Sent", "at_least": 0}, {"event": "Sent", "at_least": 1}, entity("top_user_share", more_than=2)
    )
    assert [line.split(":")[0] for line in found] == ["all.0", "all.2"]
    third = definition({"event": "Sent", "at_least": 0}, join="any")
    assert [fault.path for fault in certainties(third)] == ["any.0"]


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
def test_a_window_has_room_for_so_much(measure, window, most):
    assert limits(Criterion.model_validate(entity(measure, window, at_least=1)), names=5)[1] == most


def test_the_most_active_days_of_a_window_occur():
    """The bound is reached and not exceeded, however the window lies to midnight."""
    for hours in (12, 24, 36, 168):
        most = max(len({(start + h) // 24 for h in range(hours)}) for start in range(24))
        condition = entity("active_days", f"first {hours}h", at_least=1)
        assert limits(Criterion.model_validate(condition))[1] in (most, most + 1)


SIZES = pd.DataFrame(
    {"trait.size": ["1-10", "51-200", None], "trait.seats": [3.0, 4.0, np.nan], "trait.none": [None] * 3}
)


def test_a_trait_value_that_no_entity_has_is_refused_with_the_nearest():
    with pytest.raises(
        DataError, match=r"No entity has `51-20` as trait `size`, did you mean `51-200`\? .*Allowed: 1-10, 51-200"
    ):
        trait_notes(definition({"trait": "size", "in": ["51-20"]}), SIZES)
    with pytest.raises(
        DataError, match=r"No entity has any of the listed values of trait `size`. Received: tiny, huge"
    ):
        trait_notes(definition({"trait": "size", "in": ["tiny", "huge"]}), SIZES)


def test_of_several_values_one_that_does_not_occur_is_noted():
    assert trait_notes(definition({"trait": "size", "in": ["1-10", "51-20", "??"]}), SIZES) == [
        "No entity has `51-20` as trait `size`, did you mean `51-200`?",
        "No entity has `??` as trait `size`.",
    ]
    assert trait_notes(definition({"trait": "seats", "in": [3]}, {"event": "Sent", "at_least": 1}), SIZES) == []


def test_a_trait_without_numbers_cannot_be_compared():
    with pytest.raises(
        DataError, match=r"compares trait `size` with a number, but it holds none.* Received: 1-10, 51-200"
    ):
        trait_notes(definition({"trait": "size", "at_least": 3}), SIZES)
    with pytest.raises(DataError, match=r"but it holds none.* Received: nothing but missing values"):
        trait_notes(definition({"trait": "none", "at_least": 3}), SIZES)
    assert trait_notes(definition({"trait": "seats", "at_least": 3}), SIZES) == []


def test_a_first_window_that_is_not_over_is_noted():
    rule = definition(
        {"event": "Sent", "at_least": 1, "within": "first 7d"}, {"event": "any", "at_least": 1, "within": "last 30d"}
    )
    as_of = np.array([3.0, 7.0, 8.0, 6.9]) * DAY
    assert window_notes(rule, np.zeros(4), as_of) == [
        "`first 7d` is not over at 2 of 4 rows: there it counts what was seen by then."
    ]
    assert window_notes(rule, np.zeros(2), as_of[1:3]) == []


def test_why_nobody_meets_a_rule():
    table = pd.DataFrame(
        {"Sent.count.ever": [0.0, 9.0], "Help.days_since_last.ever": [np.nan, np.nan], "trait.size": ["s", "m"]}
    )
    rule = definition(
        {"event": "Sent", "at_least": 10},
        {"event": "Help", "measure": "days_since_last", "at_most": 3},
        {"trait": "size", "in": ["s"]},
    )
    assert nobody_notes(rule, table) == [
        "Alone, at least 10 `Sent` so far: met by 0 of 2 rows; it runs from 0 to 9.",
        "Alone, at most 3 days since the last `Help`: met by 0 of 2 rows; none has it.",
        "Alone, `size` is s: met by 1 of 2 rows.",
    ]
