"""Differences of shares: Newcombe's published example, strata, a covariate, clusters, and coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pql_model.statistics.estimate import wilson
from pql_model.statistics.proportions import Trials, clustered_share, compare_arms, difference


def arms(k1, n1, k0, n0):
    success = np.r_[np.arange(n1) < k1, np.arange(n0) < k0]
    return success, np.r_[np.ones(n1, bool), np.zeros(n0, bool)]


@pytest.mark.parametrize(
    ("k1", "n1", "k0", "n0", "low", "high"),
    [  # Newcombe 1998, table II, method 10
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (10, 10, 0, 10, 0.6075, 1.0),
        (0, 10, 0, 10, -0.2775, 0.2775),
    ],
)
def test_the_interval_is_that_of_newcombes_examples(k1, n1, k0, n0, low, high):
    interval = compare_arms(*arms(k1, n1, k0, n0)).difference

    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_a_difference_is_that_of_newcombes_paper():
    interval = difference(Trials.of(56, 70), Trials.of(48, 80))  # his example a, method 10
    assert (round(interval.value, 4), round(interval.low, 4), round(interval.high, 4)) == (0.2, 0.0524, 0.3339)


def test_without_trials_there_is_no_difference():
    assert math.isnan(difference(Trials.of(0, 0), Trials.of(1, 2)).value)


def test_groups_of_different_sizes_in_each_stratum_are_compared_within_the_strata():
    # Rates of 10 % and 50 % in the strata, no difference inside; pooled, the first group looks 24 points better.
    first, second = arms(20, 200, 80, 800), arms(400, 800, 100, 200)
    success, in_first = np.r_[first[0], second[0]], np.r_[first[1], second[1]]
    strata = np.repeat([0, 1], 1000)

    assert compare_arms(success, in_first).difference.value == pytest.approx(0.24)
    assert compare_arms(success, in_first, strata).difference.value == pytest.approx(0.0)


def test_a_stratum_with_rows_of_one_group_tells_nothing():
    success, in_first = arms(10, 50, 5, 50)
    padded = compare_arms(np.r_[success, np.ones(30, bool)], np.r_[in_first, np.ones(30, bool)], [0] * 100 + [1] * 30)

    assert padded == compare_arms(success, in_first)
    assert compare_arms(np.ones(4, bool), np.ones(4, bool)) is None
    assert compare_arms(np.ones(0, bool), np.ones(0, bool)) is None


def test_a_covariate_removes_a_chance_imbalance_and_narrows_the_interval():
    rng = np.random.default_rng(5)
    p = rng.beta(1, 3, 2000)
    in_first = rng.random(2000) < 0.3 + 0.4 * p  # the first group has more of those likely to succeed
    success = rng.random(2000) < p
    plain, adjusted = (compare_arms(success, in_first, None, x).difference for x in (None, p))

    assert plain.low > 0
    assert adjusted.low < 0 < adjusted.high
    assert adjusted.high - adjusted.low < plain.high - plain.low


def test_a_covariate_is_left_alone_where_few_rows_succeed():
    success, in_first = arms(10, 100, 5, 100)
    noise = np.random.default_rng(1).random(200)

    assert compare_arms(success, in_first, None, noise) == compare_arms(success, in_first)


@pytest.mark.parametrize(("n", "share", "base", "effect"), [(150, 0.2, 0.15, 0.1), (600, 0.1, 0.05, 0.0)])
def test_the_interval_holds_the_truth_19_times_in_20(n, share, base, effect):
    rng = np.random.default_rng(11)
    held = []
    for _ in range(400):
        p = rng.beta(4 * base, 4 * (1 - base), n)
        in_first = rng.random(n) >= share
        success = rng.random(n) < np.where(in_first, p + effect * (1 - p) / (1 - base), p)
        estimates = [compare_arms(success, in_first, None, x).difference for x in (None, p)]
        held.append([estimate.low <= effect <= estimate.high for estimate in estimates])

    assert (np.mean(held, axis=0) > 0.925).all()


def test_clusters_that_repeat_themselves_count_once():
    y = np.array([1, 1, 1, 0, 0, 0, 1, 0], float)
    cluster = np.arange(8)

    once, threefold = clustered_share(y, cluster), clustered_share(np.repeat(y, 3), np.repeat(cluster, 3))
    assert once == wilson(4, 8)
    assert threefold.high - threefold.low == pytest.approx(once.high - once.low, rel=0.1)
    assert clustered_share(np.ones(9), np.repeat([1, 2, 3], 3)) == wilson(3, 3)


def test_no_rows_have_no_share():
    assert np.isnan(clustered_share(np.empty(0), []).value)
    assert np.isnan(difference(Trials(0.5, 10), Trials(np.nan, 0)).low)
