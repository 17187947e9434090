"""How late rows arrived, judged on all rows."""

from __future__ import annotations

import pyarrow as pa
import pytest
from staging import log, read_shop

from pql_model.sources.arrival import measure_arrival, warn_of_late_arrival
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY, HOUR, iso, parse_instant

JAN_1 = parse_instant("2025-01-01")


def arrival(lags, period=0):
    """Rows an hour apart that arrive after these lags; None: not known."""
    times = [JAN_1 + n * HOUR for n in range(len(lags))]
    known = [None if lag is None else time + lag for time, lag in zip(times, lags, strict=True)]
    columns = {"time": pa.array(times, pa.int64()), "known_at": pa.array(known, pa.int64())}
    with open_session("1GB") as con:
        return measure_arrival(con.create_table("rows", pa.table(columns)), period)


def test_rows_that_arrive_more_than_a_day_late_are_counted():
    found = arrival([0, HOUR, DAY, DAY + 1, 3 * DAY, None, -HOUR])

    assert (found.rows, found.late, found.share) == (6, 2, pytest.approx(1 / 3))


def test_the_day_of_an_import_is_named():
    start = [200 * DAY - n * HOUR for n in range(600)]  # all imported at one instant
    found = arrival([*start, *[60_000_000] * 400])

    assert (found.late, found.rows, iso(found.busiest_day), found.busiest_rows) == (600, 1000, "2025-07-20", 600)
    assert found.text == "60% of 1,000 rows arrived more than a day after they happened, 600 of them on 2025-07-20"


def test_the_period_that_a_row_sums_up_is_not_a_delay():
    assert arrival([7 * DAY, 7 * DAY + HOUR, 9 * DAY], period=7 * DAY).late == 1


@pytest.mark.parametrize(
    ("lags", "asks"),
    [
        ([60_000_000] * 1000, False),
        ([12 * HOUR] * 1000, False),  # loaded every night
        ([*[5 * DAY] * 30, *[60_000_000] * 970], False),  # phones that were offline
        ([*[5 * DAY] * 80, *[60_000_000] * 920], True),
        ([], False),
    ],
)
def test_a_question_is_asked_where_more_than_a_few_per_cent_are_late(lags, asks):
    warning = warn_of_late_arrival(arrival(lags), "events.csv", "inserted_at")

    assert (warning is not None) is asks
    assert warning is None or "(`inserted_at`)" in warning


def test_a_run_says_how_much_arrived_late(tmp_path):
    columns = {"entity": "account", "event": "action", "time": "at", "known_at": "loaded"}
    rows = [f"a,x,2026-01-1{n},2026-01-1{n}" for n in range(5)] + [f"b,x,2026-01-1{n},2026-01-19" for n in range(5)]
    warnings = read_shop(
        tmp_path, log(*rows, header="account,action,at,loaded\n"), log={"columns": columns}
    ).sources.warnings

    assert warnings[0].startswith(
        "events.csv: 50% of 10 rows arrived more than a day after they happened, 5 of them on 2026-01-19 (`loaded`), and no "
        "snapshot sees a row before it arrived."
    )
