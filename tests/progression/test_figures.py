import math

import numpy as np
import pytest

from pql_model.progression.figures import median_interval


@pytest.mark.parametrize("n", [6, 7, 15, 40, 101])
def test_the_interval_of_a_median_holds_95_percent(n):
    rng = np.random.default_rng(n)
    held = []
    for _ in range(2000):
        interval = median_interval(rng.exponential(1.0, n))
        held.append(interval.low <= math.log(2) <= interval.high)
    assert 0.94 < np.mean(held) <= 0.99


def test_few_values_have_a_median_without_bounds_and_none_have_nothing():
    few = median_interval(np.array([3.0, 1.0, 2.0]))
    assert few.value == 2.0
    assert math.isnan(few.low)
    assert math.isnan(few.high)
    assert math.isnan(median_interval(np.empty(0)).value)
