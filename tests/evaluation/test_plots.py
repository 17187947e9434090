import numpy as np
import pandas as pd
import pytest

from pql_model.evaluation.plots import (
    plot_calibration,
    plot_folds,
    plot_forecast,
    plot_importance,
    plot_months,
    plot_tradeoff,
)
from pql_model.statistics.metrics import reliability_table

PNG = b"\x89PNG\r\n\x1a\n"


def test_calibration_is_drawn(tmp_path):
    y, p = np.tile([0.0, 0.0, 1.0], 40), np.tile([0.1, 0.4, 0.7], 40)
    table = reliability_table(y, p, np.arange(120))
    assert plot_calibration(table, tmp_path / "a.png").read_bytes().startswith(PNG)


def test_the_trade_off_is_drawn_also_without_conversions(tmp_path):
    for y in (np.array([0.0, 1.0, 0.0]), np.zeros(3)):
        scores = {"model": np.array([0.1, 0.9, 0.3]), "activity": np.array([1.0, 1.0, 2.0])}
        assert plot_tradeoff(y, scores, tmp_path / "a.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("name", ["Teammate Invited", "costs $5 or $6", "a_{b}^{\\c}", "x" * 300, "🚀 launch"])
@pytest.mark.filterwarnings("error")
def test_importance_is_drawn_whatever_an_event_is_called(tmp_path, name):
    table = pd.DataFrame({"behaviour": [name, "other"], "mean_abs": [0.5, 0.1]})
    assert plot_importance(table, tmp_path / "a.png").read_bytes().startswith(PNG)


def test_names_that_only_differ_at_their_end_stay_two_bars(tmp_path):
    table = pd.DataFrame({"behaviour": ["x" * 60 + "a", "x" * 60 + "b"], "mean_abs": [0.5, 0.1]})
    assert plot_importance(table, tmp_path / "a.png").exists()


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    table = pd.DataFrame({"behaviour": ["a", "b"], "mean_abs": [0.5, 0.1]})
    assert (
        plot_importance(table, tmp_path / "a.png").read_bytes()
        == plot_importance(table, tmp_path / "b.png").read_bytes()
    )


def test_folds_are_drawn_also_where_one_has_nothing_to_rank(tmp_path):
    lines = [
        {"cutoff": cutoff, "of": of, "metric": metric, "value": value, "low": value - 0.1, "high": value + 0.1}
        for cutoff, value in (("2025-01-01", 0.7), ("2025-02-01", np.nan), ("pooled", 0.7))
        for of, metric in (
            ("model", "roc_auc"),
            ("logistic_regression", "roc_auc"),
            ("model", "expected_conversions"),
            ("model", "observed_conversions"),
        )
    ]
    assert plot_folds(pd.DataFrame(lines), tmp_path / "a.png").read_bytes().startswith(PNG)


def test_months_are_drawn_with_expected_and_observed_conversions(tmp_path):
    for n in (1, 7):
        months = pd.DataFrame(
            {
                "month": [f"2026-0{k + 1}" for k in range(n)],
                "expected": 4.5,
                "low": 1,
                "high": 9,
                "observed": 3,
                "corrected_expected": 3.9,
            }
        )
        assert plot_months(months, tmp_path / "a.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("past", [[], [{"from": "2026-04-24", "conversions": 3}]])
def test_a_forecast_is_drawn_also_without_a_past_week(tmp_path, past):
    week = {"from": "2026-05-01", "conversions": {"value": 4.0, "low": 1.0, "high": 9.0}}
    payload = {"past_weeks": past, "weeks": [week]}
    assert plot_forecast(payload, tmp_path / "a.png").read_bytes().startswith(PNG)
