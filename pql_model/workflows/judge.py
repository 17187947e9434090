"""Evaluate a fitted model on later accounts, beside its baselines, and judge it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pql_model.config.schema import Config
from pql_model.criteria.evaluate import meets
from pql_model.evaluation.age import age_only, ages
from pql_model.evaluation.evaluate import Evaluation, TestRows, evaluate_test
from pql_model.evaluation.expected_vs_observed import OutcomeHistory
from pql_model.evaluation.statistical_power import StatisticalPower
from pql_model.evaluation.verdict import Verdict, judge
from pql_model.evaluation.verdict_context import strongest_columns, verdict_context
from pql_model.explain.reasons import behaviour_shares
from pql_model.model.baselines import ACTIVITY, logistic_regression
from pql_model.model.train import Fit
from pql_model.workflows.prepare import TrainingData


@dataclass(frozen=True)
class JudgedModel:
    """A model's results on the test rows.

    Attributes
    ----------
    rows
        The test rows with the predictions of the model and its baselines.
    everyone
        Probabilities of all snapshots.
    contributions
        SHAP values of the test rows, (rows, columns + 1).
    importance
        Behaviours with their share of the mean absolute contribution.
    """

    rows: TestRows
    everyone: np.ndarray
    evaluation: Evaluation
    contributions: np.ndarray
    importance: pd.DataFrame
    verdict: Verdict


def evaluate_and_judge(config: Config, data: TrainingData, fit: Fit, X: np.ndarray) -> JudgedModel:
    """Evaluate the model and its baselines on the test rows, and judge it.

    Parameters
    ----------
    config : Config
    data : TrainingData
    fit : Fit
        The model, fitted on the training rows.
    X : array of shape (snapshots, columns)
        The feature matrix of all snapshots.
    """
    frame, train, test = data.snapshots.frame, data.split.train, data.split.test
    table, later = data.table[test], frame[test]
    everyone = fit.calibration.apply(fit.predictor.margin(X))
    rows = TestRows(
        frame=later,
        probability=everyone[test],
        activity=table[ACTIVITY].to_numpy(),
        logistic=logistic_regression(X[train], data.converted[train], X[test], data.manifest),
        train_rate=float(data.converted[train].mean()),
        in_training=later["entity"].isin(frame["entity"][train]).to_numpy(),
        history=OutcomeHistory(frame.assign(probability=everyone), train, test, config.horizon, fit.calibration.kind),
        meets_definition=meets(config.definition, table) if config.definition else None,
        age_only=age_only(ages(frame[train]), data.converted[train], ages(later)),
    )
    capacity = config.policy.capacity if config.policy else None
    evaluation = evaluate_test(rows, capacity, config.seed)
    contributions = fit.predictor.contributions(X[test])
    importance = behaviour_shares(contributions, data.manifest)
    strong = strongest_columns(data.manifest, X[train], data.converted[train])
    context = verdict_context(evaluation, importance, strong)
    verdict = judge(evaluation.test, StatisticalPower.of(frame, train, test), context)
    return JudgedModel(rows, everyone, evaluation, contributions, importance, verdict)
