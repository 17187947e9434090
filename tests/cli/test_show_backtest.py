import copy
import io

import pytest
from rich.console import Console

from pql_model.cli.show_backtest import show_backtest

NOTHING = {"value": None, "low": None, "high": None}


def figures(auc, conversions=20):
    return {
        "rows": 1200,
        "entities": 1100,
        "conversions": conversions,
        "roc_auc": auc,
        "average_precision": auc,
        "precision_at_10": 0.2515,
        "precision_at_10pct": auc,
        "lift_at_10pct": auc,
        "calibration_error": auc,
        "calibration": {"expected": 18.44},
        "note": None,
    }


@pytest.fixture
def found():
    auc = {"value": 0.7313, "low": 0.6511, "high": 0.8102}
    fold = {
        **figures(auc),
        "cutoff": "2025-05-01",
        "scored_to": "2025-06-01",
        "train": {"conversions": 90, "converting_entities": 77},
        "left_out": {},
    }
    silent = {
        **fold,
        **figures(NOTHING, 0),
        "cutoff": "2025-06-01",
        "scored_to": "2025-07-01",
        "note": "no conversion among 1,200 snapshots",
        "left_out": {"in_training": 3},
    }
    return {
        "folds": [fold, silent],
        "skipped": [{"cutoff": "2025-01-01", "reason": "[red]3[/] conversions"}],
        "pooled": {**figures(auc), "unseen_entities": None},
        "baselines": {"activity": {"roc_auc": {"value": 0.6, "low": 0.5, "high": None}}, "base_rate": {"brier": auc}},
        "seconds": {"read": 1.2, "measure": 2.0},
        "files": {"predictions": "runs/[bold]/predictions.parquet"},
    }


def render(found):
    console = Console(file=io.StringIO(), width=80, color_system=None)
    show_backtest(console, found)
    return console.file.getvalue()


def test_each_cut_off_has_a_line_that_fits_a_narrow_terminal(found):
    text = render(found)
    lines = [line.split() for line in text.splitlines()]
    assert max(map(len, text.splitlines())) <= 80
    assert ["2025-05-01", "77", "1,200", "20", "18.4", "0.731", "(0.651", "to", "0.810)", "25%"] in lines
    assert ["pooled", "1,200", "20", "18.4", "0.731", "(0.651", "to", "0.810)", "25%"] in lines


def test_an_unknown_figure_is_a_dash_and_its_reason_is_given(found):
    text = render(found)
    assert ["2025-06-01", "77", "1,200", "0", "18.4", "-", "25%"] in [line.split() for line in text.splitlines()]
    assert "2025-06-01: no conversion among 1,200 snapshots." in text
    assert "2025-06-01: 3 rows left out: in_training" in text
    assert "2025-01-01 is skipped: [red]3[/] conversions." in text


def test_the_baselines_are_compared_with_the_model(found):
    text = render(found)
    assert "activity" in text
    assert "0.600 (0.500 to -)" in text
    assert "runs/[bold]/predictions.parquet" in text
    assert "base rate" not in text  # it has no ROC-AUC
    known = copy.deepcopy(found)
    known["pooled"]["unseen_entities"] = found["pooled"]
    assert "the model, on entities that were in no training" in render(known)
