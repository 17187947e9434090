import numpy as np
import pytest

from pql_model.criteria.evaluate import Columns
from pql_model.decide.bands import Bands
from pql_model.decide.decider import Decider
from pql_model.decide.policy import PolicyRule
from pql_model.decide.simulation import Scored, count_wins, simulate
from pql_model.statistics.estimate import wilson
from pql_model.time import DAY, WEEK

MONDAY = (20_454 - 3) * DAY  # 2025-12-29
ONE_A_WEEK = PolicyRule(0.2, 1, "the best per 7 days", WEEK)


def decider(rule):
    return Decider("boards", rule, Bands.of({"high": 0.25}))


def run(day, **probability):
    p = np.array(list(probability.values()), float)
    return Scored(MONDAY + day * DAY, list(probability), p, Columns(len(p)))


@pytest.fixture
def waiting():
    """One place a week: `first` takes it on Monday, `second` waits until the next, `third` in vain."""
    days = [run(0, first=0.9, low=0.01), *(run(day, second=0.8, third=0.5, low=0.01) for day in range(1, 8))]
    return simulate(decider(ONE_A_WEEK), days, WEEK)


def test_alerts_and_leads_without_a_place_are_counted_run_by_run(waiting):
    assert [day.alerted for day in waiting.days] == [1, 0, 0, 0, 0, 0, 0, 1]
    assert [day.waiting for day in waiting.days] == [0, 2, 2, 2, 2, 2, 2, 1]
    assert waiting.days[0].to_dict() == {"as_of": "2025-12-29", "alerted": 1, "waiting": 0}


def test_a_lead_has_waited_since_it_first_had_no_place(waiting):
    assert waiting.alerts["entity"].tolist() == ["first", "second"]
    assert (waiting.alerts["waited"] / DAY).tolist() == [0, 6]
    assert waiting.wait_days(0.5) == 3
    assert list(waiting.never_alerted) == ["third"]


def test_the_most_alerts_are_those_of_any_window_of_the_period(waiting):
    assert waiting.most_in_period == 1  # a week apart
    both = simulate(decider(PolicyRule(0.2, None, "")), [run(0, a=0.5), run(6, b=0.5), run(8, c=0.5)], None)
    assert both.most_in_period == 2


def test_the_load_of_a_weekday_is_that_of_its_runs(waiting):
    assert waiting.by_weekday == {"Mon": 1.0, "Tue": 0, "Wed": 0, "Thu": 0, "Fri": 0, "Sat": 0, "Sun": 0}
    assert next(iter(waiting.by_weekday)) == "Mon"


def test_wins_are_payments_within_the_horizon_after_an_alert(waiting):
    def wins(horizon, until=MONDAY + 1_000 * DAY, **paid):
        return count_wins(waiting, {e: MONDAY + int(day * DAY) for e, day in paid.items()}, horizon, until)

    assert wins(DAY, first=0.5, second=6).wins.value == 1  # the second paid before it was alerted
    assert wins(30 * DAY, first=0, second=36.9).wins.value == 2
    assert wins(30 * DAY, first=30).wins.value == 0
    some = wins(30 * DAY, first=1)
    assert (some.rate, some.final, some.pending) == (wilson(1, 2), 2, 0)
    assert (some.wins.low, some.wins.high) == (2 * some.rate.low, 2 * some.rate.high)


def test_alerts_without_a_final_outcome_do_not_count(waiting):
    wins = count_wins(waiting, {"second": MONDAY + 8 * DAY}, 10 * DAY, MONDAY + 12 * DAY)
    assert (wins.wins.value, wins.final, wins.pending) == (0, 1, 1)


def test_leads_that_paid_while_they_waited_are_counted(waiting):
    wins = count_wins(waiting, {"third": MONDAY + 3 * DAY, "low": MONDAY + 3 * DAY}, 10 * DAY, MONDAY + 100 * DAY)
    assert wins.paid_unalerted == 1


def test_nobody_gives_no_alerts_and_no_wait():
    none = simulate(decider(ONE_A_WEEK), [run(0), run(1)], WEEK)
    assert (none.most_in_period, none.wait_days(0.5), [day.alerted for day in none.days]) == (0, None, [0, 0])
    assert count_wins(none, {}, DAY, MONDAY).final == 0
