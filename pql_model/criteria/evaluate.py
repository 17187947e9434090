"""Evaluate criteria and definitions, on a feature table or on the single row of a request."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition, criterion_json, definition_keys, joined_json
from pql_model.criteria.definition_text import criterion_text, definition_text
from pql_model.errors import DataError, did_you_mean, nearest
from pql_model.features.spec import Feature, declared_feature
from pql_model.features.trait_columns import as_numbers, trait_name
from pql_model.measures import ANY
from pql_model.model.columns import as_texts
from pql_model.sources.scalars import canonical_value

_COMPARE: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class BoundCriterion:
    """A criterion bound to the column it reads, with its id if it is one of the model's criteria.

    >>> criterion = BoundCriterion.from_dict({"event": "Invite", "at_least": 2})
    >>> criterion.column, criterion.text
    ('Invite.count.ever', 'at least 2 `Invite` so far')
    """

    criterion: Criterion
    id: str | None = None

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> BoundCriterion:
        keys = {key: value for key, value in raw.items() if key not in ("id", "text")}
        return cls(Criterion.model_validate(keys), raw.get("id"))

    def to_dict(self) -> dict[str, Any]:
        return {**({"id": self.id} if self.id is not None else {}), "text": self.text, **self.payload}

    @cached_property
    def text(self) -> str:
        return criterion_text(self.criterion)

    @cached_property
    def payload(self) -> Mapping[str, Any]:
        """The criterion in its long form, with its keys always in the same order."""
        return criterion_json(self.criterion)

    @cached_property
    def values(self) -> frozenset[str] | None:
        """The listed trait values; None for a criterion that compares numbers."""
        return frozenset(map(canonical_value, self.criterion.in_)) if self.criterion.in_ is not None else None

    @cached_property
    def feature(self) -> Feature | None:
        """The feature it reads; None for a trait."""
        return declared_feature(self.criterion) if self.criterion.trait is None else None

    @cached_property
    def column(self) -> str:
        return self.feature.name if self.feature is not None else trait_name(str(self.criterion.trait))

    @property
    def reads_text(self) -> bool:
        return self.criterion.in_ is not None


@dataclass(frozen=True)
class BoundDefinition:
    """A definition whose criteria are bound to the columns they read."""

    definition: Definition
    id: str | None = None

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> BoundDefinition:
        return cls(Definition.model_validate(definition_keys(raw)), raw.get("id"))

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "text": self.text, **joined_json(self.definition)}

    @cached_property
    def conditions(self) -> tuple[BoundCriterion, ...]:
        """Every condition, also of the definitions that it joins."""
        return tuple(map(BoundCriterion, self.definition.criteria))

    @cached_property
    def text(self) -> str:
        return definition_text(self.definition)


@dataclass(frozen=True)
class Columns:
    """The columns that criteria read: numbers (NaN where missing) and texts (None where missing) of the same rows.

    The service fills it with arrays of length one; `of_table` reads a feature table.
    """

    rows: int
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)
    texts: Mapping[str, np.ndarray] = field(default_factory=dict)
    _cache: dict[int, tuple[BoundCriterion, np.ndarray | None]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def of_table(cls, table: pd.DataFrame, conditions: Iterable[BoundCriterion], also: Sequence[str] = ()) -> Columns:
        """Read the columns of the criteria, and numeric columns named in `also`, as far as the table has them."""
        conditions = list(conditions)
        numbers = dict.fromkeys([*(c.column for c in conditions if not c.reads_text), *also])
        texts = dict.fromkeys(c.column for c in conditions if c.reads_text)
        return cls(
            len(table),
            {name: as_numbers(table[name]) for name in numbers if name in table.columns},
            {name: _texts(table[name]) for name in texts if name in table.columns},
        )

    def holds(self, condition: BoundCriterion) -> np.ndarray | None:
        """Whether the criterion holds, bool (rows,); None if its column is absent. A missing value never holds."""
        if id(condition) not in self._cache:  # the same criterion may be part of several definitions
            self._cache[id(condition)] = condition, self._evaluate(condition)
        return self._cache[id(condition)][1]

    def _evaluate(self, condition: BoundCriterion) -> np.ndarray | None:
        values = (self.texts if condition.reads_text else self.numbers).get(condition.column)
        if values is None:
            return None
        if (values_in := condition.values) is not None:
            return np.fromiter((value in values_in for value in values), bool, len(values))
        criterion = condition.criterion
        mask = _COMPARE[str(criterion.operator)](values, float(criterion.threshold or 0.0))
        return np.asarray(mask & ~np.isnan(values))

    def holds_any(self, conditions: Iterable[BoundCriterion]) -> np.ndarray:
        """Whether any of the criteria holds, bool (rows,); one whose column is absent holds nowhere."""
        mask = np.zeros(self.rows, bool)
        for condition in conditions:
            condition_mask = self.holds(condition)
            mask |= condition_mask if condition_mask is not None else False
        return mask

    def meets(self, definition: BoundDefinition) -> np.ndarray | None:
        """Whether each row meets the definition, bool (rows,); None if one of its columns is absent."""
        masks = [self.holds(condition) for condition in definition.conditions]
        present = [mask for mask in masks if mask is not None]
        return np.asarray(definition.definition.met(present)) if len(present) == len(masks) else None

    def __getitem__(self, rows: np.ndarray) -> Columns:
        numbers, texts = ({name: values[rows] for name, values in kind.items()} for kind in (self.numbers, self.texts))
        return Columns(len(np.arange(self.rows)[rows]), numbers, texts)


def _texts(column: pd.Series) -> np.ndarray:
    texts = as_texts(column)
    return np.asarray(texts.astype(object).where(texts.notna(), None), object)


def meets(definition: Definition, table: pd.DataFrame) -> np.ndarray:
    """Whether each row of a feature table meets the definition, bool (rows,).

    Raises
    ------
    KeyError
        If the table lacks a column that the definition reads.
    """
    bound = BoundDefinition(definition)
    return _present(Columns.of_table(table, bound.conditions).meets(bound), bound.text)


def met_by(definition: Definition, masks: np.ndarray, instead: Mapping[int, bool] | None = None) -> np.ndarray:
    """Whether each row meets a definition, from which of its criteria it meets.

    Parameters
    ----------
    masks : array of bool, shape (rows, criteria)
        In the order of `Definition.criteria`.
    instead : mapping, optional
        Position of a criterion -> whether it holds, for all rows.
    """
    columns = masks.T.copy()
    for position, truth in (instead or {}).items():
        columns[position] = truth
    return np.asarray(definition.met(columns))


def lacking(definition: Definition, truths: Iterable[np.ndarray]) -> np.ndarray:
    """How many further criteria each row needs at least to meet a definition, (rows,); `truths` as `Definition.met` takes them."""
    rest = iter(truths)
    needs = [
        lacking(member, rest) if isinstance(member, Definition) else 1 - np.asarray(next(rest), np.int64)
        for member in definition.members
    ]
    return np.asarray(np.sort(needs, axis=0)[: definition.least].sum(axis=0))


def near_miss(definition: Definition, masks: np.ndarray) -> np.ndarray:
    """Whether each row meets a part of a definition and lacks exactly one criterion, bool (rows,); `masks` as in `met_by`."""
    return np.asarray((lacking(definition, masks.T) == 1) & masks.any(axis=1))


def holds(criterion: Criterion, table: pd.DataFrame) -> np.ndarray:
    """Whether a criterion holds in each row of a feature table, bool (rows,).

    Raises
    ------
    KeyError
        If the table lacks the column that the criterion reads.
    """
    bound = BoundCriterion(criterion)
    return _present(Columns.of_table(table, [bound]).holds(bound), bound.column)


def _present(mask: np.ndarray | None, name: str) -> np.ndarray:
    if mask is None:
        raise KeyError(name)
    return mask


def criterion_values(criterion: Criterion, table: pd.DataFrame) -> np.ndarray:
    """The numbers that a criterion compares, float (rows,); NaN where missing."""
    return as_numbers(table[BoundCriterion(criterion).column])


def definition_features(definition: Definition | None) -> list[Feature]:
    """List the features that a definition reads, including windows that the config does not list."""
    criteria = definition.criteria if definition is not None else []
    return list(dict.fromkeys(declared_feature(c) for c in criteria if c.event is not None))


def check_names(
    definition: Definition | None,
    events: Sequence[str] | None,
    traits: Sequence[str] | None,
    place: str = "`definition:` in the config",
    owner: str = "definition",
    lack: str = "the data do not",
) -> None:
    """Refuse a definition that names an unknown event or trait: nobody could ever meet it.

    Parameters
    ----------
    events, traits
        The known names; None: any name passes.
    place, owner, lack
        Parts of the error: where the definition is written, what it is called, and who does not have the name.

    Raises
    ------
    DataError
        With the nearest known name.
    """
    known_events = None if events is None else [ANY, *events]
    for criterion in definition.criteria if definition is not None else []:
        after = [criterion.after] if criterion.after is not None else []
        for kind, named, known in (
            ("event", [*criterion.events, *after], known_events),
            ("trait", criterion.traits, traits),
        ):
            unknown = [name for name in named if known is not None and name not in known]
            if unknown and known is not None:
                raise DataError(
                    f"The {owner} names {kind} `{unknown[0]}`, which {lack} have"
                    + did_you_mean(nearest(unknown[0], known)),
                    received=unknown[0],
                    allowed=list(known),
                    remedy=f"correct {place}",
                )
