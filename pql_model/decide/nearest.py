"""The condition an entity is nearest to meeting and still can, and what the model would say then: a prediction, no promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pql_model.decide.bound_definition import BoundCriterion, BoundDefinition, Columns
from pql_model.features.spec import Feature, parse_feature
from pql_model.measures import ANY
from pql_model.model.columns import Manifest
from pql_model.time import DAY, Window

AGE = Feature(ANY, "days_since_signup").name
"""Says which `first` windows are not over; without this column none of them can be met any more."""
_DAYS = ("active_days", "current_streak_days", "longest_streak_days")
_MORE = (*_DAYS, "count", "distinct_users", "sum", "distinct_values", "breadth", "sessions", "session_minutes")
_BEST = ("max", "last")
"""One more event is enough: it takes the value that is asked for."""
_SOON = ("days_since_last", "days_to_first")
"""One event now is enough where at most so many days are asked for."""
_WHOLE = (*_DAYS, "count", "distinct_users", "distinct_values", "breadth", "sessions")
Predict = Callable[[np.ndarray], np.ndarray]
"""Matrix of the model (rows, columns) -> calibrated probability (rows,)."""


@dataclass(frozen=True)
class Missing:
    """What one row lacks.

    Attributes
    ----------
    value, needed
        What the row shows (None where nothing happened), and what it takes.
    probability
        What the model says with that much more in every column of the same event and measure whose window holds the
        present; None where the model has no such column.
    """

    condition: BoundCriterion
    value: float | None
    needed: float
    probability: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "criterion": self.condition.text,
            "condition": dict(self.condition.payload),
            "value": self.value,
            "needed": self.needed,
            "probability": self.probability,
        }


class NearestMissing:
    """Made once for a definition and a model; `tell` answers for any number of rows, also for one.

    Parameters
    ----------
    rulebook
        The definition.
    manifest
        The model's columns.
    """

    def __init__(self, rulebook: BoundDefinition, manifest: Manifest) -> None:
        self.rulebook = rulebook
        self._conditions = [c for c in rulebook.conditions if c.feature is not None and _can_be_worked_on(c)]
        features = [(j, parse_feature(c.name)) for j, c in enumerate(manifest.columns) if c.kind == "feature"]
        self._moved = [
            [(j, f.window) for j, f in features if c.feature is not None and _same(f, c.feature)]
            for c in self._conditions
        ]

    def tell(
        self, columns: Columns, X: np.ndarray, predict: Predict, as_of: np.ndarray | None = None
    ) -> list[Missing | None]:
        """Of each row the nearest missing condition; None where the definition is met, or cannot be any more by what is done.

        Parameters
        ----------
        columns
            What the conditions read, and `AGE`.
        X
            The rows as the model reads them.
        as_of
            Instants, microseconds; with them a condition on days is dropped where too few days are left.
        """
        payload: list[Missing | None] = [None] * columns.rows
        if not self._conditions or not columns.rows:
            return payload
        age = columns.numbers.get(AGE, np.full(columns.rows, np.nan))
        values = [columns.numbers.get(c.column, np.full(columns.rows, np.nan)) for c in self._conditions]
        needed = [_needed(c, v, age) for c, v in zip(self._conditions, values, strict=True)]
        lacking = np.array(
            [
                self._lacking(c, v, n, age, as_of, columns)
                for c, v, n in zip(self._conditions, values, needed, strict=True)
            ]
        )
        met = columns.meets(self.rulebook)
        nearest = np.argmin(lacking, axis=0)
        open_ = np.isfinite(np.min(lacking, axis=0)) & (
            ~met & ~self._lost(columns, lacking) if met is not None else False
        )
        for k, condition in enumerate(self._conditions):
            rows = np.flatnonzero(open_ & (nearest == k))
            then = self._probability(k, values[k][rows], needed[k][rows], age[rows], X[rows], predict)
            for row, v, n, p in zip(
                rows.tolist(), values[k][rows].tolist(), needed[k][rows].tolist(), then, strict=True
            ):
                payload[row] = Missing(condition, None if v != v else v, n, p)
        return payload

    def _lost(self, columns: Columns, lacking: np.ndarray) -> np.ndarray:
        """Whether so many conditions cannot be met any more that the definition cannot: one that is open then leads nowhere."""
        held = np.array([columns.held(c) for c in self._conditions], bool)
        over = np.sum(~held & ~np.isfinite(lacking), axis=0)
        return np.asarray(over > len(self.rulebook.conditions) - self.rulebook.least)

    def _lacking(
        self,
        condition: BoundCriterion,
        value: np.ndarray,
        needed: np.ndarray,
        age: np.ndarray,
        as_of: np.ndarray | None,
        columns: Columns,
    ) -> np.ndarray:
        """Which part of what is needed is missing, 0 to 1; infinite where it is held, or cannot be met any more."""
        held, feature = columns.held(condition), condition.feature
        if held is None or feature is None:
            return np.full(len(value), np.inf)
        possible = ~held & _present(feature.window, age) & ~np.isnan(needed)
        if feature.measure in _DAYS and as_of is not None:
            possible &= needed - np.nan_to_num(value) <= _days_left(feature.window, age, as_of)
        with np.errstate(invalid="ignore", divide="ignore"):
            part = np.abs(needed - value) / np.maximum(np.abs(needed), np.abs(value))
        return np.where(possible, np.nan_to_num(part, nan=1.0), np.inf)

    def _probability(
        self, k: int, value: np.ndarray, needed: np.ndarray, age: np.ndarray, X: np.ndarray, predict: Predict
    ) -> list[float | None]:
        if not self._moved[k] or not len(X):
            return [None] * len(X)
        feature, X = self._conditions[k].feature, X.copy()
        for j, window in self._moved[k]:
            now = X[:, j]
            moved = _then(str(feature and feature.measure), now, value, needed, age)
            X[:, j] = np.where(_present(window, age), moved, now)
        return [float(p) for p in predict(X)]


def _can_be_worked_on(condition: BoundCriterion) -> bool:
    """Whether acts can bring it about: more of what is counted, or one event soon."""
    operator, measure = condition.criterion.operator, condition.criterion.measure
    if measure in _SOON:
        return operator in ("<=", "<")
    return (operator in (">=", ">") and measure in (*_MORE, *_BEST)) or (operator == "==" and measure in _WHOLE)


def _same(one: Feature, other: Feature) -> bool:
    return (one.event, one.measure, one.value) == (other.event, other.measure, other.value)


def _needed(condition: BoundCriterion, value: np.ndarray, age: np.ndarray) -> np.ndarray:
    """The number that is enough, (rows,); NaN where acts cannot bring it about any more."""
    threshold, measure = float(condition.criterion.threshold or 0.0), condition.criterion.measure
    if measure == "days_since_last":
        return np.full(len(value), threshold)
    if measure == "days_to_first":  # who has done it has done it too late; who has not must within so many days
        in_time = age < threshold if condition.criterion.operator == "<" else age <= threshold
        return np.where(np.isnan(value) & in_time, threshold, np.nan)
    if condition.criterion.operator == "==":
        return np.where(np.nan_to_num(value) < threshold, threshold, np.nan)
    if condition.criterion.operator == ">":
        threshold = np.floor(threshold) + 1 if measure in _WHOLE else float(np.nextafter(threshold, np.inf))
    elif measure in _WHOLE:
        threshold = float(np.ceil(threshold))
    return np.full(len(value), threshold)


def _then(measure: str, now: np.ndarray, value: np.ndarray, needed: np.ndarray, age: np.ndarray) -> np.ndarray:
    """What a column holds afterwards."""
    if measure == "days_since_last":
        return np.zeros(len(now))
    if measure == "days_to_first":
        return np.where(np.isnan(now), age, now)
    if measure in _BEST:
        return needed if measure == "last" else np.fmax(now, needed)
    return np.asarray(now + (needed - np.nan_to_num(value)))


def _present(window: Window, age: np.ndarray) -> np.ndarray:
    """Whether the window holds what happens now, (rows,)."""
    if window.kind != "first" or window.length is None:
        return np.ones(len(age), bool)
    return np.asarray(np.round(age * DAY) < window.length.us)  # NaN is not


def _days_left(window: Window, age: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    """How many UTC days from that of `as_of` on lie in the window, at least in part."""
    if window.kind != "first" or window.length is None:
        return np.full(len(age), np.inf)
    end = as_of - np.round(age * DAY) + window.length.us
    return np.asarray((end - 1) // DAY - as_of // DAY + 1)
