"""A row of the score log once more: what its numbers give today, and which of them the data fill otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.explain.reason_text import Value
from pql_model.explain.scored import scored_rows
from pql_model.model.artifact import FittedModel
from pql_model.model.columns import OTHER, Manifest, ModelColumn
from pql_model.payload import select_attributes
from pql_model.score_log.row_diff import NUMBERS, TOLERANCE
from pql_model.score_log.schema import LogRow


def differing(rows: Sequence[LogRow], model: FittedModel) -> list[list[str]]:
    """Of each row the parts that the model gives otherwise, from the logged numbers alone.

    Parameters
    ----------
    rows
        Of this model's feature set.

    Returns
    -------
    list of list of str
        Names out of `NUMBERS`, and `reasons`.
    """
    if not rows:
        return []
    now = scored_rows(model, table_of(np.vstack([row.inputs for row in rows]), model.manifest))
    apart = [  # a NaN is
        [not abs(getattr(row, name) - value) <= TOLERANCE for row, value in zip(rows, now[name], strict=True)]
        for name in NUMBERS
    ]
    payload = [
        _substance(row.reasons, model.manifest) != _substance(json.loads(text), model.manifest)
        for row, text in zip(rows, now["reasons"], strict=True)
    ]
    return [
        [name for name, differs in zip((*NUMBERS, "reasons"), of_row, strict=True) if differs]
        for of_row in zip(*apart, payload, strict=True)
    ]


def table_of(inputs: np.ndarray, manifest: Manifest) -> pd.DataFrame:
    """The feature table that numbers were read from: `manifest.matrix` of it gives them back.

    Parameters
    ----------
    inputs
        (rows, columns) in the order of the manifest.
    """
    columns: dict[str, Any] = {}
    for j, column in enumerate(manifest.columns):
        numbers = inputs[:, j]
        columns[column.name] = (
            pd.Series([text_of_code(column, code) for code in numbers], dtype=object)
            if column.kind == "category"
            else numbers
        )
    return pd.DataFrame(columns, index=range(len(inputs)))


def text_of_code(column: ModelColumn, code: float) -> str | None:
    """What a category's number stands for."""
    return None if np.isnan(code) else column.categories[int(code)]


def _substance(reasons: Sequence[Mapping[str, Any]], manifest: Manifest) -> list[dict[str, Any]]:
    """Reasons without their wording, which may change with a release; of a category what the model reads of it."""
    columns = {column.name: column for column in manifest.columns if column.kind == "category"}
    payload = []
    for reason in reasons:
        plain = {name: value for name, value in reason.items() if name != "words"}
        column = columns.get(str(plain.get("column")))
        if column is not None and plain.get("value") not in column.categories:
            known = plain.get("value") is not None and OTHER in column.categories
            plain["value"] = OTHER if known else None
        payload.append(plain)
    return payload


# ---------------------------------------------------------------- what the data say now


@dataclass(frozen=True)
class Change:
    """A column that holds something else now."""

    column: str
    text: str
    before: Value
    now: Value

    @property
    def payload(self) -> str:
        return f"{self.text}: {_shown(self.before)} -> {_shown(self.now)}"

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, words="text")


def changes(before: np.ndarray, now: np.ndarray, manifest: Manifest) -> tuple[Change, ...]:
    """The columns in which two rows of inputs differ, in the order of the manifest; missing equals missing.

    >>> columns = Manifest((ModelColumn("trait.seats", "number"), ModelColumn("trait.size", "category", ("large", "small"))))
    >>> [change.told for change in changes(np.array([3.0, 1.0]), np.array([3.0, np.nan]), columns)]
    ['size: small -> missing']
    """
    apart = np.flatnonzero((before != now) & ~(np.isnan(before) & np.isnan(now)))
    return tuple(
        Change(column.name, column.text, _value(column, before[j]), _value(column, now[j]))
        for j in apart
        for column in [manifest.columns[j]]
    )


def _value(column: ModelColumn, number: float) -> Value:
    if column.kind == "category":
        return text_of_code(column, number)
    return None if np.isnan(number) else float(number)


def _shown(value: Value) -> str:
    return "missing" if value is None else f"{value:,.6g}" if isinstance(value, float) else value
