"""Every condition that could be a criterion: the columns of the model, each with its thresholds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import combinations

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion
from pql_model.criteria.likelihood import Steps
from pql_model.features.spec import Feature, parse_feature
from pql_model.measures import ANY, LESS_IS_MORE, MEASURES
from pql_model.model.columns import OTHER, ModelColumn, as_numbers, as_texts
from pql_model.time import DAY, EVER, Window

MOST_THRESHOLDS = 60
LEAST_ROWS, LEAST_SHARE = 20, 0.01
"""A threshold has so many rows, and this share of them, on either side."""
UNUSUAL = 4.0
"""By how much (log-likelihood) a measure that people seldom put into rules must explain more than a plain count."""

_NEVER = ("days_since_signup",)
_PLAIN = ("count", "sum", "max", "last", "distinct_values")
_MOST_SINGLE, _MOST_TOGETHER = 30, 6


@dataclass(frozen=True)
class Candidate:
    """One column and its thresholds, from the easiest to meet to the hardest.

    Attributes
    ----------
    family
        What competes with it for one place among the criteria: an event, a measure of the account as a whole, a trait.
    conditions
        One for each threshold of `steps`.
    handicap
        Log-likelihood that is taken off its gain when it competes.
    same
        Columns that are the same on these rows, such as `first 14d` and `ever` at day 14.
    """

    family: str
    column: str
    conditions: tuple[Criterion, ...]
    steps: Steps
    handicap: float = 0.0
    same: tuple[str, ...] = ()

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Numbers of the conditions; of a list of texts its place."""
        return tuple(float(k if c.threshold is None else c.threshold) for k, c in enumerate(self.conditions))


def family_of(column: ModelColumn) -> str:
    """What a column's criterion would be about.

    >>> family_of(ModelColumn("Teammate+Invited.count.first_7d", "feature"))
    'Teammate Invited'
    >>> family_of(ModelColumn("any.distinct_users.ever", "feature"))
    'any: distinct_users'
    """
    if column.kind != "feature":
        return f"trait: {column.text}"
    feature = parse_feature(column.name)
    return f"any: {feature.measure}" if feature.event == ANY else feature.event


def family_words(family: str) -> str:
    """The same for people.

    >>> family_words("any: distinct_users"), family_words("trait: size"), family_words("Export Made")
    ('users active', 'size', 'Export Made')
    """
    measure = family.removeprefix("any: ")
    return MEASURES[measure].noun if measure != family and measure in MEASURES else family.removeprefix("trait: ")


def candidates(
    columns: Sequence[ModelColumn], table: pd.DataFrame, signed_up: np.ndarray, as_of: np.ndarray
) -> list[Candidate]:
    """Candidates of a table's columns.

    Parameters
    ----------
    table
        Feature table of the rows to mine.
    signed_up, as_of
        Of the same rows, microseconds; signed_up NaN where it is not known. A `first` window that has not elapsed on
        some row is not mined.
    """
    made: list[Candidate] = []
    for column in columns:
        if column.kind == "category":
            made += _of_category(column, as_texts(table[column.name]))
        elif column.kind == "number":
            made += _of_numbers(column, as_numbers(table[column.name]), None)
        else:
            feature = parse_feature(column.name)
            if feature.measure not in _NEVER and _elapsed(feature.window, signed_up, as_of):
                made += _of_numbers(column, as_numbers(table[column.name]), feature)
    age = (as_of - signed_up)[~np.isnan(signed_up)]
    return _merged(made, float(age.max()) if len(age) else math.nan)


def _elapsed(window: Window, signed_up: np.ndarray, as_of: np.ndarray) -> bool:
    """Whether it is over at every row; where the sign-up is not known there is no number, and nothing to wait for."""
    return bool(np.all(window.elapsed(signed_up, as_of) | np.isnan(signed_up)))


def _of_numbers(column: ModelColumn, values: np.ndarray, feature: Feature | None) -> Iterator[Candidate]:
    falling = feature is not None and feature.measure in LESS_IS_MORE
    known = ~np.isnan(values)
    signed = np.where(known, -values if falling else values, -np.inf)
    found = places(signed[known], len(signed))
    if not len(found):
        return
    numbers = [float(-place if falling else place) for place in found]
    conditions = tuple(_condition(column, feature, "<=" if falling else ">=", number) for number in numbers)
    level = np.searchsorted(found, signed, side="right")
    handicap = UNUSUAL * (feature is not None and not _plain(feature))
    yield Candidate(family_of(column), column.name, conditions, Steps(level, len(found)), handicap)


def _plain(feature: Feature) -> bool:
    """Counts and values of an event, and how many people take part."""
    return feature.measure == "distinct_users" if feature.event == ANY else feature.measure in _PLAIN


def _condition(column: ModelColumn, feature: Feature | None, operator: str, number: float) -> Criterion:
    if feature is None:
        return Criterion.model_validate({"trait": column.text, "operator": operator, "threshold": number})
    said = {
        "event": feature.event,
        "measure": feature.measure,
        "window": str(feature.window),
        "operator": operator,
        "threshold": number,
        **({"value": feature.value} if feature.value is not None else {}),
    }
    return Criterion.model_validate(said)


def places(known: np.ndarray, rows: int) -> np.ndarray:
    """Thresholds in rising order: every distinct number, or round ones where there are too many.

    >>> places(np.repeat([0.0, 1.0, 2.0], 50), 150).tolist()
    [1.0, 2.0]
    """
    least = max(LEAST_ROWS, LEAST_SHARE * rows)
    distinct, size = np.unique(known, return_counts=True)
    above = size[::-1].cumsum()[::-1]
    usable = np.flatnonzero((above >= least) & (rows - above >= least))
    if not len(usable):
        return np.empty(0)
    low, high = np.r_[-np.inf, distinct][usable], distinct[usable]
    if len(high) > MOST_THRESHOLDS:
        edges = np.unique(np.quantile(known, np.linspace(0, 1, MOST_THRESHOLDS), method="lower"))
        high = np.unique([high[0], *edges[(edges > high[0]) & (edges < high[-1])], high[-1]])
        low = np.r_[low[0], high[:-1]]
    return np.unique([roundest(a, b) for a, b in zip(low, high, strict=True)])


def roundest(low: float, high: float) -> float:
    """The number in (low, high] with the fewest digits, a multiple of 5 before others of as many; whole numbers stay whole.

    Of two numbers that follow each other in the data all those between split the rows alike.

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


def _of_category(column: ModelColumn, texts: pd.Series) -> Iterator[Candidate]:
    """Single values, and where there are few of them also two or three together. The outcome has no say in it."""
    names = [name for name in column.categories if name != OTHER]
    if len(names) > _MOST_SINGLE:
        return
    together = range(1, 4 if len(names) <= _MOST_TOGETHER else 2)
    least = max(LEAST_ROWS, LEAST_SHARE * len(texts))
    for many in together:
        for chosen in combinations(names, many):
            met = texts.isin(chosen).to_numpy(bool)
            if least <= met.sum() <= len(met) - least:
                condition = Criterion.model_validate({"trait": column.text, "in": list(chosen)})
                handicap = UNUSUAL * (many - 1)
                yield Candidate(family_of(column), column.name, (condition,), Steps(met.astype(np.int64), 1), handicap)


def _merged(made: Sequence[Candidate], oldest: float) -> list[Candidate]:
    """Columns that are the same on these rows once, by the window people would say."""
    groups: dict[tuple[int, bytes], list[Candidate]] = {}
    for candidate in made:
        same = (candidate.steps.count, blake2b(candidate.steps.level.tobytes()).digest())
        groups.setdefault(same, []).append(candidate)
    merged = []
    for group in groups.values():
        best = min(group, key=lambda c: _saying(c, oldest))
        others = tuple(c.column for c in group if c.column != best.column)
        merged.append(replace(best, same=others))
    return merged


def _saying(candidate: Candidate, oldest: float) -> tuple[float, int, float]:
    """Of an event: `first` before `ever` before `last`; of the account as a whole `ever` first. Shorter before longer."""
    condition = candidate.conditions[0]
    if condition.event is None:
        return (0.0, 0, 0.0)
    order = ("ever", "first", "last") if condition.event == ANY else ("first", "ever", "last")
    length = (
        math.inf if condition.window == EVER or condition.window.length is None else condition.window.length.us / DAY
    )
    beyond = condition.window.kind != "ever" and length * DAY > oldest
    return (candidate.handicap + 10 * beyond, order.index(condition.window.kind), length)


def neighbours(
    offered: Sequence[Candidate], column: str, condition: Criterion, each_side: int = 2
) -> tuple[Criterion, ...]:
    """Looser and stricter thresholds of the same column, each met by about a third more or fewer rows than the last."""
    of_column = next((c for c in offered if c.column == column and condition in c.conditions), None)
    if of_column is None or len(of_column.conditions) == 1:
        return ()
    here = of_column.conditions.index(condition)
    met = [int(of_column.steps.met(t).sum()) for t in range(of_column.steps.count)]
    found: list[int] = []
    for step, factor in ((-1, 1.33), (1, 0.67)):
        last, t, taken = met[here], here + step, 0
        while 0 <= t < len(met) and taken < each_side:
            if (met[t] >= last * factor) if step < 0 else (met[t] <= last * factor):
                found.append(t)
                last, taken = met[t], taken + 1
            t += step
    return tuple(of_column.conditions[t] for t in sorted(found))
