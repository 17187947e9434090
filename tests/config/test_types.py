"""Durations, instants and lists of texts as YAML writes them."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from configs import SMALL, fault

from pql_model.config.load import parse_config
from pql_model.config.schema import Config
from pql_model.time import DAY, HOUR, parse_instant


def test_ids_that_yaml_reads_as_numbers_or_dates_stay_texts():
    config = parse_config(SMALL + "exclude: {users: [17, 2026-01-31], entities: {tier: [1, true]}}")

    assert config.exclude.users == ["17", "2026-01-31"]
    assert config.exclude.entities == {"tier": ["1", "true"]}


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-06-30", "2026-06-30T00:00:00Z"),
        ("2026-06-30T12:30:00", "2026-06-30T12:30:00Z"),
        ("2026-06-30 12:30:00", "2026-06-30T12:30:00Z"),
        ("2026-06-30T12:30:00Z", "2026-06-30T12:30:00Z"),
        ("2026-06-30T12:30:00+02:00", "2026-06-30T10:30:00Z"),
        ("'2026-06-30T12:30:00-05:30'", "2026-06-30T18:00:00Z"),
        ("'2026-06-30'", "2026-06-30T00:00:00Z"),
        ("20260630", "2026-06-30T00:00:00Z"),
    ],
)
def test_observed_until_is_utc_unless_it_states_an_offset(written, instant):
    assert parse_config(SMALL + f"observed_until: {written}\n").observed_until == parse_instant(instant)


@pytest.mark.parametrize(
    ("written", "length"), [("90s", 90_000_000), ("30m", HOUR // 2), ("12h", 12 * HOUR), ("4w", 28 * DAY)]
)
def test_a_horizon_may_be_given_in_any_unit(written, length):
    assert parse_config(SMALL + f"horizon: {written}\n").horizon.us == length


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("horizon: 30", "`30` is not a duration. Allowed: a whole number and a unit: 90s, 30m, 12h, 7d or 4w"),
        ("horizon: 0d", "`0d` is not a duration. Allowed: a whole number and a unit: 90s, 30m, 12h, 7d or 4w"),
        (
            "observed_until: yesterday",
            "`yesterday` is not a time. Allowed: a date 2026-06-30 or a time 2026-06-30T12:00:00Z",
        ),
        ("observed_until: true", "`True` is not a time. Allowed: a date 2026-06-30 or a time 2026-06-30T12:00:00Z"),
    ],
)
def test_invalid_duration_or_time_is_refused_with_what_is_allowed(line, message):
    assert fault(SMALL + line + "\n") == message


def test_list_of_ids_refuses_null():
    assert fault(SMALL + "exclude: {users: [a, ~]}\n") == (
        "a list of texts or numbers contains `None`; quote it if it is a text"
    )


@pytest.mark.parametrize(
    "when", [dt.date(2026, 6, 30), dt.datetime(2026, 6, 30), pd.Timestamp("2026-06-30", tz="UTC"), "2026-06-30"]
)
def test_observed_until_from_python_is_a_text_a_date_a_datetime_or_a_timestamp(when):
    config = parse_config(SMALL).model_copy()
    data = {**config.model_dump(by_alias=True), "observed_until": when}

    assert Config.model_validate(data).observed_until == parse_instant("2026-06-30T00:00:00Z")


def test_a_missing_observed_until_from_python_is_refused():
    data = {**parse_config(SMALL).model_dump(by_alias=True), "observed_until": pd.NaT}

    with pytest.raises(ValueError, match=r"`NaT` is not a time\. Allowed: a date"):
        Config.model_validate(data)
