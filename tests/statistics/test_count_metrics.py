import numpy as np
import pytest

from pql_model.statistics.count_metrics import METRICS, RATES, LevelCounts, precision
from pql_model.statistics.metrics import build_sample

# three levels, best first; the second resample draws the entity of the first row twice and that of the last not at all
TALLY = LevelCounts(
    score=np.array([0.9, 0.5, 0.1]),
    bins=np.array([2, 1, 0]),
    positives=np.array([[1.0, 2.0], [1.0, 1.0], [0.0, 0.0]]),
    rows=np.array([[1.0, 2.0], [2.0, 2.0], [1.0, 0.0]]),
)


def of(name, tally=TALLY):
    return METRICS[name](tally).tolist()


def test_a_metric_is_measured_in_every_resample_at_once():
    assert of("base_rate") == [0.5, 0.75]
    assert of("roc_auc") == [0.875, 5 / 6]  # of 4 pairs 3 are in order and one tied; of 3 pairs 2 and one
    assert of("average_precision") == pytest.approx([5 / 6, (2 + 3 / 4) / 3])
    assert of("brier") == pytest.approx([(0.01 + 0.5 + 0.01) / 4, (0.02 + 0.5) / 4])


def test_the_raw_calibration_error_is_the_mean_gap_of_the_bins():
    assert of("calibration_error") == pytest.approx([(0.1 + 0.0 + 0.1) / 4, 0.2 / 4])


def test_observed_over_expected_divides_conversions_by_the_sum_of_probabilities():
    assert of("observed_over_expected") == pytest.approx([2 / 2.0, 3 / 2.8])


def test_zero_expected_conversions_have_no_ratio():
    nothing = LevelCounts(np.zeros(1), np.zeros(1, int), np.ones((1, 1)), np.full((1, 1), 4.0))
    assert np.isnan(METRICS["observed_over_expected"](nothing)).all()


def test_precision_takes_part_of_a_level_pro_rata():
    assert precision(TALLY, 2.0).tolist() == [0.75, 1.0]
    assert precision(TALLY, 99).tolist() == [0.5, 0.75]


@pytest.mark.parametrize(
    ("name", "highest"),
    [
        ("base_rate", [1.0, 1.0]),
        ("precision_at_20pct", [1.0, 1.0]),
        ("observed_over_expected", [4 / 2.0, 4 / 2.8]),  # if every row converted
        ("lift_at_20pct", [2.0, 4 / 3]),  # if all of the best converted
    ],
)
def test_each_rate_has_its_maximum(name, highest):
    assert RATES[name].highest(TALLY).tolist() == pytest.approx(highest)


def test_the_maximum_lift_with_few_conversions_is_full_recall():
    sample = build_sample([1] + [0] * 99, np.linspace(0.9, 0.1, 100), range(100), ["lift_at_5pct"])
    assert RATES["lift_at_5pct"].highest(sample.whole).tolist() == [20.0]
    assert METRICS["lift_at_5pct"](sample.whole).tolist() == [20.0]
