"""Every reader of times, in a column, in plain Python, in `pql init` and in the service, reads the same texts alike."""

from __future__ import annotations

import re
from itertools import pairwise

import pyarrow as pa
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from staging import of_column

from pql_model.discovery.sketch import parse_sample
from pql_model.features.fields import parse_time, parse_times
from pql_model.sources.casts import times
from pql_model.sources.time_forms import (
    DIGIT_FORMS,
    EPOCHS,
    FIRST_EPOCH,
    LATEST,
    REWRITES,
    TICKS,
    read_time,
    read_time_number,
)
from pql_model.time import iso, parse_instant

READ = {
    "2026-01-31T12:00:00Z": "2026-01-31T12:00:00Z",
    "2026-01-31t12:00:00z": "2026-01-31T12:00:00Z",
    "2026-01-31T12": "2026-01-31T12:00:00Z",
    "2026-01-31 12Z": "2026-01-31T12:00:00Z",
    "2026-01-31, 12:00:00": "2026-01-31T12:00:00Z",
    "2026-1-1 1:02:03": "2026-01-01T01:02:03Z",
    "2026/1/3 2:03": "2026-01-03T02:03:00Z",
    "2026.01.31 12:00": "2026-01-31T12:00:00Z",
    "20260131T120000Z": "2026-01-31T12:00:00Z",
    "20260131T1200+0100": "2026-01-31T11:00:00Z",
    "20260131 12:00": "2026-01-31T12:00:00Z",
    "2025-02-03 13:05:00,123": "2025-02-03T13:05:00.123000Z",
    "2026-01-31T12:00:00,123+0100": "2026-01-31T11:00:00.123000Z",
    "2025-02-03T13:05:00.123456789Z": "2025-02-03T13:05:00.123456Z",
    "2026-01-31T12:00:00.1234567891234Z": "2026-01-31T12:00:00.123456Z",
    "2026-01-31 12:00:00 UTC": "2026-01-31T12:00:00Z",
    "2026-01-31 12:00:00.5 GMT": "2026-01-31T12:00:00.500000Z",
    "2026-01-31 12:00:00 +0000 UTC": "2026-01-31T12:00:00Z",
    "2026-01-31 12:00:00 -0500 EST": "2026-01-31T17:00:00Z",
    "2026-01-31T13:00:00+01:00[Europe/Paris]": "2026-01-31T12:00:00Z",
    "2026-01-31 13:00:00 Europe/Paris": "2026-01-31T12:00:00Z",
    "2026-10-25 02:30:00 Europe/Paris": "2026-10-25T01:30:00Z",  # occurs twice: the second counts
    "2026-03-29 02:30:00 Europe/Paris": "2026-03-29T01:30:00Z",  # skipped by the clock
    "20250203": "2025-02-03",
    "2025020313": "2025-02-03T13:00:00Z",
    "2025020313.0": "2025-02-03T13:00:00Z",
    "202502031305": "2025-02-03T13:05:00Z",
    "2.02502031305e11": "2025-02-03T13:05:00Z",
    "20250203130501": "2025-02-03T13:05:01Z",
    "20250203130501123": "2025-02-03T13:05:01.123000Z",
    "1767225600": "2026-01-01",
    "+1767225600": "2026-01-01",
    "1767225600.25": "2026-01-01T00:00:00.250000Z",
    "1767225600123": "2026-01-01T00:00:00.123000Z",
    "1767225600123456": "2026-01-01T00:00:00.123456Z",
    "1767225600123456000": "2026-01-01T00:00:00.123456Z",
    "638790984000000000": "2025-04-01T10:00:00Z",  # .NET ticks
    "2025020324": "2034-03-03T17:38:44Z",  # there is no hour 24, so these are seconds
    " 2026-01-31 ": "2026-01-31",
}
NEVER = (
    *("9999-12-31", "9999-12-31T23:59:59.999Z", "0001-01-01", "0001-01-01T00:00:00-14:00", "0000-00-00 00:00:00"),
    *("1900-01-01", "1900-01-01 00:00:00", "1970-01-01", "1970-01-01T00:00:00Z", "1899-12-30", "3000-01-01"),
    *("1970-01-01 01:00:00", "1969-12-31 19:00:00", "1970-01-01 01:00:00+01:00", "1900-01-01T02:00:00"),
    *("2262-04-11 23:47:16.854775807", "0", "99991231", "253402300799", "-62135596800000"),
    *("never", "N/A", "null", "NaT", "-", "", "  "),
)
UNREADABLE = (
    *("03/04/2025", "31/01/2026", "31.01.2026", "Jan 31, 2026", "Mon, 03 Feb 2025 13:05:00 GMT", "2026-01-31 01:00 PM"),
    *("2026-01-31 12:00:00 EST", "2026-01-31 12:00 PDT", "2026-01-31 12:00 CET", "2026-01-31 12:00 EST5EDT"),
    *("2026-01-31 12:00 PST8PDT", "2026-01-31 12:00 Europe/Nowhere", "2026-01-31 Europe/Paris", "2026-01-31Z"),
    *("2026-02-30", "2026-02-30 12:00 Europe/Paris", "2026-13-01", "2026-01-31 24:00:00", "2026-01-31T12:00:60"),
    *("2026-01-31T12:00:00+99:00", "2026-01-31 (BC)", "2026", "2026-01", "2026-W05", "12:00", "soon", "soon at 12:00"),
    *("763207200", "01042025103000", "0638791128000000000"),  # seconds since 2001; leading zeros
    *("epoch", "infinity", "-infinity", "now", "today", "1899-01-01", "2200-01-01"),
    *(
        "0202-05-06",
        "99999999",
        "-1",
        "-1767225600",
        "45000.5",
        "202513010000",
        "1e19",
        "1e300",
        "1e999",
    ),
    *("٢٠٢٦-01-31", "2026-01-31\u00a012:00", "1767225600.", ".5", "1_767_225_600", "0x10"),
)
PIECES = (
    *(
        "2026-01-31",
        "2026-1-3",
        "2026/02/30",
        "1970-01-01",
        "9999-12-31",
        "20260131",
        "0001-01-01",
        "2025020313",
        "1900-01-01",
    ),
    *(
        "T",
        "t",
        " ",
        ", ",
        "  ",
        "12:00",
        "1:02",
        "12:00:00",
        "23:59:60",
        "120000",
        ".5",
        ",123",
        ".1234567899",
        "Z",
        " UTC",
    ),
    *(
        "+01:00",
        "-0530",
        "+02",
        " +0000",
        " EST",
        " Europe/Paris",
        " America/New_York",
        "[Europe/Paris]",
        "e3",
        "-",
        ".0",
        "0",
    ),
)


def columnwise(texts):
    """What a column of texts is read as: instant, whether there is a value, and whether it has an offset."""
    given = pa.array(texts, pa.string())
    read = of_column(
        given, lambda c: (t := times(c)).instant.cast("string") + "|" + t.has_offset.cast("string").fill_null("-")
    )
    present = of_column(given, lambda c: times(c).present)
    split = [None if each is None else each.split("|") for each in read]
    offsets = {"true": True, "false": False, "-": None}
    return [
        (None, here, None) if each is None else (int(each[0]), here, offsets[each[1]])
        for each, here in zip(split, present, strict=True)
    ]


def plainly(text):
    read = read_time(text)
    return read.instant, read.present, read.has_offset


ALL = [*READ, *NEVER, *UNREADABLE]


def test_a_column_and_plain_python_read_every_text_alike():
    assert dict(zip(ALL, columnwise(ALL), strict=True)) == {text: plainly(text) for text in ALL}


@pytest.mark.parametrize("text", ALL)
def test_init_and_the_service_read_as_plain_python_does(text):
    assert parse_sample(text) == parse_time(text) == parse_times([text])[0] == read_time(text).instant


@pytest.mark.parametrize(("text", "instant"), READ.items())
def test_readable_text_is_the_instant_it_states(text, instant):
    assert iso(read_time(text).instant) == instant


@pytest.mark.parametrize("text", NEVER)
def test_text_for_never_is_missing(text):
    assert plainly(text) == (None, False, None)


@pytest.mark.parametrize("text", UNREADABLE)
def test_text_in_another_form_is_present_and_unreadable(text):
    assert plainly(text) == (None, True, None)


@examples(12)
@given(st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join), min_size=150, max_size=150))
def test_any_combination_of_pieces_is_read_alike(texts):
    assert dict(zip(texts, columnwise(texts), strict=True)) == {text: plainly(text) for text in texts}


@examples(8)
@given(
    st.lists(
        st.integers(0, 10**19 - 1)
        | st.integers(1_970_000_000, 2_110_000_000)
        | st.integers(19 * 10**10, 22 * 10**10)
        | st.integers(TICKS[0] - 1000, TICKS[1] + 1000),
        min_size=150,
        max_size=150,
    )
)
def test_any_number_is_read_alike_as_a_number_and_as_a_text(values):
    plain = [read_time_number(value) for value in values]
    fits = [(value, read) for value, read in zip(values, plain, strict=True) if value < 2**63]

    assert [read for read, _, _ in columnwise(list(map(str, values)))] == plain
    assert of_column(pa.array([value for value, _ in fits], pa.int64()), lambda c: times(c).instant) == [
        read for _, read in fits
    ]


@examples(8)
@given(st.lists(st.floats(-1e20, 1e20) | st.floats(3e8, 8e9), min_size=100, max_size=100))
def test_any_float_is_read_alike(values):
    assert of_column(pa.array(values, pa.float64()), lambda c: times(c).instant) == [*map(read_time_number, values)]


def test_no_number_is_an_epoch_in_two_units_or_an_epoch_and_a_date():
    ranges = [(FIRST_EPOCH / unit, LATEST / unit) for _, unit in EPOCHS]
    dates = [(form.low, form.high) for form in DIGIT_FORMS if form.name != "YYYYMMDDHH"]
    ordered = sorted([*ranges, *dates])

    assert all(end <= start for (_, end), (start, _) in pairwise(ordered))
    assert all(high <= limit for (_, high), (limit, _) in zip(ranges, EPOCHS, strict=True))


def test_replacements_name_groups_by_one_digit():
    for pattern, to in REWRITES:
        assert max(map(int, re.findall(r"\\([0-9])", to)), default=0) <= re.compile(pattern).groups < 10


@pytest.mark.parametrize("value", [True, None, [], {}, float("nan"), float("inf"), -float("inf"), 10**400, 17672256])
def test_other_values_are_not_times(value):
    assert parse_time(value) is None


def test_never_is_never_in_a_column_of_timestamps():
    days = ["9999-12-31", "0001-01-01", "1970-01-01", "1900-01-01", "2026-01-31", "1950-01-01", "2210-01-01"]
    column = pa.array([parse_instant(day) for day in days], pa.timestamp("us"))

    assert of_column(column, lambda c: times(c).present) == [False, False, False, False, True, True, True]
    assert of_column(column, lambda c: times(c).instant.notnull()) == [False] * 4 + [True, True, False]
