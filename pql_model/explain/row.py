"""Reasons of a single row without tables: equal to `reasons.explain`, but fast enough for a service.

A property test requires equality with `explain` on the same row to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pql_model.explain.reason_text import Value, value_text
from pql_model.explain.reasons import PARTS, TIED, TOP, Reason, families_of
from pql_model.model.calibrate import Calibration
from pql_model.model.columns import Manifest

_SCALE = 10.0**TIED


class RowReasons(NamedTuple):
    """Log-odds by part, where usage + fit + timing + base = margin, and the strongest reasons."""

    usage: float
    fit: float
    timing: float
    base: float
    reasons: list[Reason]


class Explainer:
    """Explain single rows of a model.

    Parameters
    ----------
    manifest, calibration
        Columns and calibration of the model.
    """

    def __init__(self, manifest: Manifest, calibration: Calibration, top: int = TOP) -> None:
        families = families_of(manifest)
        self._columns, self._calibration, self._top = manifest.columns, calibration, top
        self._keys, self._members = list(families), list(families.values())
        self._parts = [[b for b, (part, _) in enumerate(families) if part == name] for name in PARTS]

    def explain(self, contributions: Sequence[float], values: Sequence[Value], age: float | None) -> RowReasons:
        """Explain a row.

        Parameters
        ----------
        contributions
            Log-odds by column, then the base value.
        values
            Value of each column as the model reads it: a number, the text of a category, or None.
        age
            Days since sign-up, or None.
        """
        sums = [_sum(contributions, members) for members in self._members]
        order = sorted(zip([-_rounded(abs(total)) for total in sums], range(len(sums)), strict=True))
        strongest = [b for _, b in order[: self._top] if sums[b] != 0]
        explained = [self._reason(b, sums[b], contributions, values, age) for b in strongest]
        margin = float(np.sum(np.asarray(contributions)))
        probabilities = self._calibration.apply(np.array([margin, *(margin - sums[b] for b in strongest)]))
        reasons = [
            Reason(name, part, log_odds, float(100 * (probabilities[0] - without)), column, value, statement)
            for ((part, name), log_odds, column, value, statement), without in zip(
                explained, probabilities[1:], strict=True
            )
        ]
        usage, fit, timing = (_sum(sums, part) for part in self._parts)
        return RowReasons(usage, fit, timing, float(contributions[-1]), reasons)

    def _reason(
        self, b: int, total: float, contributions: Sequence[float], values: Sequence[Value], age: float | None
    ) -> tuple[tuple[str, str], float, str, Value, str]:
        sign = -1.0 if total < 0 else 1.0
        loudest = max(self._members[b], key=lambda j: (_rounded(contributions[j]) * sign, -j))
        column = self._columns[loudest]
        return self._keys[b], total, column.name, values[loudest], value_text(column, values[loudest], age)


def _sum(values: Sequence[float], places: Sequence[int]) -> float:
    total = 0.0
    for place in places:
        total = total + values[place]
    return total


def _rounded(number: float) -> float:
    """Round as numpy does."""
    return round(number * _SCALE) / _SCALE
