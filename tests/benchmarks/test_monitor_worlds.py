"""The worlds of the monitor hold the change they say, and nothing else."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from pql_model.config.load import load_config
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.time import DAY, iso, parse_instant

ROOT = Path(__file__).resolve().parents[2]
ACCOUNTS = 300


@pytest.fixture(scope="module")
def worlds():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("monitor_worlds")


@pytest.fixture(scope="module")
def quiet(worlds):
    return worlds.make_world("quiet", 2, ACCOUNTS)


def rows_since(world, event):
    return int((world.events["action"].eq(event) & (world.events["occurred"] >= iso(world.changed))).sum())


def test_an_event_that_stops_is_there_until_then(worlds, quiet):
    world = worlds.make_world("event_stopped", 2, ACCOUNTS)
    old = quiet.events[quiet.events["occurred"] < iso(world.changed)]

    assert rows_since(world, world.subject) == 0
    assert world.events["action"].eq(world.subject).sum() == old["action"].eq(world.subject).sum() > 0
    assert set(world.events["event_id"]) <= set(quiet.events["event_id"])


def test_a_renamed_event_loses_no_row(worlds, quiet):
    world = worlds.make_world("event_renamed", 2, ACCOUNTS)

    assert len(world.events) == len(quiet.events)
    assert rows_since(world, world.subject) == 0
    assert rows_since(world, worlds.new_name(world.subject, 2)) > 0


def test_an_event_sent_twice_doubles_from_then_on(worlds, quiet):
    world = worlds.make_world("sent_twice", 2, ACCOUNTS)
    was = quiet.events
    was = was[was["action"].eq(world.subject) & (was["occurred"] >= iso(world.changed))]

    assert rows_since(world, world.subject) == 2 * len(was)


def test_a_gap_is_a_week_and_ends(worlds):
    world = worlds.make_world("tracking_gap", 4, ACCOUNTS)
    times = world.events["occurred"]

    assert not times.between(iso(world.changed), iso(world.changed + 7 * DAY)).any()
    assert (times >= iso(world.changed + 7 * DAY)).any()


def test_rows_are_three_days_late_from_then_on(worlds, tmp_path):
    world = worlds.make_world("late_data", 2, ACCOUNTS)
    worlds.write_world(world, tmp_path, world.as_of)

    with open_session() as con:
        until = read_sources(con, load_config(tmp_path / "pql.yaml")).events_until

    assert world.as_of - 5 * DAY < until <= world.as_of - 3 * DAY


def test_only_what_was_known_is_written(worlds, tmp_path, quiet):
    worlds.write_world(quiet, tmp_path, worlds.TRAINED)

    with open_session() as con:
        sources = read_sources(con, load_config(tmp_path / "pql.yaml"))

    assert sources.observed_until < parse_instant("2025-09-15")
    assert sources.traits == ("company_size", "region", "email_kind", "employees")


def test_accounts_that_decide_late_pay_at_a_third_of_the_odds(worlds):
    before, after = (_late_rate(worlds, kind) for kind in ("quiet", "odds_cut"))

    assert before > 0.08
    assert after < 0.6 * before


def _late_rate(worlds, kind):
    world = worlds.make_world(kind, 2, 1500)
    late = world.accounts[world.accounts["created_at"].between("2025-09-22", "2025-12-15")]
    return late["account_id"].isin(world.conversions["account_id"]).mean()
