"""The leakage audit of one column: its values, its gaps, its dates and its name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pql_model.audit.finding import Finding, taken_back
from pql_model.audit.order import counts_up, judge_identifier, natural_order
from pql_model.discovery.sketch import vocabulary, words
from pql_model.model.columns import ModelColumn, as_numbers, as_texts, trait_name
from pql_model.statistics.univariate_auc import (
    best_auc,
    corrected_z,
    furthest_apart,
    odds_ratio,
    roc_auc,
    surely_above,
)

MAX_TRAIT_AUC, MAX_FEATURE_AUC = 0.82, 0.92
"""What no honest column alone has been seen to reach: all honest traits of a data set together reach 0.82 (xeducation),
the best honest trait 0.76; all behaviours of the first 30 days together 0.89 (relax)."""
MAX_APART = 100.0
"""Odds ratio of two categories; the highest of an honest trait is 67, surely 40 (xeducation, occupation)."""
MIN_FILL_ODDS, MIN_FILL_RATIO, MIN_FILLED = 20.0, 5.0, 0.1
SUSPICIOUS_AUC = 0.76
"""The ROC-AUC of the best honest trait measured (xeducation, time on the website)."""
_PURE = 0.5
_LATER = 0.01
_EPOCHS = ((9.4e8, 4.1e9, 1e6), (9.4e11, 4.1e12, 1e3), (9.4e14, 4.1e15, 1.0))  # 1999 to 2099, in s, ms, us

_LATER_WORDS = vocabulary(
    "last latest recent status stage tag tags quality score grade rating rank index disposition outcome notable"
)
_CRM_OBJECTS = vocabulary("lead deal opportunity")
_KNOWN_AT_FIRST = vocabulary("source origin channel medium campaign number id type created form page country")


@dataclass(frozen=True)
class Rows:
    """The rows that columns are judged on, one per entity.

    Attributes
    ----------
    table
        Traits and features, with `as_of` (int64 microseconds) where there is one.
    y
        Whether the row, or for traits its entity, converted.
    time, order
        When each signed up and where its row lies in the file; None where unknown.
    tried
        How many columns are judged: what chance allows is corrected for it.
    allowed
        What the config lets through.
    """

    table: pd.DataFrame
    y: np.ndarray
    time: np.ndarray | None
    order: np.ndarray | None
    tried: int
    allowed: Collection[str]


def judge_feature(column: ModelColumn, rows: Rows, converted: np.ndarray) -> Finding | None:
    """A behaviour that alone does better than any honest one."""
    numbers = as_numbers(rows.table[column.name])
    auc = roc_auc(np.where(np.isnan(numbers), -np.inf, numbers), converted)
    auc = max(auc, 1 - auc)
    found = _separation(auc, converted, rows.tried, MAX_FEATURE_AUC)
    return _finding(column.name, column.text, found, rows)


def judge_trait(column: ModelColumn, rows: Rows) -> Finding | None:
    """A trait that the model would read."""
    values, y, names = rows.table[column.name], rows.y, (column.name, column.text)
    numbers = as_numbers(values) if column.kind == "number" else None
    texts = as_texts(values).fillna("").to_numpy(object)
    if numbers is not None and (instants := _epochs(numbers)) is not None:
        known_late = _date(instants, rows) or _separation(best_auc(numbers, texts, y), y, rows.tried, MAX_TRAIT_AUC)
        return _finding(*names, known_late or _undated(), rows)
    if (found := filled_by_outcome(texts != "", y, rows.tried)) is not None:
        return _finding(*names, found, rows)
    if numbers is not None and counts_up(numbers, rows.order):
        return judge_identifier(names, numbers, y, rows.time, rows.tried, rows.allowed)
    auc = best_auc(numbers, texts, y)
    found = _separation(auc, y, rows.tried, MAX_TRAIT_AUC) or _apart(texts, auc, rows) or _name(column.text, auc, rows)
    if found is not None:
        return _finding(*names, found, rows)
    low = surely_above(auc, y, corrected_z(rows.tried))
    if low <= SUSPICIOUS_AUC:
        return None
    reason = (
        f"alone it predicts with ROC-AUC {auc:.3f} (at least {low:.3f}), better than most honest traits do: make sure that its "
        "value was known at as_of"
    )
    return Finding(column.name, "suspicious", reason, auc, "kept")


def judge_unused(trait: str, why: str, rows: Rows) -> Finding | None:
    """A trait that is left out anyway: named if it knows the outcome, so that nobody takes it in."""
    values, y = rows.table[trait_name(trait)], rows.y
    if why.startswith("a date"):
        kind, reason, auc = _date(_instants(values), rows) or ("undated_time", why, None)
        return Finding(trait_name(trait), kind, reason, auc, "quarantined")
    if why == "constant":
        return None
    texts = as_texts(values).fillna("").to_numpy(object)
    found = filled_by_outcome(texts != "", y, rows.tried)
    found = found or _separation(best_auc(None, texts, y), y, rows.tried, MAX_TRAIT_AUC)
    if found is not None:
        return Finding(trait_name(trait), *found, "quarantined")
    names = (trait_name(trait), trait)
    return judge_identifier(names, natural_order(values), y, rows.time, rows.tried, ())


Found = tuple[str, str, float | None]  # kind, reason, auc


def _finding(name: str, words_: str, found: Found | None, rows: Rows) -> Finding | None:
    return None if found is None else Finding(name, *found, taken_back(rows.allowed, (name, words_)))


def filled_by_outcome(filled: np.ndarray, y: np.ndarray, tried: int) -> Found | None:
    """Filled, or missing, far more often for those who converted, beyond chance."""
    a, b, c, d = (int(n.sum()) for n in (filled & y, filled & ~y, ~filled & y, ~filled & ~y))
    if min(a + b, c + d, a + c, b + d) == 0:
        return None
    of_converters, of_others, z = a / (a + c), b / (b + d), corrected_z(tried)
    auc = 0.5 + abs(of_converters - of_others) / 2
    for kind, yes, no, cells in (
        ("filled_for_converters", of_converters, of_others, (a, b, c, d)),
        ("missing_for_converters", 1 - of_converters, 1 - of_others, (c, d, a, b)),
    ):
        if yes > max(MIN_FILLED, MIN_FILL_RATIO * no) and odds_ratio(*cells, z).low > MIN_FILL_ODDS:
            what, so = ("filled", ": written after the outcome") if kind.startswith("filled") else ("missing", "")
            return kind, f"{what} for {yes:.0%} of those who converted and {no:.1%} of the others{so}", auc
    return None


def _separation(auc: float, y: np.ndarray, tried: int, limit: float) -> Found | None:
    low = surely_above(auc, y, corrected_z(tried))
    if low <= limit:
        return None
    reason = (
        f"alone it separates who converts with ROC-AUC {auc:.3f} (at least {low:.3f}), which no honest column reaches"
    )
    return "separates_too_well", reason, auc


def _apart(texts: np.ndarray, auc: float, rows: Rows) -> Found | None:
    """One category nearly pure in those who converted, another in those who did not."""
    found = furthest_apart(texts, rows.y, rows.tried)
    if found is None or found.ratio.low <= MAX_APART or found.best_rate < _PURE:
        return None
    reason = (
        f"{found.best_rate:.0%} of `{found.best}` converted and {found.worst_rate:.1%} of `{found.worst}`: odds {found.ratio.value:,.0f} "
        f"times apart (at least {found.ratio.low:,.0f}), as where somebody wrote down the outcome"
    )
    return "pure_categories", reason, auc


def _name(name: str, auc: float, rows: Rows) -> Found | None:
    """A name that says the value moves or is a judgement, of a column that predicts beyond chance."""
    said = says_later(name)
    low = surely_above(auc, rows.y, corrected_z(rows.tried))
    if said is None or low <= 0.5:
        return None
    reason = (
        f"`{said}` in its name says that it changes or is judged as time goes by, no time says when, and it predicts (ROC-AUC "
        f"{auc:.3f}, at least {low:.3f}): it may know the outcome"
    )
    return "name_says_later", reason, auc


def says_later(name: str) -> str | None:
    """The word that says a column is written or judged later on, if there is one.

    >>> says_later("Last Activity"), says_later("leadProfile"), says_later("Lead Source"), says_later("company_size")
    ('last', 'lead profile', None, None)
    """
    parts = words(name)
    if parts and parts[0] in _CRM_OBJECTS and len(parts) > 1 and not _KNOWN_AT_FIRST.intersection(parts):
        return " ".join(parts[:2])
    return next((part for part in parts if part in _LATER_WORDS), None)


# ---------------------------------------------------------------- dates


def _date(instants: np.ndarray, rows: Rows) -> Found | None:
    """A date that lies after as_of, where it was not known."""
    if "as_of" not in rows.table:
        return None
    filled = ~np.isnan(instants)
    later = filled & (instants > rows.table["as_of"].to_numpy(float))
    if not filled.any() or later[filled].mean() < _LATER:
        return None
    auc = roc_auc(np.where(filled, instants, -np.inf), rows.y)
    reason = f"a date or time that lies after as_of for {later[filled].mean():.0%} of the entities that have it: it was not known then"
    return "later_than_as_of", reason, max(auc, 1 - auc)


def _undated() -> Found:
    return "undated_time", "a time written as a number, undated itself: it may know the future", None


def _epochs(numbers: np.ndarray) -> np.ndarray | None:
    """Numbers that are all times of this century, as microseconds."""
    filled = numbers[~np.isnan(numbers)]
    for low, high, factor in _EPOCHS:
        if len(filled) and ((filled >= low) & (filled < high)).all():
            return numbers * factor
    return None


def _instants(values: pd.Series) -> np.ndarray:
    """Dates and times as microseconds, NaN where there is none."""
    read = pd.to_datetime(values, utc=True, errors="coerce", format=None if _is_time(values) else "mixed")
    micros = read.to_numpy("datetime64[us]").astype(np.int64).astype(float)
    return np.asarray(np.where(read.isna().to_numpy(), np.nan, micros))


def _is_time(values: pd.Series) -> bool:
    return bool(pd.api.types.is_datetime64_any_dtype(values))
