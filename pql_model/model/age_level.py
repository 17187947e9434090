"""The level of each age: accounts that have not paid yet at a later age convert less often, or more, than they look.

A margin is learnt from rows of all ages. Trees that split at random thresholds, a few at a time, get the order of accounts
right long before they get the level of the last landmark right. The level is therefore learnt separately, on
out-of-fold margins: one addition to the log-odds per age, shrunk towards none.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from pql_model.errors import DataError
from pql_model.features.spec import Feature
from pql_model.measures import ANY
from pql_model.model.columns import Manifest
from pql_model.model.learner import Predictor

AGE = Feature(ANY, "days_since_signup").name
"""The column with the days since sign-up."""
AGE_LEVEL_FILE = "age_level.json"
MOST_AGES = 10
"""Largest number of ages with a level of their own; between them the level is interpolated."""
PRIOR_SPREAD = 0.5
"""Standard deviation, in log-odds, of the levels that are expected before any outcome is seen."""
MIN_CONVERSIONS = 20
"""Fewer conversions tell no level of an age."""


@dataclass(frozen=True)
class AgeLevel:
    """What is added to the log-odds at each age.

    Attributes
    ----------
    column
        Position of the age among the columns of the model.
    ages
        Days since sign-up, ascending.
    additions
        Log-odds added at each of them: linear in between, constant beyond, nothing where the age is missing.

    Examples
    --------
    >>> AgeLevel(0, (2.0, 30.0), (0.5, -0.5)).at(np.array([[2.0], [16.0], [40.0], [np.nan]])).tolist()
    [0.5, 0.0, -0.5, 0.0]
    """

    column: int
    ages: tuple[float, ...]
    additions: tuple[float, ...]

    def at(self, X: np.ndarray) -> np.ndarray:
        """Return what is added to each row of a feature matrix, (rows,)."""
        age = X[:, self.column]
        return np.asarray(np.where(np.isnan(age), 0.0, np.interp(age, self.ages, self.additions)))

    def to_dict(self) -> dict[str, Any]:
        return {"column": self.column, "ages": list(self.ages), "additions": list(self.additions)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> AgeLevel:
        """Read what `to_dict` returned.

        Raises
        ------
        DataError
            If it is not an age level.
        """
        try:
            ages, additions = (tuple(float(number) for number in value[name]) for name in ("ages", "additions"))
            level = cls(int(value["column"]), ages, additions)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("This is not an age level", received=error, remedy="export the model again") from error
        ascending = all(a < b for a, b in itertools.pairwise(ages))
        if not (ages and len(ages) == len(additions) and ascending and np.isfinite([*ages, *additions]).all()):
            raise DataError(
                "This is not an age level",
                received=f"{len(ages)} ages and {len(additions)} additions",
                allowed="ascending ages, each with a finite addition",
                remedy="export the model again",
            )
        return level


@dataclass(frozen=True)
class LevelledPredictor:
    """A predictor whose margin is right at every age. What is added counts as a contribution of the age.

    Attributes
    ----------
    base
        The fitted learner.
    level
        What is added to its margin.
    """

    base: Predictor
    level: AgeLevel

    def margin(self, X: np.ndarray) -> np.ndarray:
        """Return the log-odds before calibration, (rows,)."""
        margin: np.ndarray = np.asarray(self.base.margin(X)) + self.level.at(X)
        return margin

    def contributions(self, X: np.ndarray) -> np.ndarray:
        """Return SHAP values, (rows, columns + 1); the last column is the base value. Rows sum to the margin."""
        contributions = np.array(self.base.contributions(X), dtype=float)
        contributions[:, self.level.column] += self.level.at(X)
        return contributions

    def save(self) -> dict[str, str]:
        """Return the files of the learner, and the level."""
        return {**self.base.save(), AGE_LEVEL_FILE: json.dumps(self.level.to_dict())}


def fit_age_level(
    margin: np.ndarray, y: np.ndarray, X: np.ndarray, manifest: Manifest, monotone: tuple[int, ...] = ()
) -> AgeLevel | None:
    """Learn the level of each age from rows that the model did not see.

    One logistic regression on the margin (its slope and the overall level free) and one coefficient per age with a normal
    prior of mean 0 and standard deviation `PRIOR_SPREAD`. The additions are centred on the rows they were learnt from.

    Parameters
    ----------
    margin, y
        Log-odds and outcomes (0 or 1) of out-of-fold rows, (rows,).
    X
        Their matrix by the manifest, (rows, columns).
    manifest
        The columns of the matrix.
    monotone
        -1, 0 or 1 per column.

    Returns
    -------
    AgeLevel or None
        None where there is nothing to learn: no column with the age, a single age, fewer than `MIN_CONVERSIONS`
        conversions, margins without a slope, or an age that is constrained to one direction.
    """
    if AGE not in manifest.names or min(y.sum(), len(y) - y.sum()) < MIN_CONVERSIONS:
        return None
    column = manifest.names.index(AGE)
    present = ~np.isnan(X[:, column])
    ages = _ages(X[present, column], y[present])
    constrained = bool(monotone) and monotone[column] != 0
    if constrained or len(ages) < 2 or margin.min() == margin.max():
        return None
    slope, additions = _fit(margin[present], y[present], X[present, column], ages)
    if slope <= 0:
        return None
    level = AgeLevel(column, tuple(ages.tolist()), tuple((additions / slope).tolist()))
    centre = float(level.at(X[present]).mean())
    return AgeLevel(column, level.ages, tuple(addition - centre for addition in level.additions))


def _ages(age: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return every age of a trial with few landmarks, otherwise quantiles of the ages at which conversions are ahead."""
    days = np.unique(np.round(age))
    if len(days) <= MOST_AGES:
        return days
    return np.unique(np.round(np.quantile(age[y == 1], np.linspace(0, 1, MOST_AGES))))


def _fit(margin: np.ndarray, y: np.ndarray, age: np.ndarray, ages: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the slope of the margin and the coefficient of each age, at the largest posterior density."""
    scale, shares = max(float(margin.std()), 1e-12), _shares(age, ages)
    Z = np.column_stack([(margin - margin.mean()) / scale, np.ones(len(y)), shares])
    precision = np.r_[0.0, 0.0, np.full(len(ages), 1 / PRIOR_SPREAD**2)]

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        eta = Z @ beta
        value = float(np.logaddexp(0, eta).sum() - y @ eta + 0.5 * precision @ beta**2)
        return value, Z.T @ (expit(eta) - y) + precision * beta

    start = np.r_[scale, logit(y.mean()), np.zeros(len(ages))]
    beta = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return float(beta[0] / scale), np.asarray(beta[2:])


def _shares(age: np.ndarray, ages: np.ndarray) -> np.ndarray:
    """Return how much of each age's level a row has, (rows, ages): two neighbours share a row between them."""
    return np.column_stack([np.interp(age, ages, unit) for unit in np.eye(len(ages))])
