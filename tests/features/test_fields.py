"""Fields are read strictly; an error names the field, what was received and what is allowed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pql_model.errors import InputError
from pql_model.features.fields import (
    ObjectFields,
    instant_in,
    keyed,
    listed_in,
    named_in,
    number_in,
    parse_time,
    parse_times,
    shown,
    text_in,
)
from pql_model.time import DAY, HOUR, parse_instant

NOON = parse_instant("2026-01-31T12:00:00Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31T12:00:00", NOON),
        ("2026-01-31 12:00", NOON),
        ("2026-01-31T14:00:00+02:00", NOON),
        ("2026-01-31T14:00:00+0200", NOON),
        ("2026-01-31T07:30-04:30", NOON),
        ("2026-01-31T12:00:00.000001Z", NOON + 1),
        ("2026-01-31T12:00:00.0000019Z", NOON + 1),
        ("2026-01-31", NOON - 12 * HOUR),
        *((" 2026-01-31T12\n", NOON), ("2026-01-31 12:00:00 UTC", NOON), ("20260131", NOON - 12 * HOUR)),
        *((1769860800, NOON), (1769860800000, NOON), (1769860800.5, NOON + 500_000), (2026013112, NOON)),
        ("1969-12-30", -2 * DAY),
        ("2199-12-31T23:59:59.999999Z", parse_instant("2200-01-01") - 1),
    ],
)
def test_time_is_iso_8601_and_utc_by_default(text, expected):
    assert instant_in(text, "", "time") == expected


@pytest.mark.parametrize(
    "raw",
    [
        *(
            "",
            " ",
            "soon",
            "2026",
            "2026-01",
            "31.01.2026",
            "01/31/2026",
            "2026-W05-6",
            "2026-031",
            "٢٠٢٦-01-31",
        ),
        *("2026-02-30", "2026-13-01", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z", "2026-01-31T12:00:60Z"),
        *(
            "2026-01-31T12:00:00+99:00",
            "2026-01-31T12:00:00 EST",
            "2026-01-31T",
            "2026-01-31 12:00 PM",
        ),
        *("9999-12-31", "2200-01-01", "1899-12-31", "0001-01-01", "0000-01-01", "1970-01-01", "1970-01-01T02:00+02:00"),
        *(17698608, 176986080000, 1.5, 0, math.nan, True, None, [], {}, ["2026-01-31"]),
    ],
)
def test_invalid_and_implausible_times_are_refused(raw):
    with pytest.raises(InputError, match=r"^`events\[3\].time` cannot be used. Received: .* Allowed: an ISO 8601 date"):
        instant_in(raw, "events[3]", "time")


TIMES = st.sampled_from(
    [
        *("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123456Z", "2026-01-31T14:00:00+02:00", "1900-01-02T00:00:00Z"),
        *("2199-12-31T23:59:59.999999Z", "2026-01-31 12:00Z"),
    ]
)
STRANGE = st.sampled_from(
    [
        *(
            "2026-01-31",
            "2026-01-31T12:00:00",
            "2026-02-30T12:00:00Z",
            "1970-01-01T00:00:00Z",
            "2200-01-01T00:00:00Z",
            "1900-01-01T00:00:00Z",
        ),
        *(
            "",
            "\n",
            "2026-01-31T12:00:00Z\n",
            "2026-01-31T12:00:00Z\n2026-01-31T12:00:00Z",
            "2026-01-31T12:00:00z",
            "2026-W05-6T12:00Z",
        ),
        *(None, 0, 1.5, True, [], {}),
    ]
)


@given(st.lists(TIMES, max_size=4), st.lists(STRANGE, max_size=1), st.lists(TIMES, max_size=2))
def test_parsing_many_times_equals_parsing_each(before, strange, after):
    raws = [*before, *strange, *after]
    assert list(parse_times(raws)) == [parse_time(raw) for raw in raws]


@pytest.mark.parametrize(
    ("raw", "expected"), [(3, 3.0), (-2.5, -2.5), (0, 0.0), (True, 1.0), (False, 0.0), (1e300, 1e300)]
)
def test_number_is_finite_and_booleans_are_one_and_zero(raw, expected):
    assert number_in(raw, "", "x") == expected


@pytest.mark.parametrize("raw", [math.nan, math.inf, -math.inf, 1.1e300, -(10**400), 10**4000, "3", None, [], {}])
def test_value_that_is_not_a_finite_number_is_refused(raw):
    with pytest.raises(InputError, match=r"^`events\[0\].values.mb` cannot be used. .* Allowed: a finite number"):
        number_in(raw, "events[0].values", "mb")


def test_number_can_have_a_minimum():
    assert number_in(0, "", "users", least=0.0) == 0.0
    with pytest.raises(InputError, match=r"Received: -1. Allowed: .*, at least 0"):
        number_in(-1, "", "users", least=0.0)


@pytest.mark.parametrize(
    ("raw", "allowed"),
    [
        (12, "a text"),
        (None, "a text"),
        (["a"], "a text"),
        ("abcdef", "at most 5 characters"),
        ("\ud83d", "lone surrogates"),
    ],
)
def test_invalid_text_is_refused(raw, allowed):
    with pytest.raises(InputError, match=f"^`user` cannot be used. Received: .* Allowed: .*{allowed}"):
        text_in(raw, "", "user", 5)


def test_text_may_contain_an_emoji():
    assert text_in("🦊", "", "user", 5) == "🦊"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "`body` cannot be used. Received: a list. Allowed: an object with the keys entity, events, as_of"),
        ({"entity": 1}, "`events` is missing. Received: no such key. Allowed: entity, events, as_of"),
        (
            {"entity": 1, "evnts": 2},
            'Unknown field `evnts`, did you mean `events`? Received: "evnts". Allowed: entity, ',
        ),
        ({"zzz": 1}, 'Unknown field `zzz`. Received: "zzz". Allowed: entity, events, as_of'),
        ({"\ud800": 1}, r"Unknown field `\ud800`"),
    ],
)
def test_object_has_its_required_keys_and_no_unknown_ones(raw, message):
    with pytest.raises(InputError, match=r"Unknown field|is missing|cannot be used") as caught:
        keyed(raw, "", ObjectFields({"entity": {}, "events": {}}, {"as_of": {}}))
    assert str(caught.value).startswith(message)


def test_lists_and_objects_have_a_limit():
    assert listed_in([1, 2], "", "events", 2) == [1, 2]
    assert named_in(None, "", "traits", 2) == {}
    with pytest.raises(InputError, match=r"`events` cannot be used. Received: 3 items. Allowed: at most 2 items"):
        listed_in([1, 2, 3], "", "events", 2)
    with pytest.raises(InputError, match=r"`events` cannot be used. Received: an object. Allowed: a list"):
        listed_in({}, "", "events", 2)
    with pytest.raises(InputError, match=r"`traits` cannot be used. Received: 2 names. Allowed: at most 1"):
        named_in({"a": 1, "b": 2}, "", "traits", 1)
    with pytest.raises(InputError, match=r"`traits` cannot be used. Received: a list. Allowed: an object"):
        named_in([], "", "traits", 1)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, "null"),
        (False, "false"),
        (7, "7"),
        (0.5, "0.5"),
        (math.nan, "nan"),
        (10**4000, "a whole number of more than 60 digits"),
        ('a\n"b', '"a\\n\\"b"'),
        ({"a": 1}, "an object"),
        ([1], "a list"),
        ("x" * 99, '"' + "x" * 60 + '…"'),
        ("\ud800", '"\\ud800"'),
        (b"x", "bytes"),
    ],
)
def test_received_value_is_shown_short_and_printable(raw, expected):
    assert shown(raw) == expected
    assert shown(raw).encode()
