import numpy as np
import pytest

from pql_model.outlook.spread import PRIOR_SPREAD, amount_interval, count_interval, learn_spread


def test_without_a_past_the_prior_stands():
    assert learn_spread(np.empty(0), np.empty(0), 0) == pytest.approx(PRIOR_SPREAD * 1.417, rel=0.01)  # t with 4 df / z


def test_chance_alone_narrows_and_drift_widens():
    rng = np.random.default_rng(3)
    expected = np.full(60, 50.0)
    quiet = learn_spread(expected, rng.poisson(expected).astype(float), 60)
    moved = learn_spread(expected, rng.poisson(expected * rng.gamma(4, 0.25, 60)).astype(float), 60)
    assert quiet < 0.1 < 0.35 < moved < 0.75


def test_dates_with_nothing_expected_say_nothing():
    assert learn_spread(np.full(5, 0.1), np.full(5, 3.0), 5) == learn_spread(np.empty(0), np.empty(0), 0)


@pytest.mark.parametrize(("mean", "spread"), [(3.0, 0.1), (40.0, 0.3), (500.0, 0.2)])
def test_the_interval_of_a_count_holds_95_percent(mean, spread):
    rng = np.random.default_rng(5)
    came = rng.poisson(mean * rng.gamma(1 / spread**2, spread**2, 20_000))
    interval = count_interval(mean, spread)
    assert 0.94 < np.mean((came >= interval.low) & (came <= interval.high)) < 0.99


def test_the_interval_of_an_amount_holds_95_percent():
    rng = np.random.default_rng(6)
    counts = rng.poisson(30, 5_000)
    came = np.array([rng.gamma(4, 25, count).sum() for count in counts])
    interval = amount_interval(3000, chance=30 * 100**2 * 1.25, spread=0.0)
    assert 0.93 < np.mean((came >= interval.low) & (came <= interval.high)) < 0.97


def test_nothing_expected_is_nothing():
    assert count_interval(0.0, 0.2).high == amount_interval(0.0, 1.0, 0.2).high == 0
