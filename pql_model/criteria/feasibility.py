"""What can be said of a rule before its outcomes are counted: conditions that nobody or everybody meets, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.evaluate import criterion_feature, criterion_values, holds
from pql_model.criteria.phrasing import criterion_text, number
from pql_model.errors import DataError, Fault, did_you_mean, listed, nearest
from pql_model.model.columns import as_numbers, as_texts, trait_name
from pql_model.sources.scalars import canonical_value
from pql_model.time import DAY, MINUTE, SESSION_GAP


def limits(criterion: Criterion, names: int | None = None) -> tuple[float, float]:
    """Between which the number of an event's condition lies, whatever the data are; infinite where nothing bounds it.

    Parameters
    ----------
    names
        How many event names the data have.

    Examples
    --------
    >>> week = {"event": "any", "measure": "active_days", "within": "first 7d", "at_least": 30}
    >>> limits(Criterion.model_validate(week))  # seven days from noon to noon touch eight dates
    (0.0, 8.0)
    """
    rule = criterion_feature(criterion).rule
    least = -math.inf if rule.least is None else rule.least
    most = math.inf if rule.most is None else rule.most
    if rule.name == "breadth" and names is not None:
        most = float(names)
    if criterion.window.length is not None:
        most = min(most, _most_within(rule.name, criterion.window.kind, criterion.window.length.us))
    return least, most


def _most_within(measure: str, kind: str, length: int) -> float:
    """What so long a window leaves room for."""
    if measure in ("active_days", "current_streak_days", "longest_streak_days"):
        return math.ceil(length / DAY) + 1.0
    if measure == "session_minutes":
        return length / MINUTE
    if measure == "sessions":
        return length // SESSION_GAP + 1.0
    if (measure, kind) in (("days_since_last", "last"), ("days_to_first", "first")):
        return length / DAY
    return math.inf


def certainties(definition: Definition, names: int | None = None) -> Iterator[Fault]:
    """Conditions that can never hold, or always do: each would be a slip of the pen.

    Where no number is true (nothing happened, so there is no last time) a condition does not hold; such measures never
    always hold.
    """
    key = "all" if definition.all_ is not None else "any" if definition.any_ is not None else "of"
    for place, criterion in enumerate(definition.criteria):
        if criterion.event is None or criterion.threshold is None:
            continue
        low, high = limits(criterion, names)
        never, always = _certain(str(criterion.operator), criterion.threshold, low, high)
        feature = criterion_feature(criterion)
        asked = f"`{criterion.operator} {number(criterion.threshold)}`"
        if never:
            yield Fault(
                f"{key}.{place}", f"nobody can meet it: {feature.text} {_range(low, high)}, and it asks for {asked}"
            )
        elif always and feature.rule.empty is not None:
            yield Fault(
                f"{key}.{place}", f"everybody meets it: {feature.text} {_range(low, high)}, and it asks for {asked}"
            )


def _certain(operator: str, threshold: float, low: float, high: float) -> tuple[bool, bool]:
    """Whether no number between low and high passes, and whether each does."""
    outside = threshold < low or threshold > high
    return {
        ">=": (threshold > high, threshold <= low),
        ">": (threshold >= high, threshold < low),
        "<=": (threshold < low, threshold >= high),
        "<": (threshold <= low, threshold > high),
        "==": (outside, False),
        "!=": (False, outside),
    }[operator]


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return f"is never below {number(low)}"
    return f"lies between {number(low)} and {number(high)}"


def trait_notes(definition: Definition, table: pd.DataFrame) -> list[str]:
    """Sentences about listed trait values that no entity has.

    Parameters
    ----------
    table
        The traits of all entities, under their names in a feature table.

    Raises
    ------
    DataError
        If a condition lists only values that do not occur, or compares a trait that holds no number: nobody could meet it.
    """
    notes = []
    for criterion in definition.criteria:
        if criterion.trait is None:
            continue
        column = table[trait_name(criterion.trait)]
        if criterion.in_ is None:
            _refuse_texts(criterion.trait, column)
            continue
        known = sorted(as_texts(column).dropna().unique())
        absent = [value for value in criterion.in_ if canonical_value(value) not in known]
        if len(absent) == len(criterion.in_):
            raise _no_such_value(criterion.trait, absent, known)
        hints = [_value_hint(criterion.trait, value, known) for value in absent]
        notes += [f"No entity has {hint}{'' if hint.endswith('?') else '.'}" for hint in hints]
    return notes


def _refuse_texts(trait: str, column: pd.Series) -> None:
    if pd.isna(as_numbers(column)).all():
        raise DataError(
            f"The definition compares trait `{trait}` with a number, but it holds none: nobody could meet it",
            received=listed(sorted(as_texts(column).dropna().unique()), 5) or "nothing but missing values",
            remedy="list the values that qualify instead: `in: [...]`",
        )


def _no_such_value(trait: str, absent: Sequence[str], known: Sequence[str]) -> DataError:
    return DataError(
        f"No entity has {_value_hint(trait, absent[0], known)}"
        if len(absent) == 1
        else f"No entity has any of the listed values of trait `{trait}`",
        received=listed(absent),
        allowed=list(known),
        remedy="correct the values, which must match to the letter",
    )


def _value_hint(trait: str, value: str, known: Sequence[str]) -> str:
    close = nearest(value, known)
    return f"`{value}` as trait `{trait}`" + did_you_mean(close)


def window_notes(definition: Definition, signed_up: np.ndarray, as_of: np.ndarray) -> list[str]:
    """Sentences about `first` windows that are not over yet at some rows, and count what there was by then.

    Parameters
    ----------
    signed_up, as_of
        Instants, (rows,); only rows whose sign-up is known.

    >>> month = {"event": "any", "at_least": 5, "within": "first 30d"}
    >>> window_notes(Definition.model_validate({"all": [month]}), np.zeros(120), np.full(120, 14.0 * DAY))
    ['`first 30d` is not over at any of the 120 rows: there it counts what was seen by then.']
    """
    notes = []
    for window in dict.fromkeys(c.window for c in definition.criteria if c.event is not None):
        running = len(as_of) - int(np.sum(window.elapsed(signed_up, as_of)))
        if running:
            rows = f"any of the {len(as_of):,} rows" if running == len(as_of) else f"{running:,} of {len(as_of):,} rows"
            notes.append(f"`{window}` is not over at {rows}: there it counts what was seen by then.")
    return notes


def nobody_notes(definition: Definition, table: pd.DataFrame) -> list[str]:
    """Why nobody meets a definition: how many rows meet each condition alone, and how far it goes where none does.

    >>> rule = Definition.model_validate({"all": [{"event": "Export Made", "at_least": 40}]})
    >>> nobody_notes(rule, pd.DataFrame({"Export+Made.count.ever": [0.0, 31.0, 4.0]}))
    ['Alone, at least 40 `Export Made` so far: met by 0 of 3 rows; it runs from 0 to 31.']
    """
    notes = []
    for criterion in definition.criteria:
        met = int(holds(criterion, table).sum())
        said = f"Alone, {criterion_text(criterion)}: met by {met:,} of {len(table):,} rows"
        if not met and criterion.in_ is None:
            values = criterion_values(criterion, table)
            values = values[~np.isnan(values)]
            said += (
                f"; it runs from {number(values.min())} to {number(values.max())}" if len(values) else "; none has it"
            )
        notes.append(f"{said}.")
    return notes
