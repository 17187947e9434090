"""The log is the same for all column types of a Parquet file."""

from __future__ import annotations

import datetime as dt
import decimal

import pyarrow as pa
import pytest
from staging import read_shop

from pql_model.errors import DataError
from pql_model.time import parse_instant

JAN_10 = parse_instant("2026-01-10")


class TestTypesOfColumns:
    def events(self, tmp_path, **columns):
        given = {"account": ["1"], "person": ["u"], "action": ["login"], "at": ["2026-01-10"], **columns}
        accounts = {"account": [1, 2], "signed_up": ["2026-01-05"] * 2}
        return read_shop(tmp_path, given, accounts, "account,paid_at,mrr\n2,2026-01-20,1\n").events

    @pytest.mark.parametrize(
        "entity",
        [
            pa.array([1], pa.int32()),
            pa.array([1], pa.uint64()),
            pa.array([1.0]),
            pa.array([decimal.Decimal("1.00")]),
            pa.array(["1"]).dictionary_encode(),
            pa.array([" 1.0 "]),
            pa.array(["1"], pa.large_string()),
        ],
        ids=lambda column: str(column.type),
    )
    def test_ids_match_across_types(self, tmp_path, entity):
        assert [event["entity"] for event in self.events(tmp_path, account=entity)] == ["1"]

    @pytest.mark.parametrize(
        "time",
        [pa.array([dt.datetime(2026, 1, 10)], pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")]
        + [
            pa.array([dt.datetime(2026, 1, 10, tzinfo=dt.UTC)], pa.timestamp("us", "Asia/Tokyo")),
            pa.array([dt.date(2026, 1, 10)]),
            pa.array([1_768_003_200]),
            pa.array([1_768_003_200.0]),
            pa.array([1_768_003_200_000], pa.uint64()),
            pa.array(["2026-01-10"]).dictionary_encode(),
        ],
        ids=lambda column: str(column.type),
    )
    def test_times_are_the_same_whatever_their_type(self, tmp_path, time):
        assert [event["time"] for event in self.events(tmp_path, at=time)] == [JAN_10]

    def test_nan_is_a_missing_user(self, tmp_path):
        entities = pa.array([1.0, float("nan"), None])
        given = {"account": entities, "person": ["u"] * 3, "action": ["x"] * 3, "at": ["2026-01-10"] * 3}
        product = read_shop(
            tmp_path,
            given,
            {"account": [1, 2], "signed_up": ["2026-01-05"] * 2},
            "account,paid_at,mrr\n2,2026-01-20,1\n",
        )

        assert (len(product.events), product.set_aside) == (1, {"no_entity": 2})

    def test_entity_column_without_ids_stops_the_run(self, tmp_path):
        given = {
            "account": pa.array([None, None], pa.string()),
            "person": ["u"] * 2,
            "action": ["x"] * 2,
            "at": ["2026-01-10"] * 2,
        }

        with pytest.raises(DataError, match=r"2 of 2 rows of events\.parquet cannot be used.*2 no_entity"):
            read_shop(tmp_path, given, max_set_aside=0.5)

    def test_a_column_of_the_type_null_is_a_column_of_nothing(self, tmp_path):
        given = {"account": ["a"], "person": pa.array([None], pa.null()), "action": ["x"], "at": ["2026-01-10"]}

        assert read_shop(tmp_path, given).events[0]["user"] is None

    def test_boolean_column_of_times_is_refused(self, tmp_path):
        given = {"account": ["a"], "person": ["u"], "action": ["x"], "at": [True]}

        with pytest.raises(DataError, match=r"A column of times has the type boolean"):
            read_shop(tmp_path, given)
