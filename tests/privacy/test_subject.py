"""Texts that name users, cleared of some of them."""

import json

import pytest

from pql_model.privacy.subject import Subject, users_in

ANN, BOB = {"user": "ann", "share": 0.5, "brought_in_by": "bob"}, {"user": "bob", "share": 0.5, "brought_in_by": None}


def cleared(value, *users):
    text = value if isinstance(value, str) else json.dumps(value)
    new = Subject(frozenset(), frozenset(users)).cleared(text)
    return json.loads(new) if new and not isinstance(value, str) else new


def test_the_object_of_a_user_goes_and_the_others_stay():
    assert cleared(ANN, "ann") is None
    assert cleared([ANN, BOB], "ann") == [BOB]
    assert cleared([ANN], "ann") is None


def test_who_brought_somebody_in_is_cleared_and_the_person_stays():
    assert cleared(ANN, "bob") == {**ANN, "brought_in_by": None}


def test_in_a_row_inside_a_text_the_next_contact_takes_the_place_and_other_values_stay():
    row = {"entity": "a", "contact": ANN, "contacts": [ANN, BOB], "reasons": [], "score": 3}
    assert cleared(row, "ann") == {**row, "contact": BOB, "contacts": [BOB]}
    assert cleared(row, "ann", "bob") == {**row, "contact": None, "contacts": None}


def test_a_row_of_texts_is_cleared_in_its_own_form():
    row = {"entity": "a", "contact": json.dumps(ANN), "contacts": json.dumps([ANN, BOB]), "band": "high"}
    person = Subject(frozenset(), frozenset({"ann"}))
    assert person.cleared_row(row) == {**row, "contact": json.dumps(BOB), "contacts": json.dumps([BOB])}
    assert person.cleared_row({"contact": "bob", "contact_share": 0.5}) == {"contact": "bob", "contact_share": 0.5}


@pytest.mark.parametrize(
    ("text", "users", "expected"),
    [
        ("ann", ["ann"], None),
        ("bob; ann; eve", ["ann"], "bob; eve"),
        ("joanna", ["ann"], "joanna"),
        ("[not json", ["ann"], "[not json"),
        ("12", ["2"], "12"),
    ],
)
def test_only_whole_ids_are_cleared(text, users, expected):
    assert cleared(text, *users) == expected


def test_a_text_without_the_users_is_not_rewritten():
    text = '{"user":"ann",   "share":0.50}'
    assert Subject(frozenset(), frozenset({"eve"})).cleared(text) is text
    assert Subject(frozenset(), frozenset({"eve"})).cleared(None) is None


def test_everybody_a_cell_names_is_listed():
    assert set(users_in(json.dumps([ANN, BOB]))) == {"ann", "bob"}
    assert set(users_in(json.dumps({"entity": "a", "contact": {"user": "eve"}, "band": "high"}))) == {"eve"}
    assert list(users_in("")) == list(users_in(None)) == []
