"""Baselines that the model must beat on the same rows: activity and logistic regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pql_model.model.columns import Manifest

ACTIVITY = "any.count.ever"
_CLIP = 4.0


@dataclass(frozen=True)
class DesignMatrix:
    """A feature matrix prepared for a linear model, with medians learned from the training rows."""

    manifest: Manifest
    fill: np.ndarray
    has_missing: np.ndarray

    @classmethod
    def learn(cls, X: np.ndarray, manifest: Manifest) -> DesignMatrix:
        missing = np.isnan(X)
        fill = np.array(
            [np.median(X[~missing[:, j], j]) if not missing[:, j].all() else 0.0 for j in range(X.shape[1])]
        )
        return cls(manifest, fill, missing.any(axis=0))

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Put counts on a log scale, fill missing values with medians and a flag, and give each category a column."""
        parts = []
        for j, column in enumerate(self.manifest.columns):
            values = X[:, j]
            missing = np.isnan(values)
            if column.kind == "category":
                parts += [(values == code).astype(float) for code in range(len(column.categories))]
                continue
            imputed = np.where(missing, self.fill[j], values)
            parts.append(np.sign(imputed) * np.log1p(np.abs(imputed)))
            if self.has_missing[j]:
                parts.append(missing.astype(float))
        return np.column_stack(parts)


def logistic_regression(X: np.ndarray, y: np.ndarray, X_later: np.ndarray, manifest: Manifest) -> np.ndarray:
    """Predict later rows with a ridge-penalised logistic regression.

    Parameters
    ----------
    X, y
        Training rows.
    X_later
        Rows to predict, same columns.
    """
    design = DesignMatrix.learn(X, manifest)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=1000))
    model.fit(design.transform(X), y)
    scaled = np.clip(model[0].transform(design.transform(X_later)), -_CLIP, _CLIP)
    return np.asarray(model[1].predict_proba(scaled)[:, 1])
