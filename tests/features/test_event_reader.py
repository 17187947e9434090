"""Reading events by column equals reading them one by one, and an error names the event."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from worlds import at

from pql_model.errors import InputError
from pql_model.features.event_reader import EventReader, ReadingRules
from pql_model.features.timeline import EventRow

RULES = ReadingRules(frozenset({"login"}), needs_signup=True, known_values=frozenset({"mb"}))
GOOD = {"event": "login", "time": "2026-01-02T08:00:00Z", "user": "ann"}

TIMES = st.sampled_from(["2026-01-02T08:00:00Z", "2026-01-03T08:00:00.5+02:00", "2026-01-04", "1905-01-01"])
EVENTS = st.fixed_dictionaries(
    {"event": st.sampled_from(["login", " login", "any", "🦊"]), "time": TIMES},
    optional={
        "user": st.sampled_from(["ann", " ann", "null", "12.0", None]),
        "values": st.none()
        | st.dictionaries(st.sampled_from(["mb", "other"]), st.none() | st.integers(-3, 3) | st.booleans()),
        "id": st.none() | st.sampled_from(["a", "b", "NULL"]),
        "known_at": st.none() | TIMES,
        "n": st.none() | st.sampled_from([1, 2.5, True]),
        "users": st.none() | st.sampled_from([0, 3]),
    },
)
BAD = st.sampled_from(
    [
        None,
        3,
        [],
        "event",
        {},
        {"event": "login"},
        {"time": "2026-01-02"},
        {**GOOD, "usr": "ann"},
        {**GOOD, "event": 3},
        {**GOOD, "event": []},
        {**GOOD, "event": " "},
        {**GOOD, "time": "soon"},
        {**GOOD, "time": 0},
        {**GOOD, "user": []},
        {**GOOD, "user": True},
        {**GOOD, "values": [1]},
        {**GOOD, "values": {"mb": "1"}},
        {**GOOD, "values": {"x": 1e301}},
        {**GOOD, "id": 4},
        {**GOOD, "known_at": "then"},
        {**GOOD, "n": 0},
        {**GOOD, "n": -1},
        {**GOOD, "users": -1},
    ]
)


def both_ways(raws, rules):
    """What `read` says and what reading one by one says: rows, ids, unknown values; or the error."""
    payload = []
    for name in ("read", "_one_by_one"):
        reader = EventReader(rules)
        try:
            rows, ids = getattr(reader, name)(raws)
            payload.append((rows, ids or [None] * len(rows), reader.unknown_values))
        except InputError as error:
            payload.append((str(error), error.field, None))
    return SimpleNamespace(quick=payload[0], slow=payload[1])


@examples(60)
@given(st.lists(EVENTS, max_size=5), st.lists(BAD, max_size=1), st.lists(EVENTS, max_size=2), st.booleans())
def test_reading_by_column_equals_reading_one_by_one(before, bad, after, by_day):
    rules = ReadingRules(frozenset({"login"}), True, known_values=RULES.known_values, by_day=by_day)
    payload = both_ways([*before, *bad, *after], rules)
    assert payload.quick == payload.slow
    if bad:
        assert payload.quick[1].startswith(f"events[{len(before)}]")


def test_rows_are_named_tuples():
    rows, ids = EventReader(RULES).read([GOOD, {**GOOD, "values": {"mb": 2, "x": 1}, "id": "e1", "n": 3}])
    assert rows == [
        EventRow("login", at("2026-01-02T08:00"), "ann"),
        EventRow("login", at("2026-01-02T08:00"), "ann", {"mb": 2.0}, None, 3.0, None),
    ]
    assert type(rows[0]) is EventRow
    assert ids == [None, "e1"]


def test_no_events_give_no_rows():
    assert EventReader(RULES).read([]) == ([], None)


def test_first_of_several_invalid_events_is_named():
    with pytest.raises(InputError, match=r"^`events\[1\].user`"):
        EventReader(RULES).read([GOOD, {**GOOD, "user": 3}, {**GOOD, "time": "soon"}])


def test_unknown_value_is_counted_once_even_with_a_later_invalid_event():
    reader = EventReader(RULES)
    with pytest.raises(InputError, match=r"^`events\[1\].time`"):
        reader.read([{**GOOD, "values": {"x": 1}}, {**GOOD, "time": "soon"}])
    assert reader.unknown_values == {"x": 1}
