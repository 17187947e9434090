"""Who converts, by who they are: rates by trait, and fit beside usage."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pql_model.criteria.definition_metrics import LEAST_QUALIFIED, GroupOutcomes, Outcomes
from pql_model.model.columns import ModelColumn

MOST_GROUPS, MOST_TRAITS = 8, 6
UNKNOWN = "not known"
_DOMAIN = re.compile(r"(\S+@)?[\w-]+(\.[\w-]+)*\.[a-zA-Z]{2,}")
"""A mail address or the name of a domain, which may be that of a customer: the report names neither."""
CELLS = ("high_fit_high_usage", "high_fit_low_usage", "low_fit_high_usage", "low_fit_low_usage")


def trait_rates(columns: Sequence[ModelColumn], table: pd.DataFrame, outcomes: Outcomes) -> list[dict[str, Any]]:
    """Outcomes by the values of each trait that is a category, the trait that tells most apart first.

    Parameters
    ----------
    columns
        Columns of a model; those that are no categories are passed over.
    table, outcomes
        Rows of one period.

    Returns
    -------
    list of dict
        `trait`, `groups` (`name, entities, conversions, rate`, the largest first) and `merged`: how many values are in the last
        group, which holds those with fewer than 30 rows and all beyond the seven largest; 0 without such a group. Traits with
        fewer than two groups are left out, and so are mail addresses and domains.
    """
    found: list[dict[str, Any]] = []
    for column, values, kept in trait_groups(columns, table):
        groups = [{"name": str(name), **GroupOutcomes.of(values == name, outcomes).to_dict()} for name in kept]
        merged = len(np.unique(values)) - len(kept)
        if merged:
            rest = ~np.isin(values, kept)
            groups.append({"name": f"{merged:,} others", **GroupOutcomes.of(rest, outcomes).to_dict()})
        if len(groups) > 1:
            found.append({"trait": column.text, "groups": groups, "merged": merged})
    return sorted(found, key=lambda trait: -_spread(trait["groups"], len(outcomes)))[:MOST_TRAITS]


def trait_groups(
    columns: Sequence[ModelColumn], table: pd.DataFrame
) -> Iterator[tuple[ModelColumn, np.ndarray, list[str]]]:
    """Yield each trait that is a category, the value of each row as text, and the values large enough to name.

    Mail addresses and domains are passed over.
    """
    for column in columns:
        if column.kind != "category" or column.name not in table:
            continue
        values = table[column.name].astype(object).where(table[column.name].notna(), UNKNOWN).astype(str).to_numpy()
        names, counts = np.unique(values, return_counts=True)
        if np.mean([names_somebody(name) for name in names]) > 0.5:
            continue
        large = names[np.argsort(-counts, kind="stable")][: int((counts >= LEAST_QUALIFIED).sum())]
        kept = large if len(large) <= MOST_GROUPS and len(large) == len(names) else large[: MOST_GROUPS - 1]
        yield column, values, [str(name) for name in kept]


def names_somebody(text: str) -> bool:
    """Whether a text is a mail address or a domain, which may be that of a customer.

    >>> names_somebody("acme.example"), names_somebody("a@acme.example"), names_somebody("51-200")
    (True, True, False)
    """
    return bool(_DOMAIN.fullmatch(text))


def fit_by_usage(fit: np.ndarray, usage: np.ndarray, outcomes: Outcomes) -> dict[str, Any] | None:
    """Outcomes of the rows above and below the median of the model's fit and usage parts; None where either is the same of all.

    Parameters
    ----------
    fit, usage
        Sums of the SHAP values of traits and of behaviours, (rows,).
    """
    high = [part > np.median(part) for part in (fit, usage)]
    if not len(fit) or not all(mask.any() for mask in high):
        return None
    masks = (high[0] & high[1], high[0] & ~high[1], ~high[0] & high[1], ~high[0] & ~high[1])
    return {name: GroupOutcomes.of(mask, outcomes).to_dict() for name, mask in zip(CELLS, masks, strict=True)}


def _spread(groups: Sequence[dict[str, Any]], rows: int) -> float:
    """Variance between the rates of the groups, by size."""
    sizes = np.array([group["entities"] for group in groups], float)
    rates = np.array([group["conversions"] for group in groups], float) / np.maximum(sizes, 1)
    mean = np.average(rates, weights=sizes) if sizes.sum() else 0.0
    return float((sizes / max(rows, 1) * (rates - mean) ** 2).sum())
