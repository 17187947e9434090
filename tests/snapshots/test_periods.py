import numpy as np

from pql_model.snapshots.periods import month_of, whole_weeks
from pql_model.time import DAY, iso, parse_instant


def at(*texts):
    return np.array([parse_instant(text) for text in texts], np.int64)


def test_a_month_begins_at_midnight_utc():
    assert month_of(at("2026-01-31T23:59:59Z", "2026-02-01", "2025-12-31")).tolist() == [
        "2026-01",
        "2026-02",
        "2025-12",
    ]
    assert month_of(np.empty(0, np.int64)).tolist() == []


def mondays(*texts):
    return [iso(int(week)) for week in whole_weeks(at(*texts))]


def test_a_week_counts_if_the_rows_reach_from_its_monday_to_its_sunday():
    assert mondays("2026-01-05T09:00", "2026-01-11T01:00") == ["2026-01-05"]
    assert mondays("2026-01-06", "2026-01-18T12:00") == ["2026-01-12"]
    assert mondays("2026-01-06", "2026-01-17") == []


def test_a_week_without_rows_between_two_that_have_some_counts():
    assert mondays("2026-01-05", "2026-01-25") == ["2026-01-05", "2026-01-12", "2026-01-19"]
    assert whole_weeks(np.empty(0, np.int64)).tolist() == []
    assert whole_weeks(np.array([4 * DAY, 11 * DAY - 1])).tolist() == [4 * DAY]
