import json

import numpy as np
import pytest
from scipy.stats import binomtest

from pql_model.errors import DataError
from pql_model.statistics.estimate import Estimate, wilson, wilson_around


def test_an_estimate_becomes_json_without_nan():
    text = json.dumps(Estimate(np.float64(0.5), float("nan"), 1).to_dict(), allow_nan=False)
    assert text == '{"value": 0.5, "low": null, "high": 1.0}'


def test_an_estimate_is_rounded_on_request():
    assert Estimate(1 / 3, float("nan"), 1).to_dict(4) == {"value": 0.3333, "low": None, "high": 1.0}


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (20, 20), (3, 17), (450, 1000), (1, 1)])
def test_wilson_equals_scipy(successes, n):
    reference = binomtest(successes, n).proportion_ci(method="wilson")
    result = wilson(successes, n)
    assert (result.low, result.high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert 0 <= result.low <= result.value <= result.high <= 1


def test_wilson_without_trials_is_undefined():
    assert wilson(0, 0).to_dict() == {"value": None, "low": None, "high": None}


def test_wilson_refuses_more_successes_than_trials():
    with pytest.raises(DataError, match=r"More successes than trials\. Received: 3 of 2"):
        wilson(3, 2)


def test_an_effective_number_of_trials_need_not_be_whole():
    assert wilson_around(0.3, 20) == wilson(6, 20)
    low, between, high = (wilson_around(0.3, n) for n in (20, 20.5, 21))
    assert low.low < between.low < high.low
    assert low.high > between.high > high.high
    assert wilson_around(0.3, float("inf")) == Estimate(0.3, 0.3, 0.3)
