"""The arithmetic behind mining, compared with slow and simple versions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from pql_model.criteria.likelihood import (
    BinnedOffset,
    ThresholdLevels,
    fit_effects,
    null_gain_quantile,
    threshold_gains,
)


def drawn(seed=0, rows=400, effect=1.5):
    """Two columns of counts, offsets with few values (so that binning loses nothing), outcomes that follow the second threshold."""
    rng = np.random.default_rng(seed)
    columns = [ThresholdLevels(rng.integers(0, 5, rows), 4), ThresholdLevels(np.minimum(rng.poisson(1.0, rows), 2), 2)]
    offset = rng.choice([-2.5, -1.5, -0.5], rows)
    y = (rng.random(rows) < expit(offset + effect * columns[0].met(1))).astype(float)
    return columns, offset, y, rng.integers(0, 3, rows).astype(float)


def naive_level(offset, y, weight):
    """The highest log-likelihood with a separate level, and that level."""

    def loss(level):
        odds = offset + level
        return -np.sum(weight * (y * odds - np.logaddexp(0, odds)))

    fit = minimize_scalar(loss, bounds=(-8, 8), method="bounded", options={"xatol": 1e-9})
    return -fit.fun, fit.x


def naive_gains(column, offset, y, weight):
    gains, effects = [], []
    for threshold in range(column.count):
        masks = column.met(threshold)
        (above, high), (below, low) = (naive_level(offset[m], y[m], weight[m]) for m in (masks, ~masks))
        gains.append(above + below - naive_level(offset, y, weight)[0])
        effects.append(high - low)
    return np.array(gains), np.array(effects)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gains_equal_the_exact_likelihood_of_every_threshold(seed):
    columns, offset, y, weight = drawn(seed)
    gains = threshold_gains(columns, BinnedOffset.of(offset), y, weight)
    for column, (gain, effect) in zip(columns, gains, strict=True):
        expected_gain, expected_effect = naive_gains(column, offset, y, weight)
        assert gain == pytest.approx(expected_gain, abs=1e-4)
        assert effect == pytest.approx(expected_effect, abs=1e-3)


def test_binning_loses_little_of_an_offset_with_many_values():
    columns, _, y, weight = drawn()
    offset = np.random.default_rng(5).normal(-1.5, 1.5, len(y))
    [(gain, effect), _] = threshold_gains(columns, BinnedOffset.of(offset), y, weight)
    expected_gain, expected_effect = naive_gains(columns[0], offset, y, weight)
    assert gain == pytest.approx(expected_gain, abs=0.15)
    assert effect == pytest.approx(expected_effect, abs=0.05)


def test_a_weight_of_n_equals_n_copies_of_a_row():
    columns, offset, y, weight = drawn()
    twice = np.repeat(np.arange(len(y)), weight.astype(int))
    repeated = [ThresholdLevels(column.level[twice], column.count) for column in columns]
    weighted = threshold_gains(columns, BinnedOffset.of(offset), y, weight)
    counted = threshold_gains(repeated, BinnedOffset.of(offset[twice]), y[twice], np.ones(len(twice)))
    for (gain, effect), (expected_gain, expected_effect) in zip(weighted, counted, strict=True):
        assert gain == pytest.approx(expected_gain, abs=1e-6)
        assert effect == pytest.approx(expected_effect, abs=1e-6)


def test_a_side_without_conversions_has_a_finite_gain_and_a_large_effect():
    level = np.repeat([0, 1], 50)
    y = np.r_[np.zeros(50), np.tile([0.0, 1.0], 25)]
    [(gain, effect)] = threshold_gains([ThresholdLevels(level, 1)], BinnedOffset.of(np.zeros(100)), y, np.ones(100))
    assert gain[0] == pytest.approx(100 * 0.5623 - 50 * np.log(2), abs=0.05)  # entropy of a quarter, and of a half
    assert 5 < effect[0] <= 16


def test_a_row_meets_the_thresholds_below_its_level():
    levels = ThresholdLevels(np.array([0, 1, 2]), 2)
    assert levels.met(0).tolist() == [False, True, True]
    assert levels.met(1).tolist() == [False, False, True]


def test_effects_equal_those_of_a_plain_logistic_regression():
    columns, _, y, weight = drawn()
    masks = np.column_stack([columns[0].met(1), columns[1].met(0)]).astype(float)
    plain = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(masks, y, sample_weight=weight)
    expected = [plain.intercept_[0], *plain.coef_[0]]
    assert fit_effects(masks, np.zeros(len(y)), y, weight) == pytest.approx(expected, abs=2e-3)


def test_an_offset_is_held_fixed():
    columns, offset, y, _ = drawn(rows=4000)
    base, effect = fit_effects(columns[0].met(1)[:, None].astype(float), offset, y, np.ones(len(y)))
    assert base == pytest.approx(0, abs=0.15)
    assert effect == pytest.approx(1.5, abs=0.2)


def test_identical_conditions_share_one_effect():
    masks = np.repeat([[0.0, 0.0], [1.0, 1.0]], 100, axis=0)
    y = np.r_[np.tile([0, 0, 0, 1], 25), np.tile([0, 1, 1, 1], 25)].astype(float)
    assert fit_effects(masks, np.zeros(200), y, np.ones(200)) == pytest.approx([-1.0986, 1.0986, 1.0986], abs=0.01)


def gains_by_chance(columns, probability, worlds):
    """The largest gain with a positive effect in outcomes that do not depend on any column."""
    rng = np.random.default_rng(3)
    offset = np.log(probability / (1 - probability))
    best = []
    for _ in range(worlds):
        y = (rng.random(len(probability)) < probability).astype(float)
        gains = threshold_gains(columns, BinnedOffset.of(offset), y, np.ones(len(y)))
        best.append(max(np.where(effect > 0, gain, 0).max() for gain, effect in gains))
    return np.array(best)


def many_columns(rows=1500):
    rng = np.random.default_rng(0)
    pace = rng.gamma(1.5, 1 / 1.5, rows)
    return [ThresholdLevels(np.minimum(rng.poisson(2 * pace), 8), 8) for _ in range(10)]


def test_chance_exceeds_the_null_gain_once_in_twenty():
    columns = many_columns()
    probability = np.random.default_rng(1).choice([0.05, 0.1, 0.2], 1500)
    limit = null_gain_quantile(columns, probability, np.random.default_rng(2), draws=600)
    beyond = float((gains_by_chance(columns, probability, 300) > limit).mean())
    assert 0.02 <= beyond <= 0.09  # 300 worlds at 0.05 give 0.027 to 0.077 in 19 of 20 cases


def test_the_null_gain_grows_with_columns_but_not_with_copies():
    columns = many_columns()
    probability = np.full(1500, 0.1)

    def limit(of):
        return null_gain_quantile(of, probability, np.random.default_rng(2))

    assert limit(columns[:1] * 8) == limit(columns[:1])
    assert limit(columns) > limit(columns[:1]) + 1
    assert limit([]) == 0.0


def test_negative_effects_do_not_count():
    sides = ThresholdLevels(np.repeat([0, 1], 750), 1)
    one_sided = null_gain_quantile([sides], np.full(1500, 0.1), np.random.default_rng(2), draws=1000)
    assert one_sided == pytest.approx(
        1.35, abs=0.25
    )  # half the square of 1.64; two-sided it would be half that of 1.96


def test_the_null_gain_allows_for_fitted_effects():
    columns = many_columns()
    masks = np.column_stack([columns[0].met(2), columns[1].met(3)]).astype(float)
    probability = expit(-3 + 1.5 * masks.sum(axis=1))
    rng, best = np.random.default_rng(3), []
    for _ in range(150):
        y = (rng.random(1500) < probability).astype(float)
        effects = fit_effects(masks, np.zeros(1500), y, np.ones(1500))
        gains = threshold_gains(columns[2:], BinnedOffset.of(effects[0] + masks @ effects[1:]), y, np.ones(1500))
        best.append(max(np.where(effect > 0, gain, 0).max() for gain, effect in gains))
    payload = null_gain_quantile(columns[2:], probability, np.random.default_rng(2), draws=500, selected=masks)
    plain = null_gain_quantile(columns[2:], probability, np.random.default_rng(2), draws=500)
    assert 0.01 <= np.mean(np.array(best) > payload) <= 0.1
    assert payload < plain - 0.3


def test_a_handicap_is_deducted_from_the_null_gain():
    columns, probability = many_columns(), np.full(1500, 0.1)

    def limit(handicap):
        return null_gain_quantile(columns, probability, np.random.default_rng(2), handicap=handicap)

    assert limit([4.0] * 10) == pytest.approx(max(limit([0.0] * 10) - 4, 0), abs=1e-6)
    assert limit([0.0] + [4.0] * 9) < limit([0.0] * 10) - 0.5


@pytest.mark.parametrize("probability", [1e-9, 1e-4, 1 - 1e-4, 1 - 1e-9])
def test_the_null_gain_is_finite_where_nearly_nobody_or_everybody_converts(probability):
    limit = null_gain_quantile(many_columns(), np.full(1500, probability), np.random.default_rng(2))
    assert 0 <= limit < 20
