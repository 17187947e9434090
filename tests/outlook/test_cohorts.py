"""Rates by age: each against entities that are followed one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pql_model.outlook.cohorts import Cohorts, Rates

NEVER = 10_000
ENTITIES = st.lists(st.tuples(st.integers(-20, 60), st.integers(0, 90)), max_size=40)


def cohorts_of(entities, days):
    """From (day of sign-up, days until the conversion; 90 for never)."""
    signed_up = np.array([s for s, _ in entities], int)
    converted = np.array([s + wait if wait < 90 else NEVER for s, wait in entities], int)
    return Cohorts.of(days, signed_up, converted, np.ones(len(entities), int))


@pytest.mark.hypothesis
@given(ENTITIES, st.integers(1, 59))
def test_before_a_day_only_earlier_sign_ups_and_conversions_are_known(entities, day):
    known = cohorts_of(entities, 60).before(day)
    kept = [(s, s + wait if wait < 90 else NEVER) for s, wait in entities if s < day and s + wait >= 0]
    assert known.sign_ups.tolist() == [sum(s == at for s, _ in kept) for at in range(day)]
    assert known.conversions.tolist() == [sum(c == at for _, c in kept) for at in range(day)]
    assert known.at_risk.sum() == sum(c >= day for _, c in kept)


@pytest.mark.hypothesis
@given(ENTITIES)
def test_at_risk_are_those_that_have_signed_up_and_not_converted(entities):
    at_risk = cohorts_of(entities, 60).at_risk
    left = [s for s, wait in entities if s < 60 and (wait == 90 or s + wait >= 60)]
    assert at_risk.sum() == len(left)
    for age in range(1, 61):
        assert at_risk[age] == left.count(60 - age)
    assert at_risk[-1] == sum(s < 0 for s in left)


def test_who_converted_before_the_first_day_is_left_out():
    cohorts = Cohorts.of(5, np.array([-3, -3]), np.array([-1, 2]), np.array([4, 1]))
    assert cohorts.older.tolist() == [0, 0, 1, 0, 0, 0]
    assert cohorts.at_risk.sum() == 0


def test_rates_are_conversions_over_entities_at_risk():
    day = np.arange(200)
    cells = [np.tile(day, 2), np.concatenate([day + 3, np.full(200, NEVER)]), np.repeat([20, 80], 200)]
    rates = Rates.of(Cohorts.of(200, *cells)).by_age
    assert rates[:6] == pytest.approx([0, 0, 0, 0.2, 0, 0], abs=0.005)  # the level is shrunk towards the whole past


def test_the_level_follows_the_newest_weeks():
    day = np.arange(400)
    payers = np.where(day < 330, 20, 10)
    cells = [np.tile(day, 2), np.concatenate([day + 3, np.full(400, NEVER)]), np.concatenate([payers, 100 - payers])]
    assert 0.10 < Rates.of(Cohorts.of(400, *cells)).by_age[3] < 0.115


def test_before_the_first_conversion_nobody_counts_as_at_risk():
    """Payments that were not recorded yet would make everybody look reluctant."""
    day = np.arange(200)
    converted = np.where(day + 3 >= 150, day + 3, NEVER)
    cells = [np.tile(day, 2), np.concatenate([converted, np.full(200, NEVER)]), np.repeat([20, 80], 200)]
    assert Rates.of(Cohorts.of(200, *cells)).by_age[3] == pytest.approx(0.2, abs=0.005)


def test_shares_ahead_add_up_to_those_that_convert():
    rates = Rates(np.array([0.5, 0.0, 0.1]), 0.0)
    ahead = rates.ahead(ages=3, days=4)
    assert ahead[0] == pytest.approx([0.5, 0.0, 0.05, 0.045])
    assert ahead[2] == pytest.approx([0.1, 0.09, 0.081, 0.0729])


def test_without_a_conversion_nobody_is_expected_to_convert():
    rates = Rates.of(Cohorts.of(30, np.arange(30), np.full(30, NEVER), np.full(30, 5)))
    assert rates.ahead(40, 7).sum() == 0
