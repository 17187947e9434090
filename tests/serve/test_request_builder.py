"""Requests written from tables: everything the log has of the entity, and nothing that JSON cannot say."""

import json

import pandas as pd
import pytest
from worlds import at, opened, product

from pql_model.serve.request_builder import entity_requests
from pql_model.time import iso


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    accounts = [
        {"account": "b", "signed_up": "2026-01-05", "size": 3, "plan": "free", "beta": True},
        {"account": "a", "signed_up": "2026-01-01T10:00", "size": None, "plan": None, "beta": None},
        {"account": "idle", "signed_up": "2026-01-02", "size": 2.5, "plan": "🎉 [x]", "beta": False},
    ]
    events = [
        {
            "account": "a",
            "event": "any",
            "time": "2026-01-02T00:00:00.000001",
            "user": "ann",
            "mb": -1.5,
            "known_at": "2026-01-03",
        },
        {"account": "a", "event": "login", "time": "2026-02-02"},
        {"account": "a", "event": "login", "time": "2026-01-01T09:59:59"},
        {"account": "b", "event": "login", "time": "2026-09-01"},
        {"account": "c", "event": "login", "time": "2026-01-02"},
    ]
    home = tmp_path_factory.mktemp("world")
    pd.DataFrame(accounts).to_parquet(home / "accounts.parquet")  # which knows numbers from texts
    entities = {"table": "accounts.parquet", "columns": {"entity": "account", "signed_up": "signed_up"}}
    paid = [{"account": "b", "time": "2026-02-01"}]
    config = product(home, accounts, events, paid, entities=entities, observed_until="2026-06-01")
    frame = pd.DataFrame(
        [("b", at("2026-01-12")), ("a", at("2026-01-08")), ("a", at("2026-01-15")), ("idle", at("2026-01-09"))],
        columns=["entity", "as_of"],
    )
    signed = {"a": at("2026-01-01T10:00"), "b": at("2026-01-05"), "idle": at("2026-01-02")}
    frame["signed_up"] = frame["entity"].map(signed)
    with opened(config) as (con, sources):
        return list(entity_requests(sources, con.create_table("wanted", frame)))


def test_there_is_one_request_per_snapshot_by_entity_and_instant(written):
    assert [(r["entity"], r["as_of"], r["signed_up"]) for r in written] == [
        ("a", "2026-01-08", "2026-01-01T10:00:00Z"),
        ("a", "2026-01-15", "2026-01-01T10:00:00Z"),
        ("b", "2026-01-12", "2026-01-05"),
        ("idle", "2026-01-09", "2026-01-02"),
    ]


def test_requests_have_all_events_of_the_entity(written):
    assert written[0]["events"] == written[1]["events"]
    assert sorted(event["time"] for event in written[0]["events"]) == [
        "2026-01-01T09:59:59Z",
        "2026-01-02T00:00:00.000001Z",
        "2026-02-02",
    ]
    assert [event["time"] for event in written[2]["events"]] == ["2026-09-01"]
    assert written[3]["events"] == []


def test_absent_fields_of_events_are_left_out(written):
    payload = next(event for event in written[0]["events"] if event["event"] == "any (event)")
    assert payload == {
        "event": "any (event)",
        "time": iso(at("2026-01-02") + 1),
        "user": "ann",
        "known_at": "2026-01-03",
        "values": {"mb": -1.5},
    }


def test_traits_are_plain_values_or_null(written):
    assert written[0]["traits"] == {"size": None, "plan": None, "beta": None}
    assert written[2]["traits"] == {"size": 3.0, "plan": "free", "beta": True}
    assert written[3]["traits"] == {"size": 2.5, "plan": "🎉 [x]", "beta": False}
    assert json.loads(json.dumps(written, allow_nan=False)) == written
