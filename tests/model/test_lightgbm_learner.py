import json

import numpy as np
from small_model import MANIFEST, small_table

from pql_model.model.booster import Params, priors
from pql_model.model.learner import TrainingRows
from pql_model.model.lightgbm_learner import LightGBM

TABLE, Y = small_table(300)
ROWS = TrainingRows(MANIFEST.matrix(TABLE), Y, MANIFEST)


def test_without_settings_the_priors_are_fitted():
    predictor = LightGBM().fit(ROWS)
    assert predictor.texts() == LightGBM(settings=priors(300)).fit(ROWS).texts()


def test_a_saved_predictor_reads_back_bit_for_bit():
    learner = LightGBM(settings=(Params(rounds=10, averaged=2),))
    predictor = learner.fit(ROWS)
    again = LightGBM().load(predictor.save())
    assert np.array_equal(again.contributions(ROWS.X), predictor.contributions(ROWS.X))


def test_parameters_outside_a_setting_reach_lightgbm():
    setting = (Params(rounds=5, averaged=1),)
    coarse = LightGBM(fixed={"max_bin": 15, "cat_smooth": 3.0}, settings=setting).fit(ROWS)
    assert "[max_bin: 15]" in coarse.texts()[0]
    assert "[cat_smooth: 3]" in coarse.texts()[0]
    assert "[max_bin: 127]" in LightGBM(settings=setting).fit(ROWS).texts()[0]


def test_fixed_parameters_hold_for_the_priors_and_ranges_clip_them():
    own = LightGBM(fixed={"learning_rate": 0.2, "max_bin": 15}, search={"rounds": [10, 130]})
    forest, stumps = own.priors(10_000)
    assert (forest.learning_rate, stumps.learning_rate) == (0.2, 0.2)
    assert (forest.rounds, stumps.rounds) == (120, 130)


def test_the_parameters_are_json():
    learner = LightGBM(fixed={"max_bin": 15}, settings=priors(300))
    told = json.loads(json.dumps(learner.params))
    assert told["fixed"] == {"max_bin": 15}
    assert [setting["num_leaves"] for setting in told["settings"]] == [7, 2]
    assert set(LightGBM().params) == {"settings"}


def test_rows_are_binned_once_for_any_number_of_fits():
    learner = LightGBM()
    learner.fit_settings(ROWS, (Params(rounds=2, averaged=1),))
    first = learner._binned[ROWS]
    learner.fit_settings(ROWS, (Params(rounds=3, averaged=1),))
    assert learner._binned[ROWS] is first
