"""Criteria and definitions as a model carries them, and the columns they read: of a table, or of one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, criterion_json
from pql_model.criteria.evaluate import compared, criterion_feature
from pql_model.features.spec import Feature
from pql_model.model.columns import as_numbers, as_texts, trait_name
from pql_model.sources.scalars import canonical_value


@dataclass(frozen=True)
class BoundCriterion:
    """A criterion, its text and its id among the model's criteria, if it is one of them.

    >>> condition = Condition.from_dict({"text": "at least 2 `Invite` so far", "event": "Invite", "at_least": 2})
    >>> condition.column
    'Invite.count.ever'
    """

    criterion: Criterion
    text: str
    id: str | None = None

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> BoundCriterion:
        criterion = Criterion.model_validate({key: value for key, value in raw.items() if key not in ("id", "text")})
        return cls(criterion, str(raw["text"]), raw.get("id"))

    @cached_property
    def payload(self) -> Mapping[str, Any]:
        """The criterion in its long form, its keys in one order wherever the model comes from."""
        return criterion_json(self.criterion)

    @cached_property
    def listed(self) -> frozenset[str] | None:
        """Which values of the trait hold; None where it is compared with a number."""
        return frozenset(map(canonical_value, self.criterion.in_)) if self.criterion.in_ is not None else None

    def to_dict(self) -> dict[str, Any]:
        return {**({"id": self.id} if self.id is not None else {}), "text": self.text, **self.payload}

    @cached_property
    def feature(self) -> Feature | None:
        """What it counts; None where it asks for a trait."""
        return criterion_feature(self.criterion) if self.criterion.trait is None else None

    @cached_property
    def column(self) -> str:
        return self.feature.name if self.feature is not None else trait_name(str(self.criterion.trait))

    @property
    def reads_text(self) -> bool:
        return self.criterion.in_ is not None


@dataclass(frozen=True)
class BoundDefinition:
    """A definition: so many of these conditions."""

    conditions: tuple[BoundCriterion, ...]
    least: int
    text: str
    id: str | None = None

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> BoundDefinition:
        conditions = tuple(BoundCriterion.from_dict(condition) for condition in raw["conditions"])
        return cls(conditions, int(raw["least"]), str(raw["text"]), raw.get("id"))

    def to_dict(self) -> dict[str, Any]:
        conditions = [condition.to_dict() for condition in self.conditions]
        return {"id": self.id, "text": self.text, "least": self.least, "conditions": conditions}


@dataclass(frozen=True)
class Columns:
    """What conditions read, by column: numbers (NaN) and texts (None) of the same rows.

    A service fills it with arrays of one; `of_table` reads a feature table.
    """

    rows: int
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)
    texts: Mapping[str, np.ndarray] = field(default_factory=dict)
    _found: dict[int, tuple[BoundCriterion, np.ndarray | None]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def of_table(cls, table: pd.DataFrame, conditions: Iterable[BoundCriterion], also: Sequence[str] = ()) -> Columns:
        """The columns of the conditions (and `also`, numbers) as far as the table has them."""
        asked = list(conditions)
        numbers = dict.fromkeys([*(c.column for c in asked if not c.reads_text), *also])
        texts = dict.fromkeys(c.column for c in asked if c.reads_text)
        return cls(
            len(table),
            {name: as_numbers(table[name]) for name in numbers if name in table.columns},
            {name: _texts(table[name]) for name in texts if name in table.columns},
        )

    def held(self, condition: BoundCriterion) -> np.ndarray | None:
        """Whether each row holds the condition, bool (rows,); None where the column is not there."""
        if id(condition) not in self._found:  # a condition stands in criteria and definitions, and is asked for in each
            self._found[id(condition)] = condition, self._held(condition)
        return self._found[id(condition)][1]

    def _held(self, condition: BoundCriterion) -> np.ndarray | None:
        values = (self.texts if condition.reads_text else self.numbers).get(condition.column)
        if values is None:
            return None
        if (listed := condition.listed) is not None:
            return np.fromiter((value in listed for value in values), bool, len(values))
        return compared(condition.criterion, values)

    def any_of(self, conditions: Iterable[BoundCriterion]) -> np.ndarray:
        """Whether each row holds any of the conditions; one whose column is not there holds for nobody."""
        found = np.zeros(self.rows, bool)
        for condition in conditions:
            held = self.held(condition)
            found |= held if held is not None else False
        return found

    def meets(self, rulebook: BoundDefinition) -> np.ndarray | None:
        """Whether each row meets the definition, bool (rows,); None where a column of it is not there."""
        held = [self.held(condition) for condition in rulebook.conditions]
        known = [found for found in held if found is not None]
        return np.sum(known, axis=0) >= rulebook.least if len(known) == len(held) else None

    def __getitem__(self, rows: np.ndarray) -> Columns:
        picked = [{name: values[rows] for name, values in kind.items()} for kind in (self.numbers, self.texts)]
        return Columns(len(np.arange(self.rows)[rows]), *picked)


def _texts(column: pd.Series) -> np.ndarray:
    texts = as_texts(column)
    return np.asarray(texts.astype(object).where(texts.notna(), None), object)
