import numpy as np
import pytest
from small_model import MANIFEST, PARAMS, small_table

from pql_model.errors import DataError
from pql_model.model.booster import Ensemble, Params, fit_ensemble, joined_text, training_data

TABLE, Y = small_table()
X = MANIFEST.matrix(TABLE)


def fitted(seed=1):
    return fit_ensemble(training_data(X, Y, MANIFEST.names, MANIFEST.categorical), [PARAMS], seed)


def test_the_same_seed_gives_the_same_text_and_another_seed_does_not():
    assert fitted().texts() == fitted().texts()
    assert fitted().texts() != fitted(seed=2).texts()


def test_rows_binned_once_serve_any_number_of_fits():
    data = training_data(X, Y, MANIFEST.names, MANIFEST.categorical)
    fit_ensemble(data, [Params(rounds=20, averaged=1, num_leaves=31, min_data_in_leaf=5)], 5)
    assert fit_ensemble(data, [PARAMS], 1).texts() == fitted().texts()


def test_averaged_boosters_differ_and_their_margins_are_averaged():
    ensemble = fitted()
    assert len(ensemble.boosters) == 2
    one, other = (Ensemble((booster,)).margin(X) for booster in ensemble.boosters)
    assert not np.array_equal(one, other)
    np.testing.assert_allclose(ensemble.margin(X), (one + other) / 2, rtol=0, atol=1e-12)


def test_contributions_are_averaged_over_the_boosters_too():
    ensemble = fitted()
    one, other = (Ensemble((booster,)).contributions(X) for booster in ensemble.boosters)
    np.testing.assert_allclose(ensemble.contributions(X), (one + other) / 2, rtol=0, atol=1e-12)


def test_boosters_of_different_sizes_and_without_splits_are_joined():
    data = training_data(X, Y, MANIFEST.names, MANIFEST.categorical)
    sizes = (Params(rounds=3, averaged=1), Params(rounds=40, averaged=1, num_leaves=15, min_data_in_leaf=5))
    constant = Params(rounds=2, averaged=1, min_data_in_leaf=400)
    ensemble = fit_ensemble(data, [*sizes, constant], 1)
    singly = np.mean([booster.predict(X, raw_score=True) for booster in ensemble.boosters], axis=0)
    np.testing.assert_allclose(ensemble.margin(X), singly, rtol=0, atol=1e-12)
    assert joined_text(ensemble.texts()).count("\nTree=") == sum(b.num_trees() for b in ensemble.boosters)


def test_contributions_and_base_value_add_up_to_the_margin():
    ensemble = fitted()
    parts = ensemble.contributions(X)
    assert parts.shape == (400, 6)
    np.testing.assert_allclose(parts.sum(axis=1), ensemble.margin(X), rtol=0, atol=1e-6)


def test_texts_read_back_to_the_same_margins():
    ensemble = fitted()
    assert np.array_equal(Ensemble.from_texts(ensemble.texts()).margin(X), ensemble.margin(X))


def test_an_empty_table_has_no_margins():
    ensemble = fitted()
    assert ensemble.margin(X[:0]).shape == (0,)
    assert ensemble.contributions(X[:0]).shape == (0, 6)


def test_a_text_that_is_not_a_model_is_refused():
    with pytest.raises(DataError, match="This is not a LightGBM model"):
        Ensemble.from_texts(["tree\nversion=nonsense\n"])


def test_the_default_parameters_are_a_regularised_forest():
    forest = Params()
    assert (forest.num_leaves, forest.extra_trees, forest.averaged) == (7, True, 3)
    assert forest.for_lightgbm(3)["seed"] == 3
    assert "rounds" not in forest.for_lightgbm(3)


def test_a_monotone_column_never_lowers_the_margin():
    X = np.column_stack([np.arange(300.0), np.tile([0.0, 1.0], 150)])
    y = ((np.arange(300) // 60) % 2).astype(float)  # up and down along the first column
    data = training_data(X, y, ["a", "b"], [])
    free, rising = (fit_ensemble(data, [Params(min_data_in_leaf=5)], 7, m) for m in ((), (1, 0)))
    steps = [np.diff(e.margin(np.column_stack([np.arange(300.0), np.zeros(300)]))) for e in (free, rising)]
    assert steps[0].min() < 0
    assert steps[1].min() >= -1e-12
    assert steps[1].max() > 0
