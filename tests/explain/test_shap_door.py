import subprocess
import sys
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import shap
from own_learner import Logistic, design
from small_model import MANIFEST, small_model, small_table

from pql_model.errors import DataError, FeatureMismatchError
from pql_model.explain.reasons import families_of
from pql_model.explain.shap_door import contributions_from, explanation, write_shap_plots
from pql_model.model.learner import TrainingRows

TABLE, Y = small_table(300)
X = MANIFEST.matrix(TABLE)


@pytest.fixture(scope="module")
def model():
    return small_model()


def test_the_contributions_are_those_of_the_tree_explainer(model):
    ours = explanation(model, TABLE)
    theirs = [contributions_from(shap.TreeExplainer(booster), X) for booster in model.predictor.boosters]
    np.testing.assert_allclose(ours.values, np.mean(theirs, axis=0)[:, :-1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.base_values, np.mean(theirs, axis=0)[:, -1], rtol=0, atol=1e-6)


def test_values_and_base_sum_to_the_margin_by_column_and_by_behaviour(model):
    for by in ("column", "behaviour"):
        shap_values = explanation(model, TABLE, by=by)
        np.testing.assert_allclose(
            shap_values.values.sum(axis=1) + shap_values.base_values, model.margin(TABLE), atol=1e-9
        )


def test_a_behaviour_is_the_sum_of_its_columns_and_shows_the_strongest(model):
    columns, summed = explanation(model, TABLE), explanation(model, TABLE, by="behaviour")
    assert summed.feature_names == ["Teammate Invited", "time since sign-up", "seats", "size"]
    assert columns.feature_names[0] == "number of `Teammate Invited` in the first 7 days"
    np.testing.assert_allclose(summed.values[:, 0], columns.values[:, :2].sum(axis=1), rtol=0, atol=1e-12)
    strongest = np.abs(columns.values[:, :2]).sum(axis=0).argmax()
    assert np.array_equal(summed.data[:, 0], X[:, strongest])
    assert set(summed.display_data[:, 3]) == {"large", "small"}
    assert len(families_of(MANIFEST)) == summed.values.shape[1]


def test_a_linear_learner_gives_the_values_of_the_linear_explainer():
    predictor = Logistic().fit(TrainingRows(X, Y, MANIFEST))
    Z = np.nan_to_num((design(X, predictor.categories) - predictor.center) / predictor.scale)
    background = shap.maskers.Independent(Z, max_samples=len(Z))
    explainer = shap.LinearExplainer((np.array(predictor.weights), predictor.intercept), background)
    theirs = contributions_from(explainer, Z)
    ours = predictor.contributions(X)
    by_column = np.column_stack([theirs[:, :4], theirs[:, 4:6].sum(axis=1)])
    # shap measures from the average of its background, which imputation moves a little from 0
    shift = (Z.mean(axis=0) * predictor.weights)[:4]
    np.testing.assert_allclose(by_column[:, :4] + shift, ours[:, :4], rtol=0, atol=1e-9)
    np.testing.assert_allclose(theirs.sum(axis=1), predictor.margin(X), rtol=0, atol=1e-9)


def test_an_explainer_of_two_classes_gives_the_values_of_the_second():
    class Two:
        def __call__(self, X):
            values = np.stack([-X, X], axis=2)
            return shap.Explanation(values, np.tile([0.3, 0.7], (len(X), 1)), X)

    contributions = contributions_from(Two(), np.array([[1.0, 2.0]]))
    assert contributions.tolist() == [[1.0, 2.0, 0.7]]


@pytest.mark.parametrize("by", ["column", "behaviour"])
def test_the_plots_of_shap_accept_the_explanation(model, by):
    shap_values = explanation(model, TABLE, by=by)
    try:
        shap.plots.beeswarm(shap_values, show=False)
        shap.plots.bar(shap_values, show=False)
        shap.plots.waterfall(shap_values[0], show=False)
        shap.plots.scatter(shap_values[:, 0], show=False)
    finally:
        plt.close("all")


def test_plots_are_written_and_no_figure_stays_open(model, tmp_path):
    written = write_shap_plots(tmp_path, model, TABLE, seed=7)
    assert [path.name for path in written] == ["shap_beeswarm.png", "shap_bar.png", "shap_waterfall.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    assert plt.get_fignums() == []
    assert write_shap_plots(tmp_path, model, TABLE[:0], seed=7) == []


def test_interactive_mode_is_left_as_it_was(tmp_path, model):
    """Else a notebook shows no plot after a training."""
    with plt.ion():
        write_shap_plots(tmp_path, model, TABLE, seed=7)
        assert plt.isinteractive()


def test_names_with_dollars_and_emojis_are_drawn(tmp_path):
    columns = (replace(MANIFEST.columns[3], name="trait.a+%24x%5E%24+%F0%9F%98%80"), *MANIFEST.columns[4:])
    manifest = replace(MANIFEST, columns=columns)
    table = TABLE.rename(columns={"trait.seats": columns[0].name})
    predictor = Logistic().fit(TrainingRows(manifest.matrix(table), Y, manifest))
    model = replace(small_model(), manifest=manifest, predictor=predictor)
    assert len(write_shap_plots(tmp_path, model, table, seed=7)) == 3


def test_unsupported_explanations_are_refused(model):
    with pytest.raises(DataError, match=r"is by column or by behaviour. Received: event. Allowed: column, behaviour"):
        explanation(model, TABLE, by="event")
    with pytest.raises(FeatureMismatchError, match=r"lacks 1 of 5 columns: trait.seats"):
        explanation(model, TABLE.drop(columns="trait.seats"))


def test_serving_does_not_import_shap():
    code = (
        "import sys, pql_model.serve.app, pql_model.serve.bundle, pql_model.serve.engine, pql_model.registry.tracking\n"
        "print(*[name for name in ('shap', 'numba', 'optuna') if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == []
