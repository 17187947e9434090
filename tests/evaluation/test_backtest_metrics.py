import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from pql_model.evaluation.backtest_metrics import RANKS, evaluate_within, fold_metrics
from pql_model.statistics.metrics import evaluate


def rows(folds=2, n=60, seed=0, **columns):
    rng = np.random.default_rng(seed)
    score = rng.random(folds * n).round(2)
    return pd.DataFrame(
        {
            "cutoff": np.repeat(np.arange(folds), n),
            "entity": [f"a{i}" for i in rng.integers(0, n, folds * n)],
            "converted": rng.random(folds * n) < 0.1 + 0.4 * score,
            "probability": score,
            "logistic_regression": rng.random(folds * n),
            "activity": rng.integers(0, 5, folds * n).astype(float),
            "base_rate": 0.3,
            **columns,
        }
    )


def within(table, **options):
    return evaluate_within(table["converted"], table["probability"], table["entity"], table["cutoff"], **options)


def test_a_single_fold_equals_the_ordinary_metrics():
    table = rows(folds=1)
    plain = evaluate(table["converted"], table["probability"], table["entity"], names=RANKS, seed=3)
    metrics = within(table, seed=3)
    assert {name: pytest.approx(vars(estimate)) for name, estimate in metrics.items()} == {
        name: vars(estimate) for name, estimate in plain.items()
    }


def test_ranks_are_compared_inside_a_fold_and_each_conversion_counts_once():
    table = rows(folds=3)
    table["converted"] &= (table["cutoff"] < 2) | (table.index % 3 == 0)
    metrics = within(table, resamples=1)
    parts = [part for _, part in table.groupby("cutoff")]
    bought = [part["converted"].sum() for part in parts]
    for name, metric in (("roc_auc", roc_auc_score), ("average_precision", average_precision_score)):
        values = [metric(part["converted"], part["probability"]) for part in parts]
        assert metrics[name].value == pytest.approx(np.average(values, weights=bought))
    assert metrics["roc_auc"].value != pytest.approx(roc_auc_score(table["converted"], table["probability"]), abs=1e-3)


def test_the_level_of_a_fold_does_not_move_the_ranks():
    table = rows()
    lifted = table.assign(probability=table["probability"] + 5.0 * table["cutoff"])
    assert within(lifted, resamples=50) == within(table, resamples=50)


def test_the_top_tenth_is_that_of_each_fold():
    table = pd.DataFrame(
        {
            "cutoff": [1] * 10 + [2] * 20,
            "probability": [*np.linspace(0.9, 0.1, 10), *np.linspace(0.09, 0.01, 20)],
            "entity": range(30),
            "converted": [True] + [False] * 9 + [True, False, True, True] + [False] * 16,
        }
    )
    metrics = within(table, resamples=1)
    assert metrics["precision_at_10pct"].value == pytest.approx(2 / 3)  # of 1 + 2 rows
    assert metrics["lift_at_10pct"].value == pytest.approx(
        10 * 2 / 4
    )  # two of four conversions, in a tenth of the rows


def test_the_unit_is_the_entity_across_folds_not_the_row():
    table = rows(folds=1, n=80, seed=4).assign(entity=range(80))
    copies = pd.concat([table.assign(cutoff=k) for k in range(4)])
    once, again = within(table)["roc_auc"], within(copies)["roc_auc"]
    assert again.value == pytest.approx(once.value)
    assert (again.low, again.high) == pytest.approx((once.low, once.high))  # the same 80 accounts, however often
    strangers = copies.assign(entity=range(320))
    assert within(strangers)["roc_auc"].low > once.low + 0.02


def test_a_fold_without_conversions_does_not_enter_the_ranking_metrics():
    table = rows()
    table.loc[table["cutoff"] == 1, "converted"] = False
    first = table[table["cutoff"] == 0]
    assert within(table, resamples=1)["roc_auc"].value == within(first, resamples=1)["roc_auc"].value
    silent = fold_metrics(table[table["cutoff"] == 1], seed=7)
    payload = silent.to_dict()
    assert (
        payload["roc_auc"]
        == payload["average_precision"]
        == payload["lift_at_10pct"]
        == dict.fromkeys(("value", "low", "high"))
    )
    assert payload["note"].startswith("no conversions among 60 snapshots")
    assert payload["precision_at_10"] == 0
    assert payload["calibration"]["observed"]["value"] == 0
    assert payload["calibration"]["observed"]["high"] > 2  # none of 60 is no proof of none
    assert np.isnan(silent.baselines["activity"]["roc_auc"].value)


def test_a_fold_with_one_class_only_has_a_note():
    assert "only conversions" in fold_metrics(rows(converted=True), seed=7).note
    assert fold_metrics(rows(), seed=7).note is None


def test_expected_conversions_are_the_sum_of_the_probabilities():
    table = rows()
    payload = fold_metrics(table, seed=7).to_dict()
    observed = payload["calibration"]["observed"]
    assert payload["calibration"]["expected"] == round(table["probability"].sum(), 2)
    assert observed["value"] == payload["conversions"] == table["converted"].sum()
    assert observed["low"] < observed["value"] < observed["high"] < 120
    assert (payload["rows"], payload["entities"]) == (120, table["entity"].nunique())
    assert payload["precision_at_10"] == payload["precision_at_10pct"]["value"]


def test_the_definition_in_force_has_its_rate_and_recall():
    met = np.arange(120) % 4 == 0
    table = rows(meets_definition=met)
    rule = fold_metrics(table, seed=7).baselines["definition"]
    assert rule["rate"].value == pytest.approx(table["converted"][met].mean())
    assert rule["recall"].value == pytest.approx(met[table["converted"]].mean())
    assert rule["qualified_share"].value == 0.25
    nobody = fold_metrics(rows(meets_definition=False), seed=7).baselines["definition"]
    assert np.isnan(nobody["rate"].value)
    assert nobody["recall"].value == 0


def test_no_rows_give_undefined_metrics():
    assert np.isnan(evaluate_within([], [], [], [])["roc_auc"].value)
