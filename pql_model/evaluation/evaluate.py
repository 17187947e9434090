"""Evaluation of the model and its baselines on the same later rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.policy_settings import Capacity
from pql_model.evaluation.age import age_groups, ages
from pql_model.evaluation.capacity import precision_within_capacity
from pql_model.evaluation.expected_vs_observed import CalibrationOverTime, OutcomeHistory, calibration_over_time
from pql_model.payload import to_payload
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.metrics import METRICS, NEED_PROBABILITIES, evaluate, reliability_table
from pql_model.statistics.multiple_testing import holm
from pql_model.statistics.stratified import StratifiedAuc, stratified_auc, stratified_metrics

WITHIN_AGE = "roc_auc_within_age"
_RANKING = [name for name in METRICS if name not in {*NEED_PROBABILITIES, "base_rate", "roc_auc"}]
_BEATEN = 0.025


@dataclass(frozen=True)
class BaselineComparison:
    """The model beside a baseline, ranking rows of the same age.

    Attributes
    ----------
    difference
        ROC-AUC within age of the model minus that of the baseline, paired.
    beaten
        Whether the baseline ranks better beyond chance, corrected for the number of baselines (Holm 1979).
    """

    difference: Estimate
    beaten: bool

    def to_dict(self) -> dict[str, Any]:
        return {**self.difference.to_dict(6), "beaten": self.beaten}


@dataclass(frozen=True)
class Evaluation:
    """Metrics with intervals on the test rows.

    Attributes
    ----------
    test
        Metrics of the model.
    unseen
        The same for entities never seen in training, or None where all are unseen (a trial).
    baselines
        Name -> metrics.
    reliability
        Predicted and observed rates by tenth.
    calibration_over_time
        Expected and observed conversions by month and in total, raw and corrected.
    against
        Baseline -> the model beside it.
    age_groups
        Number of ages within which rows were compared: 1 if all snapshots have the same age.
    """

    test: dict[str, Estimate]
    unseen: dict[str, Estimate] | None
    baselines: dict[str, dict[str, Estimate]]
    reliability: pd.DataFrame
    calibration_over_time: CalibrationOverTime
    against: dict[str, BaselineComparison] = field(default_factory=dict)
    age_groups: int = 1

    def to_dict(self) -> dict[str, Any]:
        """`test`, `unseen_entities` and `baselines` of `pql train --json`."""
        return {
            "test": _rounded(self.test),
            "unseen_entities": _rounded(self.unseen) if self.unseen else None,
            "baselines": {name: self._baseline(name) for name in self.baselines},
        }

    def _baseline(self, name: str) -> dict[str, Any]:
        payload = _rounded(self.baselines[name])
        return {**payload, "model_minus_baseline": self.against[name].to_dict()} if name in self.against else payload


def _rounded(metrics: dict[str, Estimate]) -> dict[str, Any]:
    payload = to_payload(metrics, 6)
    return {name: values["value"] if name == "base_rate" else values for name, values in payload.items()}


@dataclass(frozen=True)
class TestRows:
    """Test rows with outcome and predictions, and the history of all rows with a final outcome."""

    frame: pd.DataFrame  # entity, as_of, signed_up (may be missing), converted
    probability: np.ndarray
    activity: np.ndarray
    logistic: np.ndarray
    train_rate: float
    in_training: np.ndarray
    history: OutcomeHistory
    meets_definition: np.ndarray | None = None
    age_only: np.ndarray | None = None

    def rankings(self) -> dict[str, np.ndarray]:
        """The model's score and that of each baseline that ranks."""
        scores = {"model": self.probability, "activity": self.activity, "logistic_regression": self.logistic}
        if self.age_only is not None:
            scores["age"] = self.age_only
        if self.meets_definition is not None:
            scores["definition"] = self.meets_definition.astype(float)
        return scores


def evaluate_test(rows: TestRows, capacity: Capacity | None, seed: int) -> Evaluation:
    """Evaluate the model and its baselines on the same rows.

    Parameters
    ----------
    capacity
        That of the policy; the precision of its leads becomes `precision_at_capacity`.
    """
    y = rows.frame["converted"].to_numpy(float)
    entities = rows.frame["entity"].to_numpy()
    test = evaluate(y, rows.probability, entities, seed=seed)
    if capacity is not None:
        test["precision_at_capacity"] = precision_within_capacity(rows.frame, rows.probability, capacity)
    groups = age_groups(ages(rows.frame)) if "signed_up" in rows.frame else np.zeros(len(y), int)
    within = stratified_auc(y, rows.rankings(), entities, groups, seed=seed)
    test[WITHIN_AGE] = within.estimate("model") if len(np.unique(groups)) > 1 else test["roc_auc"]
    other = stratified_metrics(y, rows.probability, entities, groups, _RANKING, seed=seed)
    test |= {f"{name}_within_age": found for name, found in other.items()}
    unseen = None
    if rows.in_training.any() and not rows.in_training.all():
        new = ~rows.in_training
        unseen = evaluate(y[new], rows.probability[new], entities[new], seed=seed)
    return Evaluation(
        test=test,
        unseen=unseen,
        baselines={
            name: {**metrics, WITHIN_AGE: within.estimate(name)} if name in within.values else metrics
            for name, metrics in _baselines(rows, y, entities, seed).items()
        },
        reliability=reliability_table(y, rows.probability, entities, seed=seed),
        calibration_over_time=calibration_over_time(rows.history, seed),
        against=_compare(within),
        age_groups=len(np.unique(groups)),
    )


def _compare(within: StratifiedAuc) -> dict[str, BaselineComparison]:
    names = [name for name in within.values if name != "model"]
    p_values = holm([within.p_worse("model", name) for name in names])
    return {
        name: BaselineComparison(within.difference("model", name), bool(p < _BEATEN))
        for name, p in zip(names, p_values, strict=True)
    }


def _baselines(rows: TestRows, y: np.ndarray, entities: np.ndarray, seed: int) -> dict[str, dict[str, Estimate]]:
    ranks = [name for name in METRICS if name not in NEED_PROBABILITIES]
    flat = np.full(len(y), rows.train_rate)
    metrics = {
        "base_rate": evaluate(y, flat, entities, seed=seed, names=["brier", "log_loss", "calibration_error"]),
        "activity": evaluate(y, rows.activity, entities, seed=seed, names=ranks),
        "logistic_regression": evaluate(y, rows.logistic, entities, seed=seed),
    }
    if rows.age_only is not None:
        metrics["age"] = evaluate(y, rows.age_only, entities, seed=seed)
    if rows.meets_definition is not None:
        metrics["definition"] = _definition(rows.meets_definition, y, entities, seed)
    return metrics


def _definition(mask: np.ndarray, y: np.ndarray, entities: np.ndarray, seed: int) -> dict[str, Estimate]:
    """A definition as a two-level ranking, with its rates."""
    ranking = evaluate(y, mask.astype(float), entities, seed=seed, names=["roc_auc"])
    return {**ranking, **definition_rates(mask, y, entities, seed)}


def definition_rates(mask: np.ndarray, y: np.ndarray, entities: np.ndarray, seed: int) -> dict[str, Estimate]:
    """Conversion rate of the rows that meet a definition, its recall, and the share of rows that meet it.

    Snapshots of one entity are similar, so intervals that treat rows as trials would be too narrow.

    Parameters
    ----------
    mask, y, entities
        Whether each row meets the definition, its outcome (0 or 1), and its entity, (rows,).
    """

    def share(of: np.ndarray, among: np.ndarray) -> Estimate:
        flat = np.zeros(int(among.sum()))
        return evaluate(of[among], flat, entities[among], names=["base_rate"], seed=seed)["base_rate"]

    everyone = np.ones(len(y), bool)
    return {"rate": share(y, mask), "recall": share(mask, y == 1), "qualified_share": share(mask, everyone)}
