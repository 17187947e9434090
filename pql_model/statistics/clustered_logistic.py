"""Logistic regression of rows that come in clusters, such as several snapshots of one entity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

_STEPS, _CLOSE = 50, 1e-9
_RIDGE = 1e-8
"""Keeps the equations solvable where two columns say the same; it moves no coefficient that the data determine."""
_LARGEST = 30.0
"""A coefficient beyond this, of columns in log-odds, is one that the data do not determine."""


@dataclass(frozen=True)
class ClusteredFit:
    """Coefficients and their covariance, which allows for any dependence inside a cluster."""

    coefficients: np.ndarray
    covariance: np.ndarray

    def standard_error(self, k: int) -> float:
        return float(np.sqrt(self.covariance[k, k]))


def clustered_logistic(X: np.ndarray, y: np.ndarray, cluster: np.ndarray) -> ClusteredFit | None:
    """Fit a logistic regression, with the sandwich estimator over clusters (Liang & Zeger 1986, Biometrika 73:13-22).

    Parameters
    ----------
    X
        Columns, with that of the intercept, (rows, columns).
    y
        Outcomes, (rows,).
    cluster
        The cluster of each row, (rows,).

    Returns
    -------
    ClusteredFit or None
        None where the data do not determine the coefficients: one class only, or classes that a column separates.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=4000)
    >>> y = rng.random(4000) < expit(x - 1)
    >>> fit = clustered_logistic(np.column_stack([np.ones(4000), x]), y, np.arange(4000))
    >>> fit.coefficients.round(1), round(fit.standard_error(1), 2)
    (array([-1.1,  1. ]), 0.04)
    """
    y = y.astype(float)
    if y.min(initial=1.0) == y.max(initial=0.0):
        return None
    beta = np.zeros(X.shape[1])
    for _ in range(_STEPS):
        p = expit(X @ beta)
        step = np.linalg.solve(_information(X, p), X.T @ (y - p))
        beta = beta + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < _CLOSE:
            break
    else:
        return None
    if np.abs(beta).max() > _LARGEST:
        return None
    p = expit(X @ beta)
    code = np.unique(cluster, return_inverse=True)[1]
    scores = np.zeros((code.max() + 1, X.shape[1]))
    np.add.at(scores, code, X * (y - p)[:, None])
    bread = np.linalg.inv(_information(X, p))
    n = len(scores)
    return ClusteredFit(beta, bread @ (scores.T @ scores) @ bread * (n / max(1, n - 1)))


def _information(X: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.asarray((X * (p * (1 - p))[:, None]).T @ X + _RIDGE * np.eye(X.shape[1]))
