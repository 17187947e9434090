"""Scored rows: what every consumer reads, the same from batch, registry and service."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from pql_model.explain.reasons import explain
from pql_model.model.artifact import FittedModel


def scored_rows(model: FittedModel, table: pd.DataFrame, X: np.ndarray | None = None) -> pd.DataFrame:
    """Score a feature table.

    Parameters
    ----------
    table
        The model's columns; `entity` and `as_of` are passed on where they are there.
    X
        `manifest.matrix(table)`, where it is at hand.

    Returns
    -------
    pandas.DataFrame
        entity, as_of, probability (0-1), score (0-100), usage, fit, timing (log-odds), reasons (JSON text of the
        strongest behaviours), feature_set. Same order as the table. usage + fit + timing + the base value is
        the margin before calibration.

    Raises
    ------
    FeatureMismatchError
        If the table lacks columns of the model.
    """
    X = model.manifest.matrix(table) if X is None else X
    contributions = model.predictor.contributions(X)
    # One path to the number: the sum of the contributions is the margin, here and in the service.
    probability = model.calibration.apply(contributions.sum(axis=1))
    reasons = explain(contributions, table, model.manifest, model.calibration)
    passed_on = {name: table[name].to_numpy() for name in ("entity", "as_of") if name in table.columns}
    return pd.DataFrame(
        {
            **passed_on,
            "probability": probability,
            "score": model.score(probability),
            "usage": reasons.usage,
            "fit": reasons.fit,
            "timing": reasons.timing,
            "reasons": [json.dumps([reason.to_dict() for reason in row], ensure_ascii=False) for row in reasons.rows],
            "feature_set": model.manifest.hash,
        }
    )
