"""A feed of payments that dies is told from a product that sells less, by what the weeks before make probable."""

from __future__ import annotations

import numpy as np
import pytest

from pql_model.monitoring.conversion_feed import conversion_series, silence_findings
from pql_model.monitoring.daily import AGES

DAYS, RECENT, MONDAY = 420, 364, 19_001
DAY = np.arange(DAYS)


def found(seed=0, rate=0.02, active=50.0, level=1.0, activity=1.0, paid=None, later=None, complete=0):
    """Findings about conversions of active entities; `level` and `activity` (days) multiply what is usual, `paid` changes counts.

    `later` are the payments of those who paid before, and `complete` is the day until which the config calls the table complete.
    """
    rng = np.random.default_rng(seed)
    weekday = np.array([1.2, 1.2, 1.2, 1.2, 1.2, 0.5, 0.5])[DAY % 7]
    mean = np.broadcast_to(active * weekday * activity / len(AGES), (DAYS,))
    present = rng.poisson(np.repeat(mean[:, None], len(AGES), axis=1)).astype(float)
    counts = rng.poisson(present * (rate * np.broadcast_to(level, (DAYS,)))[:, None]).astype(float)
    if paid is not None:
        counts = paid(counts)
    series = conversion_series(counts, present, MONDAY, RECENT, later, complete)
    findings = [] if series is None else silence_findings(series, RECENT, "paid.csv")
    return [(f.kind, (f.since // 86_400_000_000) - MONDAY, f.severity) for f in findings]


def only(*kept):
    """Conversions come on these days only."""
    return lambda counts: counts * np.isin(DAY, np.concatenate([np.r_[one] for one in kept]))[:, None]


@pytest.mark.parametrize("seed", range(6))
def test_a_feed_that_ends_weeks_ago_has_stopped(seed):
    [(kind, day, severity)] = found(seed, paid=only(range(385)))

    assert (kind, severity) == ("event_stopped", "act")
    assert 378 <= day <= 385


def test_a_few_stragglers_hide_nothing():
    def stragglers(counts):
        counts[375:] = 0
        counts[400, 2] = 1
        return counts

    [(kind, day, severity)] = found(paid=stragglers)

    assert (kind, severity) == ("event_stopped", "act")
    assert 370 <= day <= 376


def test_a_silence_that_is_older_than_the_training_is_found_still():
    assert [kind for kind, *_ in found(paid=only(range(300)))] == ["event_stopped"]


def test_an_export_of_some_days_ago_is_late():
    assert found(rate=0.1, paid=only(range(DAYS - 5))) == [("late_data", DAYS - 5, "act")]
    assert found(rate=0.2, paid=only(range(DAYS - 3))) == [("late_data", DAYS - 3, "watch")]
    assert found(rate=0.2, paid=only(range(DAYS - 1))) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_gap_that_ended_is_a_gap(seed):
    [(kind, day, severity)] = found(seed, rate=0.05, paid=only(range(370), range(391, DAYS)))

    assert (kind, severity) == ("tracking_gap", "act")
    assert 368 <= day <= 370


CHRISTMAS = np.where((DAY >= 400) & (DAY < 414), 0.08, 1.0)


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"rate": 0.0012},  # some twenty a year
        {"rate": 0.005},
        {"active": 500.0},
        {"level": np.where(DAY >= 370, 1 / 3, 1.0)},
        {"level": np.where(DAY >= 340, 0.2, 1.0)},
        {"activity": CHRISTMAS},
        {"activity": np.where(DAY >= 406, 0.05, 1.0), "rate": 0.1},  # the holiday lasts until now
        {"activity": 1 + DAY / DAYS},
        {"activity": np.where(DAY >= 400, 0.0, 1.0)},  # the events have stopped too: nothing is due
    ],
    ids=["usual", "rare", "few", "many", "third", "fifth", "holiday", "still", "growth", "no events"],
)
def test_a_feed_that_lives_is_not_reported(case):
    assert {seed: f for seed in range(20) if (f := found(seed, **case))} == {}


@pytest.mark.parametrize("every", [7, 30])
def test_billing_has_a_rhythm(every):
    def billed(counts):
        day = np.minimum(DAY // every * every + every - 1, DAYS)
        later = np.zeros((DAYS + every, counts.shape[1]))
        np.add.at(later, day, counts)
        return later[:DAYS]

    assert {seed: f for seed in range(10) if (f := found(seed, paid=billed))} == {}
    stopped = found(paid=lambda counts: only(range(310))(billed(counts)))
    assert [(kind, severity) for kind, _, severity in stopped] == [("event_stopped", "act")]


def test_too_few_conversions_of_the_past_say_nothing():
    assert conversion_series(np.zeros((DAYS, len(AGES))), np.ones((DAYS, len(AGES))), MONDAY, RECENT) is None
    assert found(rate=0.0003, paid=only(range(200))) == []


def renewals(until=DAYS, every=1, mean=6.0):
    """Payments of those who paid before, every so many days, until a day."""
    rng = np.random.default_rng(5)
    return rng.poisson(mean * every, DAYS) * (until > DAY) * (DAY % every == 0)


@pytest.mark.parametrize("every", [1, 7, 30])
@pytest.mark.parametrize("stopped", [300, 385])
def test_where_those_who_pay_renew_the_table_arrives_and_nobody_new_buys(every, stopped):
    [(kind, day, severity)] = found(paid=only(range(stopped)), later=renewals(every=every))

    assert (kind, severity) == ("base_rate_changed", "watch")
    assert stopped - 7 <= day <= stopped


@pytest.mark.parametrize("later", [renewals(385), renewals(390), renewals(mean=0.02)], ids=["too", "soon", "too few"])
def test_where_renewals_stop_as_well_the_table_has_ended(later):
    assert [kind for kind, *_ in found(paid=only(range(385)), later=later)] == ["event_stopped"]


def test_renewals_in_a_gap_show_that_nothing_is_missing():
    assert found(rate=0.05, paid=only(range(370), range(391, DAYS)), later=renewals()) == []


@pytest.mark.parametrize("seed", range(10))
def test_renewals_of_a_feed_that_lives_are_no_finding(seed):
    assert found(seed, later=renewals()) == []


@pytest.mark.parametrize("complete", [395, DAYS, DAYS + 100])
def test_the_config_may_say_that_the_table_is_complete(complete):
    [(kind, _, severity)] = found(paid=only(range(385)), complete=complete)

    assert (kind, severity) == ("base_rate_changed", "watch")


@pytest.mark.parametrize(
    ("kept", "complete"),
    [((range(385),), 380), ((range(300), range(330, 390)), 320)],
    ids=["said before", "bought again since"],
)
def test_a_table_that_ends_after_it_was_called_complete_has_stopped(kept, complete):
    assert "event_stopped" in [kind for kind, *_ in found(rate=0.05, paid=only(*kept), complete=complete)]
