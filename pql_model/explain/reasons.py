"""Reasons of a score: contributions that add up, summed to behaviours and put into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pql_model.explain.reason_text import AGE, Value, value_text
from pql_model.features.spec import parse_feature
from pql_model.features.trait_columns import as_numbers
from pql_model.measures import ANY
from pql_model.model.calibrate import Calibration
from pql_model.model.columns import Manifest, ModelColumn, as_texts

TOP = 3
PARTS = ("usage", "fit", "timing")
_TIMING = ("days_since_signup",)
TIED = 9
"""Decimals to which contributions are compared. Tied behaviours come in the order of the manifest."""


@dataclass(frozen=True)
class Reason:
    """The contribution of one behaviour to one row.

    Attributes
    ----------
    log_odds
        Its contribution to the margin.
    effect
        Percentage points of the probability that go with it: the probability minus the one without this contribution.
        Not the effect of a change in behaviour.
    column, value
        The column that contributes most in the direction of the sum, and its value.
    statement
        The value in words, without the sign.
    """

    behaviour: str
    part: str
    log_odds: float
    effect: float
    column: str
    value: Value
    statement: str

    @property
    def sign(self) -> str:
        return "+" if self.log_odds > 0 else "-" if self.log_odds < 0 else ""

    @property
    def text(self) -> str:
        return f"{self.statement} ({self.sign})" if self.sign else self.statement

    def to_dict(self) -> dict[str, object]:
        """Return the reason as a scored row holds it."""
        value = round(self.value, 4) if isinstance(self.value, float) else self.value
        return {
            "sign": self.sign,
            "log_odds": round(self.log_odds, 4),
            "effect": round(self.effect, 2),
            "behaviour": self.behaviour,
            "part": self.part,
            "column": self.column,
            "value": value,
            "words": self.text,
        }


@dataclass(frozen=True)
class Reasons:
    """Log-odds by part, (rows,), where usage + fit + timing + base = margin, and the reasons of each row."""

    usage: np.ndarray
    fit: np.ndarray
    timing: np.ndarray
    base: np.ndarray
    rows: list[list[Reason]]


def behaviour_of(column: ModelColumn) -> tuple[str, str]:
    """Return (part, behaviour) of a column: usage, fit or timing, and its event or trait."""
    if column.kind != "feature":
        return "fit", column.text
    feature = parse_feature(column.name)
    if feature.measure in _TIMING:
        return "timing", "time since sign-up"
    return "usage", "activity as a whole" if feature.event == ANY else feature.subject.family


def explain(
    contributions: np.ndarray, table: pd.DataFrame, manifest: Manifest, calibration: Calibration, top: int | None = TOP
) -> Reasons:
    """Sum SHAP values to behaviours and name the strongest.

    Parameters
    ----------
    contributions
        Log-odds, (rows, columns + 1); the last column is the base value.
    table
        Feature table of the same rows, for the values in the words.
    top
        Number of reasons per row, without those that add nothing; None: every behaviour.
    """
    families = families_of(manifest)
    by_column, base = contributions[:, :-1], contributions[:, -1]
    sums = _columns([_sum(by_column, columns) for columns in families.values()], len(table))
    order = np.argsort(-np.round(np.abs(sums), TIED), axis=1, kind="stable")[:, :top]
    strongest = np.take_along_axis(sums, order, axis=1)
    loudest = np.take_along_axis(_main_columns(by_column, sums, list(families.values())), order, axis=1)
    effects = _effects(contributions.sum(axis=1), strongest, calibration)
    texts, keys = _ValueTexts(manifest, table), list(families)
    reasons = [
        [
            Reason(keys[b][1], keys[b][0], log_odds, effect, *texts(row, column))
            for b, log_odds, effect, column in zip(*of_row, strict=True)
            if log_odds != 0 or top is None
        ]
        for row, of_row in enumerate(
            zip(order.tolist(), strongest.tolist(), effects.tolist(), loudest.tolist(), strict=True)
        )
    ]
    parts = {name: _sum(sums, [i for i, (part, _) in enumerate(families) if part == name]) for name in PARTS}
    return Reasons(**parts, base=base, rows=reasons)


def families_of(manifest: Manifest) -> dict[tuple[str, str], list[int]]:
    """Return (part, behaviour) -> its columns, in the order of the manifest."""
    families: dict[tuple[str, str], list[int]] = {}
    for j, column in enumerate(manifest.columns):
        families.setdefault(behaviour_of(column), []).append(j)
    return families


def _columns(sums: Sequence[np.ndarray], rows: int) -> np.ndarray:
    return np.column_stack(sums) if sums else np.empty((rows, 0))


def _sum(values: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    """Add column by column: the last bit of a row's sum must not depend on the number of rows."""
    total = np.zeros(len(values))
    for j in columns:
        total = total + values[:, j]
    return total


def _main_columns(by_column: np.ndarray, sums: np.ndarray, families: Sequence[list[int]]) -> np.ndarray:
    """Return, per row and behaviour, the column that contributes most in the direction of the sum, the first one in a tie."""
    main_columns = np.empty(sums.shape, dtype=np.int64)
    for b, columns in enumerate(families):
        values = np.round(by_column[:, columns], TIED) * np.where(sums[:, b] < 0, -1.0, 1.0)[:, None]
        main_columns[:, b] = np.array(columns)[np.argmax(values, axis=1)] if len(values) else 0
    return main_columns


def _effects(margin: np.ndarray, strongest: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return the percentage points of probability that go with each contribution."""
    probability_without = calibration.apply(margin[:, None] - strongest)
    return np.asarray(100 * (calibration.apply(margin)[:, None] - probability_without))


class _ValueTexts:
    """Values of single cells with their text; a column is read when it is first needed."""

    def __init__(self, manifest: Manifest, table: pd.DataFrame) -> None:
        self._columns = manifest.columns
        self._table = table
        self._values: dict[int, list[Value]] = {}
        ages = as_numbers(table[AGE.name]).tolist() if AGE.name in table.columns else [None] * len(table)
        self._ages: list[float | None] = ages

    def __call__(self, row: int, j: int) -> tuple[str, Value, str]:
        if j not in self._values:
            self._values[j] = _values(self._columns[j], self._table)
        value = self._values[j][row]
        return self._columns[j].name, value, value_text(self._columns[j], value, self._ages[row])


def _values(column: ModelColumn, table: pd.DataFrame) -> list[Value]:
    """Return values as the model reads them: a text in a column of numbers is missing."""
    if column.kind == "category":
        return [None if pd.isna(text) else str(text) for text in as_texts(table[column.name])]
    return [None if number != number else number for number in as_numbers(table[column.name]).tolist()]


def behaviour_shares(contributions: np.ndarray, manifest: Manifest) -> pd.DataFrame:
    """Return behaviours by their mean absolute contribution, the strongest first.

    Returns
    -------
    pandas.DataFrame
        behaviour, part (usage, fit, timing), mean_abs (log-odds), share (of the total, 0-1).
    """
    rows = [
        {"behaviour": behaviour, "part": part, "mean_abs": float(np.abs(_sum(contributions, columns)).mean())}
        for (part, behaviour), columns in families_of(manifest).items()
    ]
    table = pd.DataFrame(rows).sort_values(["mean_abs", "behaviour"], ascending=[False, True], ignore_index=True)
    total = table["mean_abs"].sum()
    return table.assign(share=table["mean_abs"] / total if total else 0.0)
