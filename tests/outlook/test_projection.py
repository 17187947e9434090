import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pql_model.outlook.cohorts import Cohorts
from pql_model.outlook.projection import Scored, past_dates, project

NEVER = 10_000


def steady(days=200, per_day=100, payers=20, wait=3):
    day = np.arange(days)
    cells = [np.tile(day, 2), np.concatenate([day + wait, np.full(days, NEVER)])]
    return Cohorts.of(days, *cells, np.repeat([payers, per_day - payers], days))


def test_a_steady_product_goes_on():
    projection = project(steady(), weeks=2)
    assert projection.weekly == pytest.approx([140, 140], rel=0.02)
    assert projection.at_risk[:5] == pytest.approx([20, 20, 20, 0, 0], abs=0.5)
    assert projection.still_to_sign_up[:5] == pytest.approx([0, 0, 0, 20, 20], abs=0.5)


def test_probabilities_replace_the_rates_within_their_horizon():
    cohorts = steady()
    ages = len(cohorts.at_risk)
    entities, expected = np.zeros(ages), np.zeros(ages)
    entities[3], expected[3] = cohorts.at_risk[3], 40.0  # those of age 3 convert today, 20 of 100 by their age
    usual, told = project(cohorts, 2), project(cohorts, 2, Scored(entities, expected, 7))
    assert told.at_risk[0] - usual.at_risk[0] == pytest.approx(20, rel=0.03)
    assert told.at_risk[3:].tolist() == pytest.approx(usual.at_risk[3:].tolist(), abs=0.1)


def test_probabilities_that_are_those_of_the_ages_change_nothing():
    cohorts = steady()
    from pql_model.outlook.cohorts import Rates

    usual = Rates.of(cohorts).ahead(len(cohorts.at_risk), 30).sum(axis=1) * cohorts.at_risk
    scored = Scored(cohorts.at_risk.astype(float), usual, 30)
    assert project(cohorts, 6, scored).weekly == pytest.approx(project(cohorts, 6).weekly)


def test_past_dates_are_compared_with_what_came():
    past = past_dates(steady(), weeks=3, most=4)
    assert past.day.tolist() == [193, 186, 179, 172]
    assert np.isnan(past.observed).sum(axis=1).tolist() == [2, 1, 0, 0]
    assert past.observed[-1].tolist() == [140, 140, 140]
    assert past.expected[-1] == pytest.approx([140] * 3, rel=0.02)
    assert past.observed_sign_ups[-1].tolist() == [700] * 3


@pytest.mark.hypothesis
@given(st.integers(70, 199), st.integers(0, 2**31))
def test_a_projection_at_a_past_date_does_not_depend_on_what_came_after(day, seed):
    rng = np.random.default_rng(seed)
    one, other = (steady().counts.copy() for _ in range(2))
    other[day:] = rng.integers(0, 9, other[day:].shape)  # later sign-ups
    moved = other[:day, day:].sum(axis=1)
    other[:day, day:] = 0
    other[np.arange(day), rng.integers(day, 201, day)] = moved  # later conversions on other days
    first, second = (project(Cohorts(c, np.zeros(201, int)).before(day), 4).weekly for c in (one, other))
    assert first.tolist() == second.tolist()


def test_a_week_of_data_has_no_past_dates_and_a_projection():
    cohorts = Cohorts.of(7, np.arange(7), np.full(7, 6), np.ones(7, int))
    assert past_dates(cohorts, 8).expected.shape == (0, 8)
    assert np.isfinite(project(cohorts, 8).weekly).all()
