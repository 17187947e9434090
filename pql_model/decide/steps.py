"""One criterion as a step: how far each row is from it, whether activity can still meet it, and what the model says then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pql_model.config.definition import Criterion
from pql_model.criteria.evaluate import BoundCriterion, Columns
from pql_model.features.spec import Feature, parse_feature
from pql_model.model.age_level import AGE
from pql_model.model.columns import Manifest
from pql_model.statistics.estimate import Estimate
from pql_model.time import DAY, Window

_DAYS = ("active_days", "current_streak_days", "longest_streak_days")
_ADDITIVE = (
    *_DAYS,
    *("count", "top_user_count", "distinct_users", "sum", "distinct_values", "breadth", "sessions", "session_minutes"),
)
_REACHED_BY_ONE_EVENT = ("max", "last")
"""One more event with the required value is enough."""
_RECENCY = ("days_since_last", "days_to_first")
"""One event now is enough where an upper limit of days is required."""
_AT_LEAST_ONE = (*_DAYS, "distinct_users", "breadth", "sessions")
"""At least 1 as soon as anything happened."""
_WHOLE = (*_DAYS, "count", "top_user_count", "distinct_users", "distinct_values", "breadth", "sessions")
"""Whole numbers, each further one of which takes an event of its own, unless they are divided by a trait."""

Slopes = Mapping[str, Estimate]
"""Family of a feature (see `Feature.family`) -> how far the model's contribution of it came true on later rows: 1 as predicted, 0 not at all."""


@dataclass(frozen=True)
class Predictions:
    """The model as the steps use it.

    Attributes
    ----------
    margin
        Matrix (rows, columns) -> margin (rows,).
    probability
        Margin -> calibrated probability.
    """

    margin: Callable[[np.ndarray], np.ndarray]
    probability: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Gap:
    """How far rows are from meeting a criterion, (rows,) each.

    Attributes
    ----------
    value
        The present value; NaN where nothing happened.
    needed
        The value that is enough.
    distance
        The missing part of what is needed, 0 to 1; infinite where the criterion holds or cannot be met any more.
    """

    value: np.ndarray
    needed: np.ndarray
    distance: np.ndarray

    @property
    def open(self) -> np.ndarray:
        """Whether the criterion is missing and can still be met."""
        return np.asarray(np.isfinite(self.distance))

    def __getitem__(self, rows: np.ndarray) -> Gap:
        return Gap(self.value[rows], self.needed[rows], self.distance[rows])


class Step:
    """A criterion that activity can meet.

    Parameters
    ----------
    condition, feature
        The criterion, and the feature that it reads.
    manifest
        The model's columns.
    slopes
        See `Slopes`; a behaviour without one is taken as the model has it.

    Attributes
    ----------
    is_read
        Whether the model has a column of this event and measure.
    slope
        That of the behaviour, if known.
    """

    def __init__(self, condition: BoundCriterion, feature: Feature, manifest: Manifest, slopes: Slopes) -> None:
        self.condition, self._feature = condition, feature
        self._moved_columns = [
            (j, other.measure, other.window, _behaviour(other) == _behaviour(feature))
            for j, c in enumerate(manifest.columns)
            if c.kind == "feature" and (other := parse_feature(c.name)).subject == feature.subject
        ]
        self._windows = {window for _, _, window, _ in self._moved_columns}
        self.is_read = any(same for *_, same in self._moved_columns)
        self.slope = slopes.get(feature.family)

    @classmethod
    def of(cls, condition: BoundCriterion, manifest: Manifest, slopes: Slopes | None = None) -> Step | None:
        """Build the step of a criterion; None where no activity can meet it."""
        feature = condition.feature
        return (
            cls(condition, feature, manifest, slopes or {})
            if feature is not None and _is_actionable(condition)
            else None
        )

    def gap(self, columns: Columns, as_of: np.ndarray | None) -> Gap:
        """Measure how far rows are from meeting the criterion.

        Parameters
        ----------
        columns
            The column of the criterion, and `AGE`.
        as_of
            Instants, microseconds. They exclude criteria on days whose window has too few days left.
        """
        condition, age = self.condition, _age(columns)
        value = columns.numbers.get(condition.column, np.full(columns.rows, np.nan))
        needed = _needed(condition, value, age)
        mask = columns.holds(condition)
        if mask is None:
            return Gap(value, needed, np.full(len(value), np.inf))
        window = self._feature.window
        possible = ~mask & _includes_present(window, age) & ~np.isnan(needed)
        if self._feature.measure in _DAYS and as_of is not None:
            possible &= needed - np.nan_to_num(value) <= _days_left(window, age, as_of)
        with np.errstate(invalid="ignore", divide="ignore"):
            part = np.abs(needed - value) / np.maximum(np.abs(needed), np.abs(value))
        return Gap(value, needed, np.where(possible, np.nan_to_num(part, nan=1.0), np.inf))

    def margins(
        self, X: np.ndarray, gap: Gap, columns: Columns, predictions: Predictions
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the margin of rows now, and once they meet the criterion.

        The missing amount is added to every column of this event and measure whose window includes the present. Other
        columns of the event move as far as the new events make them move at least: it was done now, on a day, by a user.
        """
        moved, age, new_events = X.copy(), _age(columns), self._new_events(gap)
        present = {window: _includes_present(window, age) for window in self._windows}
        for j, measure, window, same in self._moved_columns:
            then = _moved(measure, X[:, j], gap, age) if same else _moved_along(measure, X[:, j], new_events, age)
            moved[:, j] = np.where(present[window], then, X[:, j])
        both = predictions.margin(np.vstack([X, moved]))
        return both[: len(X)], both[len(X) :]

    def _new_events(self, gap: Gap) -> np.ndarray:
        """How many events it takes at least, (rows,)."""
        if not _is_whole(self._feature):
            return np.ones(len(gap.needed))
        return np.asarray(np.maximum(1.0, gap.needed - np.nan_to_num(gap.value)))

    def probability(self, X: np.ndarray, gap: Gap, columns: Columns, predictions: Predictions) -> np.ndarray | None:
        """Predict the probability of rows once they meet the criterion; None where the model does not read it."""
        if not self.is_read or not len(X):
            return None
        now, then = self.margins(X, gap, columns, predictions)
        return predictions.probability(now + self.share * (then - now))

    @property
    def share(self) -> float:
        """The share of the model's change that is predicted to come true."""
        return max(0.0, self.slope.value) if self.slope is not None else 1.0


def _age(columns: Columns) -> np.ndarray:
    return columns.numbers.get(AGE, np.full(columns.rows, np.nan))


def _is_actionable(condition: BoundCriterion) -> bool:
    """Whether activity can meet it: more of what is counted, or one event soon."""
    operator, measure = condition.criterion.operator, condition.criterion.measure
    if measure in _RECENCY:
        return operator in ("<=", "<")
    if operator == "==":
        return _is_whole(condition.criterion)
    return operator in (">=", ">") and measure in (*_ADDITIVE, *_REACHED_BY_ONE_EVENT)


def _is_whole(feature: Feature | Criterion) -> bool:
    return feature.measure in _WHOLE and feature.share_of is None


def _behaviour(feature: Feature) -> tuple[object, ...]:
    return feature.subject, feature.measure, feature.value, feature.share_of


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
        threshold = (
            np.floor(threshold) + 1 if _is_whole(condition.criterion) else float(np.nextafter(threshold, np.inf))
        )
    elif _is_whole(condition.criterion):
        threshold = float(np.ceil(threshold))
    return np.full(len(value), threshold)


def _moved(measure: str, current: np.ndarray, gap: Gap, age: np.ndarray) -> np.ndarray:
    """The value of a column once the criterion is met."""
    if measure == "days_since_last":
        return np.zeros(len(current))
    if measure == "days_to_first":
        return np.where(np.isnan(current), age, current)
    if measure in _REACHED_BY_ONE_EVENT:
        return gap.needed if measure == "last" else np.fmax(current, gap.needed)
    return np.asarray(current + (gap.needed - np.nan_to_num(gap.value)))


def _moved_along(measure: str, current: np.ndarray, new_events: np.ndarray, age: np.ndarray) -> np.ndarray:
    """The value of a column of another measure of the same event after so many events now, at least."""
    if measure == "count":
        return np.asarray(current + new_events)
    if measure == "days_since_last":
        return np.zeros(len(current))
    if measure == "days_to_first":
        return np.where(np.isnan(current), age, current)
    return np.maximum(current, 1.0) if measure in _AT_LEAST_ONE else current


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
