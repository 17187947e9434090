"""Exports whose times, numbers, encoding, rows or ids need reading: the right counts, or a sentence that says what to do."""

from __future__ import annotations

import pytest
from exports import case, config_of, read_export

from pql_model.errors import DataError

PAID = {"table": "subscriptions.csv", "columns": {"entity": "account_id", "time": "paid_at", "value": "mrr"}}


def config_for(name, **log):
    """The config of a case; keys of its table of events on top, `columns` without those set to None."""
    config = config_of(case(name), PAID)
    raw = config.model_dump(exclude_defaults=True, mode="json")
    columns = {**raw["events"][0]["columns"], **log.pop("columns", {})}
    raw["events"] = [{**raw["events"][0], **log, "columns": {k: v for k, v in columns.items() if v is not None}}]
    more = {key: raw["events"][0].pop(key) for key in ("normalise",) if key in raw["events"][0]}
    return type(config).model_validate({**raw, **more}).at(config.home)


def counts(config):
    sources, paid = read_export(config)
    return sources.events.rows_read, sum(sources.events.by_reason().values()), len(paid), sources.warnings


@pytest.mark.parametrize(
    ("name", "log", "events", "conversions"),
    [
        ("06a-dateHourMinute", {}, 7676, 96),
        ("12a-pandas-tz-ns", {"table": "events.parquet"}, 5207, 55),
        ("13d-python-logging-comma", {}, 5207, 55),
    ],
)
def test_times_in_the_form_of_the_export_are_read(name, log, events, conversions):
    assert counts(config_for(name, **log)) == (events, 0, conversions, ())


def test_rows_of_overlapping_files_are_reported_and_dropped_on_request():
    log = {"table": "events/*.csv", "columns": {"id": None}}
    events, _, _, warnings = counts(config_for("07-overlapping-files-no-id", **log))
    dropped = counts(config_for("07-overlapping-files-no-id", **log, drop_repeats=True))

    assert events == 9276
    assert "1,600 of 9,276 rows of events/*.csv (17%)" in warnings[0]
    assert "1,600 stand in both part-1.csv and part-2.csv" in warnings[0]
    assert dropped == (9276, 1600, 96, ())


def test_german_numbers_are_refused_with_both_readings():
    with pytest.raises(DataError, match=r"can be read in two ways.*`thousands: '\.'`.*or `decimal: '\.'`"):
        read_export(config_for("08-german-numbers", values={"amount": "amount"}))


def test_ids_that_went_through_floats_are_refused():
    log = {"table": "events.parquet", "columns": {"id": None}}
    with pytest.raises(DataError, match=r"column `account_id` of events\.parquet have lost digits"):
        read_export(config_for("12b-float64-ids", **log))


def test_ids_that_lost_their_zeros_are_reported_and_brought_together():
    _, _, conversions, warnings = counts(config_for("12c-leading-zeros"))
    mended = counts(config_for("12c-leading-zeros", normalise=["leading_zeros"]))

    assert conversions == 45
    assert "10 of these 10 ids match without leading zeros: set `normalise: [leading_zeros]`" in warnings[0]
    assert mended == (5207, 0, 55, ())


def test_latin_1_is_refused_by_name_and_read_where_the_table_names_it():
    config = config_for("21-latin1-one-in-five")
    with pytest.raises(DataError, match=r"accounts\.csv is not UTF-8 text.*79 of 301 lines.*`encoding: cp1252`"):
        read_export(config)
    raw = config.model_dump(exclude_defaults=True, mode="json")
    named = type(config).model_validate({**raw, "entities": {**raw["entities"], "encoding": "cp1252"}}).at(config.home)

    assert counts(named) == (5207, 0, 55, ())
