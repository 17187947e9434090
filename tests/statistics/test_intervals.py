import math
import warnings

import numpy as np
import pytest
from scipy.stats import norm

from pql_model.statistics.estimate import Estimate, wilson
from pql_model.statistics.intervals import SampleSize, interval_for, percentile_interval, rate_interval

MANY = SampleSize(100_000, 50_000)
DRAWS = np.linspace(0.0, 1.0, 1001)
NAN = float("nan")


def test_for_many_entities_the_interval_is_the_middle_95_per_cent_of_the_draws():
    result = percentile_interval(0.5, DRAWS, MANY)
    assert (result.low, result.high) == pytest.approx((0.025, 0.975), abs=1e-4)


def test_for_25_entities_the_interval_widens_to_student_s_t():
    result = percentile_interval(0.5, DRAWS, SampleSize(500, 25))
    tail = norm.cdf(-2.0639 * math.sqrt(25 / 24))  # t of 24 degrees
    assert (result.low, result.high) == pytest.approx((tail, 1 - tail), abs=1e-5)
    assert tail == pytest.approx(0.0176, abs=1e-4)


def test_resamples_without_a_value_are_left_out():
    assert percentile_interval(0.5, np.append(DRAWS, [NAN] * 500), MANY) == percentile_interval(0.5, DRAWS, MANY)


def test_an_interval_is_extended_to_its_value():
    assert percentile_interval(2.0, DRAWS, MANY).high == 2.0
    assert percentile_interval(-1.0, DRAWS, MANY).low == -1.0


def test_draws_that_vary_like_100_trials_give_the_interval_of_100_trials():
    spread = math.sqrt(0.3 * 0.7 / 100)
    draws = 0.3 + spread * np.tile([1.0, -1.0], 500) * math.sqrt(999 / 1000)
    result, expected = rate_interval(0.3, draws, MANY, trials=400), wilson(30, 100)
    assert vars(result) == pytest.approx(vars(expected), rel=1e-4)


def test_a_rate_in_other_units_is_the_same_interval_stretched():
    draws = np.random.default_rng(0).normal(0.3, 0.05, 500)
    plain = rate_interval(0.3, draws, MANY, trials=100)
    result = rate_interval(3.0, 10 * draws, MANY, trials=100, highest=10.0)
    assert vars(result) == pytest.approx({name: 10 * number for name, number in vars(plain).items()})


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_rate_of_zero_or_one_uses_the_number_of_entities(value):
    assert rate_interval(value, np.full(50, value), MANY, trials=20.9) == wilson(int(20 * value), 20)
    assert rate_interval(value, DRAWS, MANY, trials=0.3) == wilson(int(value), 1)


def test_a_rate_that_never_varies_is_certain():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rate_interval(0.5, np.full(50, 0.5), MANY, trials=20) == Estimate(0.5, 0.5, 0.5)


def test_half_as_many_trials_vary_more():
    one, two = (rate_interval(0.1, 0.1 + s * np.tile([1.0, -1.0], 50), MANY, 99) for s in (0.02, 0.03))
    assert one.high - one.low < two.high - two.low
    assert 0 < two.low < one.low < 0.1 < one.high < two.high < 1


@pytest.mark.parametrize("units", [SampleSize(1, 1), SampleSize(0, 0)])
def test_one_entity_has_no_interval(units):
    for result in (percentile_interval(0.5, DRAWS, units), rate_interval(0.5, DRAWS, units, 1)):
        assert result.to_dict() == {"value": 0.5, "low": None, "high": None}


def test_no_value_has_no_interval_and_no_draws_have_none():
    assert percentile_interval(NAN, DRAWS, MANY).to_dict() == {"value": None, "low": None, "high": None}
    assert rate_interval(0.5, np.full(5, NAN), MANY, 9).to_dict() == {"value": 0.5, "low": None, "high": None}


def test_units_count_entities_not_rows():
    assert SampleSize.of([3, 0, 1, 0], [3, 2, 4, 1]) == SampleSize(4, 2)
    assert SampleSize.of([1, 1, 1], [1, 1, 2]) == SampleSize(3, 1)
    assert SampleSize.of([], []) == SampleSize(0, 0)


def test_a_metric_gets_the_interval_that_suits_it():
    units = SampleSize(500, 25)
    assert interval_for("roc_auc", 0.5, DRAWS, units) == percentile_interval(0.5, DRAWS, units)
    assert interval_for("precision_at_20pct", 0.5, DRAWS, units) == rate_interval(0.5, DRAWS, units, 100)
    assert interval_for("precision_at_5pct", 0.0, 0 * DRAWS, units) == wilson(0, 25)
    assert interval_for("lift_at_20pct", 0.0, 0 * DRAWS, units, 5.0).high == 5 * wilson(0, 25).high  # none of 25 caught
