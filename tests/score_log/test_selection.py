from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pql_model.score_log.schema import REPLAYED, log_table
from pql_model.score_log.selection import LOOKED_AT, Wanted, choose
from pql_model.time import DAY, parse_instant, to_datetime

START = parse_instant("2026-01-01")


@dataclass
class Memory:
    """A part that tells how often its wide rows were read."""

    table: pa.Table
    read: list[int] = field(default_factory=list)

    def look(self):
        return self.table.select([*LOOKED_AT])

    def rows(self, places):
        self.read += places.tolist()
        return self.table.take(places).select(REPLAYED.names)


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
    return Memory(log_table(rows, [np.array([1.0])] * len(rows), "score", ["boards"] * len(rows)))


def chosen(parts, **wanted):
    table, meant = choose(parts, Wanted(**wanted))
    return table["entity"].to_pylist(), meant


def test_all_rows_in_the_order_of_the_parts():
    assert chosen([part("b", "a"), part("c")]) == (["b", "a", "c"], 3)


def test_only_the_rows_of_one_entity():
    parts = [part("12", "012"), part("12")]
    assert chosen(parts, entity="12") == (["12", "12"], 2)
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
def test_a_row_scored_at_the_very_beginning_is_in_and_at_the_end_is_out(since, until, expected):
    bounds = {"since": since and parse_instant(since), "until": until and parse_instant(until)}
    assert chosen([part("a", "b", "c")], **bounds) == (expected, len(expected))


def test_a_sample_is_spread_over_all_with_both_ends_and_the_rest_is_not_read():
    parts = [part(*"abcdef"), part(*"ghijk")]
    assert chosen(parts, rows=3) == (["a", "f", "k"], 11)
    assert parts[0].read + parts[1].read == [0, 5, 4]
    assert chosen(parts, rows=1) == (["a"], 11)
    assert chosen(parts, rows=100)[1] == 11


def test_a_log_without_rows_gives_none():
    assert chosen([]) == ([], 0)
    assert chosen([Memory(part("a").table.slice(1))]) == ([], 0)
