"""The compiled features equal the oracle for every log and never use the future."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from strategies import (
    ENTITIES,
    ODD_EVENTS,
    PLAIN_EVENTS,
    START,
    VALUES,
    Row,
    Snapshot,
    World,
    crowd,
    every_feature,
    futures,
    is_future,
    worlds,
)

from pql_model.features import compile as engine
from pql_model.features.compile import build_features
from pql_model.features.oracle import Event, evaluate
from pql_model.features.spec import Feature
from pql_model.measures import MEASURES
from pql_model.time import DAY, MINUTE, Window

FEATURES = every_feature(PLAIN_EVENTS, VALUES)
FEWER = [f for f in every_feature(["login"], ["mb"]) if str(f.window) in ("first 7d", "last 7d", "ever")]
"""Still every measure, for tests that compile several times per example."""
KEYS = ["entity", "as_of"]
EVENTS = pa.schema(
    [
        pa.field("entity", pa.string()),
        pa.field("user", pa.string()),
        pa.field("event", pa.string()),
        pa.field("time", pa.int64()),
        pa.field("known_at", pa.int64()),
        pa.field("n", pa.float64()),
        pa.field("users", pa.float64()),
        *(pa.field(f"value_{name}", pa.float64()) for name in VALUES),
    ]
)
SNAPSHOTS = pa.schema(
    [pa.field("entity", pa.string()), pa.field("as_of", pa.int64()), pa.field("signed_up", pa.int64())]
)


@pytest.fixture(scope="module")
def con():
    connection = ibis.duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def events_table(rows):
    return pa.Table.from_pylist(
        [
            {
                "entity": row.entity,
                **{name: getattr(row.event, name) for name in EVENTS.names if hasattr(row.event, name)},
                **{f"value_{name}": row.event.values.get(name) for name in VALUES},
            }
            for row in rows
        ],
        schema=EVENTS,
    )


def snapshots_table(snapshots):
    return pa.Table.from_pylist([vars(snapshot) for snapshot in snapshots], schema=SNAPSHOTS)


def compiled(con, world, features=FEATURES):
    events = con.create_table("events", events_table(world.rows), overwrite=True)
    snapshots = con.create_table("snapshots", snapshots_table(world.snapshots), overwrite=True)
    return build_features(events, snapshots, features)


def by_definition(world, features=FEATURES):
    ordered = sorted(world.snapshots, key=lambda s: (s.entity.encode(), s.as_of))
    numbers = [[evaluate(f, world.log(s.entity), s.signed_up, s.as_of) for f in features] for s in ordered]
    matrix = np.array(numbers, dtype=np.float64).reshape(len(ordered), len(features))  # None becomes NaN
    table = pd.DataFrame(matrix, columns=[f.name for f in features])
    table.insert(0, "as_of", np.array([s.as_of for s in ordered], dtype=np.int64))
    table.insert(0, "entity", pd.Series([s.entity for s in ordered], dtype="str"))
    return table


def assert_equal(received, expected):
    assert list(received.columns) == list(expected.columns)
    pd.testing.assert_frame_equal(received[KEYS], expected[KEYS], check_dtype=False)
    got, want = (table.drop(columns=KEYS).to_numpy() for table in (received, expected))
    same = np.isclose(got, want, rtol=0, atol=1e-9, equal_nan=True)
    differing = [
        f"{received.entity[row]} at {received.as_of[row]}, {received.columns[column + 2]}: "
        f"received {got[row, column]}, expected {want[row, column]}"
        for row, column in np.argwhere(~same)
    ]
    assert not differing, "\n".join(differing[:10])


# ---------------------------------------------------------------- parity


@pytest.mark.parametrize("late", [False, True], ids=["known at once", "known later"])
def test_many_entities_with_events_on_every_edge_equal_the_oracle(con, late):
    world = crowd(150, late)
    assert_equal(compiled(con, world), by_definition(world))


@pytest.mark.hypothesis  # for the heavy profile
@pytest.mark.parametrize("measure", MEASURES)
def test_each_measure_equals_the_oracle(con, measure):
    features = [feature for feature in FEATURES if feature.measure == measure]

    @examples(6, suppress=HealthCheck)
    @given(worlds())
    def check(world):
        assert_equal(compiled(con, world, features), by_definition(world, features))

    check()


@examples(4, suppress=HealthCheck)
@given(world=worlds())
def test_all_measures_together_equal_the_oracle(con, world):
    assert_equal(compiled(con, world), by_definition(world))


@examples(4, suppress=HealthCheck)
@given(world=worlds(names=ODD_EVENTS))
def test_event_names_may_be_anything(con, world):
    features = [f for f in every_feature(ODD_EVENTS, ["mb"]) if str(f.window) in ("last 7d", "ever")]
    assert_equal(compiled(con, world, features), by_definition(world, features))


@examples(10, suppress=HealthCheck)
@given(world=worlds(), features=st.lists(st.sampled_from(FEATURES), min_size=1, max_size=8, unique=True))
def test_any_selection_of_features_equals_the_oracle(con, world, features):
    assert_equal(compiled(con, world, features), by_definition(world, features))


@examples(4, suppress=HealthCheck)
@given(world=worlds())
def test_log_computed_in_buckets_gives_the_same_table(con, world):
    features = [f for f in FEWER if f.measure in ("count", "active_days", "longest_streak_days", "top_user_share")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_ROWS_PER_BUCKET", 10)
        assert_equal(compiled(con, world, features), by_definition(world, features))


# ---------------------------------------------------------------- laws

AS_OF = START + 7 * DAY + 1


@examples(6, suppress=HealthCheck)
@given(world=worlds(shared_as_of=AS_OF), future=futures(AS_OF), data=st.data())
def test_changing_the_future_does_not_change_a_row(con, world, future, data):
    past = [row for row in world.rows if not is_future(row.event, AS_OF)]
    kept = data.draw(st.permutations([row for row in world.rows if is_future(row.event, AS_OF)]))
    other = World(past + kept[: len(kept) // 2] + future, world.snapshots)
    before, after = compiled(con, world, FEWER), compiled(con, other, FEWER)
    assert_equal(_rows_as_of(after, AS_OF), _rows_as_of(before, AS_OF))


def _rows_as_of(table, as_of):
    return table[table.as_of == as_of].reset_index(drop=True)


@examples(5, suppress=HealthCheck)
@given(world=worlds(), data=st.data())
def test_order_of_events_and_snapshots_does_not_matter(con, world, data):
    other = World(data.draw(st.permutations(world.rows)), data.draw(st.permutations(world.snapshots)))
    assert_equal(compiled(con, other, FEWER), compiled(con, world, FEWER))


@examples(4, suppress=HealthCheck)
@given(world=worlds())
def test_a_row_does_not_depend_on_the_other_snapshots_and_entities(con, world):
    seen = world.snapshots[0]
    alone = World([row for row in world.rows if row.entity == seen.entity], [seen])
    together = compiled(con, world, FEWER)
    row = together[(together.entity == seen.entity) & (together.as_of == seen.as_of)].reset_index(drop=True)
    assert_equal(compiled(con, alone, FEWER), row)


# ---------------------------------------------------------------- small worlds


def test_the_table_has_a_row_for_each_snapshot_and_a_float_column_for_each_feature(con):
    world = World(
        [Row("b", Event("login", 5 * DAY)), Row("b", Event("login", 8 * DAY - 1))],
        [Snapshot("b", 9 * DAY, None), Snapshot("b", 8 * DAY, 5 * DAY), Snapshot("a", 9 * DAY, 0)],
    )
    week = Window.parse("first 7d")
    table = compiled(con, world, [Feature("login", "days_since_last"), Feature("login", "count", week)])
    assert list(table.columns) == ["entity", "as_of", "login.days_since_last.ever", "login.count.first_7d"]
    assert list(table.entity) == ["a", "b", "b"]
    assert list(table.as_of) == [9 * DAY, 8 * DAY, 9 * DAY]
    assert list(table.dtypes.astype(str)) == ["str", "int64", "float64", "float64"]
    expected = [[np.nan, 0.0], [1 / DAY, 2.0], [1.0 + 1 / DAY, np.nan]]
    np.testing.assert_allclose(table.iloc[:, 2:].to_numpy(), expected, rtol=0, atol=1e-12)


def test_an_entity_without_events_has_the_empty_values(con):
    rows = [Row("busy", Event("login", START, values={"mb": 1.0}))]
    world = World(rows, [Snapshot("silent", START + 3 * DAY, START), Snapshot("unknown", START + 3 * DAY, None)])
    assert_equal(compiled(con, world), by_definition(world))
    table = compiled(con, world).set_index("entity")
    assert table.loc["silent", "login.count.ever"] == 0.0
    assert np.isnan(table.loc["silent", "login.max.mb.ever"])
    assert table.loc["silent", "any.days_since_signup.ever"] == 3.0
    assert np.isnan(table.loc["unknown", "any.days_since_signup.ever"])


def test_an_empty_events_table_gives_the_empty_values(con):
    world = World([], [Snapshot(entity, START + DAY, START) for entity in ENTITIES])
    assert_equal(compiled(con, world), by_definition(world))


def test_no_snapshots_give_no_rows_and_all_columns(con):
    table = compiled(con, World([Row("acme", Event("login", START))], []))
    assert len(table) == 0
    assert list(table.columns) == ["entity", "as_of", *(feature.name for feature in FEATURES)]


def test_event_names_are_case_sensitive(con):
    rows = [Row("acme", Event(name, START + i)) for i, name in enumerate(["Login", "Login", "login"])]
    table = compiled(con, World(rows, [Snapshot("acme", START + DAY, START)]))
    assert (table["Login.count.ever"][0], table["login.count.ever"][0]) == (2.0, 1.0)


def test_a_gap_of_exactly_thirty_minutes_is_inside_a_session(con):
    rows = [Row("acme", Event("login", START + gap)) for gap in (0, 30 * MINUTE, 60 * MINUTE + 1)]
    table = compiled(con, World(rows, [Snapshot("acme", START + DAY, START)]))
    assert (table["any.sessions.ever"][0], table["any.session_minutes.ever"][0]) == (2.0, 30.0)
