"""What a verdict is judged beside, taken from the evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pql_model.evaluation.evaluate import WITHIN_AGE, Evaluation
from pql_model.evaluation.verdict import Context, Rival
from pql_model.model.columns import Manifest
from pql_model.statistics.univariate_auc import roc_auc

_NAMES = {
    "activity": "the number of events",
    "logistic_regression": "a logistic regression on the same features",
    "definition": "the definition in force",
}
_TOP = 3
_LEAST_AUC = 0.75


def verdict_context(evaluation: Evaluation, importance: pd.DataFrame, strong: Sequence[str]) -> Context:
    """Gather the ranking within one age, the baselines, and what the model leans on.

    Parameters
    ----------
    importance
        Behaviours with their share, the strongest first.
    strong
        Columns that predict well alone, in words.
    """
    leading = [
        f"`{row.behaviour}` ({row.share:.0%} of what moves the score)" for row in importance.head(_TOP).itertuples()
    ]
    several = evaluation.age_groups > 1
    return Context(
        within_age=evaluation.test[WITHIN_AGE] if several else None,
        age_only=evaluation.baselines["age"]["roc_auc"] if several and "age" in evaluation.baselines else None,
        rivals=[
            Rival(words, evaluation.against[name].difference, evaluation.against[name].beaten)
            for name, words in _NAMES.items()
            if name in evaluation.against
        ],
        look_at=[*leading, *strong],
    )


def strongest_columns(manifest: Manifest, X: np.ndarray, y: np.ndarray) -> list[str]:
    """Columns that alone reach a ROC-AUC of 0.75, the three strongest first, in words.

    Parameters
    ----------
    X, y
        Matrix and outcome, bool, of the training rows.
    """
    found = []
    for j, column in enumerate(manifest.columns):
        if column.kind != "category":
            auc = roc_auc(np.where(np.isnan(X[:, j]), -np.inf, X[:, j]), y)
            found.append((max(auc, 1 - auc), column.name))
    best = sorted(found, key=lambda pair: (-pair[0], pair[1]))[:_TOP]
    return [f"`{name}` (ROC-AUC {auc:.2f} alone)" for auc, name in best if auc >= _LEAST_AUC]
