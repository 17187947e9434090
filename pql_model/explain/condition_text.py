"""Conditions of a definition beside the values of a row."""

from __future__ import annotations

import pandas as pd

from pql_model.config.definition import Criterion
from pql_model.explain.reason_text import AGE, format_amount, format_number, value_text
from pql_model.features.spec import declared_feature
from pql_model.features.trait_columns import as_numbers, trait_name
from pql_model.measures import MEASURES
from pql_model.model.columns import ModelColumn, as_texts

_NEEDS = {
    ">=": "at least",
    ">": "more than",
    "<=": "at most",
    "<": "less than",
    "==": "exactly",
    "!=": "any number but",
}


def condition_text(criterion: Criterion, table: pd.DataFrame) -> str:
    """Describe the value of the only row of a feature table and the requirement of a condition.

    Examples
    --------
    >>> criterion = Criterion.model_validate({"event": "Board Created", "at_least": 2, "within": "first 7d"})
    >>> condition_text(criterion, pd.DataFrame({"Board+Created.count.first_7d": [1.0]}))
    '1 `Board Created` in the first 7 days; needs at least 2'
    """
    return f"{_value(criterion, table)}; needs {_requirement(criterion)}"


def _requirement(criterion: Criterion) -> str:
    if criterion.in_ is not None:
        return criterion.in_[0] if len(criterion.in_) == 1 else f"one of {', '.join(criterion.in_)}"
    return f"{_NEEDS[str(criterion.operator)]} {_threshold(criterion, float(criterion.threshold or 0.0))}"


def _threshold(criterion: Criterion, threshold: float) -> str:
    """Threshold in the unit of the value."""
    if criterion.share_of is not None:
        return f"{format_number(round(100 * threshold, 1))} %"
    if criterion.measure in ("sum", "max", "last"):
        return format_amount(str(criterion.value), threshold)
    unit = MEASURES[criterion.measure].unit
    if unit in ("days", "minutes"):
        return format_amount(unit, threshold)
    return f"{threshold:.0%}" if unit == "share" else format_number(threshold)


def _value(criterion: Criterion, table: pd.DataFrame) -> str:
    if criterion.event is not None:
        column = ModelColumn(declared_feature(criterion).name, "feature")
    else:
        column = ModelColumn(trait_name(str(criterion.trait)), "number" if criterion.in_ is None else "text")
    if column.kind == "text":
        text = as_texts(table[column.name]).iloc[0]
        return value_text(column, None if pd.isna(text) else str(text))
    age = float(as_numbers(table[AGE.name])[0]) if AGE.name in table.columns else None
    value = float(as_numbers(table[column.name])[0])
    return value_text(column, None if value != value else value, age)
