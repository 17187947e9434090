"""What is counted of the tables at an instant."""

import pytest
from worlds import at, opened, product

from pql_model.errors import NotEnoughDataError
from pql_model.outlook.daily_history import read_history

FREEMIUM = {"motion": "freemium", "snapshots": {"every": "7d"}}


def test_ages_end_at_the_instant_and_not_at_midnight(tmp_path):
    accounts = [{"account": "a", "signed_up": at("2026-01-01T10:00")}, {"account": "b", "signed_up": at("2026-01-03")}]
    events = [{"account": "a", "event": "x", "time": at("2026-01-09")}]
    paid = [{"account": "a", "time": at("2026-01-03T09:00"), "value": 5}]
    with opened(product(tmp_path, accounts, events, paid)) as (_, sources):
        history = read_history(sources, at("2026-01-04T12:00"))
    cohorts = history.cohorts  # days begin at noon, the first on 31 December
    assert cohorts.sign_ups.tolist() == [1, 0, 1, 0]
    assert cohorts.conversions.tolist() == [0, 0, 1, 0]
    assert cohorts.at_risk[2] == cohorts.at_risk.sum() == 1  # b, in its second day
    assert (history.value_day.tolist(), history.value.tolist()) == ([2], [5.0])


def test_nothing_at_or_after_the_instant_is_known(tmp_path):
    accounts = [{"account": name, "signed_up": at(f"2026-01-0{k}")} for k, name in enumerate("abc", start=1)]
    events = [{"account": "a", "event": "x", "time": at("2026-02-01")}]
    paid = [{"account": "a", "time": at("2026-01-02")}, {"account": "b", "time": at("2026-01-03")}]
    with opened(product(tmp_path, accounts, events, paid)) as (_, sources):
        cohorts = read_history(sources, at("2026-01-03")).cohorts
    assert cohorts.sign_ups.tolist() == [1, 1]
    assert cohorts.conversions.tolist() == [0, 1]
    assert cohorts.at_risk.sum() == 1


def test_without_a_sign_up_date_the_first_event_that_had_arrived_stands_for_it(tmp_path):
    accounts = [{"account": name, "trait": 1} for name in "abc"]
    events = [
        {"account": "a", "event": "x", "time": at("2026-01-01"), "known_at": at("2026-01-01")},
        {"account": "b", "event": "x", "time": at("2026-01-02"), "known_at": at("2026-01-05")},
        {"account": "a", "event": "x", "time": at("2026-01-08"), "known_at": at("2026-01-08")},
    ]
    with opened(product(tmp_path, accounts, events, [{"account": "a", "time": at("2026-01-03")}], **FREEMIUM)) as (
        _,
        sources,
    ):
        early, late = (read_history(sources, at(day)) for day in ("2026-01-04", "2026-01-06"))
    assert (early.begun_by_event, early.without_start) == (1, 1)
    assert early.cohorts.sign_ups.tolist() == [1, 0, 0]
    assert late.cohorts.sign_ups.tolist() == [1, 0, 0, 0, 1]


def test_excluded_entities_and_payments_before_the_sign_up_do_not_count(tmp_path):
    accounts = [{"account": name, "signed_up": at("2026-01-03"), "kind": name} for name in "abc"]
    events = [{"account": "a", "event": "x", "time": at("2026-01-09")}]
    paid = [{"account": name, "time": at(day)} for name, day in (("a", "2026-01-04"), ("b", "2026-01-01"))]
    config = product(tmp_path, accounts, events, paid, exclude={"entities": {"kind": ["c"]}})
    with opened(config) as (_, sources):
        cohorts = read_history(sources, at("2026-01-06")).cohorts
    assert (cohorts.sign_ups.sum(), cohorts.conversions.sum()) == (1, 1)


@pytest.mark.parametrize(
    ("as_of", "words"),
    [("2026-01-01", "Nobody had signed up before 2026-01-01"), ("2026-01-03", "had converted by then")],
)
def test_too_early_an_instant_is_refused(tmp_path, as_of, words):
    accounts = [{"account": "a", "signed_up": at("2026-01-01")}]
    events = [{"account": "a", "event": "x", "time": at("2026-01-09")}]
    config = product(tmp_path, accounts, events, [{"account": "a", "time": at("2026-01-04")}])
    with opened(config) as (_, sources), pytest.raises(NotEnoughDataError, match=words):
        read_history(sources, at(as_of))
