"""Conditions: the long form, all short forms, and invalid ones."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pql_model.config.definition import Criterion, Definition, definition_keys, joined_json
from pql_model.time import EVER, Window


def condition(**keys):
    return Criterion.model_validate(keys)


def refused(match, **keys):
    with pytest.raises(ValidationError, match=match):
        condition(**keys)


@pytest.mark.parametrize(
    ("short", "operator"), [("at_least", ">="), ("at_most", "<="), ("more_than", ">"), ("less_than", "<")]
)
def test_each_short_form_stands_for_an_operator_and_a_threshold(short, operator):
    assert condition(event="login", **{short: 2}) == condition(event="login", operator=operator, threshold=2)


def test_within_is_short_for_window():
    assert condition(event="login", at_least=2, within="first 7d").window == Window.parse("first 7d")


def test_window_of_a_condition_defaults_to_ever():
    criterion = condition(event="login", at_least=2)

    assert (criterion.measure, criterion.window, criterion.value) == ("count", EVER, None)


@pytest.mark.parametrize("operator", [">=", ">", "<=", "<", "==", "!="])
def test_every_operator_can_be_written_out(operator):
    assert condition(event="login", operator=operator, threshold=0.5).operator == operator


def test_a_condition_can_read_a_value():
    criterion = condition(event="upload", measure="sum", value="megabytes", at_least=5000, within="last 14d")

    assert (criterion.measure, criterion.value, criterion.threshold) == ("sum", "megabytes", 5000)


def test_any_stands_for_all_events_together():
    assert condition(event="any", measure="longest_streak_days", at_least=3).measure == "longest_streak_days"


def test_listed_values_of_a_trait_are_read_as_texts():
    assert condition(trait="size", **{"in": ["51-200", 7, 2.5]}).in_ == ["51-200", "7", "2.5"]


def test_a_numeric_trait_is_compared():
    criterion = condition(trait="seats", at_least=10)

    assert (criterion.trait, criterion.operator, criterion.threshold) == ("seats", ">=", 10)


def test_a_short_and_a_long_form_together_are_refused():
    refused("`at_least` already sets operator and threshold", event="x", at_least=1, operator=">")
    refused("`at_most` already sets operator and threshold", event="x", at_least=1, at_most=3)
    refused("`within` is short for `window`: use one of them", event="x", at_least=1, within="ever", window="ever")


def test_condition_is_about_an_event_or_a_trait():
    refused("a condition needs either `event` or `trait`", at_least=1)
    refused("a condition needs either `event` or `trait`", event="x", trait="y", at_least=1)


def test_a_condition_needs_something_to_compare_with():
    refused("needs `operator` with `threshold`, or the short form `at_least: 2`", event="x")
    refused("needs `operator` with `threshold`, or the short form `at_least: 2`", event="x", threshold=2)
    refused(r"trait `size` needs either `in: \[...\]` or `operator` with `threshold`", trait="size")


def test_in_is_for_traits_and_stands_alone():
    refused("`in` is for traits", event="x", **{"in": ["a"]})
    refused("trait `size` has `in` and `operator`: use one of them", trait="size", operator=">=", **{"in": ["a"]})
    refused(r"needs either `in: \[...\]` or `operator`", trait="size", at_least=1, **{"in": ["a"]})
    refused("at least 1 item", trait="size", **{"in": []})


def test_a_threshold_is_a_finite_number():
    refused("finite number", event="x", at_least=float("nan"))
    refused("finite number", event="x", at_least=float("inf"))


def test_boolean_threshold_is_rejected():
    refused("a threshold is a number; YAML reads on, off, yes and no as true or false", event="x", at_least=True)


def test_a_measure_that_does_not_exist_comes_with_the_nearest():
    refused(
        "`activ_days` is not a measure of one event, did you mean `active_days`?",
        event="x",
        measure="activ_days",
        at_least=1,
    )


def test_measure_of_all_events_is_refused_for_one_event():
    refused("`breadth` is not a measure of one event", event="login", measure="breadth", at_least=1)
    refused("`sum` is not a measure of all events together", event="any", measure="sum", value="mb", at_least=1)


def test_value_is_required_exactly_where_it_is_read():
    refused("measure `sum` needs `value:`", event="x", measure="sum", at_least=1)
    refused("measure `count` takes no `value:`", event="x", value="mb", at_least=1)


def test_a_measure_with_one_kind_of_window_refuses_the_others():
    refused("`trend` needs a `last` window. Received: ever", event="any", measure="trend", at_least=0)
    refused(
        "`days_since_signup` needs a `ever` window. Received: last 7d",
        event="any",
        measure="days_since_signup",
        at_least=0,
        within="last 7d",
    )
    assert condition(event="any", measure="trend", at_least=0, within="last 7d").window == Window.parse("last 7d")


@pytest.mark.parametrize("window", ["7d", "first", "first week", "next 7d", "last 0d", "first 1.5d", 7])
def test_invalid_window_is_refused(window):
    refused("is not a (window|duration)", event="x", at_least=1, window=window)


CRITERIA = [{"event": "a", "at_least": 1}, {"event": "b", "at_least": 1}, {"event": "c", "at_least": 1}]


@pytest.mark.parametrize(
    ("keys", "least"), [({"all": CRITERIA}, 3), ({"any": CRITERIA}, 1), ({"at_least_k": 2, "of": CRITERIA}, 2)]
)
def test_a_definition_says_how_many_of_its_criteria_must_hold(keys, least):
    definition = Definition.model_validate(keys)

    assert [criterion.event for criterion in definition.criteria] == ["a", "b", "c"]
    assert definition.least == least


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ({}, "a definition has exactly one of"),
        ({"all": CRITERIA, "any": CRITERIA}, "a definition has exactly one of"),
        ({"all": []}, "at least 1 item"),
        ({"of": CRITERIA}, "`at_least_k` and `of` belong together"),
        ({"at_least_k": 2, "all": CRITERIA}, "`at_least_k` and `of` belong together"),
        ({"at_least_k": 4, "of": CRITERIA}, "`at_least_k: 4` of only 3 conditions can never be met"),
        ({"at_least_k": 0, "of": CRITERIA}, "greater than or equal to 1"),
    ],
)
def test_inconsistent_definition_is_refused(keys, match):
    with pytest.raises(ValidationError, match=match):
        Definition.model_validate(keys)


# ---------------------------------------------------------------- several events, orders, shares


def test_a_list_of_events_counts_as_one():
    criterion = condition(event=["Help Read", "Guide Read"], at_least=3)
    assert (criterion.event, criterion.also, criterion.events) == (
        "Help Read",
        ("Guide Read",),
        ("Help Read", "Guide Read"),
    )
    assert criterion == condition(event="Help Read", also=["Guide Read"], at_least=3)
    assert condition(event=["Help Read"], at_least=3) == condition(event="Help Read", at_least=3)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"event": []}, "`event` lists no event"),
        ({"event": ["a", "b"], "also": ["c"]}, "already lists the events"),
        ({"event": ["a", "a"]}, "the same event is listed twice: a"),
        ({"event": ["a", "any"]}, "`any` already stands for all events"),
        ({"event": "a", "also": ["b", None]}, "a list of texts or numbers contains `None`"),
        ({"event": "a", "after": "b"}, "`after: Report Created` and `gap: 3d` belong together"),
        ({"event": "a", "gap": "3d"}, "`after: Report Created` and `gap: 3d` belong together"),
        ({"event": "a", "after": "b", "gap": "0d"}, "`0d` is not a duration"),
        ({"event": "a", "after": "any", "gap": "3d"}, "an order is between two named events"),
        ({"event": "any", "after": "a", "gap": "3d"}, "an order is between two named events"),
        ({"event": ["a", "b"], "after": "b", "gap": "3d"}, "`after` names `b`, which is counted itself"),
        (
            {"event": "a", "measure": "active_days", "share_of": "quota"},
            "`share_of` divides an amount, not `active_days`",
        ),
        ({"trait": "seats", "also": ["a"]}, "are about an event, not a trait"),
        ({"trait": "seats", "share_of": "quota"}, "are about an event, not a trait"),
    ],
)
def test_a_subject_that_means_nothing_is_refused(keys, message):
    refused(message, at_least=1, **keys)


# ---------------------------------------------------------------- joins within joins

SEATS = [{"trait": "seats", "at_least": n} for n in range(1, 5)]


@pytest.mark.parametrize(
    "raw",
    [
        {"any": [SEATS[0], {"all": [SEATS[1], SEATS[2]]}]},
        {"all": [{"any": SEATS[:2]}, {"at_least_k": 1, "of": SEATS[2:]}]},
        {"at_least_k": 2, "of": [SEATS[0], {"all": [SEATS[1], {"any": SEATS[2:]}]}, SEATS[3]]},
    ],
)
def test_a_nested_definition_reads_back_from_its_json(raw):
    definition = Definition.model_validate(raw)
    assert definition.nested
    assert [c.threshold for c in definition.criteria][:2] == [1, 2]
    assert Definition.model_validate(definition_keys(joined_json(definition))) == definition


@pytest.mark.parametrize("seats", range(5))
def test_a_nested_definition_joins_what_its_conditions_give(seats):
    definition = Definition.model_validate({"any": [SEATS[3], {"at_least_k": 2, "of": SEATS[:3]}]})
    assert bool(definition.met(seats >= criterion.threshold for criterion in definition.criteria)) is (seats >= 2)


def test_definitions_are_nested_three_deep_at_most():
    raw = SEATS[0]
    for _ in range(4):
        raw = {"all": [raw, SEATS[1]]}
    with pytest.raises(ValidationError, match=r"a definition nests at most 3 joins\. Received: 4"):
        Definition.model_validate(raw)


@pytest.mark.parametrize("member", ["login", 7, None, [], [SEATS[0]]])
def test_what_is_neither_a_condition_nor_joined_is_refused(member):
    with pytest.raises(ValidationError, match="valid dictionary"):
        Definition.model_validate({"all": [member]})
