import json
from dataclasses import replace

import numpy as np
import pytest
from histories import history
from scipy.stats import binom

from pql_model.evaluation.expected_vs_observed import ExpectedVsObserved, calibration_over_time, simulated_counts
from pql_model.statistics.estimate import Estimate


@pytest.fixture(scope="module")
def kept():
    return calibration_over_time(history(), seed=7)


def test_months_of_the_test_period_have_expected_range_and_observed(kept):
    given = history()
    later = given.frame[given.test]
    months = kept.months
    assert months["month"].tolist() == ["2026-01", "2026-02"]
    assert months["rows"].sum() == 200
    assert months["observed"].sum() == later["converted"].sum() == kept.raw.observed
    assert months["expected"].tolist() == pytest.approx((months["rows"] * 0.3).tolist())
    assert (months["low"] <= months["expected"]).all()
    assert (months["expected"] <= months["high"]).all()
    assert kept.raw.expected == pytest.approx(60)
    assert kept.raw.flag == "as expected"


def test_the_range_is_binomial_where_all_probabilities_are_equal():
    drawn = simulated_counts(np.arange(400), np.full(400, 0.1), np.zeros(400, int), seed=7, draws=20_000)
    assert drawn.shape == (1, 20_000)
    assert np.quantile(drawn, [0.025, 0.975]) == pytest.approx(binom.interval(0.95, 400, 0.1), abs=1)
    assert drawn.mean() == pytest.approx(40, rel=0.01)


def test_snapshots_of_one_entity_convert_together_so_the_range_is_wider():
    alone = simulated_counts(np.arange(400), np.full(400, 0.1), np.zeros(400, int), seed=7)
    together = simulated_counts(np.arange(400) // 4, np.full(400, 0.1), np.zeros(400, int), seed=7)
    assert together.mean() == pytest.approx(alone.mean(), rel=0.02)
    assert together.std() / alone.std() == pytest.approx(2, rel=0.1)


def test_groups_are_counted_separately_whatever_the_order_of_the_rows():
    group = np.array([1, 0, 1, 0])
    drawn = simulated_counts(np.arange(4), np.array([1.0, 0.0, 1.0, 0.0]), group, seed=7, draws=5)
    assert drawn.tolist() == [[0] * 5, [2] * 5]


def test_fewer_than_expected_is_flagged_by_month_and_in_total():
    given = history(probability=0.6)
    calibration = calibration_over_time(given, seed=7)
    assert calibration.months["flag"].tolist() == ["fewer than expected"] * 2
    assert calibration.raw.flag == "fewer than expected"
    assert calibration_over_time(history(probability=0.05), seed=7).raw.flag == "more than expected"


def test_a_wrong_level_is_corrected_and_both_figures_are_shown():
    calibration = calibration_over_time(history(n=2000, probability=0.6), seed=7)
    payload = calibration.to_dict()
    assert (payload["raw"]["expected"], payload["better"]) == (600, "corrected")
    assert payload["corrected"]["expected"] < 400
    assert payload["log_loss_difference"]["high"] < 0
    assert calibration.raw.metrics["observed_to_expected"].value == pytest.approx(0.5, abs=0.05)
    assert "which is better (log loss -0." in calibration.sentence
    assert calibration.sentence.endswith(").")
    assert payload["months"][0]["corrected_expected"] < payload["months"][0]["expected"]


def test_a_moved_base_rate_is_in_the_sentence(kept):
    given = history(n=1000)
    halved = given.frame.assign(converted=given.frame["converted"] & (given.train | (np.arange(1000) % 2 == 0)))
    calibration = calibration_over_time(replace(given, frame=halved), seed=7)
    rates = [halved["converted"][rows].mean() for rows in (given.train, given.test)]
    assert calibration.moved
    assert (
        f"The base rate moved from {rates[0]:.2%} in training to {rates[1]:.2%} in the test period."
        in calibration.sentence
    )
    assert not kept.moved
    assert "The base rate did not clearly move (from " in kept.sentence


def test_the_json_is_complete_and_has_no_nan(kept):
    payload = json.loads(json.dumps(kept.to_dict(), allow_nan=False))
    assert payload["method"] == "platt"
    assert set(payload["months"][0]) == {
        "month",
        "rows",
        "expected",
        "low",
        "high",
        "observed",
        "flag",
        "corrected_expected",
        "corrected_low",
        "corrected_high",
        "corrected_flag",
    }
    assert set(payload["base_rate"]) == {"train", "test", "change", "moved", "by_month"}
    assert [m["month"] for m in payload["base_rate"]["by_month"]] == ["2026-01", "2026-02"]
    for which in ("raw", "corrected"):
        assert {
            "expected",
            "low",
            "high",
            "observed",
            "flag",
            "observed_to_expected",
            "log_loss",
            "brier",
            "calibration_error",
        } == set(payload[which])


@pytest.mark.parametrize(
    ("gain", "better"),
    [((-0.1, -0.2, -0.01), "corrected"), ((0.1, 0.01, 0.2), "raw"), ((0.1, -0.1, 0.2), "equal"), ((0, 0, 0), "equal")],
)
def test_a_correction_is_better_only_beyond_chance(kept, gain, better):
    assert replace(kept, gain=Estimate(*gain)).better == better


def test_a_count_at_either_end_of_the_range_is_as_expected():
    assert [ExpectedVsObserved(41, 29, 54, n, {}).flag for n in (28, 29, 54, 55)] == [
        "fewer than expected",
        "as expected",
        "as expected",
        "more than expected",
    ]
