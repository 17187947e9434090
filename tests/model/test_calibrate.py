"""Probabilities mean what they say, keep the order of the margins and survive JSON."""

import json
import math

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from pql_model.errors import DataError, NotEnoughDataError
from pql_model.model.calibrate import ISOTONIC_FROM, Calibration, fit_calibration


def world(n, slope, intercept, seed=0):
    """Margins, and outcomes drawn with probability sigmoid(slope x margin + intercept)."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(-1, 1.5, n)
    return margin, (rng.random(n) < expit(slope * margin + intercept)).astype(int)


FEW = world(3000, 0.6, -1.5)
MANY = world(20_000, 0.6, -1.5)
ISOTONIC = Calibration("isotonic", thresholds=(0.2, 0.4, 0.8), probabilities=(0.1, 0.3, 0.9))


# The choice of the kind


def test_platt_is_chosen_one_conversion_below_the_limit_and_isotonic_at_it():
    margin = np.linspace(-2, 2, 4000)
    assert ISOTONIC_FROM == 1000
    assert fit_calibration(margin, np.arange(4000) >= 3001).kind == "platt"
    assert fit_calibration(margin, np.arange(4000) >= 3000).kind == "isotonic"


def test_conversions_are_counted_with_their_weights():
    margin, y = FEW
    assert fit_calibration(margin, y).kind == "platt"
    assert fit_calibration(margin, y, np.full(len(y), 10.0)).kind == "isotonic"


# Platt


def test_the_true_slope_and_intercept_are_found_on_20_000_rows():
    margin, y = world(20_000, 0.8, -2.9)
    calibration = fit_calibration(margin, y)
    assert calibration.kind == "platt"
    assert 500 < y.sum() < 1000
    assert calibration.slope == pytest.approx(0.8, abs=0.08)
    assert calibration.intercept == pytest.approx(-2.9, abs=0.1)


def test_platt_is_the_logistic_regression_on_the_smoothed_targets():
    margin, y = FEW
    calibration = fit_calibration(margin, y)
    positive, negative = y.sum(), len(y) - y.sum()
    high, low = (positive + 1) / (positive + 2), 1 / (negative + 2)
    weight = np.concatenate([np.where(y == 1, high, low), np.where(y == 1, 1 - high, 1 - low)])
    doubled = np.concatenate([margin, margin]).reshape(-1, 1)
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(doubled, np.repeat([1, 0], len(y)), weight)
    assert calibration.slope == pytest.approx(reference.coef_[0, 0], rel=1e-5)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_mean_probability_of_platt_is_the_observed_rate(scale):
    margin, y = FEW
    calibration = fit_calibration(margin * scale + 3 * scale, y)
    assert calibration.kind == "platt"
    assert abs(calibration.apply(margin * scale + 3 * scale).mean() - y.mean()) < 1e-9


def test_weights_act_as_repeated_rows():
    margin, y = FEW
    weights = np.random.default_rng(1).integers(0, 3, len(y))
    weighted = fit_calibration(margin, y, weights)
    repeated = fit_calibration(np.repeat(margin, weights), np.repeat(y, weights))
    assert weighted.slope == pytest.approx(repeated.slope, rel=1e-9)
    assert weighted.intercept == pytest.approx(repeated.intercept, rel=1e-9)


def test_separable_classes_get_a_finite_slope_and_no_certainty():
    margin, y = np.arange(40.0), np.repeat([0, 1], 20)
    calibration = fit_calibration(margin, y)
    assert calibration.kind == "platt"
    assert 0 < calibration.slope < 10
    assert calibration.apply(margin).mean() == pytest.approx(0.5, abs=1e-9)
    assert 0.9 < calibration.apply([39.0])[0] < 1


# Isotonic


def test_isotonic_equals_scikit_learn_where_no_block_is_at_0_or_1():
    margin, y = MANY
    margin = np.clip(margin.round(1), -3, 1)
    calibration = fit_calibration(margin, y)
    reference = IsotonicRegression(out_of_bounds="clip").fit(expit(margin), y)
    anywhere = np.random.default_rng(2).normal(-1, 3, 5000)
    assert calibration.kind == "isotonic"
    assert len(calibration.thresholds) > 20
    np.testing.assert_array_equal(calibration.apply(anywhere), reference.predict(expit(anywhere)))


def test_isotonic_equals_scikit_learn_between_the_blocks_at_0_and_1():
    margin, y = MANY
    reference = IsotonicRegression(out_of_bounds="clip").fit(expit(margin), y)
    assert reference.y_thresholds_[0] == 0
    within = reference.X_thresholds_[(reference.y_thresholds_ > 0) & (reference.y_thresholds_ < 1)]
    inside = (expit(margin) >= within[0]) & (expit(margin) <= within[-1])
    assert inside.sum() > 19_000
    np.testing.assert_allclose(
        fit_calibration(margin, y).apply(margin)[inside], reference.predict(expit(margin))[inside], rtol=1e-14, atol=0
    )


def test_the_mean_probability_of_isotonic_is_the_observed_rate_up_to_half_a_row_in_each_tail():
    margin, y = MANY
    assert abs(fit_calibration(margin, y).apply(margin).mean() - y.mean()) < 1 / len(y)


def test_a_block_without_conversions_keeps_the_chance_that_its_size_allows():
    margin = np.concatenate([np.full(19, -5.0), np.zeros(3000), np.full(9, 5.0)])
    y = np.concatenate([np.zeros(19), np.tile([0, 1], 1500), np.ones(9)])
    calibration = fit_calibration(margin, y)
    assert calibration.kind == "isotonic"
    assert calibration.apply([-5.0, 0.0, 5.0]).tolist() == pytest.approx([0.5 / 20, 0.5, 9.5 / 10])


def test_a_short_block_without_conversions_never_passes_its_neighbour():
    margin = np.concatenate([[-5.0], np.zeros(30_000)])
    y = np.concatenate([[0], np.tile([1] + [0] * 19, 1500)])
    low, rest = fit_calibration(margin, y).apply([-5.0, 0.0])
    assert low == rest == pytest.approx(0.05)


def test_perfectly_separated_classes_get_no_probability_of_0_or_1():
    calibration = fit_calibration(np.repeat([-1.0, 1.0], 1500), np.repeat([0, 1], 1500))
    assert calibration.apply([-1.0, 1.0]).tolist() == pytest.approx([0.5 / 1501, 1500.5 / 1501])


# The order and the range


@pytest.mark.parametrize("rows", [FEW, MANY], ids=["platt", "isotonic"])
def test_a_higher_margin_never_gets_a_lower_probability(rows):
    calibration = fit_calibration(*rows)
    new = np.random.default_rng(3).normal(-1, 2, 20_000)
    margins = np.sort(np.concatenate([new, rows[0], [-1e308, -800, 800, 1e308]]))
    probability = calibration.apply(margins)
    assert (np.diff(probability) >= 0).all()
    assert probability.min() > 0
    assert probability.max() < 1


@given(
    points=st.lists(st.tuples(st.floats(0, 1), st.floats(1e-9, 1 - 1e-9)), min_size=1, unique_by=lambda p: p[0]),
    margins=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30),
)
@examples(60)
def test_any_isotonic_curve_is_monotone_and_strictly_inside(points, margins):
    thresholds, probabilities = (tuple(sorted(part)) for part in zip(*points, strict=True))
    calibration = Calibration("isotonic", thresholds=thresholds, probabilities=probabilities)
    probability = calibration.apply(np.sort(margins))
    assert (np.diff(probability) >= 0).all()
    assert ((probability > 0) & (probability < 1)).all()


def test_isotonic_is_straight_between_its_points_and_flat_beyond_them():
    margins = logit([0.1, 0.2, 0.3, 0.8, 0.99])
    assert ISOTONIC.apply(margins).tolist() == pytest.approx([0.1, 0.1, 0.2, 0.9, 0.9])


def test_the_shape_of_the_margins_is_kept():
    assert ISOTONIC.apply(np.zeros((2, 3))).shape == (2, 3)
    assert ISOTONIC.apply([]).shape == (0,)
    assert Calibration("platt", 1.0, 0.0).apply(0.0) == 0.5


# Degenerate rows


@pytest.mark.parametrize(("conversions", "expected"), [(0, 0.5 / 101), (100, 100.5 / 101), (4, 0.04)])
def test_too_few_of_a_class_give_the_rate_to_everybody(conversions, expected):
    y = np.arange(100) < conversions
    calibration = fit_calibration(np.arange(100.0), y)
    assert calibration.kind == "constant"
    assert calibration.note.startswith(f"{conversions} of 100 rows convert: too few to learn a slope")
    assert calibration.apply([-50.0, 0.0, 50.0]).tolist() == pytest.approx([expected] * 3, rel=1e-12)


def test_equal_margins_give_the_rate_to_everybody():
    calibration = fit_calibration(np.full(100, 2.5), np.arange(100) < 30)
    assert calibration.kind == "constant"
    assert calibration.note == "all margins are equal: there is no slope to learn; every margin gets 0.3"
    assert calibration.apply([2.5]).tolist() == pytest.approx([0.3], rel=1e-12)


@pytest.mark.parametrize("rows", [FEW, MANY], ids=["platt", "isotonic"])
def test_margins_that_rank_backwards_give_the_rate_to_everybody_with_a_warning(rows):
    # perfectly backwards, so that isotonic regression too finds a single block
    y = np.sort(rows[1])
    calibration = fit_calibration(-np.arange(len(y), dtype=float) / len(y), y)
    assert calibration.kind == "constant"
    assert "higher margins do not convert more often" in calibration.note
    assert calibration.apply([0.0])[0] == pytest.approx(y.mean(), rel=1e-12)


def test_rows_without_weight_do_not_count():
    margin, y = FEW
    extra = fit_calibration(np.append(margin, 1e9), np.append(y, 1), np.append(np.ones(len(y)), 0))
    assert extra == fit_calibration(margin, y)


def test_an_empty_table_is_refused():
    with pytest.raises(NotEnoughDataError, match="no row to calibrate on"):
        fit_calibration([], [])
    with pytest.raises(NotEnoughDataError, match="no row to calibrate on"):
        fit_calibration([1.0], [1], [0.0])


@pytest.mark.parametrize(
    ("margin", "y", "weights", "message"),
    [
        ([0.0, np.nan], [0, 1], None, "Every number must be finite. Received: 1 NaN or infinite"),
        ([0.0, np.inf], [0, 1], None, "Every number must be finite"),
        ([0.0, 1.0], [0, 2], None, "Outcomes must be 0 or 1. Received: 0 to 2"),
        ([0.0, 1.0], [0], None, "differ in length"),
        ([0.0, 1.0], [0, 1], [1, -1], "A weight cannot be negative. Received: -1"),
        (["a", "b"], [0, 1], None, "These are not numbers"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(margin, y, weights, message):
    with pytest.raises(DataError, match=message):
        fit_calibration(margin, y, weights)


def test_a_margin_that_is_not_finite_is_refused():
    with pytest.raises(DataError, match="must be finite"):
        ISOTONIC.apply([0.0, np.nan])


# JSON


@pytest.mark.parametrize(
    "found",
    [fit_calibration(*FEW), fit_calibration(*MANY), fit_calibration([1.0, 2.0], [0, 1])],
    ids=["platt", "isotonic", "constant"],
)
def test_json_round_trip_is_bit_identical(found):
    again = Calibration.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    margins = np.linspace(-30, 30, 1001)
    assert again == found
    assert again.apply(margins).tobytes() == found.apply(margins).tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "beta"}, "neither platt, isotonic nor constant. Received: beta"),
        ({"slope": -1.0}, "the slope not negative"),
        ({"slope": None}, "a number is missing"),
        ({"slope": "steep"}, "a number is missing"),
        ({"intercept": float("nan")}, "must be finite"),
        ({"thresholds": [0.4, 0.2, 0.8]}, "must ascend"),
        ({"probabilities": [0.3, 0.1, 0.9]}, "must ascend"),
        ({"probabilities": [0.1, 0.3]}, "3 thresholds and 2 probabilities"),
        ({"probabilities": [0.0, 0.3, 0.9]}, "must lie between 0 and 1"),
        ({"probabilities": [0.1, 0.3, 1.0]}, "must lie between 0 and 1"),
    ],
)
def test_json_that_is_not_a_calibration_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        Calibration.from_dict(ISOTONIC.to_dict() | change)


def test_json_that_lacks_a_field_is_refused_by_name():
    fields = ISOTONIC.to_dict()
    del fields["slope"]
    with pytest.raises(DataError, match="'slope' is missing"):
        Calibration.from_dict(fields)


# Another level


@pytest.mark.parametrize(
    "calibration", [Calibration("platt", slope=1.5, intercept=-1.0), ISOTONIC], ids=lambda c: c.kind
)
def test_moving_multiplies_the_odds(calibration):
    margin = np.array([-2.0, 0.0, 3.0]) if calibration.kind == "platt" else logit(np.array(ISOTONIC.thresholds))
    before, after = calibration.apply(margin), calibration.moved(math.log(0.25)).apply(margin)

    np.testing.assert_allclose(after / (1 - after), 0.25 * before / (1 - before), rtol=1e-9)


def test_moving_there_and_back_changes_nothing():
    margin = np.linspace(-4, 4, 50)
    np.testing.assert_allclose(ISOTONIC.moved(0.7).moved(-0.7).apply(margin), ISOTONIC.apply(margin), rtol=1e-12)


def test_a_constant_calibration_moves_too():
    constant = fit_calibration([0.3] * 10, [0] * 9 + [1])
    assert constant.moved(math.log(2)).apply([0.0])[0] == pytest.approx(2 / 11, rel=1e-9)
