"""Traits as columns of a feature table: their names, and how numbers are read from them."""

from __future__ import annotations

from urllib.parse import quote_plus

import numpy as np
import pandas as pd

PREFIX = "trait."


def trait_name(trait: str) -> str:
    """Column of a trait in a feature table: `company size` -> `trait.company+size`."""
    return PREFIX + quote_plus(trait).replace(".", "%2E")


def as_numbers(column: pd.Series) -> np.ndarray:
    """Read numbers as float64: a text that is not a number becomes NaN, `true` and `false` become 1 and 0."""
    if not pd.api.types.is_numeric_dtype(column):
        lowered = column.astype("string").str.strip().str.lower()
        column = pd.to_numeric(lowered.replace({"true": "1", "false": "0"}), errors="coerce")
    plain = (
        isinstance(column.dtype, np.dtype) and column.dtype.kind == "f"
    )  # has no other missing value: nothing to ask
    values = column.to_numpy(np.float64) if plain else column.astype("Float64").to_numpy(np.float64, na_value=np.nan)
    return np.asarray(np.where(np.isfinite(values), values, np.nan))
