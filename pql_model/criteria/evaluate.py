"""Does a row meet a definition? Conditions read the same features that the model reads."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition
from pql_model.errors import DataError, did_you_mean, nearest
from pql_model.features.spec import Feature
from pql_model.model.columns import as_numbers, as_texts, trait_name
from pql_model.sources.scalars import canonical_value

_COMPARE: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


def criterion_feature(criterion: Criterion) -> Feature:
    """The feature that a condition about an event reads."""
    return Feature(str(criterion.event), criterion.measure, criterion.window, criterion.value)


def definition_features(definition: Definition | None) -> list[Feature]:
    """Every feature a definition reads, also in windows that the config does not list."""
    criteria = definition.criteria if definition is not None else []
    return list(dict.fromkeys(criterion_feature(c) for c in criteria if c.event is not None))


def check_names(
    definition: Definition | None,
    events: Sequence[str],
    traits: Sequence[str],
    place: str = "`definition:` in the config",
    what: str = "definition",
) -> None:
    """Refuse a definition that names an event or trait the data do not have: nobody could ever meet it.

    Parameters
    ----------
    place, what
        Where the definition stands and what it is called, for the error.

    Raises
    ------
    DataError
        With the nearest name.
    """
    for criterion in definition.criteria if definition is not None else []:
        kind, name, known = (
            ("trait", criterion.trait, traits) if criterion.trait else ("event", criterion.event, ["any", *events])
        )
        if name is not None and name not in known:
            close = nearest(name, known)
            raise DataError(
                f"The {what} names {kind} `{name}`, which the data do not have" + did_you_mean(close),
                received=name,
                allowed=list(known),
                remedy=f"correct {place}",
            )


def meets(definition: Definition, table: pd.DataFrame) -> np.ndarray:
    """Whether each row of a feature table meets the definition, bool (rows,). What is missing is not met."""
    held = np.sum([holds(criterion, table) for criterion in definition.criteria], axis=0)
    return np.asarray(held >= definition.least)


def holds(criterion: Criterion, table: pd.DataFrame) -> np.ndarray:
    """Whether each row meets one criterion, bool (rows,)."""
    if criterion.trait is not None and criterion.in_ is not None:
        return as_texts(table[trait_name(criterion.trait)]).isin([*map(canonical_value, criterion.in_)]).to_numpy(bool)
    return compared(criterion, criterion_values(criterion, table))


def compared(criterion: Criterion, values: np.ndarray) -> np.ndarray:
    """Whether numbers hold a criterion that has a threshold, bool; NaN does not."""
    met = _COMPARE[str(criterion.operator)](values, float(criterion.threshold or 0.0))
    return np.asarray(met & ~np.isnan(values))


def criterion_values(criterion: Criterion, table: pd.DataFrame) -> np.ndarray:
    """The numbers that a criterion compares, float (rows,); NaN where there is none."""
    name = trait_name(criterion.trait) if criterion.trait is not None else criterion_feature(criterion).name
    return as_numbers(table[name])
