import pytest
from worlds import at, opened, product

from pql_model.config.source_tables import EventTable
from pql_model.sources.event_timing import EventTiming, read_event_timing
from pql_model.time import HOUR

DAY_1 = "2026-01-01"
LATER = at("2026-06-01")


def accounts(*names):
    return [{"account": name, "signed_up": DAY_1} for name in names]


def event(account, name, time, **more):
    return {"account": account, "event": name, "time": time, **more}


def around(home, events, conversions, until=LATER, names="abc", **config):
    product_ = product(home, accounts(*names), events, conversions, observed_until="2026-06-01", **config)
    with opened(product_) as (_, sources):
        return {found.event: found for found in read_event_timing(product_, sources, until)}


PAID = [{"account": "a", "time": "2026-02-01T12:00:00"}]


def test_the_session_of_the_purchase_is_half_an_hour_before_and_after(tmp_path):
    times = ["T11:29:59", "T11:30:00", "T12:00:00", "T12:30:00", "T12:30:01"]
    events = [event("a", "checkout", f"2026-02-01{time}") for time in times]
    found = around(tmp_path, events, PAID)["checkout"]
    assert (found.converters, found.near) == (1, 0.75)  # of four rows up to half an hour after it


def test_each_converter_counts_once(tmp_path):
    events = [event("a", "view", f"2026-01-{day:02d}T10:00:00") for day in range(2, 12)]
    events += [event("b", "view", "2026-02-03T11:59:00")]
    paid = [*PAID, {"account": "b", "time": "2026-02-03T12:00:00"}]
    found = around(tmp_path, events, paid)["view"]
    assert (found.converters, found.near) == (2, 1.0)


def test_first_event_after_the_conversion_counts_as_after(tmp_path):
    events = [event("a", "invoice", "2026-02-01T12:00:00"), event("a", "login", "2026-01-05T12:00:00")]
    events += [event("b", "invoice", "2026-03-01T12:00:00"), event("a", "login", "2026-03-05T12:00:00")]
    found = around(tmp_path, events, PAID)
    assert (found["invoice"].doers, found["invoice"].after) == (2, 1)
    assert (found["login"].doers, found["login"].after) == (1, 0)


def test_order_within_a_day_is_unknown(tmp_path):
    events = [event("a", "lesson", "2026-02-01"), event("b", "lesson", "2026-02-02")]
    paid = [{"account": "a", "time": "2026-02-01"}, {"account": "b", "time": "2026-02-01"}]
    found = around(tmp_path, events, paid)["lesson"]
    assert (found.doers, found.after, found.near) == (2, 1, None)


def test_dates_of_events_beside_times_of_payments_have_no_minutes(tmp_path):
    found = around(tmp_path, [event("a", "lesson", "2026-02-01")], PAID)["lesson"]
    assert (found.after, found.near) == (0, None)


def test_events_after_the_cut_off_are_ignored(tmp_path):
    events = [event("a", "checkout", "2026-02-01T11:59:00"), event("b", "checkout", "2026-01-09T11:59:00")]
    paid = [*PAID, {"account": "c", "time": "2026-01-31T12:00:00"}]
    found = around(tmp_path, events, paid, until=at("2026-02-01"))["checkout"]
    assert found == EventTiming("checkout", doers=1, after=0, converters=0, near=0.0)


def test_late_row_that_arrived_after_the_conversion_is_backdated(tmp_path):
    times = ("2026-01-20T10:00:00", "2026-01-25T10:00:00")
    events = [
        event("a", "call", times[0], known_at="2026-02-05T00:00:00"),
        event("a", "call", times[1], known_at=times[1]),
    ]
    events += [
        event("b", "call", times[0], known_at="2026-01-22T00:00:00"),
        event("c", "call", times[1], known_at=None),
    ]
    found = around(tmp_path, events, PAID)["call"]
    assert (found.known_converters, found.back, found.known_others, found.late) == (1, 0.5, 1, 1.0)


def test_row_that_arrives_within_a_day_is_not_backdated(tmp_path):
    events = [event("a", "call", "2026-02-01T11:00:00", known_at="2026-02-01T13:00:00")]
    assert around(tmp_path, events, PAID)["call"].back == 0


@pytest.mark.parametrize("covers", ["1d", "7d"])
def test_counts_over_a_period_have_no_minutes_and_arrive_at_its_end(tmp_path, covers):
    rows = [{"account": "a", "time": "2026-01-26T09:00:00", "mails": 3}]
    table = {
        "table": "events.csv",
        "columns": {"entity": "account", "time": "time"},
        "counts": {"mail": "mails"},
        "covers": covers,
    }
    config = product(tmp_path, accounts("a", "b"), rows, PAID, observed_until="2026-06-01")
    config = config.model_copy(update={"events": [EventTable.model_validate(table)]})
    with opened(config) as (_, sources):
        (found,) = read_event_timing(config, sources, LATER)
    assert (found.near, found.known_converters, found.back) == (None, 0, 0.0)


# ---------------------------------------------------------------- what follows an event


def test_what_was_done_before_converting_is_counted_with_what_followed(tmp_path):
    events = [event(name, "migrated", "2026-01-20T10:00:00") for name in "abc"]
    found = around(tmp_path, events, PAID)["migrated"]
    assert (found.did, found.did_convert) == (3, 1)


def test_a_conversion_later_than_the_horizon_does_not_follow(tmp_path):
    events = [event("a", "migrated", "2026-01-01T10:00:00")]
    found = around(tmp_path, events, PAID)["migrated"]
    assert (found.did, found.did_convert) == (1, 0)  # 31 days later; the horizon is 30


def test_an_event_whose_horizon_is_not_over_does_not_count(tmp_path):
    events = [event("b", "migrated", "2026-01-20T10:00:00")]
    assert around(tmp_path, events, PAID, until=at("2026-02-10"))["migrated"].did == 0
    assert around(tmp_path, events, PAID, until=at("2026-03-10"))["migrated"].did == 1


def test_what_happens_at_or_after_the_conversion_was_not_done_before_it(tmp_path):
    events = [event("a", "migrated", "2026-02-01T12:00:00")]
    found = around(tmp_path, events, PAID)["migrated"]
    assert (found.did, found.after) == (0, 1)


def test_a_row_that_arrived_after_the_conversion_was_not_seen_before_it(tmp_path):
    events = [event("a", "migrated", "2026-01-20T10:00:00", known_at="2026-02-05T00:00:00")]
    assert around(tmp_path, events, PAID)["migrated"].did == 0


def test_a_delay_that_every_converter_keeps_is_counted(tmp_path):
    paid = [{"account": name, "time": f"2026-02-0{i}T12:00:00"} for i, name in enumerate("abc", start=1)]
    events = [event(name, "provisioned", f"2026-01-{30 + i}T10:0{i}:00") for i, name in enumerate("ab")]
    events += [event("c", "provisioned", "2026-01-20T10:00:00")]
    found = around(tmp_path, events, paid)["provisioned"]
    assert (found.did_convert, found.regular) == (3, 2)
    assert found.delay == 50 * HOUR


def test_an_event_right_after_sign_up_has_a_regular_age(tmp_path):
    paid = [{"account": name, "time": f"2026-02-0{i}T12:00:00"} for i, name in enumerate("ab", start=1)]
    events = [event(name, "onboarded", "2026-01-05T00:01:00") for name in "ab"]
    found = around(tmp_path, events, paid)["onboarded"]
    assert found.regular_age == 2
