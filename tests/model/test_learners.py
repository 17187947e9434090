import sys
from dataclasses import replace

import numpy as np
import pytest
from own_learner import LinearPredictor, Logistic
from small_model import MANIFEST, small_model, small_table

from pql_model.config.model_settings import ModelSettings
from pql_model.errors import LearnerError
from pql_model.model import learners
from pql_model.model.artifact import FittedModel
from pql_model.model.learner import TrainingRows
from pql_model.model.learners import (
    check_monotone,
    check_predictor,
    configured_learner,
    learner_named,
    register_learner,
)
from pql_model.model.lightgbm_learner import LightGBM

TABLE, Y = small_table(200)
ROWS = TrainingRows(MANIFEST.matrix(TABLE), Y, MANIFEST)


@pytest.fixture(autouse=True)
def _nothing_stays_registered(monkeypatch):
    monkeypatch.setattr(learners, "_registered", {})


def test_a_registered_learner_loads_the_models_it_trained(tmp_path):
    register_learner(Logistic())
    predictor = Logistic().fit(ROWS)
    model = replace(small_model(), predictor=predictor, learner="own_logistic")
    model.save(tmp_path)
    again = FittedModel.load(tmp_path)
    assert again.predictor == predictor
    assert np.array_equal(again.probability(TABLE), model.probability(TABLE))


def test_a_model_of_an_unknown_learner_says_how_to_register_it(tmp_path):
    replace(small_model(), predictor=Logistic().fit(ROWS), learner="own_logistic").save(tmp_path)
    with pytest.raises(
        LearnerError,
        match=r"No learner is registered under the name `own_logistic`. Received: own_logistic. Allowed: lightgbm. "
        r"Fix: call `pql_model.register_learner\(...\)` before loading the model",
    ):
        FittedModel.load(tmp_path)


@pytest.mark.parametrize("name", ["os:system", "own_learner.Logistic", "../x", "json"])
def test_a_name_in_a_model_never_imports_anything(name, monkeypatch):
    before = set(sys.modules)
    with pytest.raises(LearnerError, match="No learner is registered under the name"):
        learner_named(name)
    assert set(sys.modules) == before


def test_an_installed_package_offers_learners_by_entry_points(tmp_path, monkeypatch):
    about = tmp_path / "somebodys-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[pql_model.learners]\nown_logistic = own_learner:Logistic\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert learner_named("own_logistic") == Logistic()
    assert configured_learner(ModelSettings(learner="own_logistic")) == Logistic()


def test_the_config_configures_lightgbm():
    settings = ModelSettings.model_validate({"params": {"num_leaves": 4}, "search": {"rounds": [10, 20]}})
    assert configured_learner(settings) == LightGBM({"num_leaves": 4}, {"rounds": [10, 20]})


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        (object(), "This is not a learner: it lacks `name`, `params`, `fit`, `load`. Received: object"),
        (Logistic(name="lightgbm"), "The name `lightgbm` belongs to a built-in learner"),
        (Logistic(name="My Model"), "The name of a learner cannot be used. Received: 'My Model'"),
    ],
)
def test_invalid_learners_cannot_be_registered(learner, message):
    with pytest.raises(LearnerError, match=message):
        register_learner(learner)


class _Wrong(LinearPredictor):
    def __init__(self, like, **wrong):
        super().__init__(**vars(like))
        for name, function in wrong.items():
            object.__setattr__(self, name, function)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"margin": lambda X: np.zeros(len(X))}, "contributions do not add up to the margin. Received: a gap of"),
        ({"margin": lambda X: np.full(len(X), np.nan)}, "margins and contributions must be finite"),
        ({"contributions": lambda X: X}, "margins and contributions have the wrong shape"),
        ({"save": lambda: {"manifest.json": "{}"}}, "`save` must return text files. Received: 'manifest.json'"),
        ({"save": lambda: {"../x.json": "{}"}}, "`save` must return text files"),
        ({"save": lambda: {"model.bin": b"\x80"}}, "`save` must return text files"),
    ],
)
def test_a_predictor_that_could_not_be_served_is_refused(wrong, message):
    predictor = Logistic().fit(ROWS)
    check_predictor(Logistic(), predictor, ROWS)
    with pytest.raises(LearnerError, match=message):
        check_predictor(Logistic(), _Wrong(predictor, **wrong), ROWS)


def test_a_predictor_that_changes_when_reloaded_is_refused():
    forgetful = Logistic()
    object.__setattr__(forgetful, "load", lambda files: replace(Logistic().load(files), intercept=0.0))
    with pytest.raises(LearnerError, match="`load` does not give back what `save` wrote"):
        check_predictor(forgetful, Logistic().fit(ROWS), ROWS)


def test_monotone_constraints_are_not_ignored_silently():
    check_monotone(Logistic(), (0, 0))
    check_monotone(LightGBM(), (1, 0))
    with pytest.raises(LearnerError, match=r"does not keep `monotone:` constraints. Received: 1 constrained columns"):
        check_monotone(Logistic(), (1, 0))
