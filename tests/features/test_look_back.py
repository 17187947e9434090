"""The time of the previous row with the same keys."""

import ibis
import pytest

from pql_model.features.look_back import looked_back, previous_times
from pql_model.measures import MEASURES
from pql_model.time import DAY

LOG = [
    {"entity": "a", "event": 1, "user": "u", "time": 0},
    {"entity": "a", "event": 2, "user": "v", "time": 5},
    {"entity": "a", "event": 1, "user": "v", "time": DAY - 1},
    {"entity": "a", "event": 1, "user": "u", "time": DAY},
    {"entity": "b", "event": 1, "user": "u", "time": 7},
]
EVERY = ["active_days", "distinct_users", "breadth", "sessions"]


def previous(keys):
    t = ibis.memtable(LOG)
    found = t.mutate(**{f"previous_{k}": v for k, v in previous_times(t, keys, EVERY, name="event").items()})
    frame = found.order_by("entity", "time").to_pandas().astype(object)
    names = [name for name in frame.columns if name.startswith("previous_")]
    return {name.removeprefix("previous_"): frame[name].where(frame[name].notna(), None).tolist() for name in names}


def test_the_previous_row_of_the_entity_and_of_its_day_user_and_event():
    assert previous(["entity"]) == {
        "day": [None, 0, 5, None, None],
        "name": [None, None, 0, DAY - 1, None],
        "time": [None, 0, 5, DAY - 1, None],
        "user": [None, None, 5, 0, None],
    }


def test_within_an_event_only_its_own_rows_come_before():
    found = previous(["entity", "event"])
    assert found["time"] == [None, None, 0, DAY - 1, None]
    assert found["day"] == [None, None, 0, None, None]
    assert found["user"] == [None, None, None, 0, None]


@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_looks_back_to_one_thing_or_to_none(measure):
    assert len(looked_back([measure])) <= 1
