import numpy as np
import pandas as pd
from test_evaluation_evaluate import rows

from pql_model.evaluation.evaluate import WITHIN_AGE, evaluate_test
from pql_model.evaluation.verdict_context import strongest_columns, verdict_context
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.time import DAY

IMPORTANCE = pd.DataFrame({"behaviour": ["Converted", "login"], "part": ["usage", "usage"], "share": [0.62, 0.2]})


def aged(**changes):
    frame = rows().frame
    age = np.tile([3, 7], 100)
    return rows(frame=frame.assign(signed_up=frame["as_of"] - age * DAY), age_only=age / 20, **changes)


def test_the_ranking_within_one_age_is_judged_where_there_are_several():
    evaluation = evaluate_test(aged(), None, 7)
    context = verdict_context(evaluation, IMPORTANCE, [])
    assert evaluation.age_groups == 2
    assert context.within_age == evaluation.test[WITHIN_AGE]
    assert context.age_only == evaluation.baselines["age"]["roc_auc"]
    assert evaluation.baselines["age"][WITHIN_AGE].value == 0.5


def test_one_age_needs_no_second_figure():
    evaluation = evaluate_test(rows(), None, 7)
    context = verdict_context(evaluation, IMPORTANCE, [])
    assert (context.within_age, context.age_only) == (None, None)
    assert evaluation.test[WITHIN_AGE] == evaluation.test["roc_auc"]


def test_the_baselines_stand_beside_the_model():
    evaluation = evaluate_test(aged(activity=rows().frame["converted"].to_numpy(float)), None, 7)
    rivals = {rival.name: rival.beats for rival in verdict_context(evaluation, IMPORTANCE, []).rivals}
    assert rivals == {"the number of events": True, "a logistic regression on the same features": False}
    assert evaluation.to_dict()["baselines"]["activity"]["model_minus_baseline"]["beaten"] is True


def test_what_the_model_leans_on_is_named():
    context = verdict_context(evaluate_test(rows(), None, 7), IMPORTANCE, ["`x` (ROC-AUC 0.97 alone)"])
    assert context.look_at == [
        "`Converted` (62% of what moves the score)",
        "`login` (20% of what moves the score)",
        "`x` (ROC-AUC 0.97 alone)",
    ]


def test_columns_that_predict_well_alone_are_named_with_their_figure():
    y = np.arange(100) < 20
    manifest = Manifest((ModelColumn("a.count.ever", "feature"), ModelColumn("b.count.ever", "feature")))
    X = np.column_stack([np.where(y, 5.0, np.nan), np.arange(100) % 2])
    assert strongest_columns(manifest, X, y) == ["`a.count.ever` (ROC-AUC 1.00 alone)"]
