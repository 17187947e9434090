import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pql_model.time import (
    DAY,
    EVER,
    HOUR,
    MINUTE,
    WEEK,
    Duration,
    Window,
    iso,
    parse_instant,
    to_datetime,
    to_instant,
    week_of,
)


def test_a_naive_time_is_utc_and_a_date_is_its_midnight():
    assert to_instant(dt.datetime(1970, 1, 2, 3)) == DAY + 3 * HOUR
    assert to_instant(dt.date(1970, 1, 2)) == DAY


def test_offset_is_subtracted():
    assert parse_instant("2025-01-01T02:00:00+02:00") == parse_instant("2025-01-01")


@given(st.integers(min_value=-(10**15), max_value=4 * 10**15))
def test_instant_round_trips_through_datetime_and_text(instant):
    assert to_instant(to_datetime(instant)) == instant
    assert parse_instant(iso(instant)) == instant


@given(st.integers(min_value=1, max_value=10**4), st.sampled_from("smhdw"))
def test_duration_round_trips_through_text(number, unit):
    duration = Duration.parse(f"{number}{unit}")
    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "0d", "7 days", "1.5d", "7D"])
def test_invalid_duration_is_refused_with_what_is_allowed(text):
    with pytest.raises(ValueError, match=r"is not a duration\. Allowed: a whole number and a unit"):
        Duration.parse(text)


@pytest.mark.parametrize("text", ["", "first", "last", "ever 7d", "first 7", "next 7d", "first 7d now"])
def test_invalid_window_is_refused_with_what_is_allowed(text):
    with pytest.raises(ValueError, match=r"is not a (window|duration)\. Allowed:"):
        Window.parse(text)


@pytest.mark.parametrize("text", ["first 7d", "last 36h", "ever", "first 1d"])
def test_window_round_trips_through_text_and_column_name(text):
    window = Window.parse(text)
    assert Window.parse(str(window)) == window
    assert Window.parse(window.slug) == window


def test_the_bounds_of_windows():
    signed_up, as_of = 10 * DAY, 13 * DAY
    assert Window.parse("first 2d").bounds(signed_up, as_of) == (10 * DAY, 12 * DAY)
    assert Window.parse("first 7d").bounds(signed_up, as_of) == (10 * DAY, 13 * DAY)
    assert Window.parse("last 1d").bounds(signed_up, as_of) == (12 * DAY, 13 * DAY)
    assert EVER.bounds(signed_up, as_of) == (None, 13 * DAY)


def test_a_first_window_has_elapsed_exactly_at_its_end():
    week = Window.parse("first 7d")
    assert week.elapsed(0, 7 * DAY)
    assert not week.elapsed(0, 7 * DAY - 1)
    assert Window.parse("last 7d").elapsed(0, DAY)


def test_english_text_of_windows():
    assert Window.parse("first 1d").text == "in the first day"
    assert Window.parse("last 12h").text == "in the last 12 hours"
    assert EVER.text == "so far"
    assert Duration(30 * MINUTE).text == "30 minutes"


def test_week_begins_on_monday_even_before_1970():
    assert [iso(week_of(parse_instant(text))) for text in ("2026-01-05", "2026-01-11T23:59:59Z", "1969-12-31")] == [
        "2026-01-05",
        "2026-01-05",
        "1969-12-29",
    ]
    assert week_of(parse_instant("2026-01-12")) - week_of(parse_instant("2026-01-11")) == WEEK


@pytest.mark.parametrize("text", ["99999999999d", "73201d", "10000000000000000h"])
def test_a_duration_longer_than_any_instant_is_refused(text):
    with pytest.raises(ValueError, match="is too long"):
        Duration.parse(text)
    assert Duration.parse("73000d").days == 73_000
