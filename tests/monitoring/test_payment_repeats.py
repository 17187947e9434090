"""Payments that stand twice since some day are found with it; what was always there, and now and then, is not."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import at, opened, product

from pql_model.monitoring.payment_repeats import repeat_findings, repeats_since
from pql_model.time import DAY

DAYS, FIRST, CHANGED = 200, 140, 170


def payments(seed, share, since=CHANGED, after=None, mean=1.0):
    """Days with payments, and how many of them are repeated."""
    rng = np.random.default_rng(seed)
    paid = rng.poisson(mean, DAYS).astype(float)
    chance = np.where(np.arange(DAYS) < since, share, share if after is None else after)
    return paid, rng.binomial(paid.astype(int), chance).astype(float)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("mean", "before"), [(0.5, 0), (1, 0), (20, 0), (2, 0.1), (20, 0.1)])
def test_the_day_from_which_all_stand_twice_is_found(seed, mean, before):
    start = repeats_since(*payments(seed, before, after=1.0, mean=mean), FIRST)

    assert abs(start - CHANGED) <= 5


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("mean", [0.2, 1.0, 20.0])
def test_a_share_that_stays_is_none(share, mean):
    assert {seed for seed in range(30) if repeats_since(*payments(seed, share, mean=mean), FIRST) is not None} == set()


def test_days_that_are_imported_twice_now_and_then_are_none():
    found = set()
    for seed in range(30):
        paid, _ = payments(seed, 0, mean=10.0)
        twice = np.random.default_rng([seed, 1]).random(DAYS) < 0.08
        if repeats_since(paid, paid * twice, FIRST) is not None:
            found.add(seed)
    assert found == set()


def test_few_payments_say_nothing():
    paid = np.zeros(DAYS)
    paid[100:119] = 1
    paid[180:182] = 1
    assert repeats_since(paid, np.where(np.arange(DAYS) > 150, paid, 0), FIRST) is None
    paid[60:100] = 1  # two more repeats are still within chance among so many days
    assert repeats_since(paid, np.where(np.arange(DAYS) > 150, paid, 0), FIRST) is None


def shop(home, twice_since, every=30):
    """Accounts that subscribe one after another and pay every month; since a day each payment stands twice."""
    start = at("2026-01-01")
    accounts = [{"account": f"a{k:03}", "signed_up": start + k * DAY} for k in range(DAYS)]
    events = [{"account": f"a{k:03}", "event": "opened", "time": start + k * DAY + 9} for k in range(DAYS)]
    paid = []
    for k in range(DAYS):
        for day in range(k + 5, DAYS, every):
            row = {"account": f"a{k:03}", "time": start + day * DAY, "value": 20}
            paid += [row, {**row, "time": row["time"] + 2_000_000}] if day >= twice_since else [row]
    return product(home, accounts, events, paid), start


@pytest.mark.parametrize("twice_since", [CHANGED, DAYS])
def test_a_subscription_is_not_a_repeat_and_a_table_that_doubles_is_one(tmp_path, twice_since):
    config, start = shop(tmp_path, twice_since)
    with opened(config) as (_, sources):
        found = repeat_findings(sources, config, start // DAY, FIRST, start + DAYS * DAY)

    if twice_since == DAYS:
        assert found == []
        return
    [finding] = found
    assert (finding.kind, finding.subject, finding.severity) == ("volume_changed", "conversions", "act")
    assert (finding.figure, finding.expected, finding.since) == (1.0, 0.0, start + CHANGED * DAY)
    assert "100% of the payments in conversions.csv stand in it again" in finding.words
