"""Check a definition before its outcomes are counted: conditions that nobody or everybody meets, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.definition_text import criterion_text, number_text
from pql_model.criteria.evaluate import criterion_values, holds
from pql_model.errors import DataError, Fault, did_you_mean, listed, nearest
from pql_model.features.spec import declared_feature
from pql_model.features.trait_columns import as_numbers, trait_name
from pql_model.model.columns import as_texts
from pql_model.sources.scalars import canonical_value
from pql_model.time import DAY, MINUTE, SESSION_GAP


def value_bounds(criterion: Criterion, event_names: int | None = None) -> tuple[float, float]:
    """Bound the number that a criterion about an event compares, for any data.

    Parameters
    ----------
    criterion : Criterion
    event_names : int, optional
        Number of distinct event names in the data.

    Returns
    -------
    tuple of float
        Lower and upper bound, infinite where nothing bounds the number.

    Examples
    --------
    >>> week = {"event": "any", "measure": "active_days", "within": "first 7d", "at_least": 30}
    >>> value_bounds(Criterion.model_validate(week))  # seven days from noon to noon touch eight dates
    (0.0, 8.0)
    """
    measure = declared_feature(criterion).rule
    low = -math.inf if measure.least is None else measure.least
    high = math.inf if measure.most is None else measure.most
    if criterion.share_of is not None:
        return low, math.inf
    if measure.name == "breadth" and event_names is not None:
        high = float(event_names)
    if criterion.window.length is not None:
        high = min(high, _upper_bound_within(measure.name, criterion.window.kind, criterion.window.length.us))
    return low, high


def _upper_bound_within(measure: str, kind: str, length: int) -> float:
    """The largest number that fits into a window of this length."""
    if measure in ("active_days", "current_streak_days", "longest_streak_days"):
        return math.ceil(length / DAY) + 1.0
    if measure == "session_minutes":
        return length / MINUTE
    if measure == "sessions":
        return length // SESSION_GAP + 1.0
    if (measure, kind) in (("days_since_last", "last"), ("days_to_first", "first")):
        return length / DAY
    return math.inf


def trivial_conditions(definition: Definition, event_names: int | None = None) -> Iterator[Fault]:
    """Find conditions that never or always hold, which can only be mistakes.

    A condition does not hold where its number is missing (without any event there is no last one), so a measure that
    can be missing never always holds.
    """
    for place, criterion in _places(definition):
        if criterion.event is None or criterion.threshold is None:
            continue
        low, high = value_bounds(criterion, event_names)
        never, always = _never_always(str(criterion.operator), criterion.threshold, low, high)
        feature = declared_feature(criterion)
        required = f"`{criterion.operator} {number_text(criterion.threshold)}`"
        reason = f"{feature.text} {_bounds_text(low, high)}, and the condition requires {required}"
        if never:
            yield Fault(place, f"nobody can meet it: {reason}")
        elif always and feature.rule.empty is not None:
            yield Fault(place, f"everybody meets it: {reason}")


def _places(definition: Definition, above: str = "") -> Iterator[tuple[str, Criterion]]:
    """Each condition with its place in the file, such as `all.1.any.0`."""
    key = "of" if definition.of is not None else definition.join
    for position, member in enumerate(definition.members):
        place = f"{above}{key}.{position}"
        if isinstance(member, Definition):
            yield from _places(member, f"{place}.")
        else:
            yield place, member


def _never_always(operator: str, threshold: float, low: float, high: float) -> tuple[bool, bool]:
    """Whether no number between low and high passes, and whether every number does."""
    out_of_range = threshold < low or threshold > high
    return {
        ">=": (threshold > high, threshold <= low),
        ">": (threshold >= high, threshold < low),
        "<=": (threshold < low, threshold >= high),
        "<": (threshold <= low, threshold > high),
        "==": (out_of_range, False),
        "!=": (False, out_of_range),
    }[operator]


def _bounds_text(low: float, high: float) -> str:
    if math.isinf(high):
        return f"is never below {number_text(low)}"
    return f"lies between {number_text(low)} and {number_text(high)}"


def trait_notes(definition: Definition, table: pd.DataFrame) -> list[str]:
    """Note, a sentence each, the listed trait values that no entity has.

    Parameters
    ----------
    definition : Definition
    table : DataFrame
        The traits of all entities, under their names in a feature table.

    Raises
    ------
    DataError
        If a condition lists only values that do not occur, or compares a trait without numbers: nobody could meet it.
    """
    notes = []
    for criterion in definition.criteria:
        if criterion.share_of is not None and trait_name(criterion.share_of) in table.columns:
            _require_numbers(criterion.share_of, table[trait_name(criterion.share_of)])
        if criterion.trait is None or trait_name(criterion.trait) not in table.columns:  # no trait, or a dated column
            continue
        column = table[trait_name(criterion.trait)]
        if criterion.in_ is None:
            _require_numbers(criterion.trait, column)
            continue
        values = sorted(as_texts(column).dropna().unique())
        absent = [value for value in criterion.in_ if canonical_value(value) not in values]
        if len(absent) == len(criterion.in_):
            raise _no_such_value(criterion.trait, absent, values)
        hints = [_value_hint(criterion.trait, value, values) for value in absent]
        notes += [f"No entity has {hint}{'' if hint.endswith('?') else '.'}" for hint in hints]
    return notes


def _require_numbers(trait: str, column: pd.Series) -> None:
    if pd.isna(as_numbers(column)).all():
        raise DataError(
            f"The definition compares trait `{trait}` with a number, but the trait holds no numbers: nobody could meet it",
            received=listed(sorted(as_texts(column).dropna().unique()), 5) or "only missing values",
            remedy="list the values that qualify instead: `in: [...]`",
        )


def _no_such_value(trait: str, absent: Sequence[str], values: Sequence[str]) -> DataError:
    return DataError(
        f"No entity has {_value_hint(trait, absent[0], values)}"
        if len(absent) == 1
        else f"No entity has any of the listed values of trait `{trait}`",
        received=listed(absent),
        allowed=list(values),
        remedy="correct the values; they must match exactly",
    )


def _value_hint(trait: str, value: str, values: Sequence[str]) -> str:
    return f"`{value}` as trait `{trait}`" + did_you_mean(nearest(value, values))


def window_notes(definition: Definition, signed_up: np.ndarray, as_of: np.ndarray) -> list[str]:
    """Note, a sentence each, the `first` windows that are still open at some rows.

    Parameters
    ----------
    definition : Definition
    signed_up, as_of : arrays of shape (rows,)
        Instants of the rows whose sign-up is known.

    Examples
    --------
    >>> month = {"event": "any", "at_least": 5, "within": "first 30d"}
    >>> window_notes(Definition.model_validate({"all": [month]}), np.zeros(120), np.full(120, 14.0 * DAY))
    ['`first 30d` is still open at all 120 rows: only events up to that point are counted.']
    """
    notes = []
    for window in dict.fromkeys(c.window for c in definition.criteria if c.event is not None):
        still_open = len(as_of) - int(np.sum(window.elapsed(signed_up, as_of)))
        if still_open:
            rows = "all" if still_open == len(as_of) else f"{still_open:,} of"
            notes.append(
                f"`{window}` is still open at {rows} {len(as_of):,} rows: only events up to that point are counted."
            )
    return notes


def unmet_notes(definition: Definition, table: pd.DataFrame) -> list[str]:
    """Explain why nobody meets a definition: how many rows meet each condition alone, and the values it can reach.

    >>> exports = Definition.model_validate({"all": [{"event": "Export Made", "at_least": 40}]})
    >>> unmet_notes(exports, pd.DataFrame({"Export+Made.count.ever": [0.0, 31.0, 4.0]}))
    ['Alone, at least 40 `Export Made` so far: met by 0 of 3 rows; the values range from 0 to 31.']
    """
    notes = []
    for criterion in definition.criteria:
        row_count = int(holds(criterion, table).sum())
        note = f"Alone, {criterion_text(criterion)}: met by {row_count:,} of {len(table):,} rows"
        if not row_count and criterion.in_ is None:
            values = criterion_values(criterion, table)
            values = values[~np.isnan(values)]
            note += (
                f"; the values range from {number_text(values.min())} to {number_text(values.max())}"
                if len(values)
                else "; no row has a value"
            )
        notes.append(f"{note}.")
    return notes
