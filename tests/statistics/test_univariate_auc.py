import numpy as np
import pytest

from pql_model.statistics.univariate_auc import (
    auc_error,
    auc_lower_bound,
    best_auc,
    category_contrast,
    corrected_z,
    cross_fitted_rate,
    odds_ratio,
    roc_auc,
)


def outcomes(conversions=100, others=900):
    return np.random.default_rng(1).permutation(np.repeat([True, False], [conversions, others]))


def texts_of(numbers):
    return np.array([str(n) for n in numbers], object)


def test_a_column_without_ties_has_the_auc_of_its_pairs():
    assert roc_auc(np.array([1.0, 3.0, 2.0, 4.0]), np.array([False, False, True, True])) == 0.75


def test_a_single_class_is_chance():
    assert roc_auc(np.array([1.0, 2.0]), np.array([True, True])) == 0.5
    assert auc_error(0.9, 0, 10) == 0.5


@pytest.mark.parametrize("conversions", [8, 20, 60, 500])
def test_the_family_wise_error_rate_of_noise_columns_is_five_percent(conversions):
    rng, z = np.random.default_rng(conversions), corrected_z(20)
    y = outcomes(conversions, 9 * conversions)
    accused = sum(
        any(auc_lower_bound(max(a, 1 - a), y, z) > 0.5 for a in (roc_auc(rng.random(len(y)), y) for _ in range(20)))
        for _ in range(20)
    )
    assert accused <= 4  # both ends of a column are tried, so two in twenty are expected


def test_the_bound_widens_with_the_number_of_columns():
    y = outcomes()
    assert auc_lower_bound(0.8, y, corrected_z(500)) < auc_lower_bound(0.8, y, corrected_z(5)) < 0.8


def test_a_category_is_not_judged_by_its_own_rows():
    y = outcomes()
    noise = texts_of(np.random.default_rng(2).integers(0, 400, len(y)))  # two or three rows each: by itself 0.9
    assert abs(roc_auc(cross_fitted_rate(noise, y), y) - 0.5) < 0.06


def test_a_column_whose_middle_converts_is_detected():
    y = outcomes()
    rng = np.random.default_rng(3)
    middle = np.where(y, rng.normal(0, 0.2, len(y)), rng.choice([-3, 3], len(y)) + rng.normal(0, 0.2, len(y)))
    in_order = roc_auc(middle, y)
    assert abs(in_order - 0.5) < 0.05
    assert best_auc(middle, texts_of(middle), y) > 0.9


def test_a_key_shared_by_one_outcome_is_detected():
    y = outcomes()
    rng = np.random.default_rng(4)
    key = np.where(y, rng.integers(0, 20, len(y)), rng.integers(20, 200, len(y)))
    assert best_auc(None, texts_of(key), y) > 0.95


def test_a_column_of_distinct_values_is_not_read_as_categories():
    y = outcomes()
    assert best_auc(None, texts_of(range(len(y))), y) == 0.5


def test_a_column_without_numbers_is_chance():
    assert best_auc(np.full(1000, np.nan), texts_of(range(1000)), outcomes()) == 0.5


def test_the_odds_ratio_of_two_groups_and_its_bound():
    ratio = odds_ratio(603, 34, 12, 589, z=3.3)
    assert (round(ratio.value), round(ratio.low)) == (825, 295)


def test_an_empty_cell_has_an_odds_ratio_with_a_low_bound():
    assert odds_ratio(5, 0, 0, 5, z=3).low < 1


def test_the_categories_furthest_apart_are_those_with_enough_rows():
    y = np.repeat([True, False], [200, 800])
    texts = np.array(["won"] * 190 + ["open"] * 10 + ["open"] * 790 + ["rare"] * 10, object)
    contrast = category_contrast(texts, y, tests=10)
    assert (contrast.best, contrast.worst, round(contrast.best_rate, 2), round(contrast.worst_rate, 4)) == (
        "won",
        "open",
        1,
        0.0125,
    )
    assert contrast.ratio.low > 100


def test_missing_values_are_a_category_of_their_own():
    y = np.repeat([True, False], [100, 100])
    contrast = category_contrast(np.repeat(np.array(["x", ""], object), 100), y, tests=1)
    assert (contrast.best, contrast.worst) == ("x", "nothing")


def test_a_single_category_has_no_contrast():
    assert category_contrast(np.full(100, "x", object), outcomes(10, 90), tests=1) is None
