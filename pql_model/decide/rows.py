"""Scored rows with their decisions as columns, as batch and registry write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from pql_model.criteria.evaluate import Columns
from pql_model.decide.decider import Decider
from pql_model.decide.decisions import Decisions, decide
from pql_model.decide.state import RunState
from pql_model.decide.suggest import Suggester, Suggestion
from pql_model.explain.scored import scored_rows
from pql_model.features.contacts import Contact
from pql_model.model.age_level import AGE
from pql_model.model.artifact import FittedModel
from pql_model.model.conversion_value import VALUE_COLUMNS, ConversionValue, RowValues, value_columns
from pql_model.payload import to_payload
from pql_model.time import iso, parse_instant, to_datetime

COLUMNS = {
    "entity": "text",
    "as_of": "time",
    "probability": "number",
    "score": "number",
    **dict.fromkeys(VALUE_COLUMNS, "number"),
    "band": "text",
    "is_pql": "flag",
    "usage": "number",
    "fit": "number",
    "timing": "number",
    "reasons": "json",
    "criteria_met": "json",
    "meets_definition": "flag",
    "meets_in_force": "flag",
    "nearest_missing": "json",
    "next_step": "json",
    "contact": "json",
    "contacts": "json",
    "newly_qualified": "flag",
    "suppressed": "text",
    "model_version": "text",
    "feature_set": "text",
    "scored_at": "time",
}
"""The columns of a scored row in order, with their kinds. `json` is a list or object in an answer, a text in a table."""
NAMES = tuple(COLUMNS)
Contacts = Mapping[tuple[str, int], Sequence[Contact]]


def columns_of(kind: str) -> list[str]:
    """List the columns of a kind."""
    return [name for name, of_column in COLUMNS.items() if of_column == kind]


def json_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Convert a scored row of a table to the JSON object that the service answers with.

    >>> json_row({"band": "low", "is_pql": pd.NA, "reasons": "[]", "as_of": pd.Timestamp("2026-01-05", tz="UTC")})
    {'band': 'low', 'is_pql': None, 'reasons': [], 'as_of': '2026-01-05'}
    """
    return {str(name): _json_value(name, value) for name, value in row.items()}


def _json_value(name: Any, value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return iso(value.value // 1000)
    if isinstance(value, str):
        return json.loads(value) if COLUMNS.get(name) == "json" else value
    if isinstance(value, list | dict):
        return value
    return None if pd.isna(value) else value.item() if isinstance(value, np.generic) else value


def table_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Convert an answer of the service to a row of a table: the inverse of `json_row`."""
    texts = {name: json.dumps(row[name], ensure_ascii=False) for name in columns_of("json") if row[name] is not None}
    times = {name: to_datetime(parse_instant(row[name])) for name in columns_of("time") if row[name] is not None}
    return {**row, **texts, **times}


@dataclass(frozen=True)
class DecidedRows:
    """Scored rows in the order of the table, the decisions on them, and what a conversion of each is worth, if known."""

    rows: pd.DataFrame
    decisions: Decisions
    values: RowValues | None
    suggestions: Sequence[Suggestion]


def decided_rows(
    model: FittedModel,
    table: pd.DataFrame,
    decider: Decider,
    *,
    as_of: int | None = None,
    before: RunState | None = None,
    contacts: Contacts | None = None,
) -> DecidedRows:
    """Score a feature table and decide on its rows.

    Lists and objects are JSON texts. Without state (`before`) each row is decided alone, and there is no `newly_qualified`. A
    decision whose columns the table lacks is None.

    Parameters
    ----------
    table
        The model's columns, those of the decider if present, and `entity` and `as_of` if known.
    contacts
        (entity, as_of) -> the users to contact, where they are known.

    Raises
    ------
    FeatureMismatchError
        If the table lacks columns of the model.
    """
    X = model.manifest.matrix(table)
    rows = scored_rows(model, table, X)
    value = ConversionValue.of_facts(model.facts)
    values = value.of(X, model.manifest) if value is not None else None
    rows = rows.assign(**value_columns(values, rows["probability"].to_numpy(), model.level_error))
    columns = Columns.of_table(table, decider.conditions, [AGE])
    entity = rows["entity"].astype(str) if "entity" in rows.columns else [""] * len(rows)
    if "entity" not in rows.columns:
        decider = replace(decider, hold_out=0.0)  # the hold-out is a hash of the entity
    decisions = decide(decider, entity, rows["probability"].to_numpy(), columns, as_of=as_of, before=before)
    moment = table["as_of"].to_numpy(np.int64) if "as_of" in table.columns and table["as_of"].notna().all() else None
    suggestions = Suggester(decider, model).suggest(columns, X, moment)
    people = [(contacts or {}).get(key, []) for key in zip(entity, moment, strict=True)] if moment is not None else []
    decided = {
        "band": decisions.band,
        "is_pql": decisions.is_pql,
        "criteria_met": _criteria_met(decider, decisions),
        "meets_definition": decisions.meets_definition,
        "meets_in_force": decisions.meets_in_force,
        "nearest_missing": _json_texts([s.nearest_missing for s in suggestions]),
        "next_step": _json_texts([s.next_step for s in suggestions]),
        "contact": _json_texts([of_row[0] if of_row else None for of_row in people]),
        "contacts": _json_texts([of_row or None for of_row in people]),
        "suppressed": decisions.suppressed,
        **({"newly_qualified": decisions.newly_qualified} if before is not None else {}),
    }
    rows = rows.assign(**{name: _typed(values, name, len(rows)) for name, values in decided.items()})
    return DecidedRows(rows[[name for name in NAMES if name in rows.columns]], decisions, values, suggestions)


def _typed(values: np.ndarray | None, name: str, rows: int) -> Any:
    """Give a column the same type in every file, even where all values are missing."""
    if values is not None and values.dtype == bool:
        return values
    kind: Any = "boolean" if COLUMNS[name] == "flag" else "string"
    return pd.array(values if values is not None else [None] * rows, dtype=kind)


def _criteria_met(decider: Decider, decisions: Decisions) -> np.ndarray | None:
    """A JSON list of id and text per row; rows that meet the same criteria share the text."""
    if decisions.criteria_met is None:
        return None
    texts: dict[bytes, str] = {}
    column = np.empty(len(decisions.band), object)
    for row, values in enumerate(decisions.criteria_met):
        key = values.tobytes()
        if key not in texts:
            texts[key] = json.dumps(decider.criteria_met(values), ensure_ascii=False)
        column[row] = texts[key]
    return column


def _json_texts(values: Sequence[Any]) -> np.ndarray | None:
    """A JSON text per row, None for None; None for a column of which nothing is known."""
    texts = [json.dumps(to_payload(value), ensure_ascii=False) if value is not None else None for value in values]
    return np.array(texts, object) if texts else None
