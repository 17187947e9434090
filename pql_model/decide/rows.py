"""Decisions as columns of scored rows: what batch and registry write beside probability and reasons."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.criteria.evaluate import Columns
from pql_model.decide.decider import Decider
from pql_model.decide.decisions import Decisions, decide
from pql_model.decide.nearest import AGE, NearestMissing
from pql_model.decide.state import State
from pql_model.explain.scored import scored_rows
from pql_model.model.artifact import FittedModel

NAMES = (
    "entity",
    "as_of",
    "probability",
    "score",
    "band",
    "is_pql",
    "usage",
    "fit",
    "timing",
    "reasons",
    "criteria_met",
    "meets_definition",
    "nearest_missing",
    "newly_qualified",
    "suppressed",
    "model_version",
    "feature_set",
    "scored_at",
)
"""The columns of a scored row, in their order."""


@dataclass(frozen=True)
class Decided:
    """Scored rows with their decisions as columns, in the order of the table, and the decisions themselves."""

    rows: pd.DataFrame
    decisions: Decisions


def decided_rows(
    model: FittedModel, table: pd.DataFrame, decider: Decider, *, as_of: int | None = None, before: State | None = None
) -> Decided:
    """Score a feature table and decide on its rows.

    `criteria_met` and `nearest_missing` are JSON texts. Without a memory (`before`) there is no `newly_qualified`, and each
    row is decided alone. A decision whose columns the table lacks is None.

    Parameters
    ----------
    table
        The model's columns, and those of the decider as far as there are any; `entity` and `as_of` where known.

    Raises
    ------
    FeatureMismatchError
        If the table lacks columns of the model.
    """
    X = model.manifest.matrix(table)
    rows = scored_rows(model, table, X)
    columns = Columns.of_table(table, decider.conditions, [AGE])
    entity = rows["entity"].astype(str) if "entity" in rows.columns else [""] * len(rows)
    # A hold-out goes by the entity: who is not named is in none.
    by = decider if "entity" in rows.columns else decider.without_hold_out()
    found = decide(by, entity, rows["probability"].to_numpy(), columns, as_of=as_of, before=before)
    payload = {
        "band": found.band,
        "is_pql": found.is_pql,
        "criteria_met": _criteria(decider, found),
        "meets_definition": found.meets_definition,
        "nearest_missing": _nearest(model, table, X, decider, columns),
        "newly_qualified": found.newly_qualified,
        "suppressed": found.suppressed,
    }
    if before is None:
        del payload["newly_qualified"]
    rows = rows.assign(**{name: _typed(values, name, len(rows)) for name, values in payload.items()})
    return Decided(rows[[name for name in NAMES if name in rows.columns]], found)


def _typed(values: np.ndarray | None, name: str, rows: int) -> Any:
    """Of one type in every file, also where all are missing."""
    if values is not None and values.dtype == bool:
        return values
    kind: Any = "boolean" if name in ("is_pql", "meets_definition", "newly_qualified") else "string"
    return pd.array(values if values is not None else [None] * rows, dtype=kind)


def _criteria(decider: Decider, found: Decisions) -> np.ndarray | None:
    """A JSON list of id and text; rows that meet the same share the text."""
    if found.criteria_met is None:
        return None
    texts: dict[bytes, str] = {}
    payload = np.empty(len(found.band), object)
    for row, met in enumerate(found.criteria_met):
        key = met.tobytes()
        if key not in texts:
            names = [
                {"id": c.id, "text": c.text} for c, held in zip(decider.criteria, met.tolist(), strict=True) if held
            ]
            texts[key] = json.dumps(names, ensure_ascii=False)
        payload[row] = texts[key]
    return payload


def _nearest(
    model: FittedModel, table: pd.DataFrame, X: np.ndarray, decider: Decider, columns: Columns
) -> np.ndarray | None:
    if decider.goal is None:
        return None
    as_of = table["as_of"].to_numpy(np.int64) if "as_of" in table.columns and table["as_of"].notna().all() else None
    missing = NearestMissing(decider.goal, model.manifest).find(
        columns, X, lambda moved: model.calibration.apply(model.predictor.margin(moved)), as_of
    )
    payload = np.full(len(missing), None, object)
    for row, found in enumerate(missing):
        payload[row] = json.dumps(found.to_dict(), ensure_ascii=False) if found is not None else None
    return payload
