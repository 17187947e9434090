"""Who is one step short of a rule, by how far: `2 of 3 invited`, with what became of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.definition_metrics import GroupOutcomes, Outcomes
from pql_model.criteria.definition_text import progress_text
from pql_model.criteria.evaluate import criterion_values, holds, met_by
from pql_model.measures import LESS_IS_MORE
from pql_model.page.numbers import judgeable
from pql_model.statistics.estimate import Estimate, wilson

MOST_UNITS = 6
"""Up to this threshold every number is a group of its own; beyond it, each third of the way."""
_PAST = ("days_to_first", "days_since_signup")
"""Measures that nobody can change any more."""

Advice = Literal["help", "leave", "none"]


def near_misses(definition: Definition, table: pd.DataFrame, outcomes: Outcomes) -> list[dict[str, Any]]:
    """Group the rows that lack one criterion of a rule by how far they are from it, nearest first.

    A row that could meet the rule by one of several criteria counts for the one that it is relatively nearest to. Criteria that
    nobody can meet by doing more are passed over, such as traits. Where a single criterion is enough, only rows that have
    begun are near.

    Parameters
    ----------
    table, outcomes
        Rows of one period.

    Returns
    -------
    list of dict
        `text, from, to, needed, entities, conversions, rate` and `advice`: `help` where the rate is above everybody's beyond
        chance, `leave` where it is below, otherwise `none`.
    """
    criteria = definition.criteria
    met = np.column_stack([holds(criterion, table) for criterion in criteria])
    values = np.column_stack([_reached(criterion, table) for criterion in criteria])
    needed = np.array([_needed(criterion, values[:, k]) for k, criterion in enumerate(criteria)])
    gap = np.where(met, np.inf, np.abs(needed - values) / np.maximum(np.abs(needed), 1e-12))
    gap[np.isnan(gap)] = np.inf
    nobody = np.zeros((1, len(criteria)), bool)
    for k in range(len(criteria)):
        gap[~met_by(definition, met, {k: True}), k] = np.inf
        if met_by(definition, nobody, {k: True})[0]:
            gap[values[:, k] == 0, k] = np.inf
    short = ~met_by(definition, met) & np.isfinite(gap.min(axis=1))
    nearest, base = np.argmin(gap, axis=1), wilson(int(outcomes.converted.sum()), len(outcomes))
    groups = []
    for k, criterion in enumerate(criteria):
        rows = short & (nearest == k)
        for group in _groups(values[:, k], needed[k], rows):
            low, high = float(values[group, k].min()), float(values[group, k].max())
            cell = GroupOutcomes.of(group, outcomes)
            groups.append(
                {
                    "text": progress_text(criterion, low, needed[k], high),
                    "from": round(low, 6),
                    "to": round(high, 6),
                    "needed": float(needed[k]),
                    **cell.to_dict(),
                    "advice": _advice(cell, base),
                }
            )
    return groups


def _reached(criterion: Criterion, table: pd.DataFrame) -> np.ndarray:
    """The value of a behaviour that is compared, 0 where nothing happened; NaN where doing more cannot help."""
    if criterion.event is None or criterion.measure in _PAST:
        return np.full(len(table), np.nan)
    values = criterion_values(criterion, table)
    if criterion.measure in LESS_IS_MORE:
        return np.asarray(values) if criterion.operator in ("<=", "<") else np.full(len(table), np.nan)
    if criterion.operator not in (">=", ">") or float(criterion.threshold or 0.0) <= 0:
        return np.full(len(table), np.nan)
    return np.asarray(np.nan_to_num(values))


def _needed(criterion: Criterion, values: np.ndarray) -> float:
    threshold = float(criterion.threshold or 0.0)
    return threshold + 1 if criterion.operator == ">" and _whole(values) else threshold


def _whole(values: np.ndarray) -> bool:
    known = values[~np.isnan(values)]
    return bool((known == np.floor(known)).all())


def _groups(values: np.ndarray, needed: float, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Masks of the rows by how far they are, nearest first, without the empty ones."""
    far = np.where(rows, values, np.nan)
    if (rows & (values > needed)).any():  # fewer days are better
        edges = [needed, 1.5 * needed, 2 * needed, np.inf]
        bands = [(far > low) & (far <= high) for low, high in itertools.pairwise(edges)]
    elif needed <= MOST_UNITS and _whole(values[rows]):
        bands = [far == at for at in range(int(np.ceil(needed)) - 1, -1, -1)]
    else:
        bands = [
            (far >= 2 * needed / 3),
            (far >= needed / 3) & (far < 2 * needed / 3),
            (far > 0) & (far < needed / 3),
            far == 0,
        ]
    yield from (band for band in bands if band.any())


def _advice(cell: GroupOutcomes, base: Estimate) -> Advice:
    if not judgeable(cell.entities, cell.conversions, base.value):
        return "none"
    if cell.rate.low > base.high:
        return "help"
    return "leave" if cell.rate.high < base.low else "none"
