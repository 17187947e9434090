"""Names of the numbers that a definition compares."""

from pql_model.config.definition import Definition
from pql_model.criteria.column_names import column_names, criterion_subject
from pql_model.features.spec import Feature
from pql_model.time import Window


def names(*conditions):
    return list(column_names(Definition.model_validate({"all": list(conditions)})).values())


def test_a_name_says_event_measure_and_window():
    assert names(
        {"event": "Board Created", "at_least": 2, "within": "first 14d"},
        {"event": "any", "measure": "active_days", "at_least": 3, "within": "last 7d"},
        {"event": "any", "at_least": 9},
        {"trait": "company size", "in": ["1-10"]},
    ) == ["board_created_count_first_14d", "active_days_last_7d", "any_count_ever", "trait_company_size"]


def test_two_conditions_on_one_number_share_its_column():
    between = [{"event": "login", "at_least": 2}, {"event": "login", "operator": "<", "threshold": 9}]
    assert names(*between) == ["login_count_ever"]


def test_events_that_differ_in_signs_only_have_names_of_their_own():
    assert names(*({"event": event, "at_least": 1} for event in ("a b", "a-b", "A_B"))) == [
        "a_b_count_ever",
        "a_b_count_ever_2",
        "a_b_count_ever_3",
    ]


def test_long_and_foreign_names_stay_usable():
    long, foreign = names({"event": "x" * 300, "at_least": 1}, {"event": "\u767b\u5f55", "at_least": 1})

    assert len(long) <= 56
    assert foreign == "count_ever"


def test_the_subject_of_a_condition_is_its_feature_or_trait():
    size, boards = Definition.model_validate(
        {"all": [{"trait": "size", "at_least": 2}, {"event": "Board", "at_least": 2, "within": "first 7d"}]}
    ).criteria

    assert criterion_subject(size) == "size"
    assert criterion_subject(boards) == Feature("Board", "count", Window.parse("first 7d"))
