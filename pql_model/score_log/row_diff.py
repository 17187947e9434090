"""Compare scored rows from two paths: the same entities at the same instants must have the same rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pql_model.decide.rows import json_row
from pql_model.payload import select_attributes

NUMBERS = ("probability", "score", "usage", "fit", "timing")
SAME = (
    *(
        "band",
        "is_pql",
        "reasons",
        "criteria_met",
        "meets_definition",
        "meets_in_force",
        "nearest_missing",
        "next_step",
    ),
    *("contact", "contacts", "suppressed"),
)
"""Columns of a scored row that must be equal, numbers in them within `TOLERANCE`."""
TOLERANCE = 1e-9


@dataclass(frozen=True)
class RowDiff:
    """Differences between the rows of one path and those of the batch.

    Attributes
    ----------
    largest
        Name of a number -> largest absolute difference.
    different
        Name of a column -> rows that differ: by more than `TOLERANCE`, or because one value is missing.
    refused, first_refusal
        Number of errors instead of rows, and the first message.
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
    """Compare scored rows with the expected ones, one by one.

    Parameters
    ----------
    expected, answers
        Scored rows in the same order, from a table or from JSON. An answer `{"error": {"message": ...}}` is a refusal.

    Examples
    --------
    >>> row = {"entity": "acme", "probability": 0.25, "band": "high", "reasons": '[{"contribution": 0.5}]'}
    >>> answer = {**row, "probability": 0.25 + 1e-6, "reasons": [{"contribution": 0.5}]}
    >>> diff = compare_rows("service", [row], [answer])
    >>> round(diff.largest["probability"], 9), diff.different["reasons"], diff.same
    (1e-06, 0, False)
    """
    largest, different, refusals, rows = dict.fromkeys(NUMBERS, 0.0), Counter[str](), [], 0
    for expected_row, answer in zip(expected, answers, strict=True):
        rows += 1
        if "error" in answer:
            refusals.append(f"{expected_row['entity']}: {answer['error']['message']}")
            continue
        a, b = json_row(expected_row), json_row(answer)
        different.update(name for name in (*NUMBERS, *SAME) if not nearly_equal(a.get(name), b.get(name)))
        for name in NUMBERS:
            if a.get(name) is not None and b.get(name) is not None:
                largest[name] = max(largest[name], abs(a[name] - b[name]))
    counts = {name: different[name] for name in (*NUMBERS, *SAME)}
    return RowDiff(path, rows, largest, counts, len(refusals), refusals[0] if refusals else None)


def nearly_equal(a: Any, b: Any) -> bool:
    """Compare two JSON values, numbers anywhere in them within `TOLERANCE`.

    >>> nearly_equal([{"value": 1.0}], [{"value": 1.0 + 1e-12}]), nearly_equal(1.0, None), nearly_equal(True, 1)
    (True, False, False)
    """
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(nearly_equal(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(nearly_equal, a, b))
    if _is_number(a) and _is_number(b):
        return math.isclose(a, b, rel_tol=0, abs_tol=TOLERANCE)
    return type(a) is type(b) and bool(a == b)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
