import ibis
import pyarrow as pa

from pql_model.sources.coverage import newest_event, weekly_counts
from pql_model.time import parse_instant


def test_weeks_begin_on_monday_and_an_empty_week_is_shown():
    times = ["2025-01-05T23:59:59Z", "2025-01-06", "2025-01-08", "2025-01-20"]
    table = pa.table({"entity": ["a", "a", "b", "a"], "time": [parse_instant(t) for t in times]})
    assert weekly_counts(ibis.memtable(table)) == [
        {"week": "2024-12-30", "events": 1, "entities": 1},
        {"week": "2025-01-06", "events": 2, "entities": 2},
        {"week": "2025-01-13", "events": 0, "entities": 0},
        {"week": "2025-01-20", "events": 1, "entities": 1},
    ]


def test_no_events_give_no_weeks():
    empty = pa.table({"entity": pa.array([], pa.string()), "time": pa.array([], pa.int64())})
    assert weekly_counts(ibis.memtable(empty)) == []


def test_the_newest_event_ends_the_log():
    assert newest_event(ibis.memtable(pa.table({"time": [3, 9, 4]}))) == 9
