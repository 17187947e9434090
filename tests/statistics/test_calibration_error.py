import math

import numpy as np
import pytest
from scipy.special import expit, logit

from pql_model.statistics.calibration_error import calibration_error
from pql_model.statistics.estimate import wilson
from pql_model.statistics.metrics import build_sample


def error(y, p, entities=None, bins=10):
    s = build_sample(y, p, np.arange(len(y)) if entities is None else entities, ["calibration_error"], bins)
    return calibration_error(s.score, s.bins, s.positives, s.rows)


def seen(y, p):
    bins = np.argsort(np.argsort(p)) * 10 // len(p)
    return np.mean([abs(y[bins == i].mean() - p[bins == i].mean()) for i in range(10)])


def worlds(how_many, n, bend=1.0, lift=0.0, seed=0):
    """Outcomes of true probabilities, and what a model said; the true error over ten bins."""
    rng = np.random.default_rng(seed)
    for _ in range(how_many):
        truth = rng.beta(2, 8, n)
        yield (rng.random(n) < truth).astype(float), expit(bend * logit(truth) + lift)


def test_one_bin_has_the_error_and_interval_of_its_rate():
    result = error([1] * 2000 + [0] * 8000, [0.3] * 10_000)
    rate = wilson(2000, 10_000)  # 0.1923 to 0.2080
    assert (result.value, result.low, result.high) == pytest.approx((0.1, 0.3 - rate.high, 0.3 - rate.low), abs=1e-4)


def test_the_error_is_symmetric_in_direction():
    result = error([1] * 2000 + [0] * 8000, [0.1] * 10_000)
    assert (result.value, result.low, result.high) == pytest.approx((0.1, 0.0923, 0.1080), abs=1e-4)


def test_an_exact_rate_has_zero_error_with_a_wide_interval():
    result = error([1, 0, 0, 0] * 5, [0.25] * 20)
    assert (result.value, result.low) == (0.0, 0.0)
    assert result.high == pytest.approx(np.sqrt(0.25 * 0.75 / 20), rel=0.2)  # the standard error of a rate of 20 rows


def test_the_error_is_corrected_for_chance():
    worlds_off = list(worlds(60, 300, bend=1.6, lift=0.3))
    (many_y, many_p) = next(worlds(1, 200_000, bend=1.6, lift=0.3))
    truth = seen(many_y, many_p)
    naive = np.mean([seen(y, p) for y, p in worlds_off])
    ours = np.mean([error(y, p).value for y, p in worlds_off])
    assert truth == pytest.approx(0.0543, abs=0.001)
    assert naive > 1.2 * truth
    assert ours == pytest.approx(truth, rel=0.1)


def test_the_interval_of_perfect_probabilities_covers_zero_in_most_samples():
    held = [error(y, p).low == 0 for y, p in worlds(60, 300)]
    assert 52 <= sum(held) <= 60  # 57 on average


def test_the_interval_of_wrong_probabilities_holds_their_error_in_most_samples():
    result = [error(y, p) for y, p in worlds(60, 300, bend=1.6, lift=0.3)]
    assert sum(e.low <= 0.0543 <= e.high for e in result) >= 52
    assert sum(e.low > 0 for e in result) >= 20


def test_repeated_snapshots_add_no_information():
    y, p = next(worlds(1, 300, bend=1.5))
    once, four = error(y, p), error(np.tile(y, 4), np.tile(p, 4), np.tile(np.arange(300), 4))
    assert vars(four) == pytest.approx(vars(once), abs=1e-6)
    strangers = error(np.tile(y, 4), np.tile(p, 4))
    assert strangers.high - strangers.low < 0.7 * (once.high - once.low)


def test_the_order_of_the_rows_changes_nothing():
    y, p = next(worlds(1, 200))
    mixed, who = np.random.default_rng(1).permutation(200), np.arange(200) // 2
    assert vars(error(y[mixed], p[mixed], who[mixed])) == pytest.approx(vars(error(y, p, who)), abs=1e-6)


def test_a_tie_is_never_split():
    result = error([1, 0] * 100, [0.25] * 100 + [0.75] * 100)
    assert result.value == pytest.approx(0.25, abs=0.005)  # both bins are off by 0.25


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_one_class_has_an_error_and_an_interval(outcome):
    result = error([outcome] * 50, np.linspace(0.2, 0.6, 50))
    assert 0 <= result.low <= result.value <= result.high <= 1
    assert result.high > result.low


@pytest.mark.parametrize("p", [[0.0, 1.0] * 10, [0.0] * 20, [1.0] * 20])
def test_probabilities_of_exactly_zero_and_one_are_measured_too(p):
    result = error([0, 1, 1, 0] * 5, p)
    assert 0 <= result.low <= result.value <= result.high <= 1
    assert result.value == pytest.approx(0.5, abs=0.02)


def test_one_entity_has_no_interval_and_no_rows_have_no_value():
    alone = error([0, 1, 1], [0.1, 0.2, 0.3], ["a", "a", "a"])
    assert alone.value > 0
    assert math.isnan(alone.low)
    assert math.isnan(error([], []).value)
