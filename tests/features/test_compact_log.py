"""The compact log has the same rows as the log, with numbers in place of texts, and nothing that no query reads."""

from __future__ import annotations

import ibis
import pytest

from pql_model.features.compact_log import CodedLog, LogShape, looking_back
from pql_model.features.spec import parse_feature
from pql_model.time import DAY

COLUMNS = {
    "entity": "string",
    "user": "string",
    "event": "string",
    "time": "int64",
    "known_at": "int64",
    "n": "float64",
    "users": "float64",
    "value_mb": "float64",
    "value_seats": "float64",
}
SNAPSHOTS = [{"entity": e, "as_of": day * DAY, "signed_up": 0} for e, day in (("a", 2), ("a", 5), ("c", 4), ("d", 1))]


def log(*rows):
    plain = {"user": None, "known_at": None, "n": 1.0, "users": None, "value_mb": None, "value_seats": None}
    return ibis.memtable([{**plain, **row} for row in rows], schema=COLUMNS)


ROWS = [
    {"entity": "a", "event": "invited", "time": 0, "user": "u"},
    {"entity": "a", "event": "shared", "time": 5 * DAY - 1, "user": "v"},
    {"entity": "a", "event": "shared", "time": 5 * DAY, "user": "v"},  # not before any snapshot
    {"entity": "b", "event": "invited", "time": 1, "user": "u"},  # has no snapshot
    {"entity": "c", "event": "opened", "time": 3 * DAY},
]


def coded(buckets=1):
    with CodedLog.of(log(*ROWS), ibis.memtable(SNAPSHOTS)) as found:
        parts = [found.bucket(bucket, buckets) for bucket in range(buckets)]
        snapshots, rows = ([part[k].to_pandas() for part in parts] for k in (0, 1))
        return found.events, snapshots, rows


def test_only_rows_before_the_last_snapshot_of_their_entity_are_kept_under_numbers():
    events, [snapshots], [rows] = coded()

    assert sorted(events) == ["invited", "opened", "shared"]
    assert sorted(events.values()) == [1, 2, 3]
    name = {number: event for event, number in events.items()}
    assert sorted((name[event], time) for event, time in zip(rows["event"], rows["time"], strict=True)) == [
        ("invited", 0),
        ("opened", 3 * DAY),
        ("shared", 5 * DAY - 1),
    ]
    assert rows["user"].nunique() == 2
    assert rows["user"].isna().sum() == 1
    assert sorted(snapshots.groupby("entity").size()) == [1, 1, 2]
    assert set(rows["entity"]) <= set(snapshots["entity"])


def test_the_parts_hold_every_entity_once_with_its_rows():
    _, snapshots, rows = coded(buckets=3)

    assert sum(map(len, snapshots)) == len(SNAPSHOTS)
    assert sum(map(len, rows)) == 3
    for part, of_rows in zip(snapshots, rows, strict=True):
        assert set(of_rows["entity"]) <= set(part["entity"])


PLAIN = {"entity": "a", "event": "x", "time": 1}


@pytest.mark.parametrize(
    ("row", "shape"),
    [
        ({}, LogShape(late=False, counted=False)),
        ({"known_at": 9}, LogShape(late=True, counted=False)),
        ({"n": 2.0}, LogShape(late=False, counted=True)),
        ({"users": 1.0}, LogShape(late=False, counted=True)),
    ],
)
def test_the_shape_of_a_log_is_that_of_any_of_its_rows(row, shape):
    assert LogShape.of(log(PLAIN, {**PLAIN, **row}, PLAIN)) == shape


def test_an_empty_log_is_plain():
    assert LogShape.of(log(PLAIN).filter(ibis.literal(False))) == LogShape(late=False, counted=False)


def test_columns_that_are_the_same_in_every_row_are_left_out_and_come_back():
    shape = LogShape(late=False, counted=False)
    features = [parse_feature("x.sum.mb.ever"), parse_feature("any.sessions.ever")]
    table = looking_back(log(PLAIN), features, shape)

    assert set(table.columns) == {"entity", "user", "event", "time", "value_mb", "any_time"}
    whole = shape.completed(table).to_pandas()
    assert (whole["n"][0], whole["users"].isna()[0], whole["known_at"].isna()[0]) == (1.0, True, True)


def test_where_rows_arrive_late_nothing_looks_back_before_the_join():
    table = looking_back(log(PLAIN), [parse_feature("any.sessions.ever")], LogShape(late=True, counted=True))

    assert {"known_at", "n", "users"} <= set(table.columns)
    assert "any_time" not in table.columns
