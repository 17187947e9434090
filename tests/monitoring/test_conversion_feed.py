"""A feed of payments that dies is told from a product that sells less, by what the weeks before make probable."""

from __future__ import annotations

import numpy as np
import pytest

from pql_model.monitoring.conversion_feed import conversion_series, silence_findings
from pql_model.monitoring.daily import AGES

DAYS, RECENT, MONDAY = 420, 364, 19_001
DAY = np.arange(DAYS)


def found(seed=0, rate=0.02, active=50.0, level=1.0, activity=1.0, paid=None):
    """Findings about conversions of active entities; `level` and `activity` (days) multiply what is usual, `paid` changes counts."""
    rng = np.random.default_rng(seed)
    weekday = np.array([1.2, 1.2, 1.2, 1.2, 1.2, 0.5, 0.5])[DAY % 7]
    mean = np.broadcast_to(active * weekday * activity / len(AGES), (DAYS,))
    present = rng.poisson(np.repeat(mean[:, None], len(AGES), axis=1)).astype(float)
    counts = rng.poisson(present * (rate * np.broadcast_to(level, (DAYS,)))[:, None]).astype(float)
    if paid is not None:
        counts = paid(counts)
    series = conversion_series(counts, present, MONDAY, RECENT)
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
