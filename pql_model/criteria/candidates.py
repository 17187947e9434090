"""List the conditions that can become criteria: each column of the model with its possible thresholds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import combinations

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion
from pql_model.criteria.likelihood import ThresholdLevels
from pql_model.features.spec import Feature, feature_criterion, parse_feature
from pql_model.features.trait_columns import as_numbers
from pql_model.measures import ANY, LESS_IS_MORE, MEASURES
from pql_model.model.columns import OTHER, ModelColumn, as_texts
from pql_model.time import DAY, EVER, Window

MOST_THRESHOLDS = 60
LEAST_ROWS, LEAST_SHARE = 20, 0.01
"""Rows that a threshold needs on either side: this many, and this share of all rows."""
UNUSUAL = 4.0
"""Log-likelihood that a measure which people seldom use in rules must explain beyond a plain count."""

_NEVER = ("days_since_signup",)
_PLAIN = ("count", "sum", "max", "last", "distinct_values")
_MOST_SINGLE, _MOST_TOGETHER = 30, 6


@dataclass(frozen=True)
class CandidateColumn:
    """One column and its possible thresholds, from the easiest to meet to the hardest.

    Attributes
    ----------
    family : str
        The behaviour: an event, a measure of the account as a whole, or a trait. Each family gives one criterion at most.
    conditions : tuple of Criterion
        One per threshold of `levels`.
    handicap : float
        Log-likelihood deducted from its gain when it competes with other columns.
    identical : tuple of str
        Columns with the same values on these rows, such as `first 14d` and `ever` at day 14.
    present : array of bool or None
        Which rows have a value, (rows,); None if all have one.
    """

    family: str
    column: str
    conditions: tuple[Criterion, ...]
    levels: ThresholdLevels
    handicap: float = 0.0
    identical: tuple[str, ...] = ()
    present: np.ndarray | None = None

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The number of each condition; the position of a condition that lists texts."""
        return tuple(float(k if c.threshold is None else c.threshold) for k, c in enumerate(self.conditions))


def family_of(column: ModelColumn) -> str:
    """Return the family of a column.

    >>> family_of(ModelColumn("Teammate+Invited.count.first_7d", "feature"))
    'Teammate Invited'
    >>> family_of(ModelColumn("any.distinct_users.ever", "feature"))
    'any: distinct_users'
    """
    if column.kind != "feature":
        return f"trait: {column.text}"
    return parse_feature(column.name).family


def family_text(family: str) -> str:
    """Return the display name of a family.

    >>> family_text("any: distinct_users"), family_text("trait: size"), family_text("Export Made")
    ('users active', 'size', 'Export Made')
    """
    measure = family.removeprefix("any: ")
    return MEASURES[measure].noun if measure != family and measure in MEASURES else family.removeprefix("trait: ")


def candidate_columns(
    columns: Sequence[ModelColumn], table: pd.DataFrame, signed_up: np.ndarray, as_of: np.ndarray
) -> list[CandidateColumn]:
    """List the candidates among a table's columns.

    Parameters
    ----------
    columns : sequence of ModelColumn
    table : DataFrame
        Feature table of the rows to search.
    signed_up, as_of : arrays of shape (rows,)
        Microseconds; `signed_up` is NaN where unknown. A `first` window that is still open at some row is left out.
    """
    candidates: list[CandidateColumn] = []
    for column in columns:
        if column.kind == "category":
            candidates += _category_candidates(column, as_texts(table[column.name]))
        elif column.kind == "number":
            candidates += _number_candidates(column, as_numbers(table[column.name]), None)
        else:
            feature = parse_feature(column.name)
            if feature.measure not in _NEVER and _elapsed(feature.window, signed_up, as_of):
                candidates += _number_candidates(column, as_numbers(table[column.name]), feature)
    age = (as_of - signed_up)[~np.isnan(signed_up)]
    return _without_identical(candidates, float(age.max()) if len(age) else math.nan)


def _elapsed(window: Window, signed_up: np.ndarray, as_of: np.ndarray) -> bool:
    """Whether the window is over at every row whose sign-up is known."""
    return bool(np.all(window.elapsed(signed_up, as_of) | np.isnan(signed_up)))


def _number_candidates(column: ModelColumn, values: np.ndarray, feature: Feature | None) -> Iterator[CandidateColumn]:
    falling = feature is not None and feature.measure in LESS_IS_MORE
    present = ~np.isnan(values)
    signed = np.where(present, -values if falling else values, -np.inf)
    thresholds = threshold_candidates(signed[present], len(signed))
    if not len(thresholds):
        return
    numbers = [float(-threshold if falling else threshold) for threshold in thresholds]
    conditions = tuple(_condition(column, feature, "<=" if falling else ">=", number) for number in numbers)
    levels = ThresholdLevels(np.searchsorted(thresholds, signed, side="right"), len(thresholds))
    handicap = UNUSUAL * (feature is not None and not _is_plain(feature))
    yield CandidateColumn(
        family_of(column), column.name, conditions, levels, handicap, present=None if present.all() else present
    )


def _is_plain(feature: Feature) -> bool:
    """Whether it is a count or value of an event, or the number of users who take part."""
    return feature.measure == "distinct_users" if feature.event == ANY else feature.measure in _PLAIN


def _condition(column: ModelColumn, feature: Feature | None, operator: str, number: float) -> Criterion:
    if feature is None:
        return Criterion.model_validate({"trait": column.text, "operator": operator, "threshold": number})
    return feature_criterion(feature, operator, number)


def threshold_candidates(values: np.ndarray, rows: int) -> np.ndarray:
    """List possible thresholds in rising order: every distinct number, or round ones where there are too many.

    >>> threshold_candidates(np.repeat([0.0, 1.0, 2.0], 50), 150).tolist()
    [1.0, 2.0]
    """
    min_rows = max(LEAST_ROWS, LEAST_SHARE * rows)
    distinct, size = np.unique(values, return_counts=True)
    above = size[::-1].cumsum()[::-1]
    usable = np.flatnonzero((above >= min_rows) & (rows - above >= min_rows))
    if not len(usable):
        return np.empty(0)
    low, high = np.r_[-np.inf, distinct][usable], distinct[usable]
    if len(high) > MOST_THRESHOLDS:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, MOST_THRESHOLDS), method="lower"))
        high = np.unique([high[0], *edges[(edges > high[0]) & (edges < high[-1])], high[-1]])
        low = np.r_[low[0], high[:-1]]
    return np.unique([roundest(a, b) for a, b in zip(low, high, strict=True)])


def roundest(low: float, high: float) -> float:
    """Return the number in (low, high] with the fewest digits, preferring multiples of 5; whole numbers stay whole.

    Every number between two neighbouring values of the data splits the rows in the same way.

    >>> roundest(1987.2, 2014.8), roundest(4.0, 5.0), roundest(0.1234, 0.1311), roundest(-3.2, -2.9)
    (2000.0, 5.0, 0.13, -3.0)
    """
    if not math.isfinite(low) or (float(high).is_integer() and high - low <= 1):
        return float(high)
    size = math.floor(math.log10(max(abs(low), abs(high)))) + 1
    for digits in range(-size, 13 - size):
        for unit in (5 * 10.0**-digits, 10.0**-digits):
            number = round(math.floor(high / unit + 1e-9) * unit, max(0, digits) + 1)
            if low < number <= high:
                return number + 0.0  # never -0
    return float(high)


def _category_candidates(column: ModelColumn, texts: pd.Series) -> Iterator[CandidateColumn]:
    """Single values and, where there are few, sets of two or three. The outcome plays no part in the choice."""
    names = [name for name in column.categories if name != OTHER]
    if len(names) > _MOST_SINGLE:
        return
    min_rows = max(LEAST_ROWS, LEAST_SHARE * len(texts))
    for count in range(1, 4 if len(names) <= _MOST_TOGETHER else 2):
        for values in combinations(names, count):
            mask = texts.isin(values).to_numpy(bool)
            if min_rows <= mask.sum() <= len(mask) - min_rows:
                condition = Criterion.model_validate({"trait": column.text, "in": list(values)})
                levels = ThresholdLevels(mask.astype(np.int64), 1)
                yield CandidateColumn(family_of(column), column.name, (condition,), levels, UNUSUAL * (count - 1))


def _without_identical(candidates: Sequence[CandidateColumn], oldest: float) -> list[CandidateColumn]:
    """Keep one of the columns that are identical on these rows: the one with the most natural window."""
    groups: dict[tuple[int, bytes], list[CandidateColumn]] = {}
    for candidate in candidates:
        key = (candidate.levels.count, blake2b(candidate.levels.level.tobytes()).digest())
        groups.setdefault(key, []).append(candidate)
    distinct = []
    for group in groups.values():
        best = min(group, key=lambda c: _naturalness(c, oldest))
        twins = tuple(c.column for c in group if c.column != best.column)
        distinct.append(replace(best, identical=twins))
    return distinct


def _naturalness(candidate: CandidateColumn, oldest: float) -> tuple[float, int, float]:
    """Sort key, the most natural first.

    For an event `first` comes before `ever` before `last`, for the account as a whole `ever` comes first; shorter
    windows come before longer ones.
    """
    condition = candidate.conditions[0]
    if condition.event is None:
        return (0.0, 0, 0.0)
    order = ("ever", "first", "last") if condition.event == ANY else ("first", "ever", "last")
    length = (
        math.inf if condition.window == EVER or condition.window.length is None else condition.window.length.us / DAY
    )
    longer_than_history = condition.window.kind != "ever" and length * DAY > oldest
    return (candidate.handicap + 10 * longer_than_history, order.index(condition.window.kind), length)


def neighbours(
    candidates: Sequence[CandidateColumn], column: str, condition: Criterion, each_side: int = 2
) -> tuple[Criterion, ...]:
    """Return looser and stricter thresholds of the same column, each met by about a third more or fewer rows."""
    of_column = next((c for c in candidates if c.column == column and condition in c.conditions), None)
    if of_column is None or len(of_column.conditions) == 1:
        return ()
    position = of_column.conditions.index(condition)
    row_counts = [int(of_column.levels.met(t).sum()) for t in range(of_column.levels.count)]
    levels: list[int] = []
    for step, factor in ((-1, 1.33), (1, 0.67)):
        last, t, count = row_counts[position], position + step, 0
        while 0 <= t < len(row_counts) and count < each_side:
            if (row_counts[t] >= last * factor) if step < 0 else (row_counts[t] <= last * factor):
                levels.append(t)
                last, count = row_counts[t], count + 1
            t += step
    return tuple(of_column.conditions[t] for t in sorted(levels))
