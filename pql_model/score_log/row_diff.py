"""How far scored rows of two ways are apart: the same entities at the same instants should have the same rows."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.payload import select_attributes

NUMBERS = ("probability", "score", "usage", "fit", "timing")
SAME = ("band", "is_pql", "reasons", "criteria_met", "meets_definition", "nearest_missing", "suppressed")
"""Of the columns of a scored row what must be the same, numbers within them to `TOLERANCE`."""
TOLERANCE = 1e-9


@dataclass(frozen=True)
class RowDiff:
    """How far the rows of one path are from those of the batch.

    Attributes
    ----------
    largest
        By number of a scored row: the largest difference.
    different
        By column of a scored row: how many rows differ, numbers by more than `TOLERANCE` or because one is missing.
    refused, first_refusal
        Rows that were answered with an error, and the first one's message.
    """

    path: str
    rows: int
    largest: dict[str, float]
    different: dict[str, int]
    refused: int = 0
    first_refusal: str | None = None

    @property
    def same(self) -> bool:
        return not self.refused and not any(self.different.values())

    def to_dict(self) -> dict[str, Any]:
        counts = select_attributes(
            self, "path", "rows", "same", largest_difference="largest", different_rows="different"
        )
        return {**counts, "refused": {"rows": self.refused, "first": self.first_refusal}}


def compare_rows(path: str, expected: Iterable[Mapping[Any, Any]], answers: Iterable[Mapping[Any, Any]]) -> RowDiff:
    """Compare scored rows with those that are expected, one by one.

    Parameters
    ----------
    expected, answers
        Scored rows in the same order, from a table or from JSON: what a table holds as a JSON text is read. An answer
        `{"error": {"message": ...}}` is a refusal.

    Examples
    --------
    >>> row = {"entity": "acme", "probability": 0.25, "band": "high", "reasons": '[{"contribution": 0.5}]'}
    >>> answer = {**row, "probability": 0.25 + 1e-6, "reasons": [{"contribution": 0.5}]}
    >>> found = compare_rows("service", [row], [answer])
    >>> round(found.largest["probability"], 9), found.different["reasons"], found.same
    (1e-06, 0, False)
    """
    largest, different, refusals, rows = dict.fromkeys(NUMBERS, 0.0), Counter[str](), [], 0
    for row, answer in zip(expected, answers, strict=True):
        rows += 1
        if "error" in answer:
            refusals.append(f"{row['entity']}: {answer['error']['message']}")
            continue
        pairs = {name: (plain(row.get(name)), plain(answer.get(name))) for name in (*NUMBERS, *SAME)}
        different.update(name for name, (mine, theirs) in pairs.items() if not alike(mine, theirs))
        for name in NUMBERS:
            mine, theirs = pairs[name]
            if mine is not None and theirs is not None:
                largest[name] = max(largest[name], abs(mine - theirs))
    counts = {name: different[name] for name in (*NUMBERS, *SAME)}
    return RowDiff(path, rows, largest, counts, len(refusals), refusals[0] if refusals else None)


def plain(value: Any) -> Any:
    """A cell of a table as JSON would have it; what is missing is None.

    >>> plain('[{"a": 1}]'), plain(float("nan")), plain("[draft]")
    ([{'a': 1}], None, '[draft]')
    """
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return json.loads(value)
        except ValueError:  # a name that begins like JSON
            return value
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def alike(mine: Any, theirs: Any) -> bool:
    """Whether two plain values are the same, numbers anywhere in them to `TOLERANCE`.

    >>> alike([{"value": 1.0}], [{"value": 1.0 + 1e-12}]), alike(1.0, None), alike(True, 1)
    (True, False, False)
    """
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return mine.keys() == theirs.keys() and all(alike(value, theirs[key]) for key, value in mine.items())
    if isinstance(mine, list) and isinstance(theirs, list):
        return len(mine) == len(theirs) and all(map(alike, mine, theirs))
    if _is_number(mine) and _is_number(theirs):
        return math.isclose(mine, theirs, rel_tol=0, abs_tol=TOLERANCE)
    return type(mine) is type(theirs) and bool(mine == theirs)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
