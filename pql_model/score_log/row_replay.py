"""Recompute rows of the score log from their logged inputs, and compare these inputs with today's data."""

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
from pql_model.score_log.log_schema import LogRow
from pql_model.score_log.row_diff import NUMBERS, TOLERANCE
from pql_model.time import iso


@dataclass(frozen=True)
class InputChange:
    """A column of the inputs that has another value in today's data."""

    column: str
    text: str
    before: Value
    now: Value

    @property
    def sentence(self) -> str:
        return f"{self.text}: {_format(self.before)} -> {_format(self.now)}"

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, words="text")


@dataclass(frozen=True)
class ReplayedRow:
    """A row of the log and the result of replaying it.

    Attributes
    ----------
    result
        One of `RESULTS` in `workflows.replay`.
    text
        The reason, if the result is not `same`.
    changes
        Columns that have other values in today's data.
    """

    row: LogRow
    result: str
    text: str = ""
    changes: tuple[InputChange, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        row = self.row
        return {
            "entity": row.entity,
            "as_of": None if row.as_of is None else iso(row.as_of),
            "scored_at": iso(row.scored_at),
            **select_attributes(row, "source", "model_version", "probability"),
            **select_attributes(self, "result", "changes", words="text"),
        }


def differing_parts(rows: Sequence[LogRow], model: FittedModel) -> list[list[str]]:
    """Recompute rows from their logged inputs and list the parts that differ.

    Parameters
    ----------
    rows
        Rows with the model's feature set.

    Returns
    -------
    list of list of str
        For each row, names out of `NUMBERS` and `reasons`.
    """
    if not rows:
        return []
    recomputed = scored_rows(model, inputs_table(np.vstack([row.inputs for row in rows]), model.manifest))
    numbers = [  # written so that NaN differs
        [not abs(getattr(row, name) - value) <= TOLERANCE for row, value in zip(rows, recomputed[name], strict=True)]
        for name in NUMBERS
    ]
    reasons = [
        _without_wording(row.reasons, model.manifest) != _without_wording(json.loads(text), model.manifest)
        for row, text in zip(rows, recomputed["reasons"], strict=True)
    ]
    return [
        [name for name, differs in zip((*NUMBERS, "reasons"), row, strict=True) if differs]
        for row in zip(*numbers, reasons, strict=True)
    ]


def inputs_table(inputs: np.ndarray, manifest: Manifest) -> pd.DataFrame:
    """Rebuild the feature table behind inputs: the inverse of `Manifest.matrix`.

    Parameters
    ----------
    inputs
        (rows, columns) in the order of the manifest.
    """
    columns: dict[str, Any] = {}
    for j, column in enumerate(manifest.columns):
        numbers = inputs[:, j]
        columns[column.name] = (
            pd.Series([_category(column, code) for code in numbers], dtype=object)
            if column.kind == "category"
            else numbers
        )
    return pd.DataFrame(columns, index=range(len(inputs)))


def _category(column: ModelColumn, code: float) -> str | None:
    return None if np.isnan(code) else column.categories[int(code)]


def _without_wording(reasons: Sequence[Mapping[str, Any]], manifest: Manifest) -> list[dict[str, Any]]:
    """Reasons without their wording, which may change with a release, and with categories as the model reads them."""
    categorical = {column.name: column for column in manifest.columns if column.kind == "category"}
    stripped = []
    for reason in reasons:
        facts = {name: value for name, value in reason.items() if name != "words"}
        column = categorical.get(str(facts.get("column")))
        if column is not None and facts.get("value") not in column.categories:
            facts["value"] = OTHER if facts.get("value") is not None and OTHER in column.categories else None
        stripped.append(facts)
    return stripped


def input_changes(before: np.ndarray, now: np.ndarray, manifest: Manifest) -> tuple[InputChange, ...]:
    """List the columns in which two rows of inputs differ, in the order of the manifest; NaN equals NaN.

    >>> columns = Manifest((ModelColumn("trait.seats", "number"), ModelColumn("trait.size", "category", ("large", "small"))))
    >>> [change.sentence for change in input_changes(np.array([3.0, 1.0]), np.array([3.0, np.nan]), columns)]
    ['size: small -> missing']
    """
    differs = np.flatnonzero((before != now) & ~(np.isnan(before) & np.isnan(now)))
    return tuple(
        InputChange(column.name, column.text, _value(column, before[j]), _value(column, now[j]))
        for j in differs
        for column in [manifest.columns[j]]
    )


def _value(column: ModelColumn, number: float) -> Value:
    if column.kind == "category":
        return _category(column, number)
    return None if np.isnan(number) else float(number)


def _format(value: Value) -> str:
    return "missing" if value is None else f"{value:,.6g}" if isinstance(value, float) else value
