"""Instants that callers name: texts, dates, datetimes and pandas timestamps."""

from __future__ import annotations

import datetime as dt
import inspect

import numpy as np
import pandas as pd
import pytest

import pql_model
from pql_model.config.instant import read_instant, read_optional_instant
from pql_model.errors import DataError
from pql_model.time import parse_instant

HELSINKI = dt.timezone(dt.timedelta(hours=3))


@pytest.mark.parametrize(
    ("when", "instant"),
    [
        ("2026-06-30", "2026-06-30T00:00:00Z"),
        (" 2026-06-30T12:00:00+03:00 ", "2026-06-30T09:00:00Z"),
        (dt.date(2026, 6, 30), "2026-06-30T00:00:00Z"),
        (dt.datetime(2026, 6, 30, 12), "2026-06-30T12:00:00Z"),
        (dt.datetime(2026, 6, 30, 12, tzinfo=HELSINKI), "2026-06-30T09:00:00Z"),
        (pd.Timestamp("2026-06-30"), "2026-06-30T00:00:00Z"),
        (pd.Timestamp("2026-06-30T12:00:00.000001"), "2026-06-30T12:00:00.000001Z"),
        (pd.Timestamp("2026-06-30T12:00", tz="Europe/Helsinki"), "2026-06-30T09:00:00Z"),
    ],
)
def test_a_time_without_an_offset_is_utc_and_one_with_an_offset_is_converted(when, instant):
    found = read_instant(when)
    assert found == parse_instant(instant)
    assert type(found) is int


@pytest.mark.parametrize(
    "when",
    [
        "soon",
        "",
        "2026-02-30",
        pd.NaT,
        float("nan"),
        20260630,
        True,
        None,
        np.array([1, 2]),
        dt.time(12),
        [],
        "0001-01-01T00:00:00+14:00",
    ],
    ids=repr,
)
def test_another_value_is_refused_with_what_is_allowed(when):
    with pytest.raises(DataError, match=r"`since` is not a time.*Allowed: a date 2026-06-30 or.*pandas\.Timestamp"):
        read_instant(when, "since")


def test_an_instant_may_be_left_out():
    assert read_optional_instant(None) is None
    assert read_optional_instant("1970-01-02") == 86_400_000_000
    with pytest.raises(DataError, match="`as_of` is not a time"):
        read_optional_instant(pd.NaT)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("score", {"as_of": pd.NaT}),
        ("explain_entity", {"entity": "acc-1", "as_of": pd.NaT}),
        ("criteria_sql", {"dialect": "duckdb", "as_of": pd.NaT}),
        ("verify", {"as_of": pd.NaT}),
        ("replay", {"since": pd.NaT}),
        ("replay", {"until": pd.NaT}),
        ("backtest", {"cutoffs": [pd.NaT]}),
        ("backtest", {"cutoffs": pd.NaT}),
    ],
)
def test_every_public_function_refuses_a_missing_time(name, arguments, tmp_path):
    config = pql_model.make_demo(tmp_path, accounts=50) / "pql.yaml"
    with pytest.raises(DataError, match="is not a time"):
        getattr(pql_model, name)(config, **arguments)


def test_every_public_argument_that_is_an_instant_takes_the_same_types():
    names = {"as_of", "since", "until"}
    for function in pql_model.__all__:
        if not inspect.isfunction(getattr(pql_model, function)):
            continue
        for name, parameter in inspect.signature(getattr(pql_model, function)).parameters.items():
            if name in names:
                assert parameter.annotation == "InstantLike | None", f"{function}({name})"


def test_a_date_scores_as_its_text_does(trained, tmp_path):
    config = trained.folder.parent.parent / "pql.yaml"
    text = pql_model.score(config, as_of="2025-11-20", output=tmp_path / "a.csv").rows
    stamp = pql_model.score(config, as_of=pd.Timestamp("2025-11-20", tz="UTC"), output=tmp_path / "b.csv").rows
    pd.testing.assert_frame_equal(text.drop(columns="scored_at"), stamp.drop(columns="scored_at"))
