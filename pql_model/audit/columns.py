"""Leakage audit of a single column: its values, missing values, dates and name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pql_model.audit.finding import Finding, action_for
from pql_model.audit.names import later_word, named_evidence
from pql_model.audit.order import counts_up, judge_identifier, natural_order
from pql_model.features.trait_columns import as_numbers, trait_name
from pql_model.model.columns import ModelColumn, as_texts
from pql_model.sources.time_forms import read_time
from pql_model.statistics.univariate_auc import (
    auc_lower_bound,
    best_auc,
    category_contrast,
    corrected_z,
    odds_ratio,
    roc_auc,
)

MAX_TRAIT_AUC, MAX_FEATURE_AUC = 0.82, 0.92
"""Limits that no honest single column has reached in measurements: all honest traits of a data set together reach 0.82
(xeducation), the best honest trait 0.76; all behaviours of the first 30 days together reach 0.89 (relax)."""
MAX_APART = 100.0
"""Odds ratio of two categories; the highest of an honest trait is 67, with a lower bound of 40 (xeducation, occupation)."""
MIN_FILL_ODDS, MIN_FILL_RATIO, MIN_FILLED = 20.0, 5.0, 0.1
SUSPICIOUS_AUC = 0.76
"""ROC-AUC of the best honest trait measured (xeducation, time on the website)."""
_PURE = 0.5
_LATER = 0.01
_EPOCHS = ((9.4e8, 4.1e9, 1e6), (9.4e11, 4.1e12, 1e3), (9.4e14, 4.1e15, 1.0))  # 1999 to 2099, in s, ms, us


@dataclass(frozen=True)
class AuditRows:
    """Rows on which columns are judged, one per entity.

    Attributes
    ----------
    table
        Traits and features, with `as_of` (int64 microseconds) if available.
    y
        Whether the row (for traits, its entity) converted.
    time, order
        Sign-up time and position in the file; None if unknown.
    tried
        Number of columns judged, for the correction for multiple testing.
    allowed
        Names that the config lets through.
    """

    table: pd.DataFrame
    y: np.ndarray
    time: np.ndarray | None
    order: np.ndarray | None
    tried: int
    allowed: Collection[str]


def judge_feature(column: ModelColumn, rows: AuditRows, converted: np.ndarray) -> Finding | None:
    """Judge a behaviour: guilty if it alone separates better than any honest one."""
    numbers = as_numbers(rows.table[column.name])
    auc = roc_auc(np.where(np.isnan(numbers), -np.inf, numbers), converted)
    auc = max(auc, 1 - auc)
    found = _separation(auc, converted, rows.tried, MAX_FEATURE_AUC)
    return _finding(column.name, column.text, found, rows)


def judge_trait(column: ModelColumn, rows: AuditRows) -> Finding | None:
    """Judge a trait that the model would read."""
    values, y, names = rows.table[column.name], rows.y, (column.name, column.text)
    numbers = as_numbers(values) if column.kind == "number" else None
    texts = as_texts(values).fillna("").to_numpy(object)
    if numbers is not None and (instants := _epochs(numbers)) is not None:
        known_late = _later_than_as_of(instants, rows) or _separation(
            best_auc(numbers, texts, y), y, rows.tried, MAX_TRAIT_AUC
        )
        return _finding(*names, known_late or _undated(), rows)
    if (found := filled_by_outcome(texts != "", y, rows.tried)) is not None:
        return _finding(*names, found, rows)
    if numbers is not None and counts_up(numbers, rows.order):
        return judge_identifier(names, numbers, y, rows.time, rows.tried, rows.allowed)
    auc = best_auc(numbers, texts, y)
    found = (
        _separation(auc, y, rows.tried, MAX_TRAIT_AUC)
        or _pure_categories(texts, auc, rows)
        or _suspicious_name(column.text, texts != "", auc, rows)
    )
    if found is not None:
        return _finding(*names, found, rows)
    why = _worth_a_look(column.text, auc, rows)
    return Finding(column.name, "suspicious", why, auc, "kept") if why is not None else None


def judge_unused(trait: str, why: str, rows: AuditRows) -> Finding | None:
    """Judge a trait that is left out anyway: named if it knows the outcome, so that nobody adds it back."""
    values, y = rows.table[trait_name(trait)], rows.y
    if why.startswith("a date"):
        kind, reason, auc = _later_than_as_of(_instants(values), rows) or ("undated_time", why, None)
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


Suspicion = tuple[str, str, float | None]  # kind, reason, auc


def _finding(name: str, text: str, found: Suspicion | None, rows: AuditRows) -> Finding | None:
    return None if found is None else Finding(name, *found, action_for(rows.allowed, (name, text)))


def filled_by_outcome(filled: np.ndarray, y: np.ndarray, tried: int) -> Suspicion | None:
    """Detect values that are filled, or missing, far more often for converters than chance allows."""
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


def _separation(auc: float, y: np.ndarray, tried: int, limit: float) -> Suspicion | None:
    low = auc_lower_bound(auc, y, corrected_z(tried))
    if low <= limit:
        return None
    reason = (
        f"alone it separates converters with ROC-AUC {auc:.3f} (at least {low:.3f}), which no honest column reaches"
    )
    return "separates_too_well", reason, auc


def _pure_categories(texts: np.ndarray, auc: float, rows: AuditRows) -> Suspicion | None:
    """Detect a category made up almost only of converters beside one with almost none."""
    found = category_contrast(texts, rows.y, rows.tried)
    if found is None or found.ratio.low <= MAX_APART or found.best_rate < _PURE:
        return None
    reason = (
        f"{found.best_rate:.0%} of `{found.best}` converted and {found.worst_rate:.1%} of `{found.worst}`: odds {found.ratio.value:,.0f} "
        f"times apart (at least {found.ratio.low:,.0f}), as if the outcome had been written into the column"
    )
    return "pure_categories", reason, auc


def _suspicious_name(name: str, filled: np.ndarray, auc: float, rows: AuditRows) -> Suspicion | None:
    """Detect a name that suggests a later value, with evidence of time or outcome beside it."""
    if (word := later_word(name)) is None:
        return None
    dated = rows.time is not None
    evidence = named_evidence(name, filled, auc, rows.y, rows.time if dated else rows.order, dated, rows.tried)
    if evidence is None:
        return None
    reason = (
        f"`{word}` in its name suggests a value that changes or is judged later, no time says when, and {evidence}: it may know "
        "the outcome"
    )
    return "name_says_later", reason, auc


def _worth_a_look(name: str, auc: float, rows: AuditRows) -> str | None:
    """Why to check a trait that is not guilty: it predicts better than most, or its name suggests a later value."""
    low = auc_lower_bound(auc, rows.y, corrected_z(rows.tried))
    if low > SUSPICIOUS_AUC:
        return (
            f"alone it predicts with ROC-AUC {auc:.3f} (at least {low:.3f}), better than most honest traits: check that its "
            "value was known at as_of"
        )
    if low > 0.5 and (word := later_word(name)) is not None:
        return (
            f"`{word}` in its name suggests a value that changes or is judged later, and it predicts (ROC-AUC {auc:.3f}, at least "
            f"{low:.3f}); nothing else speaks against it: check that its value was known at as_of"
        )
    return None


# ---------------------------------------------------------------- dates


def _later_than_as_of(instants: np.ndarray, rows: AuditRows) -> Suspicion | None:
    """Detect dates after as_of, which were not known then."""
    if "as_of" not in rows.table:
        return None
    filled = ~np.isnan(instants)
    later = filled & (instants > rows.table["as_of"].to_numpy(float))
    if not filled.any() or later[filled].mean() < _LATER:
        return None
    auc = roc_auc(np.where(filled, instants, -np.inf), rows.y)
    reason = (
        f"a date or time after as_of for {later[filled].mean():.0%} of the entities that have it: it was not known then"
    )
    return "later_than_as_of", reason, max(auc, 1 - auc)


def _undated() -> Suspicion:
    return "undated_time", "a time stored as a number, without a date of its own: it may know the future", None


def _epochs(numbers: np.ndarray) -> np.ndarray | None:
    """Epoch numbers as microseconds if all of them fall between 1999 and 2099, otherwise None."""
    filled = numbers[~np.isnan(numbers)]
    for low, high, factor in _EPOCHS:
        if len(filled) and ((filled >= low) & (filled < high)).all():
            return numbers * factor
    return None


def _instants(values: pd.Series) -> np.ndarray:
    """Dates and times as microseconds, NaN for what is missing or cannot be read as in the tables."""
    if not _is_time(values):
        texts = values.where(values.isna(), values.astype(str))
        instants = {text: read_time(text).instant for text in texts.dropna().unique()}
        return texts.map(instants).astype("Float64").to_numpy(np.float64, na_value=np.nan)
    read = pd.to_datetime(values, utc=True)
    micros = read.to_numpy("datetime64[us]").astype(np.int64).astype(float)
    return np.asarray(np.where(read.isna().to_numpy(), np.nan, micros))


def _is_time(values: pd.Series) -> bool:
    return bool(pd.api.types.is_datetime64_any_dtype(values))
