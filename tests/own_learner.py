"""A learner of somebody's own: logistic regression behind the protocol, saved as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from pql_model.model.learner import TrainingRows


@dataclass(frozen=True)
class LinearPredictor:
    """Weights of a design matrix: one column a number, one column each category."""

    categories: list[int]
    center: list[float]
    scale: list[float]
    weights: list[float]
    intercept: float

    def _terms(self, X: np.ndarray) -> np.ndarray:
        Z = (design(X, self.categories) - self.center) / self.scale
        return np.nan_to_num(Z) * self.weights  # what is missing counts as average

    def contributions(self, X: np.ndarray) -> np.ndarray:
        starts = np.cumsum([0, *(max(n, 1) for n in self.categories[:-1])])
        by_column = np.add.reduceat(self._terms(X), starts, axis=1)
        return np.column_stack([by_column, np.full(len(X), self.intercept)])

    def margin(self, X: np.ndarray) -> np.ndarray:
        return self.contributions(X).sum(axis=1)

    def save(self) -> dict[str, str]:
        return {"weights.json": json.dumps(asdict(self))}


@dataclass(frozen=True)
class Logistic:
    """Ridge-penalised logistic regression."""

    C: float = 0.05
    name: str = "own_logistic"

    @property
    def params(self) -> dict[str, object]:
        return {"C": self.C}

    def fit(self, rows: TrainingRows) -> LinearPredictor:
        categories = [len(column.categories) for column in rows.manifest.columns]
        D = design(rows.X, categories)
        filled = ~np.isnan(D)
        center = np.array([d[f].mean() if f.any() else 0.0 for d, f in zip(D.T, filled.T, strict=True)])
        spread = np.array([d[f].std() if f.any() else 0.0 for d, f in zip(D.T, filled.T, strict=True)])
        scale = np.where(spread > 0, spread, 1.0)
        fitted = LogisticRegression(C=self.C, max_iter=1000).fit(np.nan_to_num((D - center) / scale), rows.y)
        return LinearPredictor(
            categories, center.tolist(), scale.tolist(), fitted.coef_[0].tolist(), float(fitted.intercept_[0])
        )

    def load(self, files: Mapping[str, str]) -> LinearPredictor:
        return LinearPredictor(**json.loads(files["weights.json"]))


def design(X: np.ndarray, categories: list[int]) -> np.ndarray:
    parts = []
    for x, count in zip(X.T, categories, strict=True):
        parts += [(x == code).astype(float) for code in range(count)] or [np.sign(x) * np.log1p(np.abs(x))]
    return np.column_stack(parts)
