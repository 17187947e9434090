import numpy as np
import pytest

from pql_model.statistics.multiple_testing import holm


def test_the_smallest_is_multiplied_by_the_number_of_tests_and_order_is_kept():
    assert holm([0.2, 0.01, 0.04]).tolist() == pytest.approx([0.2, 0.03, 0.08])


def test_a_larger_p_value_never_becomes_the_smaller_one():
    assert holm([0.02, 0.011, 0.01]).tolist() == pytest.approx([0.03, 0.03, 0.03])


def test_p_values_never_exceed_one_and_no_tests_need_no_correction():
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []
    assert holm([0.04]).tolist() == [0.04]


def test_the_family_wise_error_rate_is_five_percent():
    rng = np.random.default_rng(3)
    wrong = [(holm(rng.random(8)) < 0.05).any() for _ in range(2000)]
    assert 0.035 < np.mean(wrong) < 0.065
