"""Raw numbers become final ones. What the aggregates give is compared with the oracle in `test_compile`."""

from __future__ import annotations

import ibis
import numpy as np
import pytest

from pql_model.features.aggregates import finish, first_in_window, in_window
from pql_model.features.spec import Feature
from pql_model.time import DAY, MINUTE, Window

AS_OF, SIGNED_UP = np.array([10.0 * DAY]), np.array([3.0 * DAY])


@pytest.mark.parametrize(
    ("measure", "raw", "number"),
    [
        ("days_since_last", 9.5 * DAY, 0.5),
        ("days_to_first", 5.0 * DAY, 2.0),
        ("session_minutes", 90.0 * MINUTE, 90.0),
        ("count", 7.0, 7.0),
    ],
)
def test_instants_become_days_and_microseconds_minutes(measure, raw, number):
    assert finish(Feature("any", measure), np.array([raw]), AS_OF, SIGNED_UP).tolist() == [number]


def test_a_row_is_the_first_of_its_key_if_the_one_before_lies_outside_the_window():
    log = [
        {"time": t, "previous_day": before, "signed_up": 0, "as_of": 10}
        for t, before in ((5, None), (6, 2), (7, 6), (3, 1))
    ]
    t = ibis.memtable(log, schema={"time": "int64", "previous_day": "int64", "signed_up": "int64", "as_of": "int64"})
    inside, _ = in_window(t, Window.parse("ever"))
    start = ibis.literal(5)
    first = first_in_window(t, "day", inside & (t.time >= start), start)
    assert t.mutate(first=first).order_by("time").to_pandas()["first"].tolist() == [False, True, True, False]
