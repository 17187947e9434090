import numpy as np
from own_learner import Logistic
from small_model import MANIFEST, small_table

from pql_model.model.learner import Learner, Predictor, TrainingRows, TunableLearner
from pql_model.model.lightgbm_learner import LightGBM


def test_taking_rows_takes_their_outcomes_and_entities():
    table, y = small_table(20)
    rows = TrainingRows(MANIFEST.matrix(table), y, MANIFEST, 3, table["entity"].to_numpy(), (1, 0, 0, 0, 0))
    part = rows.take(np.array([4, 2]))
    assert part.entities.tolist() == ["a0004", "a0002"]
    assert part.y.tolist() == [y[4], y[2]]
    assert np.array_equal(part.X, rows.X[[4, 2]], equal_nan=True)
    assert (part.seed, part.monotone, part.manifest) == (3, (1, 0, 0, 0, 0), MANIFEST)


def test_the_protocols_distinguish_learners_from_predictors():
    table, y = small_table(60)
    rows = TrainingRows(MANIFEST.matrix(table), y, MANIFEST)
    assert isinstance(LightGBM(), TunableLearner)
    assert isinstance(Logistic(), Learner)
    assert not isinstance(Logistic(), TunableLearner)
    assert isinstance(Logistic().fit(rows), Predictor)
