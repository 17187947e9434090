"""Evaluation of the model and its baselines on the same later rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.evaluation.expected_vs_observed import CalibrationOverTime, OutcomeHistory, calibration_over_time
from pql_model.payload import to_payload
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.metrics import METRICS, NEED_PROBABILITIES, evaluate, precision_at_count, reliability_table


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
    """

    test: dict[str, Estimate]
    unseen: dict[str, Estimate] | None
    baselines: dict[str, dict[str, Estimate]]
    reliability: pd.DataFrame
    calibration_over_time: CalibrationOverTime

    def to_dict(self) -> dict[str, Any]:
        """`test`, `unseen_entities` and `baselines` of `pql train --json`."""
        return {
            "test": _rounded(self.test),
            "unseen_entities": _rounded(self.unseen) if self.unseen else None,
            "baselines": {name: _rounded(metrics) for name, metrics in self.baselines.items()},
        }


def _rounded(metrics: dict[str, Estimate]) -> dict[str, Any]:
    payload = to_payload(metrics, 6)
    return {name: values["value"] if name == "base_rate" else values for name, values in payload.items()}


@dataclass(frozen=True)
class TestRows:
    """Test rows with outcome and predictions, and the history of all rows with a final outcome."""

    frame: pd.DataFrame  # entity, as_of, converted
    probability: np.ndarray
    activity: np.ndarray
    logistic: np.ndarray
    train_rate: float
    in_training: np.ndarray
    history: OutcomeHistory
    meets_definition: np.ndarray | None = None


def evaluate_test(rows: TestRows, capacity: int | None, seed: int) -> Evaluation:
    """Evaluate the model and its baselines on the same rows.

    Parameters
    ----------
    capacity
        Leads requested by the policy; their precision becomes `precision_at_capacity`.
    """
    y = rows.frame["converted"].to_numpy(float)
    entities = rows.frame["entity"].to_numpy()
    test = evaluate(y, rows.probability, entities, seed=seed)
    if capacity is not None:
        test["precision_at_capacity"] = precision_at_count(y, rows.probability, entities, capacity, seed=seed)
    unseen = None
    if rows.in_training.any() and not rows.in_training.all():
        new = ~rows.in_training
        unseen = evaluate(y[new], rows.probability[new], entities[new], seed=seed)
    return Evaluation(
        test=test,
        unseen=unseen,
        baselines=_baselines(rows, y, entities, seed),
        reliability=reliability_table(y, rows.probability, entities, seed=seed),
        calibration_over_time=calibration_over_time(rows.history, seed),
    )


def _baselines(rows: TestRows, y: np.ndarray, entities: np.ndarray, seed: int) -> dict[str, dict[str, Estimate]]:
    ranks = [name for name in METRICS if name not in NEED_PROBABILITIES]
    flat = np.full(len(y), rows.train_rate)
    metrics = {
        "base_rate": evaluate(y, flat, entities, seed=seed, names=["brier", "log_loss", "calibration_error"]),
        "activity": evaluate(y, rows.activity, entities, seed=seed, names=ranks),
        "logistic_regression": evaluate(y, rows.logistic, entities, seed=seed),
    }
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
