import numpy as np
import pytest
from worlds import at, opened, product

from pql_model.monitoring.daily import (
    FEWEST_ENTITIES,
    count_active,
    count_conversions,
    count_events,
    count_later_payments,
    count_repeated_payments,
    count_sources,
    sources_of_events,
)
from pql_model.time import DAY, SECOND

START, AS_OF = at("2026-01-01"), at("2026-01-11T12:00")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    accounts = [{"account": f"a{i:02d}", "signed_up": "2026-01-01"} for i in range(14)]
    login = [{"account": f"a{i:02d}", "event": "login", "time": f"2026-01-0{1 + i % 3}T10:00"} for i in range(14)]
    more = [{"account": "a00", "event": "login", "time": f"2026-01-01T1{hour}:00"} for hour in range(3)]
    rare = [{"account": f"a{i:02d}", "event": "rare", "time": "2026-01-05"} for i in range(FEWEST_ENTITIES - 1)]
    paid = [{"account": "a13", "event": "login", "time": "2026-01-09"}]  # after its conversion
    late = [{"account": "a01", "event": "login", "time": "2026-01-11T09:00"}]  # on the day of as_of
    config = product(
        tmp_path_factory.mktemp("daily"),
        accounts,
        [*login, *more, *rare, *paid, *late, {"account": "a02", "event": "login", "time": "2026-01-20"}],
        [{"account": "a13", "time": "2026-01-08"}],
    )
    with opened(config) as (_, sources):
        yield sources


def test_entities_and_occurrences_are_counted_by_day(sources):
    counts = count_events(sources, START, AS_OF)

    assert (counts.names, counts.days, counts.first_day * DAY) == (("login",), 10, START)
    assert counts.entities[0].sum(axis=1).tolist() == [5, 5, 4, 0, 0, 0, 0, 0, 0, 0]
    assert counts.rows[0, :3].tolist() == [8, 5, 4]
    assert counts.logs[0, 0] == pytest.approx(np.log(4))


def test_conversions_are_counted_by_day_and_age(sources):
    counts = count_conversions(sources, START // DAY, AS_OF)

    assert counts.shape == (10, 7)
    assert [(int(day), int(age)) for day, age in zip(*np.nonzero(counts), strict=True)] == [(7, 3)]  # a week old
    assert not count_conversions(sources, START // DAY, START + 7 * DAY).any()


def test_later_and_repeated_payments_are_counted_by_day(tmp_path):
    paid = [
        ("a0", "2026-01-02T10:00:00", 9),
        ("a0", "2026-01-02T10:00:03", 9),  # again
        ("a0", "2026-01-02T10:00:03", 30),  # another amount
        ("a0", "2026-01-08T10:00:00", 9),  # a renewal
        ("a1", "2026-01-02T11:00:00", 9),
        ("a1", "2026-01-02T11:00:06", 9),  # too late for a repeat
        ("a2", "2026-01-02T11:00:00", 9),
        ("a2", "2026-01-02T11:00:00", 9),  # excluded
        ("a1", "2026-01-11T09:00:00", 9),  # on the day of as_of
    ]
    accounts = [{"account": f"a{i}", "signed_up": "2026-01-01", "test": i == 2} for i in range(3)]
    events = [{"account": "a0", "event": "login", "time": "2026-01-12"}]
    rows = [{"account": account, "time": time, "value": value} for account, time, value in paid]
    config = product(tmp_path, accounts, events, rows, exclude={"entities": {"test": [True]}})
    with opened(config) as (_, sources):
        later = count_later_payments(sources, START // DAY, AS_OF)
        by_day, repeated = count_repeated_payments(sources, START // DAY, AS_OF, 5 * SECOND)

    assert later.tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    assert by_day.tolist() == [0, 2, 0, 0, 0, 0, 0, 1, 0, 0]
    assert repeated.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_the_active_alone_are_those_of_all_counts(sources):
    alone, full = count_active(sources, START, AS_OF), count_events(sources, START, AS_OF)

    assert (alone.names, alone.first_day) == ((), full.first_day)
    assert (alone.active == full.active).all()


def test_active_are_those_with_any_event(sources):
    counts = count_events(sources, START, AS_OF)

    assert counts.active.sum(axis=1).tolist() == [5, 5, 4, 0, 9, 0, 0, 0, 0, 0]


def test_ages_are_days_since_sign_up(sources):
    counts = count_events(sources, START, AS_OF)

    assert [int(np.argmax(counts.active[day])) for day in (0, 1, 2, 4)] == [0, 1, 1, 2]


def test_days_before_the_start_are_left_out(sources):
    assert count_events(sources, at("2026-01-03"), AS_OF).first_day * DAY == at("2026-01-03")


def test_without_a_whole_day_there_is_nothing(sources):
    assert count_events(sources, START, at("2026-01-01T12:00")) is None


def test_tables_are_counted_as_events_are(sources):
    counts = count_sources(sources, START, AS_OF)

    assert counts.names == ("events.csv",)
    assert counts.entities[0].sum(axis=1).tolist() == [5, 5, 4, 0, 9, 0, 0, 0, 0, 0]
    assert sources_of_events(sources) == {"login": {"events.csv"}, "rare": {"events.csv"}}
