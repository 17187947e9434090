"""Why a score is what it is: contributions that add up, summed to behaviours and told in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.features.spec import parse_feature
from pql_model.measures import ANY
from pql_model.model.columns import Manifest, ModelColumn, as_numbers, as_texts

TOP = 3
_TIMING = ("days_since_signup",)


@dataclass(frozen=True)
class Reasons:
    """Log-odds by part, one row each: usage + fit + timing + base = margin."""

    usage: np.ndarray
    fit: np.ndarray
    timing: np.ndarray
    base: np.ndarray
    texts: list[list[dict[str, object]]]


def behaviour_of(column: ModelColumn) -> tuple[str, str]:
    """(part, behaviour) of a column: usage, fit or timing, and the event or trait it speaks of."""
    if column.kind != "feature":
        return "fit", column.words
    feature = parse_feature(column.name)
    if feature.measure in _TIMING:
        return "timing", "time since sign-up"
    return "usage", "activity as a whole" if feature.event == ANY else feature.event


def explain(contributions: np.ndarray, table: pd.DataFrame, manifest: Manifest, top: int = TOP) -> Reasons:
    """Sum SHAP values to behaviours and name the strongest.

    Parameters
    ----------
    contributions
        Log-odds, (rows, columns + 1); the last column is the base value.
    table
        Feature table of the same rows, for the values in the words.
    """
    where = [behaviour_of(column) for column in manifest.columns]
    part = np.array([part for part, _ in where])
    by_column = contributions[:, :-1]
    behaviours = list(dict.fromkeys(behaviour for _, behaviour in where))
    member = np.array([[behaviour == b for _, behaviour in where] for b in behaviours])
    by_behaviour = by_column @ member.T.astype(float)
    shown = [_shown(column, table) for column in manifest.columns]
    strongest = np.argsort(-np.abs(by_behaviour), axis=1, kind="stable")[:, :top]
    texts = [
        [_reason(row, shown, by_column, by_behaviour[row, b], np.flatnonzero(member[b]), manifest)
         for b in strongest[row] if by_behaviour[row, b] != 0]
        for row in range(len(by_column))
    ]  # fmt: skip
    sums = {name: by_column[:, part == name].sum(axis=1) for name in ("usage", "fit", "timing")}
    return Reasons(**sums, base=contributions[:, -1], texts=texts)


def _reason(
    row: int, shown: list[list[Any]], by_column: np.ndarray, total: float, columns: np.ndarray, manifest: Manifest
) -> dict[str, object]:
    """The behaviour's sum, told by the column that speaks loudest in the same direction."""
    loudest = columns[np.argmax(by_column[row, columns] * np.sign(total))]
    column = manifest.columns[loudest]
    value = shown[loudest][row]
    told = _missing(column) if value is None else f"{value:g}" if isinstance(value, float) else value
    sign = "+" if total > 0 else "-"
    return {"sign": sign, "log_odds": round(float(total), 4), "column": column.name, "value": value,
            "words": f"{column.words}: {told} ({sign})"}  # fmt: skip


def _missing(column: ModelColumn) -> str:
    """What a missing number means: of a behaviour, that it did not happen."""
    if column.kind != "feature":
        return "unknown"
    return "never" if parse_feature(column.name).measure in ("days_since_last", "days_to_first") else "none"


def _shown(column: ModelColumn, table: pd.DataFrame) -> list[Any]:
    """The values as the model reads them: a text in a column of numbers is missing."""
    if column.kind == "category":
        return [None if pd.isna(text) else str(text) for text in as_texts(table[column.name])]
    return [None if np.isnan(number) else round(float(number), 4) for number in as_numbers(table[column.name])]


def behaviour_shares(contributions: np.ndarray, manifest: Manifest) -> pd.DataFrame:
    """Behaviours by their mean absolute contribution, the strongest first.

    Returns
    -------
    pandas.DataFrame
        behaviour, part (usage, fit, timing), mean_abs (log-odds), share (of the total, 0-1).
    """
    where = [behaviour_of(column) for column in manifest.columns]
    sums: dict[tuple[str, str], np.ndarray] = {}
    for j, key in enumerate(where):
        sums[key] = sums.get(key, 0.0) + contributions[:, j]
    rows = [
        {"behaviour": b, "part": part, "mean_abs": float(np.abs(total).mean())} for (part, b), total in sums.items()
    ]
    table = pd.DataFrame(rows).sort_values(["mean_abs", "behaviour"], ascending=[False, True], ignore_index=True)
    whole = table["mean_abs"].sum()
    return table.assign(share=table["mean_abs"] / whole if whole else 0.0)
