from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pql_model.score_log.log_schema import INDEX_SCHEMA, REPLAY_SCHEMA, log_table
from pql_model.score_log.store import RowSelection, select_rows
from pql_model.time import DAY, parse_instant, to_datetime

START = parse_instant("2026-01-01")


@dataclass
class RecordingPart:
    """A part that records which of its wide rows were read."""

    table: pa.Table
    read: list[int] = field(default_factory=list)

    def index(self):
        return self.table.select(INDEX_SCHEMA.names)

    def rows(self, positions):
        self.read += positions.tolist()
        return self.table.take(positions).select(REPLAY_SCHEMA.names)


def part(*entities, first_day=0):
    """A row a day."""
    rows = pd.DataFrame(
        {
            "entity": entities,
            "feature_set": "fs",
            "reasons": "[]",
            "scored_at": [to_datetime(START + (first_day + k) * DAY) for k in range(len(entities))],
        }
    )
    return RecordingPart(log_table(rows, [np.array([1.0])] * len(rows), "score", ["boards"] * len(rows)))


def selected(parts, **selection):
    table, matching = select_rows(parts, RowSelection(**selection))
    return table["entity"].to_pylist(), matching


def test_rows_come_in_the_order_of_the_parts():
    assert selected([part("b", "a"), part("c")]) == (["b", "a", "c"], 3)


def test_rows_of_one_entity():
    parts = [part("12", "012"), part("12")]
    assert selected(parts, entity="12") == (["12", "12"], 2)
    assert (parts[0].read, parts[1].read) == ([0], [0])


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2026-01-02", None, ["b", "c"]),
        (None, "2026-01-02", ["a"]),
        ("2026-01-02", "2026-01-03", ["b"]),
        ("2026-02-01", None, []),
    ],
)
def test_since_is_inclusive_and_until_is_exclusive(since, until, expected):
    bounds = {"since": since and parse_instant(since), "until": until and parse_instant(until)}
    assert selected([part("a", "b", "c")], **bounds) == (expected, len(expected))


def test_a_sample_is_spread_evenly_with_both_ends_and_other_rows_are_not_read():
    parts = [part(*"abcdef"), part(*"ghijk")]
    assert selected(parts, limit=3) == (["a", "f", "k"], 11)
    assert parts[0].read + parts[1].read == [0, 5, 4]
    assert selected(parts, limit=1) == (["a"], 11)
    assert selected(parts, limit=100)[1] == 11


def test_an_empty_log_gives_no_rows():
    assert selected([]) == ([], 0)
    assert selected([RecordingPart(part("a").table.slice(1))]) == ([], 0)
