"""Contributions held to the definition of Shapley values, computed over every subset of columns."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest

from pql_model.model.booster import Params, fit_ensemble, training_data

COLUMNS = 4  # two counts, a number that is often missing, a category


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(4)
    X = np.column_stack(
        [
            rng.poisson(2, 400),
            rng.poisson(1, 400),
            np.where(rng.random(400) < 0.3, np.nan, rng.normal(size=400)),
            rng.integers(0, 4, 400),
        ]
    ).astype(float)
    odds = -1 + 0.5 * X[:, 0] * (X[:, 3] == 2) + np.isnan(X[:, 2]) + 0.3 * X[:, 1]
    y = (rng.random(400) < 1 / (1 + np.exp(-odds))).astype(float)
    data = training_data(X, y, [f"c{j}" for j in range(COLUMNS)], [3])
    settings = [
        Params(
            rounds=6,
            num_leaves=6,
            min_data_in_leaf=15,
            averaged=1,
            extra_trees=False,
            feature_fraction=1.0,
            learning_rate=0.3,
        ),
        Params(rounds=4, num_leaves=3, min_data_in_leaf=15, averaged=1, learning_rate=0.3),
    ]
    return fit_ensemble(data, settings, seed=7), X


def goes_left(node, value):
    if node["decision_type"] == "==":
        return not np.isnan(value) and str(int(value)) in node["threshold"].split("||")
    if np.isnan(value):
        if node["missing_type"] == "NaN":
            return node["default_left"]
        value = 0.0
    return value <= node["threshold"]


def weight(node):
    return node["internal_count"] if "left_child" in node else node["leaf_count"]


def expected(node, row, known):
    """What the tree says if only these columns are known: at the others both sides count by their training rows."""
    if "left_child" not in node:
        return node["leaf_value"]
    left, right = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        return expected(left if goes_left(node, row[node["split_feature"]]) else right, row, known)
    sides = [(expected(side, row, known), weight(side)) for side in (left, right)]
    return sum(value * rows for value, rows in sides) / weight(node)


def shapley(trees, row):
    def says(known):
        return sum(expected(tree["tree_structure"], row, known) for tree in trees)

    values = []
    for j in range(COLUMNS):
        others = [k for k in range(COLUMNS) if k != j]
        subsets = [set(s) for size in range(COLUMNS) for s in combinations(others, size)]
        shares = [factorial(len(s)) * factorial(COLUMNS - len(s) - 1) / factorial(COLUMNS) for s in subsets]
        values.append(sum(w * (says(s | {j}) - says(s)) for w, s in zip(shares, subsets, strict=True)))
    return [*values, says(set())]


def test_contributions_are_the_shapley_values_of_the_averaged_trees(world):
    ensemble, X = world
    rows = np.vstack([X[:12], [[9.0, 0.0, np.nan, 3.0], [0.0, 5.0, 0.1, np.nan], [0.0, 0.0, -9.0, 7.0]]])
    assert np.isnan(rows[:, 2]).sum() >= 3
    dumps = [booster.dump_model()["tree_info"] for booster in ensemble.boosters]
    assert {node["tree_structure"]["decision_type"] for trees in dumps for node in trees} == {"<=", "=="}
    by_hand = np.mean([[shapley(trees, row) for row in rows] for trees in dumps], axis=0)
    np.testing.assert_allclose(ensemble.contributions(rows), by_hand, rtol=0, atol=1e-9)
