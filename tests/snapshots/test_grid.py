"""The grid equals a naive implementation: which entities have snapshots, when, and which are scored at an instant."""

from __future__ import annotations

import pyarrow as pa
import pytest
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from naive import (
    ANCHOR_ACTS,
    ANCHORS,
    START,
    Account,
    Act,
    World,
    config_of,
    edges,
    freemium_configs,
    into,
    snapshots_of,
    trial_configs,
    why_not_scored,
    worlds,
)
from worlds import at, opened, product, rows_of

from pql_model.snapshots.grid import calendar_grid, landmark_grid, requested_grid, scoring_grid
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY, HOUR, first_weekday, iso

THURSDAY = at("2026-01-08")
"""A point of the 7-day grid: 1970-01-01 was a Thursday."""


@pytest.fixture(scope="module")
def con():
    with open_session("1GB") as session:
        yield session


def cells(table):
    return sorted((row["entity"], row["as_of"], row["signed_up"], row["excluded"]) for row in rows_of(table))


def by_name(grid):
    """Sortable although a sign-up may be None."""
    return sorted(grid, key=lambda cell: cell[:2])


# ---------------------------------------------------------------- laws


@given(st.data())
@examples(25, suppress=HealthCheck)
def test_grid_equals_the_naive_implementation(con, data):
    config = data.draw(st.one_of(trial_configs(), freemium_configs()))
    world = data.draw(worlds(config))
    lay = landmark_grid if config.motion == "trial" else calendar_grid

    found = [(r["entity"], r["as_of"], r["signed_up"], r["excluded"]) for r in rows_of(lay(config, into(con, world)))]

    expected = [(a.entity, as_of, a.signed_up, a.excluded) for a, as_of in snapshots_of(config, world)]
    assert by_name(found) == by_name(expected)


@given(st.data())
@examples(25, suppress=HealthCheck)
def test_scored_entities_and_reasons_equal_the_naive_implementation(con, data):
    config = data.draw(st.one_of(trial_configs(), freemium_configs()))
    world = data.draw(worlds(config))
    as_of = data.draw(edges(config, START))

    found = {row["entity"]: row for row in rows_of(scoring_grid(config, into(con, world), as_of))}

    assert {name: row["reason"] for name, row in found.items()} == {
        a.entity: why_not_scored(config, world, a, as_of) for a in world.accounts
    }
    assert {row["as_of"] for row in found.values()} == {as_of}
    assert {name: row["signed_up"] for name, row in found.items()} == {a.entity: a.signed_up for a in world.accounts}


@given(st.data())
@examples(25, suppress=HealthCheck)
def test_requested_entities_are_judged_at_their_own_instants(con, data):
    config = data.draw(st.one_of(trial_configs(), freemium_configs()))
    world = data.draw(worlds(config))
    instants = data.draw(st.sets(edges(config, START), min_size=1, max_size=4))
    asked = [{"entity": a.entity, "as_of": as_of} for a in world.accounts for as_of in instants]
    asked.append({"entity": "nobody", "as_of": START})
    sources = into(con, world)

    grid = requested_grid(config, sources, con.create_table("asked", pa.Table.from_pylist(asked), overwrite=True))
    found = {(row["entity"], row["as_of"]): row["reason"] for row in rows_of(grid)}

    assert len(rows_of(grid)) == len(world.accounts) * len(instants)
    assert found == {(a.entity, t): why_not_scored(config, world, a, t) for a in world.accounts for t in instants}


@given(st.data())
@examples(15, suppress=HealthCheck)
def test_freemium_scores_on_a_calendar_point_iff_training_has_a_snapshot_there(con, data):
    config = data.draw(freemium_configs())
    world = data.draw(worlds(config))
    every, start = config.schedule.every.us, 0 if config.schedule.on is None else first_weekday(config.schedule.on)
    at_most = min(data.draw(edges(config, START)), world.observed_until)
    as_of = (at_most - start) // every * every + start
    sources = into(con, world)

    looked_at = {r["entity"] for r in rows_of(calendar_grid(config, sources)) if r["as_of"] == as_of}
    scored = {r["entity"] for r in rows_of(scoring_grid(config, sources, as_of)) if r["reason"] is None}

    gone = {a.entity for a in world.accounts if a.excluded or (a.converted is not None and a.converted < as_of)}
    assert scored == looked_at - gone


# ---------------------------------------------------------------- trial


TRIAL = config_of("trial", at_days=[3, 7, 14])


def test_trial_has_a_snapshot_on_each_landmark_day(con):
    world = World((*ANCHORS, Account("acme", START)), ANCHOR_ACTS, START + 100 * DAY)

    grid = [row for row in rows_of(landmark_grid(TRIAL, into(con, world))) if row["entity"] == "acme"]

    assert sorted((row["as_of"] - START) / DAY for row in grid) == [3, 7, 14]


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        (-1, "not_signed_up_yet"),
        (0, "too_young"),
        (3 * DAY - 1, "too_young"),
        (3 * DAY, None),
        (15 * DAY, None),
        (15 * DAY + 1, "too_old"),
    ],
)
def test_the_ages_scored_run_from_the_first_landmark_to_the_last_plus_one_day(con, age, reason):
    assert reason_of(con, TRIAL, Account("acme", START), START + age) == reason


def test_a_landmark_at_sign_up_scores_at_sign_up(con):
    config = config_of("trial", at_days=[0])

    assert reason_of(con, config, Account("acme", START), START) is None


def reason_of(con, config, account, as_of, acts=()):
    world = World((*ANCHORS, account), (*ANCHOR_ACTS, *acts), START + 100 * DAY)
    rows = {row["entity"]: row["reason"] for row in rows_of(scoring_grid(config, into(con, world), as_of))}
    return rows[account.entity]


@pytest.mark.parametrize("config", [TRIAL, config_of("freemium", every="7d")], ids=["trial", "freemium"])
@pytest.mark.parametrize(("beside", "reason"), [(-1, "converted"), (0, None), (1, None)])
def test_entity_that_converts_at_as_of_is_still_at_risk(con, config, beside, reason):
    account = Account("acme", START, START + 5 * DAY + beside)

    assert reason_of(con, config, account, START + 5 * DAY) == reason


def test_excluded_takes_precedence_over_other_reasons(con):
    account = Account("own staff", START, START - DAY, excluded=True)

    assert reason_of(con, TRIAL, account, START - 2 * DAY) == "excluded"


# ---------------------------------------------------------------- freemium

WEEKLY = config_of("freemium", every="7d", active_within="7d")


def points(con, config, account, acts):
    """Days since THURSDAY at which the account is looked at."""
    world = World((*ANCHORS, account), (*ANCHOR_ACTS, *acts), THURSDAY + 21 * DAY)
    grid = rows_of(calendar_grid(config, into(con, world)))
    return sorted((row["as_of"] - THURSDAY) / DAY for row in grid if row["entity"] == account.entity)


@pytest.mark.parametrize(
    ("beside", "expected"),
    [(-1, [0]), (0, [7]), (1, [7])],
    ids=["1us before the point", "on the point", "1us after the point"],
)
def test_event_on_a_calendar_point_is_visible_at_the_next_one(con, beside, expected):
    account = Account("acme", THURSDAY - DAY)

    assert points(con, WEEKLY, account, [Act("acme", THURSDAY + beside)]) == expected


def test_an_event_exactly_as_old_as_active_within_still_counts(con):
    config = config_of("freemium", every="7d", active_within="3d")
    edge, beyond = THURSDAY + 4 * DAY, THURSDAY + 4 * DAY - 1

    assert points(con, config, Account("acme", THURSDAY), [Act("acme", edge)]) == [7]
    assert points(con, config, Account("acme", THURSDAY), [Act("acme", beyond)]) == []


@pytest.mark.parametrize(
    ("known_at", "expected"), [(7 * DAY - 1, [7]), (7 * DAY, []), (15 * DAY, [])], ids=["in time", "as it ends", "late"]
)
def test_an_event_makes_active_only_once_it_is_known(con, known_at, expected):
    act = Act("acme", THURSDAY + HOUR, THURSDAY + known_at)

    assert points(con, WEEKLY, Account("acme", THURSDAY), [act]) == expected


def test_event_known_in_advance_is_not_visible_before_it_happens(con):
    act = Act("acme", THURSDAY + HOUR, THURSDAY - 3 * DAY)

    assert points(con, WEEKLY, Account("acme", None), [act]) == [7]


def test_inactive_entity_has_no_snapshot(con):
    assert points(con, WEEKLY, Account("silent", THURSDAY), []) == []


def test_entity_has_snapshots_only_after_its_sign_up(con):
    without = config_of("freemium", every="7d")

    assert points(con, without, Account("acme", THURSDAY), []) == [7, 14, 21]
    assert points(con, without, Account("acme", THURSDAY - 1), []) == [0, 7, 14, 21]
    assert reason_of(con, without, Account("acme", START), START) == "not_signed_up_yet"


def test_without_a_sign_up_an_entity_is_eligible_from_the_first_event_of_all(con):
    config = config_of("freemium", every="7d")
    world = World((Account("acme", None), Account("other", None)), (Act("other", THURSDAY),), THURSDAY + 15 * DAY)

    grid = [
        (row["entity"], (row["as_of"] - THURSDAY) / DAY) for row in rows_of(calendar_grid(config, into(con, world)))
    ]

    assert sorted(grid) == [("acme", 7), ("acme", 14), ("other", 7), ("other", 14)]


@pytest.mark.parametrize(
    ("time", "known_at", "reason"),
    [
        (-7 * DAY, None, None),
        (-7 * DAY - 1, None, "inactive"),
        (-1, None, None),
        (0, None, "inactive"),
        (-DAY, 0, "inactive"),
        (-DAY, -1, None),
    ],
)
def test_scored_entities_were_active_within_the_period_before(con, time, known_at, reason):
    as_of = START + 50 * DAY
    act = Act("acme", as_of + time, None if known_at is None else as_of + known_at)

    assert reason_of(con, WEEKLY, Account("acme", START), as_of, [act]) == reason


def test_from_files_the_calendar_points_are_weeks_since_1970(tmp_path):
    config = product(
        tmp_path,
        accounts=[{"account": "acme", "signed_up": "2026-01-01T10:00:00Z", "plan": "own staff"}],
        events=[{"account": "acme", "event": "login", "time": "2026-01-07T23:59:59.999999Z"}],
        conversions=[{"account": "acme", "time": "2026-02-01"}],
        motion="freemium",
        snapshots={"every": "1w", "active_within": "8d"},
        observed_until="2026-03-01",
        exclude={"entities": {"plan": ["own staff"]}},
    )
    with opened(config) as (_, sources):
        assert cells(calendar_grid(config, sources)) == [
            ("acme", at("2026-01-08"), at("2026-01-01T10:00"), True),
            ("acme", at("2026-01-15"), at("2026-01-01T10:00"), True),
        ]


@pytest.mark.parametrize(("on", "first"), [("monday", "2026-01-05"), ("sunday", "2026-01-04"), (None, "2026-01-08")])
def test_the_weekday_of_freemium_snapshots_can_be_chosen(con, on, first):
    world = World((Account("acme", at("2026-01-01")),), (Act("acme", at("2026-01-02")),), at("2026-01-20"))
    config = config_of("freemium", every="7d", on=on, active_within="14d")
    grid = calendar_grid(config, into(con, world))
    found = sorted(row["as_of"] for row in grid.to_pyarrow().to_pylist())

    assert [iso(as_of) for as_of in found] == [first, iso(at(first) + 7 * DAY)]
