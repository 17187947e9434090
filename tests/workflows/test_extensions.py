"""A learner of somebody's own behind the same folds, calibration, gate, bundle and service."""

import json

import numpy as np
import pytest
from own_learner import Logistic
from products import trial_files

import pql_model
from pql_model.config.load import load_config
from pql_model.errors import ConfigError, LearnerError
from pql_model.model import learners
from pql_model.model.lightgbm_learner import LightGBM
from pql_model.serve.engine import ScoringEngine
from pql_model.workflows.extensions import extend_config


@pytest.fixture(scope="module")
def own(tmp_path_factory, with_store):
    home = with_store(tmp_path_factory.mktemp("own"))
    config = trial_files(home, accounts=400)
    return config, pql_model.train(config, learner=Logistic(C=0.1), promote="force")


def test_a_learner_of_ones_own_is_calibrated_judged_and_registered(own):
    _, result = own
    model = result.registered.model
    assert model.learner == "own_logistic"
    assert result.fit.tuned.trials == ()
    assert 0.5 < result.fit.tuned.score < 1
    assert model.calibration.kind == "platt"
    assert result.evaluation.test["roc_auc"].value > 0.6
    assert model.facts["learner"] == {"name": "own_logistic", "params": {"C": 0.1}}
    assert set(result.evaluation.baselines) >= {"activity", "logistic_regression"}


def test_its_scores_are_the_same_from_batch_registry_and_service(own):
    config, _ = own
    verified = pql_model.verify(config, model="1", rows=80)
    assert verified.same
    assert [path.path for path in verified.paths] == ["pyfunc", "in process"]


def test_its_reasons_add_up_to_the_margin(own):
    config, result = own
    rows = pql_model.score(config, as_of="2025-07-20", model="1").rows
    model = result.registered.model
    base = model.predictor.intercept
    margin = rows["usage"] + rows["fit"] + rows["timing"] + base
    np.testing.assert_allclose(model.calibration.apply(margin.to_numpy()), rows["probability"], rtol=0, atol=1e-9)


def test_it_is_explained_and_exported_as_text(own, tmp_path):
    config, result = own
    entity = result.prepared.snapshots.frame["entity"].iloc[0]
    explained = pql_model.explain_entity(config, str(entity), model="1", as_of="2025-01-10").explained
    assert explained is None or explained.behaviours
    bundle = pql_model.export(config, model="1", output=tmp_path / "bundle").bundle
    assert json.loads((bundle.path / "model" / "weights.json").read_text())["categories"]
    engine = ScoringEngine(bundle)
    raw = {"entity": "x", "signed_up": "2025-01-01", "as_of": "2025-01-08", "traits": {}, "events": []}
    assert 0 < engine.score(raw, now=1_800_000_000_000_000).row["probability"] < 1


def test_a_process_that_does_not_know_the_learner_says_how_to_register_it(own, monkeypatch):
    config, _ = own
    monkeypatch.setattr(learners, "_registered", {})
    with pytest.raises(LearnerError, match="No learner is registered under the name `own_logistic`"):
        pql_model.score(config, model="1")
    pql_model.register_learner(Logistic())
    assert len(pql_model.score(config, model="1", as_of="2025-07-20").rows)


def test_a_back_test_trains_it_at_each_cut_off(own):
    config, _ = own
    result = pql_model.backtest(config, cutoffs=["2025-05-01", "2025-06-01"], learner=Logistic(C=0.1))
    assert [fold.facts["parameters"] for fold in result.folds] == [{"C": 0.1}, {"C": 0.1}]
    assert result.predictions["probability"].between(0, 1, inclusive="neither").all()


def test_arguments_replace_what_the_config_says(tmp_path):
    config = load_config(trial_files(tmp_path, model={"params": {"num_leaves": 4}, "search": {"rounds": [20, 30]}}))
    same, learner = extend_config(config)
    assert same is config
    assert learner == LightGBM({"num_leaves": 4}, {"rounds": [20, 30]})
    changed, learner = extend_config(config, params={"max_bin": 63})
    assert learner == LightGBM({"max_bin": 63}, {"rounds": [20, 30]})
    assert changed.model.params.chosen() == {"max_bin": 63}
    assert changed.home == config.home
    other, learner = extend_config(config, learner=Logistic())
    assert (other.model.learner, learner) == ("own_logistic", Logistic())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"params": {"num_leafs": 4}}, "This call has 1 fault.*did you mean `num_leaves`"),
        ({"params": {"objective": "huber"}}, "`objective` cannot be set"),
        ({"learner": Logistic(), "params": {"rounds": 4}}, "`params` and `search` belong to the learner `lightgbm`"),
    ],
)
def test_arguments_that_cannot_be_used(tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        extend_config(trial_files(tmp_path), **arguments)


def test_an_unknown_name_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(LearnerError, match=r"`lightbgm`, did you mean `lightgbm`\?"):
        pql_model.train(trial_files(tmp_path), learner="lightbgm")
