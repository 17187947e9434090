import numpy as np

from pql_model.config.load import load_config
from pql_model.workflows.judge import evaluate_and_judge


def test_a_model_is_judged_beside_its_baselines(trained):
    config = load_config(trained.folder.parent.parent / "pql.yaml")
    data = trained.prepared
    result = evaluate_and_judge(config, data, trained.fit, data.manifest.matrix(data.table))
    assert {"activity", "logistic_regression", "age"} <= set(result.evaluation.baselines)
    assert set(result.evaluation.against) <= set(result.evaluation.baselines)
    assert result.verdict == trained.verdict
    assert result.evaluation.to_dict() == trained.evaluation.to_dict()
    np.testing.assert_array_equal(result.everyone[data.split.test], result.rows.probability)


def test_training_shows_the_ranking_within_one_age(trained):
    payload = trained.to_dict()
    assert (payload["verdict"], payload["model"]["alias"]) == ("weak", "champion"), payload["verdict_sentence"]
    assert set(payload["test"]["roc_auc_within_age"]) == {"value", "low", "high"}
    assert trained.evaluation.age_groups == 2
    assert payload["baselines"]["age"]["roc_auc_within_age"]["value"] == 0.5
    assert set(payload["baselines"]["activity"]["model_minus_baseline"]) == {"value", "low", "high", "beaten"}
    assert "among accounts of the same age" in payload["verdict_sentence"]
