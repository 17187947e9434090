import numpy as np
from sklearn.metrics import roc_auc_score
from small_model import MANIFEST, small_table

from pql_model.model.baselines import DesignMatrix, logistic_regression
from pql_model.model.columns import Manifest, ModelColumn


def test_logistic_regression_ranks_an_informative_feature():
    (table, y), (later, y_later) = small_table(seed=1), small_table(seed=2)
    probability = logistic_regression(MANIFEST.matrix(table), y, MANIFEST.matrix(later), MANIFEST)
    assert probability.shape == (400,)
    assert probability.min() > 0
    assert probability.max() < 1
    assert roc_auc_score(y_later, probability) > 0.7


def test_missing_values_get_the_median_of_training_and_a_flag():
    manifest = Manifest((ModelColumn("trait.seats", "number"),))
    design = DesignMatrix.learn(np.array([[1.0], [3.0], [np.nan]]), manifest)
    assert design.transform(np.array([[np.nan], [3.0]])).tolist() == [[np.log1p(2.0), 1.0], [np.log1p(3.0), 0.0]]


def test_a_category_becomes_one_column_for_each_value():
    manifest = Manifest((ModelColumn("trait.size", "category", ("large", "small")),))
    design = DesignMatrix.learn(np.array([[0.0], [1.0]]), manifest)
    assert design.transform(np.array([[1.0], [np.nan]])).tolist() == [[0.0, 1.0], [0.0, 0.0]]


def test_a_column_that_is_all_missing_does_no_harm():
    manifest = Manifest((ModelColumn("trait.a", "number"), ModelColumn("trait.b", "number")))
    X = np.array([[np.nan, 1.0], [np.nan, 2.0], [np.nan, 8.0], [np.nan, 9.0]])
    probability = logistic_regression(X, np.array([0.0, 0.0, 1.0, 1.0]), X, manifest)
    assert np.isfinite(probability).all()


def test_an_extreme_value_keeps_the_probability_inside_0_and_1():
    manifest = Manifest((ModelColumn("trait.a", "number"),))
    X, y = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([0.0, 0.0, 1.0, 1.0])
    far, farther = logistic_regression(X, y, np.array([[1e9], [1e12]]), manifest)
    assert far == farther < 1
