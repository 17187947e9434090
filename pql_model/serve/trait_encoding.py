"""Encode the traits of one entity for the model without a table; a property test compares with `Manifest.matrix`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from pql_model.explain.reason_text import Value
from pql_model.features.trait_columns import as_numbers
from pql_model.model.columns import OTHER, ModelColumn, as_texts
from pql_model.sources.scalars import canonical_value

Trait = str | int | float | bool | None


def number_of(raw: Trait) -> float | None:
    """Read a trait as a number; None if it is not a finite number.

    >>> number_of(3), number_of(" 2.5 "), number_of("many"), number_of(True)
    (3.0, 2.5, None, 1.0)
    """
    if raw is None:
        return None
    value = float(as_numbers(pd.Series([raw], dtype=object))[0]) if isinstance(raw, str) else float(raw)
    return value if math.isfinite(value) else None


def text_of(raw: Trait) -> str | None:
    """Read a trait as a text, normalised as in training; None if missing.

    >>> text_of(" 51-200 "), text_of(2.0), text_of("2.0"), text_of(True), text_of("  ")
    ('51-200', '2', '2', 'true', None)
    """
    if isinstance(raw, str):
        if raw.isascii():
            return canonical_value(raw.strip()) or None
        text = as_texts(pd.Series([raw], dtype=object)).iloc[0]
        return None if pd.isna(text) else str(text)
    if raw is None or raw != raw:
        return None
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(int(raw)) if isinstance(raw, float) and raw.is_integer() else str(raw)


class TraitColumn:
    """Encoder for a column of a trait."""

    def __init__(self, column: ModelColumn) -> None:
        self._category = column.kind == "category"
        self._codes: Mapping[str, float] = {canonical_value(name): float(k) for k, name in enumerate(column.categories)}
        self._other = self._codes.get(OTHER, math.nan)

    def read(self, raw: Trait) -> tuple[Value, float]:
        """Return the value to show and the number for the model (NaN if missing)."""
        if not self._category:
            number = number_of(raw)
            return number, math.nan if number is None else number
        text = text_of(raw)
        return text, math.nan if text is None else self._codes.get(text, self._other)
