"""Traits in a feature table: names of columns, and numbers however they are written."""

from __future__ import annotations

from math import nan

import numpy as np
import pandas as pd
import pytest

from pql_model.features.trait_columns import as_numbers, trait_name


def test_values_that_are_not_finite_numbers_are_missing():
    values = pd.Series([" 12 ", "true", "FALSE", None, "x", "inf", "nan", "1e3", ""])

    np.testing.assert_array_equal(as_numbers(values), [12, 1, 0, nan, nan, nan, nan, 1000, nan])
    np.testing.assert_array_equal(as_numbers(pd.Series([1.5, float("inf"), -float("inf"), nan])), [1.5, nan, nan, nan])


@pytest.mark.parametrize(
    ("trait", "column"), [("size", "trait.size"), ("company size", "trait.company+size"), ("v1.2", "trait.v1%2E2")]
)
def test_a_trait_has_a_column_of_its_own(trait, column):
    assert trait_name(trait) == column
