"""Ids, numbers and times are read the same from every type and spelling."""

from __future__ import annotations

import datetime as dt
import decimal
import math

import ibis
import pyarrow as pa
import pytest
from staging import of_column

from pql_model.errors import DataError
from pql_model.sources.casts import identifier, number, refuse_mixed_offsets, text, times
from pql_model.sources.scalars import leading_sign
from pql_model.time import parse_instant

NOON = parse_instant("2026-01-31T12:00:00Z")
MIDNIGHT = parse_instant("2026-01-31")
NAN, INF = math.nan, math.inf


def instants(values, resolution="instant"):
    return of_column(pa.array(values), lambda column: times(column, resolution).instant)


def instant(value):
    return instants([value])[0]


def zoned(values):
    return of_column(pa.array(values), lambda column: times(column).has_offset)


class TestText:
    def test_texts_are_trimmed_and_empty_ones_are_null(self):
        assert of_column(pa.array(["a", " a\t", "a b", "", "  ", "\n", None]), text) == [
            "a",
            "a",
            "a b",
            None,
            None,
            None,
            None,
        ]


class TestIdentifier:
    @pytest.mark.parametrize(
        "column",
        [
            pa.array([12], pa.int8()),
            pa.array([12], pa.int32()),
            pa.array([12], pa.int64()),
            pa.array([12], pa.uint64()),
            pa.array([12.0], pa.float32()),
            pa.array([12.0], pa.float64()),
            pa.array([decimal.Decimal("12")]),
            pa.array([decimal.Decimal("12.00")]),
            pa.array(["12"]),
            pa.array(["12.0"]),
            pa.array([" 12 "]),
            pa.array(["12"], pa.large_string()),
            pa.array(["12"]).dictionary_encode(),
            pa.array([b"12"]),
        ],
        ids=lambda column: f"{column.type} {column[0]}",
    )
    def test_twelve_is_one_id_in_every_type(self, column):
        assert of_column(column, identifier) == ["12"]

    def test_no_two_ids_become_one(self):
        values = ["0012", "12", "12.5", "12.50", "1e3", "1000", "-12", "12-0", "a12.0", "A", "a"]

        assert of_column(pa.array(values), identifier) == values

    def test_big_numbers_keep_every_digit(self):
        big = 18_446_744_073_709_551_615
        decimals = [decimal.Decimal("12345678901234567890.00"), decimal.Decimal("12345678901234567891.00")]

        assert of_column(pa.array([big], pa.uint64()), identifier) == [str(big)]
        assert of_column(pa.array([str(big)]), identifier) == [str(big)]
        assert of_column(pa.array(decimals), identifier) == ["12345678901234567890", "12345678901234567891"]

    def test_negative_ids_are_ids(self):
        assert of_column(pa.array([-3.0]), identifier) == ["-3"]
        assert of_column(pa.array(["-3.0"]), identifier) == ["-3"]

    def test_texts_for_missing_values_are_not_ids(self):
        written = [
            "",
            " ",
            "nan",
            "NaN",
            "null",
            "NULL",
            "None",
            "nil",
            "<NA>",
            "\\N",
            "NaT",
            "(null)",
            "undefined",
            None,
        ]

        assert of_column(pa.array(written), identifier) == [None] * 14

    def test_a_column_of_floats_may_hold_anything(self):
        assert of_column(pa.array([12.0, 12.5, NAN, None, 1e17]), identifier) == [
            "12",
            "12.5",
            None,
            None,
            "100000000000000000",
        ]
        assert of_column(pa.array([INF, 1e300]), identifier) == ["inf", "1e+300"]

    def test_an_empty_column_has_no_ids(self):
        assert of_column(pa.array([None, None], pa.string()), identifier) == [None, None]


class TestNumber:
    def test_texts_of_numbers_are_numbers_and_others_are_null(self):
        assert of_column(pa.array(["1", " 2.5 ", "-3", "1e3", "x", "", "1,5", "1 000", None]), number) == [
            1,
            2.5,
            -3,
            1000,
            None,
            None,
            None,
            None,
            None,
        ]

    @pytest.mark.parametrize("written", ["-49.5", "(49.5)", "49.5-", "\u221249.5", " (49.5) "])
    def test_negative_numbers_may_be_written_as_accounts_do(self, written):
        assert of_column(pa.array([written]), number) == [-49.5]
        assert float(leading_sign(written.strip())) == -49.5

    def test_what_only_looks_negative_is_not_a_number(self):
        written = ["(a)", "a-", "()", "-", "(1", "1-2", "(-1)", "--1", "1--", "-1-", "(1)-"]

        assert of_column(pa.array(written), number) == [None] * len(written)

    def test_booleans_are_one_and_zero_typed_or_as_text(self):
        assert of_column(pa.array([True, False, None]), number) == [1, 0, None]
        assert of_column(pa.array(["true", "False", "TRUE"]), number) == [1, 0, 1]

    def test_values_that_are_not_finite_are_null(self):
        assert of_column(pa.array([NAN, INF, -INF, 1.0, None]), number) == [None, None, None, 1, None]
        assert of_column(pa.array(["nan", "inf", "-Infinity"]), number) == [None, None, None]

    def test_number_too_large_to_be_summed_is_null_as_the_service_refuses_it(self):
        assert of_column(pa.array([1e300, -1e300, 1.01e300, -1.7e308]), number) == [1e300, -1e300, None, None]

    @pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(5, 2)])
    def test_every_numeric_type_is_accepted(self, kind):
        assert of_column(pa.array([7], kind), number) == [7]

    def test_date_is_not_a_number(self):
        with pytest.raises(DataError, match=r"A column of numbers has the type date"):
            of_column(pa.array([dt.date(2026, 1, 31)]), number)


class TestTimesThatAreTyped:
    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    @pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
    def test_timestamps_of_any_unit_and_zone_are_instants(self, unit, zone):
        noon = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC if zone else None)

        assert of_column(pa.array([noon, None], pa.timestamp(unit, zone)), lambda c: times(c).instant) == [NOON, None]

    def test_timestamp_column_has_no_offset_information(self):
        assert zoned([dt.datetime(2026, 1, 31, 12)]) == [None]

    def test_nanoseconds_are_rounded_to_microseconds(self):
        column = pa.array([1_769_860_800_000_001_400], pa.timestamp("ns"))

        assert of_column(column, lambda c: times(c).instant) == [NOON + 1]

    @pytest.mark.parametrize("kind", [pa.date32(), pa.date64()])
    def test_a_date_is_its_midnight_utc(self, kind):
        assert of_column(pa.array([dt.date(2026, 1, 31)], kind), lambda c: times(c).instant) == [MIDNIGHT]

    @pytest.mark.parametrize("column", [pa.array([dt.time(12)]), pa.array([True]), pa.array([[1]])])
    def test_type_that_cannot_hold_times_is_refused(self, column):
        with pytest.raises(DataError, match=r"A column of times has the type \S+\. Allowed: timestamps, dates, ISO"):
            of_column(column, lambda c: times(c).instant)


class TestTimesAsNumbers:
    @pytest.mark.parametrize(
        "value",
        [
            1_769_860_800,
            1_769_860_800_000,
            1_769_860_800_000_000,
            1_769_860_800_000_000_000,
            1_769_860_800.0,
            "1769860800",
            "1769860800000",
            "1769860800000000",
            "1769860800000000000",
            "1769860800.0",
            "1.7698608e9",
        ],
    )
    def test_size_of_an_epoch_gives_its_unit(self, value):
        assert instant(value) == NOON

    @pytest.mark.parametrize(
        ("value", "after"),
        [
            (1_769_860_800_123, 123_000),
            (1_769_860_800_123_456, 123_456),
            (1_769_860_800.5, 500_000),
            (1_769_860_800_123_456_000, 123_456),
            ("1769860800.25", 250_000),
        ],
    )
    def test_fractions_of_a_second_are_kept(self, value, after):
        assert instant(value) == NOON + after

    @pytest.mark.parametrize("kind", [pa.int64(), pa.uint64(), pa.int32(), pa.float64(), pa.decimal128(12, 0)])
    def test_every_numeric_type_is_accepted(self, kind):
        assert of_column(pa.array([1_769_860_800], kind), lambda c: times(c).instant) == [NOON]

    @pytest.mark.parametrize("value", [20_260_131, "20260131", 20_260_131.0])
    def test_eight_digits_are_a_date(self, value):
        assert instant(value) == MIDNIGHT

    def test_the_date_of_a_number_is_right_around_leap_days(self):
        assert instants([20_240_229, 20_240_301, 20_000_229, 19_991_231, 20_991_231]) == [
            parse_instant(day) for day in ("2024-02-29", "2024-03-01", "2000-02-29", "1999-12-31", "2099-12-31")
        ]

    @pytest.mark.parametrize("value", [0, -1, 45_000.5, 2026, 99_999_999, "0", "45000"])
    def test_small_numbers_are_not_epochs(self, value):
        assert instant(value) is None

    def test_infinite_and_absurdly_large_numbers_are_not_times(self):
        assert instants([NAN, INF, -INF, 1e300, 1e19, 1_769_860_800.0]) == [None, None, None, None, None, NOON]


class TestTimesAsTexts:
    @pytest.mark.parametrize(
        "written",
        [
            "2026-01-31 12:00:00",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00Z",
            "2026-01-31 12:00:00+00",
            "2026-01-31T12:00:00.000000+00:00",
            "2026-01-31T14:00:00+02:00",
            "2026-01-31 14:00:00+0200",
            "2026-01-31T06:30:00-05:30",
            "2026-01-31 12:00:00 UTC",
            "2026-01-31 13:00:00 Europe/Paris",
            "2026-01-31 12:00",
            "  2026-01-31T12:00:00Z  ",
            "2026/01/31 12:00:00",
        ],
    )
    def test_iso_texts_are_utc_unless_they_state_an_offset(self, written):
        assert instant(written) == NOON

    @pytest.mark.parametrize("written", ["2026-01-31", "2026/01/31", " 2026-01-31 ", "2026-1-31"])
    def test_a_date_is_its_midnight_utc(self, written):
        assert instant(written) == MIDNIGHT

    def test_microseconds_are_kept_and_finer_digits_cut(self):
        assert instants(["2026-01-31T12:00:00.123456Z", "2026-01-31T12:00:00.123456999Z"]) == [NOON + 123_456] * 2

    @pytest.mark.parametrize(
        "written",
        [
            "",
            " ",
            "soon",
            "31/01/2026",
            "01/31/2026",
            "31.01.2026",
            "Jan 31, 2026",
            "2026-02-30",
            "2026-13-01",
            "12:00",
            "2026-01-31 25:00:00",
            "infinity",
            "-infinity",
            "epoch",
            "now",
            "today",
            "9999-12-31",
            "0001-01-01",
            "1899-12-30",
            "1970-01-01",
            "1970-01-01T00:00:00Z",
            "null",
        ],
    )
    def test_implausible_times_are_null(self, written):
        assert instant(written) is None

    def test_the_years_1900_to_2199_can_be_read(self):
        assert instants(["1900-01-02", "2199-12-31", "2200-01-01"]) == [
            parse_instant("1900-01-02"),
            parse_instant("2199-12-31"),
            None,
        ]

    def test_unreadable_value_differs_from_missing_value(self):
        given = of_column(pa.array(["soon", "2026-01-31", "", " ", None]), lambda column: times(column).present)

        assert given == [True, True, False, False, False]


class TestZones:
    def test_text_with_a_time_of_day_has_an_offset_or_not(self):
        assert zoned(["2026-01-31T12:00:00Z", "2026-01-31 12:00+02", "2026-01-31 12:00:00 Europe/Paris"]) == [True] * 3
        assert zoned(["2026-01-31T12:00:00", "2026-01-31 12:00", "2026-01-31 12:00:00.5"]) == [False] * 3

    def test_dates_epochs_and_unreadable_texts_have_no_offset_information(self):
        assert zoned(["2026-01-31", "1769860800", "soon at 12:00", "12:00", "", None]) == [None] * 6

    def test_both_kinds_in_one_column_are_refused_with_their_counts(self):
        expected = r"e\.csv: the times of `at` mix time zones.*Received: 1,200 with an offset, 3 without"

        with pytest.raises(DataError, match=expected):
            refuse_mixed_offsets("e.csv", "at", 1200, 3)

    def test_one_kind_is_fine(self):
        refuse_mixed_offsets("e.csv", "at", 5, 0)
        refuse_mixed_offsets("e.csv", "at", 0, 5)


class TestResolution:
    def test_every_time_is_cut_to_its_utc_date(self):
        written = ["2026-01-31T23:59:59Z", "2026-01-31", "2026-02-01T01:00:00+02:00", "1965-03-04T05:06:07Z"]

        assert instants(written, "day") == [MIDNIGHT, MIDNIGHT, MIDNIGHT, parse_instant("1965-03-04")]


def test_a_helper_of_these_tests_keeps_the_order_of_rows():
    assert of_column(pa.array([3, 1, 2]), lambda column: column + ibis.literal(1)) == [4, 2, 3]
