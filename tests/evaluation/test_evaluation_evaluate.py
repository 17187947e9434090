import math

import numpy as np
import pandas as pd
import pytest
from histories import history
from sklearn.metrics import roc_auc_score

from pql_model.config.policy_settings import Capacity
from pql_model.evaluation import evaluate
from pql_model.evaluation.capacity import precision_within_capacity
from pql_model.time import DAY, parse_instant


def rows(n=200, **changes):
    rng = np.random.default_rng(4)
    y = rng.random(n) < 0.3
    frame = pd.DataFrame(
        {
            "entity": [f"a{i // 2}" for i in range(n)],
            "as_of": parse_instant("2026-01-20") + np.arange(n) * DAY // 4,
            "converted": y,
        }
    )
    given = {
        "frame": frame,
        "probability": np.clip(0.2 + 0.3 * y + rng.normal(0, 0.1, n), 0.01, 0.99),
        "activity": rng.poisson(3 + 2 * y).astype(float),
        "logistic": np.clip(0.25 + 0.1 * y + rng.normal(0, 0.1, n), 0.01, 0.99),
        "train_rate": 0.3,
        "in_training": np.zeros(n, bool),
        "history": history(),
    }
    return evaluate.TestRows(**{**given, **changes})


def test_the_model_and_its_baselines_are_measured_on_the_same_rows():
    given = rows()
    evaluation = evaluate.evaluate_test(given, None, 7)
    assert evaluation.test["roc_auc"].value == pytest.approx(roc_auc_score(given.frame["converted"], given.probability))
    assert evaluation.baselines["activity"]["roc_auc"].value == pytest.approx(
        roc_auc_score(given.frame["converted"], given.activity)
    )
    assert list(evaluation.baselines) == ["base_rate", "activity", "logistic_regression"]
    assert "precision_at_capacity" not in evaluation.test
    assert evaluation.unseen is None


def test_the_capacity_has_a_precision_of_its_own():
    capacity = Capacity(leads=2, per="7d")
    found = evaluate.evaluate_test(rows(), capacity, 7).test["precision_at_capacity"]
    assert found == precision_within_capacity(rows().frame, rows().probability, capacity)


def test_entities_never_seen_in_training_are_evaluated_separately():
    known = np.arange(200) < 100
    evaluation = evaluate.evaluate_test(rows(in_training=known), None, 7)
    later = rows().frame["converted"].to_numpy()[100:]
    assert evaluation.unseen["base_rate"].value == pytest.approx(later.mean())
    assert evaluate.evaluate_test(rows(in_training=np.ones(200, bool)), None, 7).unseen is None


def test_the_definition_in_force_has_rate_recall_and_share():
    met = np.zeros(200, bool)
    met[:50] = True
    y = rows().frame["converted"].to_numpy()
    evaluation = evaluate.evaluate_test(rows(meets_definition=met), None, 7).baselines["definition"]
    assert evaluation["rate"].value == pytest.approx(y[:50].mean())
    assert evaluation["recall"].value == pytest.approx(y[:50].sum() / y.sum())
    assert evaluation["qualified_share"].value == 0.25
    assert evaluation["rate"].low < evaluation["rate"].value < evaluation["rate"].high


def test_copies_of_snapshots_do_not_narrow_the_interval_of_a_definition():
    met, y, entities = np.arange(200) % 4 < 2, rows().frame["converted"].to_numpy(float), np.arange(200) // 2
    once = evaluate._definition(met, y, entities, 7)
    again = evaluate._definition(np.tile(met, 3), np.tile(y, 3), np.tile(entities, 3), 7)
    for name in ("rate", "recall", "qualified_share"):
        assert vars(again[name]) == pytest.approx(vars(once[name])), name


def test_a_definition_that_nobody_meets_has_no_rate():
    evaluation = evaluate.evaluate_test(rows(meets_definition=np.zeros(200, bool)), None, 7).baselines["definition"]
    assert math.isnan(evaluation["rate"].value)
    assert evaluation["recall"].value == 0


def test_calibration_over_time_covers_the_whole_history():
    calibration = evaluate.evaluate_test(rows(), None, 7).calibration_over_time
    assert calibration.months["rows"].sum() == history().test.sum()
    assert (calibration.method, calibration.raw.observed) == (
        "platt",
        history().frame["converted"][history().test].sum(),
    )
