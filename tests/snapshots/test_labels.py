"""Labels equal a naive implementation at every edge, and nothing after a label changes it."""

from __future__ import annotations

import pandas as pd
import pytest
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from naive import (
    ANCHOR_ACTS,
    ANCHORS,
    START,
    Account,
    World,
    config_of,
    freemium_configs,
    into,
    labels_of,
    later,
    trial_configs,
    worlds,
)
from worlds import at, opened, product

from pql_model.errors import NotEnoughDataError
from pql_model.snapshots.labels import LEFT_OUT, label_snapshots
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY

TRIAL = config_of("trial", at_days=[3])
configs = st.one_of(trial_configs(), freemium_configs())


@pytest.fixture(scope="module")
def con():
    with open_session("1GB") as session:
        yield session


def labelled(con, config, world):
    """(entity, as_of) -> (signed_up, converted), and the counts of what was left out."""
    snapshots = label_snapshots(con, config, into(con, world))
    frame = snapshots.frame
    keys = list(zip(frame["entity"], frame["as_of"], strict=True))
    signed_up = [None if instant is pd.NA else instant for instant in frame["signed_up"]]
    assert keys == sorted(set(keys)), "in order, none twice"
    paid = {a.entity: float(i) for i, a in enumerate((a for a in world.accounts if a.converted is not None), 1)}
    values = [
        paid[entity] if converted else None
        for entity, converted in zip(frame["entity"], frame["converted"], strict=True)
    ]
    assert frame["value"].astype(object).where(frame["value"].notna(), None).tolist() == values
    rows = dict(zip(keys, zip(signed_up, frame["converted"], strict=True), strict=True))
    return rows, snapshots.left_out


# ---------------------------------------------------------------- laws


@given(st.data())
@examples(30, suppress=HealthCheck)
def test_labels_equal_the_naive_implementation(con, data):
    config = data.draw(configs)
    world = data.draw(worlds(config))

    assert labelled(con, config, world) == labels_of(config, world)


@given(st.data())
@examples(30, suppress=HealthCheck)
def test_events_after_the_horizon_change_no_label(con, data):
    config = data.draw(configs)
    world = data.draw(worlds(config))
    since = world.observed_until - data.draw(st.sampled_from((0, 1, DAY, 10 * DAY, 30 * DAY)))
    richer = data.draw(later(config, world, since))

    before, _ = labelled(con, config, world)
    after, _ = labelled(con, config, richer)

    def final(rows):
        return {key: row for key, row in rows.items() if key[1] + config.horizon.us <= since}

    assert final(after) == final(before)


# ---------------------------------------------------------------- the edges, one by one


def of(entity, rows):
    """as_of in days since START -> converted, for one entity."""
    return {(as_of - START) / DAY: converted for (name, as_of), (_, converted) in rows.items() if name == entity}


def label_of(con, config, account, days=100):
    """The label of one account beside the anchors, and the counts of what was left out."""
    rows, left_out = labelled(con, config, World((*ANCHORS, account), ANCHOR_ACTS, START + days * DAY))
    return of(account.entity, rows), left_out


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (3 * DAY - 1, {}),
        (3 * DAY, {3: True}),
        (3 * DAY + 1, {3: True}),
        (17 * DAY - 1, {3: True}),
        (17 * DAY, {3: False}),
        (17 * DAY + 1, {3: False}),
        (None, {3: False}),
        (0, {}),
        (-5 * DAY, {}),
    ],
    ids=[
        "1us before as_of",
        "at as_of",
        "1us after as_of",
        "1us before the end of the horizon",
        "at the end of the horizon",
        "1us after it",
        "never",
        "at sign-up",
        "before sign-up",
    ],
)
def test_a_conversion_counts_from_as_of_to_just_before_the_end_of_the_horizon(con, moment, expected):
    account = Account("acme", START, None if moment is None else START + moment)

    rows, left_out = label_of(con, TRIAL, account)

    assert rows == expected
    assert left_out == ({} if expected else {"converted_before": 1})


def test_a_conversion_at_sign_up_counts_for_a_landmark_at_sign_up(con):
    config = config_of("trial", at_days=[0, 3])

    rows, left_out = label_of(con, config, Account("acme", START, START))

    assert rows == {0: True}
    assert left_out == {"converted_before": 1}


@pytest.mark.parametrize(("extra", "expected"), [(0, {3: False}), (-1, {})])
def test_a_label_is_final_when_the_horizon_ends_with_the_data(con, extra, expected):
    world = World((*ANCHORS, Account("acme", START)), ANCHOR_ACTS, START + 17 * DAY + extra)

    rows, left_out = labelled(con, TRIAL, world)

    assert of("acme", rows) == expected
    assert left_out == ({} if expected else {"immature": 1})


def test_a_snapshot_at_the_end_of_the_data_is_immature_and_one_later_was_not_reached(con):
    assert label_of(con, TRIAL, Account("acme", START), days=3)[1] == {"immature": 1}
    assert label_of(con, TRIAL, Account("acme", START), days=2)[1] == {"not_reached": 1}


def test_even_a_known_conversion_does_not_make_a_young_snapshot_final(con):
    rows, left_out = label_of(con, TRIAL, Account("acme", START, START + 5 * DAY), days=10)

    assert rows == {}
    assert left_out == {"immature": 1}


def test_an_entity_without_events_is_a_trial_like_any_other(con):
    assert label_of(con, TRIAL, Account("silent", START))[0] == {3: False}


def test_an_excluded_entity_is_left_out_as_excluded_even_where_it_converted(con):
    rows, left_out = label_of(con, TRIAL, Account("own staff", START, START + DAY, excluded=True))

    assert rows == {}
    assert left_out == {"excluded": 1}


def test_reasons_are_counted_in_the_order_of_the_checks(con):
    others = (Account("b", START, START), Account("c", START, excluded=True), Account("d", START + 50 * DAY))
    _, left_out = labelled(con, TRIAL, World((*ANCHORS, *others), ANCHOR_ACTS, START + 20 * DAY))

    assert list(left_out) == ["not_reached", "excluded", "converted_before"]
    assert set(left_out) <= set(LEFT_OUT)


# ---------------------------------------------------------------- from files


def small(tmp_path, **config):
    accounts = [
        {"account": "b", "signed_up": "2026-01-01T09:30:00Z"},
        {"account": "a", "signed_up": "2026-01-02T00:00:00Z"},
    ]
    events = [{"account": "a", "event": "login", "time": "2026-01-03T08:00:00Z"}]
    conversions = [
        {"account": "b", "time": "2026-02-01T09:30:00Z"},
        {"account": "b", "time": "2026-01-11T09:29:59.999999Z"},
        {"account": "b", "time": "2026-03-01T09:30:00Z"},
    ]
    settled = {"snapshots": {"at_days": [7, 3]}, "horizon": "7d", "observed_until": "2026-02-01", **config}
    return product(tmp_path, accounts, events, conversions, **settled)


def test_the_first_of_several_conversions_counts_to_the_microsecond(tmp_path):
    with opened(small(tmp_path)) as (con, sources):
        frame = label_snapshots(con, small(tmp_path), sources).frame

    assert frame.astype({"value": object}).where(frame.notna(), None).to_dict("list") == {
        "entity": ["a", "a", "b", "b"],
        "as_of": [at("2026-01-05"), at("2026-01-09"), at("2026-01-04T09:30"), at("2026-01-08T09:30")],
        "signed_up": [at("2026-01-02"), at("2026-01-02"), at("2026-01-01T09:30"), at("2026-01-01T09:30")],
        "converted": [False, False, True, True],
        "value": [None] * 4,
    }
    assert frame.dtypes.astype(str).to_dict() == {
        "entity": "str",
        "as_of": "int64",
        "signed_up": "Int64",
        "converted": "bool",
        "value": "float64",
    }


def test_table_in_the_session_has_the_rows_of_the_frame(tmp_path):
    with opened(small(tmp_path)) as (con, sources):
        snapshots = label_snapshots(con, small(tmp_path), sources)
        rows = snapshots.table.order_by("entity", "as_of").to_pyarrow()

    assert rows.column_names == ["entity", "as_of", "signed_up"]
    assert rows["as_of"].to_pylist() == snapshots.frame["as_of"].tolist()


def test_freemium_entities_without_a_sign_up_have_snapshots_with_none(tmp_path):
    config = product(
        tmp_path,
        accounts=[{"account": "a"}, {"account": "b"}],
        events=[{"account": name, "event": "login", "time": "2026-01-05T08:00:00Z"} for name in "ab"],
        conversions=[{"account": "a", "time": "2026-01-12"}],
        motion="freemium",
        snapshots={"every": "7d", "active_within": "7d"},
        horizon="7d",
        observed_until="2026-03-01",
    )
    with opened(config) as (con, sources):
        frame = label_snapshots(con, config, sources).frame

    assert frame["signed_up"].isna().all()
    assert frame[["entity", "as_of", "converted"]].to_dict("list") == {
        "entity": ["a", "b"],
        "as_of": [at("2026-01-08"), at("2026-01-08")],
        "converted": [True, False],
    }


def test_data_that_end_too_early_are_refused_with_counts_by_reason(tmp_path):
    config = small(tmp_path, observed_until="2026-01-09")
    expected = r"No snapshot is left to train on\. Received: .* left out as .*horizon of 7d ends before 2026-01-09"

    with opened(config) as (con, sources), pytest.raises(NotEnoughDataError, match=expected):
        label_snapshots(con, config, sources)


@pytest.mark.parametrize(("left_out", "expected"), [("a", "all"), ("b", "none of the")])
def test_single_class_is_refused(tmp_path, left_out, expected):
    config = small(tmp_path, exclude={"entities": {"account": [left_out]}})
    words = f"only one class: {expected} 2 snapshots converted within 7d. Received: 2 left out as excluded"

    with opened(config) as (con, sources), pytest.raises(NotEnoughDataError, match=words):
        label_snapshots(con, config, sources)


def test_conversions_that_all_precede_the_sign_up_are_refused(tmp_path):
    config = product(
        tmp_path,
        accounts=[{"account": name, "signed_up": "2026-01-10"} for name in "abc"],
        events=[{"account": "a", "event": "login", "time": "2026-01-11"}],
        conversions=[{"account": name, "time": "2026-01-09T23:59:59.999999Z"} for name in "ab"],
        observed_until="2026-06-01",
    )
    expected = "All 2 conversions precede the sign-up.*Received: 6 left out as converted_before"

    with opened(config) as (con, sources), pytest.raises(NotEnoughDataError, match=expected):
        label_snapshots(con, config, sources)
