import numpy as np
import pytest

from pql_model.outlook.sign_ups import expected_sign_ups


def test_a_steady_flow_stays():
    past = np.random.default_rng(1).poisson(10, 365)
    assert expected_sign_ups(past, 56).sum() == pytest.approx(560, rel=0.06)


def test_growth_goes_on_and_fades():
    past = 10 * np.exp(0.02 * np.arange(26)).repeat(7)
    weekly = expected_sign_ups(past, 182).reshape(-1, 7).sum(axis=1)
    steps = np.diff(np.log(weekly))
    assert steps[0] == pytest.approx(0.02 * 0.95**2, rel=0.05)
    assert steps[-1] < steps[0] / 2


def test_noise_is_no_trend():
    past = np.random.default_rng(2).poisson(3, 70)
    weekly = expected_sign_ups(past, 182).reshape(-1, 7).sum(axis=1)
    assert weekly.max() / weekly.min() < 1.3


@pytest.mark.parametrize(("past", "total"), [([], 0), ([3], 21), ([0] * 30, 0), ([1, 2, 3, 4, 5, 6, 7], 28)])
def test_a_short_or_empty_past_has_an_answer(past, total):
    assert expected_sign_ups(np.array(past, int), 7).sum() == pytest.approx(total)


def test_weeks_before_the_first_sign_up_do_not_count():
    past = np.concatenate([np.zeros(140), np.full(14, 6)])
    assert expected_sign_ups(past, 7).sum() == pytest.approx(42)
