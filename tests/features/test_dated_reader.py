import pytest

from pql_model.errors import InputError
from pql_model.features.dated_reader import DatedValue, latest_of, read_dated
from pql_model.features.event_reader import ReadingRules
from pql_model.time import DAY, parse_instant

RULES = ReadingRules(known_events=frozenset(), needs_signup=False, dated_names=frozenset({"nps", "plan"}))
ROW = {"name": "nps", "time": "2026-01-05T12:00:00Z", "value": 9}


def test_values_are_read_as_they_came_and_unknown_names_are_reported():
    raws = [ROW, {**ROW, "name": "plan", "value": " pro ", "known_at": "2026-01-06"}, {**ROW, "name": "nsp"}]
    rows, unknown = read_dated(raws, RULES, {})
    noon = parse_instant("2026-01-05") + DAY // 2
    assert rows == [DatedValue("nps", noon, 9), DatedValue("plan", noon, "pro", parse_instant("2026-01-06"))]
    assert unknown == ("nsp",)


def test_what_is_missing_does_not_hide_an_earlier_value():
    rows, _ = read_dated([ROW, {**ROW, "time": "2026-01-06", "value": None}], RULES, {})
    blank, _ = read_dated([{**ROW, "name": "plan", "value": "  "}], RULES, {})
    assert latest_of([*rows, *blank], parse_instant("2026-02-01")) == {"nps": 9}


def test_with_dates_only_times_are_cut_to_days():
    by_day = ReadingRules(known_events=frozenset(), needs_signup=False, dated_names=frozenset({"nps"}), by_day=True)
    [row], _ = read_dated([ROW], by_day, {})
    assert row.time == parse_instant("2026-01-05")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**ROW, "time": "soon"}, r"`columns\[0\].time` cannot be used. Received: \"soon\""),
        ({**ROW, "value": [1]}, r"`columns\[0\].value` cannot be used. Received: a list"),
        ({**ROW, "value": float("inf")}, r"`columns\[0\].value` cannot be used"),
        ({**ROW, "nmae": "x"}, r"Unknown field `columns\[0\].nmae`, did you mean `name`\?"),
        ({"name": "nps"}, r"`columns\[0\].time` is missing"),
        (7, r"`columns\[0\]` cannot be used"),
    ],
)
def test_what_cannot_be_used_is_named(row, message):
    with pytest.raises(InputError, match=message):
        read_dated([row], RULES, {})


def test_a_name_under_traits_as_well_is_refused():
    with pytest.raises(InputError, match="a name that does not stand under `traits` as well"):
        read_dated([ROW], RULES, {"nps": 3})
