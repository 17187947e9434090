import json

import pytest

from pql_model.config.definition import Criterion, Definition, criterion_json
from pql_model.criteria.definition_text import (
    criterion_short,
    criterion_text,
    definition_json,
    definition_short,
    definition_text,
)
from pql_model.measures import ENTITY_MEASURES, EVENT_MEASURES, MEASURES


def criterion(**raw):
    return Criterion.model_validate(raw)


def board(**raw):
    return criterion_text(criterion(event="Board Created", **raw))


def everything(**raw):
    return criterion_text(criterion(event="any", **raw))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ({"at_least": 5, "within": "first 7d"}, "at least 5 `Board Created` in the first 7 days"),
        ({"at_least": 1}, "at least 1 `Board Created` so far"),
        ({"more_than": 2000, "within": "last 1d"}, "more than 2,000 `Board Created` in the last day"),
        ({"at_most": 0, "within": "last 14d"}, "no `Board Created` in the last 14 days"),
        ({"less_than": 1}, "no `Board Created` so far"),
        ({"less_than": 3}, "fewer than 3 `Board Created` so far"),
        ({"operator": "==", "threshold": 2}, "exactly 2 `Board Created` so far"),
        ({"measure": "active_days", "at_least": 1}, "`Board Created` on at least 1 day so far"),
        (
            {"measure": "active_days", "at_least": 3, "within": "first 12h"},
            "`Board Created` on at least 3 days in the first 12 hours",
        ),
        ({"measure": "distinct_users", "at_least": 3}, "at least 3 users who did `Board Created` so far"),
        ({"measure": "days_since_last", "at_most": 1}, "at most 1 day since the last `Board Created`"),
        ({"measure": "days_since_last", "at_most": 2.5}, "at most 2.5 days since the last `Board Created`"),
        ({"measure": "days_to_first", "at_most": 2}, "at most 2 days from sign-up to the first `Board Created`"),
        ({"measure": "sum", "value": "mb", "at_least": 5e3}, "total mb of `Board Created` so far is at least 5,000"),
        ({"measure": "max", "value": "mb", "at_least": 80}, "largest mb of `Board Created` so far is at least 80"),
        (
            {"measure": "last", "value": "quota", "less_than": 0.8},
            "latest quota of `Board Created` so far is less than 0.8",
        ),
        (
            {"measure": "distinct_values", "value": "folder", "at_least": 2},
            "at least 2 different folder of `Board Created` so far",
        ),
    ],
)
def test_every_measure_of_an_event_has_its_sentence(raw, text):
    assert board(**raw) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ({"at_least": 1}, "at least 1 event so far"),
        (
            {"measure": "active_days", "at_least": 10, "within": "first 14d"},
            "at least 10 active days in the first 14 days",
        ),
        ({"measure": "active_days", "at_most": 0, "within": "last 7d"}, "no active days in the last 7 days"),
        ({"measure": "distinct_users", "at_least": 4}, "at least 4 active users so far"),
        ({"measure": "days_since_last", "more_than": 7}, "more than 7 days since the last event"),
        ({"measure": "days_to_first", "at_most": 1}, "at most 1 day from sign-up to the first event"),
        ({"measure": "current_streak_days", "at_least": 3}, "at least 3 active days in a row up to now"),
        (
            {"measure": "longest_streak_days", "at_least": 3, "within": "first 7d"},
            "at least 3 active days in a row in the first 7 days",
        ),
        ({"measure": "breadth", "at_least": 6}, "at least 6 different events so far"),
        ({"measure": "sessions", "at_least": 2, "within": "last 7d"}, "at least 2 sessions in the last 7 days"),
        ({"measure": "session_minutes", "at_least": 120}, "at least 120 minutes in sessions so far"),
        (
            {"measure": "trend", "at_least": 0.2, "within": "last 7d"},
            "trend of activity in the last 7 days is at least 0.2",
        ),
        ({"measure": "top_user_share", "at_most": 0.5}, "share of the most active user so far is at most 0.5"),
        ({"measure": "days_since_signup", "at_least": 7}, "at least 7 days since sign-up"),
    ],
)
def test_every_measure_of_the_whole_has_its_sentence(raw, text):
    assert everything(**raw) == text


def any_criterion(event, measure):
    value = {"value": "mb"} if MEASURES[measure].needs_value else {}
    window = {"any": "first 7d", "ever": "ever", "last": "last 7d"}[MEASURES[measure].window]
    return criterion(event=event, measure=measure, **value, operator=">=", threshold=2, window=window)


@pytest.mark.parametrize(
    ("event", "measure"), [("Sent", m) for m in EVENT_MEASURES] + [("any", m) for m in ENTITY_MEASURES]
)
def test_every_measure_has_a_text_and_its_json_reads_back(event, measure):
    result = any_criterion(event, measure)
    assert "at least 2" in criterion_text(result)
    assert "≥ 2" in criterion_short(result)
    assert "{" not in criterion_text(result) + criterion_short(result)
    assert Criterion.model_validate(json.loads(json.dumps(criterion_json(result)))) == result


def test_traits_are_listed_or_compared():
    size = criterion(trait="company_size", **{"in": ["51-200", "201-1000", "1001+"]})
    assert criterion_text(size) == "`company_size` is 51-200, 201-1000 or 1001+"
    assert criterion_short(size) == "company_size: 51-200, 201-1000, 1001+"
    assert criterion_json(size) == {"trait": "company_size", "in": ["51-200", "201-1000", "1001+"]}
    seats = criterion(trait="seats", less_than=5)
    assert (criterion_text(seats), criterion_short(seats)) == ("`seats` is less than 5", "seats < 5")
    assert criterion_json(seats) == {"trait": "seats", "operator": "<", "threshold": 5}


def test_the_short_form_names_the_measure_unless_it_is_a_count():
    short = [
        criterion_short(criterion(event="Sent", at_least=2000)),
        criterion_short(criterion(event="Sent", measure="sum", value="mb", more_than=0.5, within="last 7d")),
        criterion_short(criterion(event="any", at_most=3)),
        criterion_short(criterion(event="any", measure="active_days", operator="!=", threshold=3)),
    ]
    assert short == ["Sent ≥ 2,000", "Sent sum of mb > 0.5, last 7d", "events ≤ 3", "active days ≠ 3"]


A, B, C = ({"event": name, "at_least": 1} for name in "abc")


@pytest.mark.parametrize(
    ("raw", "text", "short", "k"),
    [
        ({"all": [A]}, "at least 1 `a` so far", "a ≥ 1", None),
        ({"any": [A]}, "at least 1 `a` so far", "a ≥ 1", None),
        ({"all": [A, B]}, "all of: at least 1 `a` so far; at least 1 `b` so far", "a ≥ 1 + b ≥ 1", None),
        ({"any": [A, B]}, "any of: at least 1 `a` so far; at least 1 `b` so far", "a ≥ 1 or b ≥ 1", None),
        (
            {"at_least_k": 2, "of": [A, B, C]},
            "at least 2 of: at least 1 `a` so far; at least 1 `b` so far; at least 1 `c` so far",
            "2 of (a ≥ 1; b ≥ 1; c ≥ 1)",
            2,
        ),
        ({"at_least_k": 2, "of": [A, B]}, "all of: at least 1 `a` so far; at least 1 `b` so far", "a ≥ 1 + b ≥ 1", 2),
        ({"at_least_k": 1, "of": [A, B]}, "any of: at least 1 `a` so far; at least 1 `b` so far", "a ≥ 1 or b ≥ 1", 1),
    ],
)
def test_a_definition_says_how_its_conditions_are_joined(raw, text, short, k):
    definition = Definition.model_validate(raw)
    payload = definition_json(definition)
    assert (definition_text(definition), definition_short(definition)) == (text, short)
    assert (payload["text"], payload["join"], payload["k"]) == (text, next(key for key in (*raw, "") if key != "of"), k)
    assert len(payload["conditions"]) == len(definition.criteria)
