"""Find the missing criterion that an entity is nearest to meeting, and predict the probability if it met it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pql_model.criteria.evaluate import BoundCriterion, BoundDefinition, Columns
from pql_model.features.spec import Feature, parse_feature
from pql_model.model.age_level import AGE
from pql_model.model.columns import Manifest
from pql_model.payload import select_attributes
from pql_model.time import DAY, Window

_DAYS = ("active_days", "current_streak_days", "longest_streak_days")
_ADDITIVE = (*_DAYS, "count", "distinct_users", "sum", "distinct_values", "breadth", "sessions", "session_minutes")
_REACHED_BY_ONE_EVENT = ("max", "last")
"""One more event with the required value is enough."""
_RECENCY = ("days_since_last", "days_to_first")
"""One event now is enough where an upper limit of days is required."""
_WHOLE = (*_DAYS, "count", "distinct_users", "distinct_values", "breadth", "sessions")
Predict = Callable[[np.ndarray], np.ndarray]
"""The model's matrix (rows, columns) -> calibrated probability (rows,)."""


@dataclass(frozen=True)
class MissingCriterion:
    """The criterion that one row is nearest to meeting.

    Attributes
    ----------
    value : float or None
        The present value; None where nothing happened.
    needed : float
        The value that is enough.
    probability : float or None
        The model's probability if every column of the same event and measure whose window includes the present
        moved by what is missing. None where the model has no such column.
    """

    condition: BoundCriterion
    value: float | None
    needed: float
    probability: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "criterion": self.condition.text,
            "condition": dict(self.condition.payload),
            **select_attributes(self, "value", "needed", "probability"),
        }


class NearestMissing:
    """Finds the nearest missing criterion of a definition, for one row or for many.

    Parameters
    ----------
    definition : BoundDefinition
    manifest : Manifest
        The model's columns.
    """

    def __init__(self, definition: BoundDefinition, manifest: Manifest) -> None:
        self.definition = definition
        self._conditions = [c for c in definition.conditions if c.feature is not None and _is_actionable(c)]
        features = [(j, parse_feature(c.name)) for j, c in enumerate(manifest.columns) if c.kind == "feature"]
        self._moved_columns = [
            [(j, f.window) for j, f in features if c.feature is not None and _same_behaviour(f, c.feature)]
            for c in self._conditions
        ]

    def find(
        self, columns: Columns, X: np.ndarray, predict: Predict, as_of: np.ndarray | None = None
    ) -> list[MissingCriterion | None]:
        """Find the nearest missing criterion of each row.

        Parameters
        ----------
        columns : Columns
            The columns of the definition, and `AGE`.
        X : array of shape (rows, columns)
            The rows as the model reads them.
        as_of : array of shape (rows,), optional
            Instants, microseconds. They exclude criteria on days whose window has too few days left.

        Returns
        -------
        list of MissingCriterion or None
            None where the definition is met, or where no activity can meet it any more.
        """
        missing: list[MissingCriterion | None] = [None] * columns.rows
        if not self._conditions or not columns.rows:
            return missing
        age = columns.numbers.get(AGE, np.full(columns.rows, np.nan))
        values = [columns.numbers.get(c.column, np.full(columns.rows, np.nan)) for c in self._conditions]
        targets = [_needed(c, v, age) for c, v in zip(self._conditions, values, strict=True)]
        distance = np.array(
            [
                self._distance(c, v, n, age, as_of, columns)
                for c, v, n in zip(self._conditions, values, targets, strict=True)
            ]
        )
        meets_definition = columns.meets(self.definition)
        nearest = np.argmin(distance, axis=0)
        reachable = np.isfinite(np.min(distance, axis=0)) & (
            ~meets_definition & ~self._out_of_reach(columns, distance) if meets_definition is not None else False
        )
        for k, condition in enumerate(self._conditions):
            rows = np.flatnonzero(reachable & (nearest == k))
            probabilities = self._probability(k, values[k][rows], targets[k][rows], age[rows], X[rows], predict)
            for row, v, n, p in zip(
                rows.tolist(), values[k][rows].tolist(), targets[k][rows].tolist(), probabilities, strict=True
            ):
                missing[row] = MissingCriterion(condition, None if v != v else v, n, p)
        return missing

    def _out_of_reach(self, columns: Columns, distance: np.ndarray) -> np.ndarray:
        """Whether too many criteria cannot be met any more for the definition to be met."""
        masks = np.array([columns.holds(c) for c in self._conditions], bool)
        unreachable = np.sum(~masks & ~np.isfinite(distance), axis=0)
        return np.asarray(unreachable > len(self.definition.conditions) - self.definition.least)

    def _distance(
        self,
        condition: BoundCriterion,
        value: np.ndarray,
        target: np.ndarray,
        age: np.ndarray,
        as_of: np.ndarray | None,
        columns: Columns,
    ) -> np.ndarray:
        """The missing part of what is needed, 0 to 1; infinite where the criterion holds or cannot be met any more."""
        mask, feature = columns.holds(condition), condition.feature
        if mask is None or feature is None:
            return np.full(len(value), np.inf)
        possible = ~mask & _includes_present(feature.window, age) & ~np.isnan(target)
        if feature.measure in _DAYS and as_of is not None:
            possible &= target - np.nan_to_num(value) <= _days_left(feature.window, age, as_of)
        with np.errstate(invalid="ignore", divide="ignore"):
            part = np.abs(target - value) / np.maximum(np.abs(target), np.abs(value))
        return np.where(possible, np.nan_to_num(part, nan=1.0), np.inf)

    def _probability(
        self, k: int, value: np.ndarray, target: np.ndarray, age: np.ndarray, X: np.ndarray, predict: Predict
    ) -> list[float | None]:
        if not self._moved_columns[k] or not len(X):
            return [None] * len(X)
        feature, X = self._conditions[k].feature, X.copy()
        for j, window in self._moved_columns[k]:
            current = X[:, j]
            moved = _moved(str(feature and feature.measure), current, value, target, age)
            X[:, j] = np.where(_includes_present(window, age), moved, current)
        return [float(p) for p in predict(X)]


def _is_actionable(condition: BoundCriterion) -> bool:
    """Whether activity can meet it: more of what is counted, or one event soon."""
    operator, measure = condition.criterion.operator, condition.criterion.measure
    if measure in _RECENCY:
        return operator in ("<=", "<")
    if operator == "==":
        return measure in _WHOLE
    return operator in (">=", ">") and measure in (*_ADDITIVE, *_REACHED_BY_ONE_EVENT)


def _same_behaviour(first: Feature, second: Feature) -> bool:
    return (first.event, first.measure, first.value) == (second.event, second.measure, second.value)


def _needed(condition: BoundCriterion, value: np.ndarray, age: np.ndarray) -> np.ndarray:
    """The value that is enough, (rows,); NaN where activity cannot reach it any more."""
    threshold, measure = float(condition.criterion.threshold or 0.0), condition.criterion.measure
    if measure == "days_since_last":
        return np.full(len(value), threshold)
    if measure == "days_to_first":  # a first event that came too late cannot be undone
        in_time = age < threshold if condition.criterion.operator == "<" else age <= threshold
        return np.where(np.isnan(value) & in_time, threshold, np.nan)
    if condition.criterion.operator == "==":
        return np.where(np.nan_to_num(value) < threshold, threshold, np.nan)
    if condition.criterion.operator == ">":
        threshold = np.floor(threshold) + 1 if measure in _WHOLE else float(np.nextafter(threshold, np.inf))
    elif measure in _WHOLE:
        threshold = float(np.ceil(threshold))
    return np.full(len(value), threshold)


def _moved(measure: str, current: np.ndarray, value: np.ndarray, target: np.ndarray, age: np.ndarray) -> np.ndarray:
    """The value of a column once the criterion is met."""
    if measure == "days_since_last":
        return np.zeros(len(current))
    if measure == "days_to_first":
        return np.where(np.isnan(current), age, current)
    if measure in _REACHED_BY_ONE_EVENT:
        return target if measure == "last" else np.fmax(current, target)
    return np.asarray(current + (target - np.nan_to_num(value)))


def _includes_present(window: Window, age: np.ndarray) -> np.ndarray:
    """Whether an event that happens now falls in the window, (rows,)."""
    if window.kind != "first" or window.length is None:
        return np.ones(len(age), bool)
    return np.asarray(np.round(age * DAY) < window.length.us)  # false for NaN


def _days_left(window: Window, age: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    """How many UTC days, from that of `as_of` on, lie at least partly in the window."""
    if window.kind != "first" or window.length is None:
        return np.full(len(age), np.inf)
    end = as_of - np.round(age * DAY) + window.length.us
    return np.asarray((end - 1) // DAY - as_of // DAY + 1)
