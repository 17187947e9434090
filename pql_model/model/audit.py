"""The leakage audit: columns that know the outcome, found before anything is fitted.

It reads training rows only, one per entity, and judges each column alone: a behaviour against the outcome of
its row, a trait, which is the same in all rows of an entity, against whether any of them converted. What it
finds is quarantined and named with its figure; `allow:` in the config takes a column back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact, rankdata

from pql_model.model.columns import Manifest, ModelColumn, as_numbers, as_texts, trait_name

MAX_HONEST_TRAIT_AUC, MAX_HONEST_FEATURE_AUC = 0.85, 0.95
"""A fact about an account, or a behaviour before as_of, that alone does better than this has not been seen honest."""
_FILL_P, _FILL_RATIO = 1e-6, 5.0


@dataclass(frozen=True)
class Finding:
    """A column under suspicion.

    Attributes
    ----------
    column
        Its name in the feature table.
    reason
        What is wrong, in words.
    kind
        `separates_too_well`, `filled_for_converters`, `missing_for_converters` or `undated_time`.
    auc
        ROC-AUC of the column (or of its being filled) alone; 0.5 is chance. None where no figure says it.
    action
        `quarantined` or `allowed`.
    """

    column: str
    kind: str
    reason: str
    auc: float | None
    action: str

    def as_json(self) -> dict[str, object]:
        auc = None if self.auc is None else round(self.auc, 4)
        return {"column": self.column, "reason": self.reason, "kind": self.kind, "auc": auc, "action": self.action}


def audit(
    table: pd.DataFrame, converted: np.ndarray, manifest: Manifest, unused: dict[str, str], allow: Iterable[str]
) -> list[Finding]:
    """Judge every column of the training rows.

    Parameters
    ----------
    table
        Feature table of the training rows, with `entity`.
    converted
        Their outcomes, bool, (rows,).
    manifest
        The columns a model would read.
    unused
        Traits that are left out anyway, with the reason; those that know the outcome are named all the same.
    allow
        Columns (or traits) to let through.
    """
    allowed = set(allow)
    first = ~table["entity"].duplicated().to_numpy()
    ever = pd.Series(converted).groupby(table["entity"].to_numpy()).transform("any").to_numpy(bool)
    findings = []
    for column in manifest.columns:
        y = converted if column.kind == "feature" else ever
        found = _judge(column, table.loc[first, column.name], y[first], allowed)
        findings += [found] if found is not None else []
    for trait, why in unused.items():
        name = trait_name(trait)
        if why.startswith("a date"):
            findings.append(Finding(name, "undated_time", why, None, "quarantined"))
        elif (filled := _fill(table.loc[first, name], ever[first])) is not None:
            findings.append(Finding(name, *filled, "quarantined"))
    return findings


def quarantined(findings: Sequence[Finding]) -> list[str]:
    """Columns the model must not see."""
    return [finding.column for finding in findings if finding.action == "quarantined"]


def _judge(column: ModelColumn, values: pd.Series, y: np.ndarray, allowed: set[str]) -> Finding | None:
    found = _fill(values, y) if column.kind != "feature" else None
    if found is None:
        found = _separation(column, values, y)
    if found is None:
        return None
    kind, reason, auc = found
    taken_back = column.name in allowed or column.words in allowed
    return Finding(column.name, kind, reason, auc, "allowed" if taken_back else "quarantined")


def _fill(values: pd.Series, y: np.ndarray) -> tuple[str, str, float] | None:
    """Filled (or missing) far more often for those who converted."""
    filled = as_texts(values).notna().to_numpy()
    table = [[int((filled & y).sum()), int((~filled & y).sum())], [int((filled & ~y).sum()), int((~filled & ~y).sum())]]
    (a, b), (c, d) = table
    if min(a + b, c + d, a + c, b + d) == 0 or fisher_exact(table).pvalue > _FILL_P:
        return None
    of_converters, of_others = a / (a + b), c / (c + d)
    auc = 0.5 + abs(of_converters - of_others) / 2
    if of_converters > _FILL_RATIO * of_others and of_converters > 0.1:
        return ("filled_for_converters", f"filled for {of_converters:.0%} of those who converted and {of_others:.1%} "
                "of the others: written after the outcome", auc)  # fmt: skip
    if (1 - of_converters) > _FILL_RATIO * (1 - of_others) and (1 - of_converters) > 0.1:
        return ("missing_for_converters", f"missing for {1 - of_converters:.0%} of those who converted and "
                f"{1 - of_others:.1%} of the others", auc)  # fmt: skip
    return None


def _separation(column: ModelColumn, values: pd.Series, y: np.ndarray) -> tuple[str, str, float] | None:
    """Alone too good to be honest, also at the low end of what chance allows at this many conversions."""
    score = _as_score(column, values, y)
    auc = _auc(score, y)
    auc = max(auc, 1 - auc)
    low = auc - 1.96 * _auc_error(auc, int(y.sum()), int((~y).sum()))
    limit = MAX_HONEST_FEATURE_AUC if column.kind == "feature" else MAX_HONEST_TRAIT_AUC
    if low <= limit:
        return None
    reason = (
        f"alone it separates who converts with ROC-AUC {auc:.3f} (at least {low:.3f}), which no honest column reaches"
    )
    return "separates_too_well", reason, auc


def _as_score(column: ModelColumn, values: pd.Series, y: np.ndarray) -> np.ndarray:
    """Numbers as they are (missing lowest); categories by the conversion rate of the other half of the rows."""
    if column.kind != "category":
        numbers = as_numbers(values)
        return np.where(np.isnan(numbers), -np.inf, numbers)
    codes = as_texts(values).fillna("").to_numpy()
    half = np.arange(len(y)) % 2 == 0
    score = np.empty(len(y))
    for mine, other in ((half, ~half), (~half, half)):
        rate = pd.Series(y[other].astype(float)).groupby(codes[other]).agg(["sum", "count"])
        smooth = (rate["sum"] + y.mean()) / (rate["count"] + 1)
        score[mine] = pd.Series(codes[mine]).map(smooth).fillna(y.mean()).to_numpy()
    return score


def _auc(score: np.ndarray, y: np.ndarray) -> float:
    ranks = rankdata(score)
    positives, negatives = int(y.sum()), int((~y).sum())
    if not positives or not negatives:
        return 0.5
    return float((ranks[y].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _auc_error(auc: float, positives: int, negatives: int) -> float:
    """Standard error of an AUC (Hanley & McNeil 1982), never below that of a chance AUC divided by three."""
    if not positives or not negatives:
        return 0.5
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    chance = (positives + negatives + 1) / (12 * positives * negatives)
    return float(max(np.sqrt(max(variance, 0.0) / (positives * negatives)), np.sqrt(chance) / 3))
