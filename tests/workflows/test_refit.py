"""What is served is the tested model, fitted again on everything that is final."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from products import trial_files

from pql_model import make_demo
from pql_model.errors import DataError, ModelNotFoundError
from pql_model.evaluation.drift import newest_level
from pql_model.model.artifact import REFIT, FittedModel, reference_quantiles
from pql_model.monitoring.score_drift import drift_findings
from pql_model.time import Duration
from pql_model.workflows.refit import champion_learner
from pql_model.workflows.train import _against, train


@pytest.fixture(scope="module")
def served(trained):
    return trained.registered.model


def test_the_served_model_has_learnt_from_every_final_snapshot(trained, served):
    frame = trained.prepared.snapshots.frame
    rows = served.facts[REFIT]

    assert (rows["rows"], rows["conversions"]) == (len(frame), int(frame["converted"].sum()))
    assert rows["conversions"] > served.facts["train"]["conversions"]
    assert served.predictor.save() != served.tested.predictor.save()


def test_settings_are_those_that_were_tested(trained, served):
    assert served.facts["learner"]["params"] == dict(trained.fit.tuned.learner.params)
    assert len([name for name in served.predictor.save() if name.startswith("booster")]) == len(
        [name for name in served.tested.predictor.save() if name.startswith("booster")]
    )


def test_test_figures_and_predictions_are_those_of_the_tested_model(trained, served):
    written = pd.read_parquet(trained.to_dict()["files"]["test_predictions"])
    table = trained.prepared.table[trained.prepared.split.test]

    np.testing.assert_array_equal(written["probability"], served.tested.probability(table))
    assert not np.array_equal(written["probability"], served.probability(table))


def test_drift_is_looked_at_beside_its_own_answers_on_the_test_period(trained, served):
    """Those of another model differ where nothing has changed: for an input that many entities share, by a tie."""
    table = trained.prepared.table[trained.prepared.split.test]
    probability = served.probability(table)
    rows = pd.DataFrame({"entity": np.arange(len(table)), "as_of": 0, "probability": probability})

    assert served.answers == reference_quantiles(probability)
    assert drift_findings(rows, served.answers, len(rows), 1) == ()
    assert served.score(probability).mean() == pytest.approx(50, abs=15)


def test_explanations_of_test_rows_come_from_the_model_that_has_not_seen_them(trained, served):
    reasons = trained.explanation()
    table = trained.prepared.table[trained.prepared.split.test]

    margins = reasons.values.sum(axis=1) + reasons.base_values
    np.testing.assert_allclose(margins, served.tested.margin(table), atol=1e-9)


def test_the_gate_compares_models_that_have_not_learnt_from_the_rows(trained, served):
    class Registry:
        def load_if_registered(self, alias):
            return trained.registered

    data = trained.prepared
    test = data.split.test
    against = _against(Registry(), served.tested, data.table[test], data.snapshots.frame[test], 7)

    assert against.roc_auc.value == 0.0  # the champion's tested part is the same model
    assert against.rows == int(test.sum())


def test_the_level_is_that_of_outcomes_that_were_final_at_the_end_of_the_data(served):
    level = served.facts[REFIT]["level"]

    assert level["observed"] <= served.facts[REFIT]["converting_entities"]
    assert level["drift"] >= 0.15
    assert served.level_error == pytest.approx(np.sqrt(1 / (level["observed"] + 30) + level["drift"] ** 2), abs=1e-4)


def test_a_model_that_was_not_refitted_has_the_error_of_its_training_conversions(served):
    for conversions, error in ((100, 0.1), (0, 1.0)):
        assert replace(served, facts={"train": {"converting_entities": conversions}}).level_error == error


def test_both_models_are_registered_and_only_the_served_one_is_exported(trained, served, tmp_path):
    served.save(tmp_path / "model")
    again = FittedModel.load(tmp_path / "model")
    table = trained.prepared.table

    np.testing.assert_array_equal(again.probability(table), served.probability(table))
    np.testing.assert_array_equal(again.tested.probability(table), served.tested.probability(table))
    assert again.held_back.predictor.save() == served.tested.predictor.save()


def test_card_and_run_say_what_is_served(trained, served):
    card = (Path(trained.folder) / "model_card.md").read_text()

    assert "## What is served" in card
    assert f"{served.facts[REFIT]['rows']:,} snapshots" in card
    assert json.loads(json.dumps(trained.to_dict()["refit"])) == served.facts[REFIT]


def test_an_outcome_after_the_instant_does_not_move_the_level(trained):
    frame = trained.prepared.snapshots.frame.assign(probability=0.1)
    horizon, at = Duration.parse("30d"), int(frame["as_of"].median())
    later = frame["as_of"] + horizon.us > at
    flipped = frame.assign(converted=np.where(later, ~frame["converted"], frame["converted"]))

    assert newest_level(frame, horizon, at) == newest_level(flipped, horizon, at)


# ---------------------------------------------------------------- without a search


@pytest.fixture(scope="module")
def refitted(train_once, tmp_path_factory):
    """Trained without a search in a folder of its own, whose champion is the training of the session."""
    folder = make_demo(tmp_path_factory.mktemp("refit"), accounts=1200)
    train_once(folder / "pql.yaml", trials=2)
    return train(folder / "pql.yaml", refit=True)


def test_a_training_without_a_search_has_the_settings_of_the_champion(trained, refitted):
    assert refitted.fit.tuned.trials == ()
    settings = refitted.registered.model.facts["learner"]["params"]["settings"]
    assert settings == trained.registered.model.facts["learner"]["params"]["settings"]


def test_the_same_data_without_a_search_give_the_same_model_which_is_promoted(trained, refitted):
    assert refitted.registered.model.predictor.save() == trained.registered.model.predictor.save()
    assert refitted.promotion.promoted
    assert "the settings are the champion's" in refitted.promotion.reason


def test_without_a_champion_there_are_no_settings(tmp_path):
    with pytest.raises(ModelNotFoundError, match="no champion to take the settings from"):
        train(trial_files(tmp_path), refit=True)


def test_a_champion_of_another_learner_gives_no_settings(trained):
    class Other:
        name = "other"

    with pytest.raises(DataError, match=r"trained with the learner `lightgbm`.* Received: other"):
        champion_learner(trained.registered, Other())
