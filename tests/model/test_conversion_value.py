"""What a conversion is worth: pooled, by the trait that tells values apart, and summed over rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pql_model.model.columns import Manifest, ModelColumn
from pql_model.model.conversion_value import VALUE_COLUMNS, ConversionValue, learn_value, value_columns
from pql_model.statistics.estimate import Estimate

MANIFEST = Manifest(
    (
        ModelColumn("trait.seats", "number"),
        ModelColumn("trait.size", "category", ("small", "large", "(other)")),
        ModelColumn("trait.colour", "category", ("red", "blue")),
    )
)
WORTH = {0: 50.0, 1: 500.0}


def conversions(n, seed, sizes=(0, 1), told=True):
    """Values of n conversions, by size or by nothing, and their rows."""
    rng = np.random.default_rng(seed)
    size, colour = rng.choice(sizes, n).astype(float), rng.integers(0, 2, n).astype(float)
    mean = np.array([WORTH[int(each)] for each in size]) if told else np.full(n, 100.0)
    return mean * rng.lognormal(-0.125, 0.5, n), np.column_stack([rng.uniform(1, 9, n), size, colour])


def test_the_trait_that_tells_values_apart_is_found_and_others_are_not():
    value = learn_value(*conversions(200, 1), MANIFEST, seed=7)

    assert value.trait == "trait.size"
    assert value.segments["small"][1].value == pytest.approx(50, rel=0.2)
    assert value.segments["large"][1].value == pytest.approx(500, rel=0.2)
    assert value.spread == pytest.approx(0.53, abs=0.1)  # of a log-normal with sigma 0.5


def test_noise_is_pooled_in_nearly_all_worlds():
    segmented = [learn_value(*conversions(60, seed, told=False), MANIFEST, 7).trait for seed in range(100)]

    assert sum(trait is not None for trait in segmented) <= 4  # 1 % expected


def test_a_segment_of_few_conversions_counts_as_everybody():
    values, X = conversions(60, 2)
    X[:55, 1], X[55:, 1] = 0.0, 1.0
    value = learn_value(values, X, MANIFEST, 7)

    assert value.trait is None or "large" not in value.segments
    rows = value.of(np.array([[1.0, np.nan, 0.0], [1.0, 1.0, 0.0]]), MANIFEST).per_conversion
    assert rows.tolist() == [[value.overall.value, value.overall.low, value.overall.high]] * 2


def test_unknown_values_are_left_out_and_with_fewer_than_ten_nothing_is_said():
    values, X = conversions(40, 3)
    values[::2] = np.nan

    assert learn_value(values, X, MANIFEST, 7).conversions == 20
    assert learn_value(values[:18], X[:18], MANIFEST, 7) is None


def test_of_equal_values_the_mean_is_certain():
    value = learn_value(np.full(30, 49.0), conversions(30, 4)[1], MANIFEST, 7)

    assert (value.overall, value.spread, value.trait) == (Estimate(49.0, 49.0, 49.0), 0.0, None)


def test_facts_survive_json():
    value = learn_value(*conversions(200, 5), MANIFEST, 7)
    facts = json.loads(json.dumps({"value": value.to_dict()}))

    assert ConversionValue.of_facts(facts) == value
    assert ConversionValue.of_facts({"value": None}) is ConversionValue.of_facts({}) is None


def test_a_row_is_worth_its_probability_times_the_value_of_its_segment():
    value = learn_value(*conversions(200, 6), MANIFEST, 7)
    X = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, np.nan, 0.0], [1.0, 2.0, 0.0]])
    columns = value_columns(value.of(X, MANIFEST), np.full(4, 0.1), level_error=0.2)
    means = [value.segments["small"][1].value, value.segments["large"][1].value, *[value.overall.value] * 2]

    assert columns["expected_value"] == pytest.approx(0.1 * np.array(means))
    assert (columns["expected_value_low"] < columns["expected_value"]).all()
    assert (columns["expected_value_high"] > 1.39 * columns["expected_value"]).all()  # 1.96 errors of the level alone


def test_without_values_the_columns_are_missing():
    columns = value_columns(None, np.array([0.1, 0.2]), 0.1)

    assert list(columns) == [*VALUE_COLUMNS]
    assert all(np.isnan(column).all() for column in columns.values())


def test_nobody_is_expected_to_bring_nothing():
    rows = learn_value(*conversions(50, 8), MANIFEST, 7).of(np.zeros((2, 3)), MANIFEST)

    assert rows.of_all(np.zeros(2), 0.1) == rows.of_all(np.full(2, 0.5), 0.1, np.zeros(2, bool)) == Estimate(0, 0, 0)


@pytest.mark.parametrize(("learned", "rows"), [(30, 200), (300, 2000)])
def test_the_interval_of_a_sum_holds_what_comes(learned, rows):
    """In 200 worlds with the level known: 95 % of 200 is 190, and 6 is two standard errors."""
    held = 0
    for seed in range(200):
        rng = np.random.default_rng([seed, learned])
        value = learn_value(*conversions(learned, seed), MANIFEST, 7)
        values, X = conversions(rows, seed + 10_000)
        probability = rng.beta(1, 9, rows)
        found = value.of(X, MANIFEST).of_all(probability, level_error=0.0)
        held += found.low <= values[rng.random(rows) < probability].sum() <= found.high

    assert 180 <= held <= 200
