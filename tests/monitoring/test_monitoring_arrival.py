import numpy as np
import pandas as pd
import pytest

from pql_model.monitoring.arrival import BINS_A_DAY, MOST_DAYS, ArrivalDays, count_arrivals, late_findings
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY, HOUR


def arrivals(seed=1, days=120, *, share=0.0, since=100, delay=3.0, until=None):
    """Rows within minutes, one in a hundred within hours; of those that happen from a day on a share is days late."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((days, MOST_DAYS * BINS_A_DAY + 1))
    for day in range(days):
        for _ in range(rng.poisson(40 if day % 7 < 5 else 8)):
            late = since <= day < (until or days) and rng.random() < share
            lag = (delay if late else 0) + (rng.exponential(0.4) if rng.random() < 0.01 else 0.0)
            arrived = int(day + rng.random() + lag)
            if arrived < days:
                rows[arrived, min(int(lag * BINS_A_DAY), MOST_DAYS * BINS_A_DAY)] += 1
    return ArrivalDays(1000, rows)


def test_rows_on_time_are_not_late():
    assert [f for seed in range(10) for f in late_findings(arrivals(seed), "events", 1064)] == []


def test_rows_three_days_late_are_found_from_their_first_day_of_arrival():
    [finding] = late_findings(arrivals(share=1.0), "events", 1064)

    assert (finding.kind, finding.subject, finding.severity) == ("late_data", "events", "act")
    assert finding.figure == pytest.approx(3, abs=0.3)
    assert finding.expected == 0
    assert abs(finding.since - 1103 * DAY) <= 2 * DAY


def test_a_part_of_the_rows_is_worth_a_look():
    [finding] = late_findings(arrivals(share=0.45, since=90), "events", 1064)

    assert finding.severity == "watch"
    assert finding.figure == pytest.approx(3, abs=0.3)


def test_an_import_of_old_rows_on_one_day_is_no_delay():
    rows = arrivals()
    rows.rows[110, 200] += 5000

    assert late_findings(rows, "events", 1064) == []


def test_a_delay_that_is_over_is_history():
    assert late_findings(arrivals(share=1.0, since=80, until=95), "events", 1064) == []


def test_a_table_that_always_comes_weekly_is_not_late():
    rows = np.zeros((120, MOST_DAYS * BINS_A_DAY + 1))
    for day in range(0, 120, 7):
        rows[day, : 7 * BINS_A_DAY] = 10

    assert late_findings(ArrivalDays(1000, rows), "events", 1064) == []


def test_rows_are_counted_by_the_day_of_arrival_and_the_delay_after_their_period():
    times = [0, 0, DAY, 2 * DAY]
    known = [HOUR, 3 * DAY, 2 * DAY, 400 * DAY]
    with open_session("500MB") as con:
        table = con.create_table("rows", pd.DataFrame({"time": times, "known_at": known}))
        counted = count_arrivals(table, 10 * DAY)
        after_a_day = count_arrivals(table, 10 * DAY, DAY)

    assert counted.first_day == 0
    assert [(int(d), int(b)) for d, b in np.argwhere(counted.rows)] == [(0, 0), (2, 4), (3, 12)]
    assert [(int(d), int(b)) for d, b in np.argwhere(after_a_day.rows)] == [(0, 0), (2, 0), (3, 8)]
