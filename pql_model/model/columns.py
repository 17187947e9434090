"""The columns a model reads: features and traits, how they are typed, and how a table becomes a matrix."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

import numpy as np
import pandas as pd

from pql_model.features.spec import check_columns, feature_set_hash, parse_feature
from pql_model.features.trait_columns import PREFIX, as_numbers, trait_name
from pql_model.sources.scalars import canonical_value

OTHER = "(other)"
_MIN_CATEGORY_ROWS, _MAX_CATEGORIES = 20, 50


@dataclass(frozen=True)
class ModelColumn:
    """A column of the matrix.

    Attributes
    ----------
    name
        Column name in the feature table.
    kind
        `feature` (a number about behaviour), `number` or `category` (a trait).
    categories
        Texts of a category; their position is the code. Others count as `(other)` where it is listed, else as missing.
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The column in English."""
        if self.kind == "feature":
            return parse_feature(self.name).text
        return unquote_plus(self.name.removeprefix(PREFIX))


@dataclass(frozen=True)
class Manifest:
    """The ordered columns of a model, which every table is checked against."""

    columns: tuple[ModelColumn, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def hash(self) -> str:
        return feature_set_hash(json.dumps([c.name, c.kind, *c.categories]) for c in self.columns)

    @property
    def categorical(self) -> list[int]:
        return [i for i, column in enumerate(self.columns) if column.kind == "category"]

    def matrix(self, table: pd.DataFrame) -> np.ndarray:
        """Return the matrix: float64 (rows, columns), categories as codes, NaN for missing values.

        Raises
        ------
        FeatureMismatchError
            If the table lacks columns.
        """
        check_columns(table.columns, self.names)
        parts = [_codes(table[c.name], c) if c.kind == "category" else as_numbers(table[c.name]) for c in self.columns]
        return np.column_stack(parts) if parts else np.empty((len(table), 0))

    def conform(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table with these columns as they are read: float64, or texts and None, as MLflow requires."""
        typed = {
            c.name: as_texts(table[c.name]).astype(object).where(lambda text: text.notna(), None)
            if c.kind == "category"
            else as_numbers(table[c.name])
            for c in self.columns
        }
        return table.assign(**typed)

    def to_dict(self) -> dict[str, Any]:
        columns = [
            {"name": c.name, "kind": c.kind, "words": c.text, "categories": list(c.categories)} for c in self.columns
        ]
        return {"hash": self.hash, "columns": columns}

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Manifest:
        return cls(tuple(ModelColumn(c["name"], c["kind"], tuple(c["categories"])) for c in raw["columns"]))

    def without(self, names: Iterable[str]) -> Manifest:
        omitted = set(names)
        return Manifest(tuple(c for c in self.columns if c.name not in omitted))


def as_texts(column: pd.Series) -> pd.Series:
    """Read trimmed texts: missing stays missing, whole numbers lose their `.0`, booleans are `true` and `false`."""
    if pd.api.types.is_float_dtype(column) or pd.api.types.is_bool_dtype(column) or column.dtype == object:
        column = column.map(_plain, na_action="ignore")
    texts = column.astype("string").str.strip()
    respelled = {text: value for text in texts.dropna().unique() if (value := canonical_value(text)) != text}
    return (texts.replace(respelled) if respelled else texts).mask(texts == "")


def _plain(value: Any) -> Any:
    """Convert one value at a time: the text of a value must not depend on its neighbours."""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float | np.floating) and value.is_integer() else value


def _codes(column: pd.Series, spec: ModelColumn) -> np.ndarray:
    texts = as_texts(column)
    code = {canonical_value(text): float(i) for i, text in enumerate(spec.categories)}
    other_code = code.get(OTHER, np.nan)
    mapped = texts.map(lambda text: code.get(text, other_code), na_action="ignore")
    return mapped.astype("Float64").to_numpy(np.float64, na_value=np.nan)


# ---------------------------------------------------------------- typing of traits


@dataclass(frozen=True)
class Typed:
    """How traits are used, and why others are not used."""

    columns: tuple[ModelColumn, ...]
    unused: dict[str, str] = field(default_factory=dict)


_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([T ].*)?|\d{1,2}[./]\d{1,2}[./]\d{4}.*")
_ID_NAME = re.compile(
    r"(^|[-_. ])(?i:id|uuid|guid|key|e?-?mail|name|phone|url)$"
    r"|(?<=[a-z])(Id|ID|Uuid|UUID|Key|E?[Mm]ail|Name|Phone|Url|URL)$"  # accountId
)


def type_traits(table: pd.DataFrame, traits: Sequence[str]) -> Typed:
    """Decide from training rows how each trait is read: as a number, as a category, or not at all.

    Parameters
    ----------
    table
        One row per training entity, one column per trait named by `trait_name`.
    traits
        Their names.
    """
    columns, unused = [], {}
    for trait in traits:
        column = table[trait_name(trait)]
        texts = as_texts(column)
        distinct = texts.nunique()
        if distinct < 2 and not (distinct == 1 and texts.isna().any()):
            unused[trait] = "constant"
        elif _is_date(column, texts):
            unused[trait] = "a date or time, undated itself: it may know the future"
        elif _is_number(column, texts):
            columns.append(ModelColumn(trait_name(trait), "number"))
        elif categories := _categories(texts):
            columns.append(ModelColumn(trait_name(trait), "category", categories))
        else:
            shared = f"{distinct:,} different values, none shared by {_least_rows(texts)} entities"
            unused[trait] = f"an identifier or free text: {shared}"
    return Typed(tuple(columns), unused)


def _is_date(column: pd.Series, texts: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column) or (column.dtype == object and _holds_dates(column)):
        return True
    present = texts.dropna()
    return bool(len(present) and present.map(lambda text: _DATE.fullmatch(text) is not None).mean() > 0.9)


def _holds_dates(column: pd.Series) -> bool:
    first = column.dropna().head(1)
    return bool(len(first)) and hasattr(first.iloc[0], "isoformat")


def _is_number(column: pd.Series, texts: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column):
        return True
    present = texts.notna()
    return bool(present.any()) and not np.isnan(as_numbers(column)[present.to_numpy()]).any()


def _categories(texts: pd.Series) -> tuple[str, ...]:
    counts = texts.value_counts().sort_index().sort_values(ascending=False, kind="stable")  # ties by name
    wide = counts[counts >= _least_rows(texts)].head(_MAX_CATEGORIES)
    names = tuple(sorted(str(name) for name in wide.index))
    return (*names, OTHER) if names and len(names) < len(counts) else names


def _least_rows(texts: pd.Series) -> int:
    """Return the number of entities that must share a value for it to be a category."""
    return min(_MIN_CATEGORY_ROWS, max(2, len(texts) // 50))


def looks_like_id(trait: str) -> bool:
    """Return whether the name of a column suggests an identifier."""
    return _ID_NAME.search(trait) is not None


def drop_uninformative(table: pd.DataFrame, names: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """Return the informative feature columns of the training rows: neither constant nor the copy of an earlier one."""
    informative = group_copies(table, names)
    repeated = sum(map(len, informative.values()))
    return list(informative), {"constant": len(names) - len(informative) - repeated, "same_as_another": repeated}


def group_copies(table: pd.DataFrame, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the feature columns that vary in the training rows, each with the later ones that hold the same values."""
    copies: dict[str, list[str]] = {}
    first: dict[bytes, str] = {}
    for name in names:
        values = table[name].to_numpy(np.float64)
        present = values[~np.isnan(values)]
        if len(present) == 0 or (len(present) == len(values) and (present == present[0]).all()):
            continue
        digest = hashlib.blake2b(np.nan_to_num(values, nan=-1.0e300).tobytes(), digest_size=16).digest()
        if digest in first:
            copies[first[digest]].append(name)
        else:
            first[digest] = name
            copies[name] = []
    return copies
