"""How well a single column separates converters, and how much of that is chance: the statistics of the leakage audit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import nchypergeom_fisher, norm, rankdata

FAMILY = 0.05
"""Probability of at least one false finding over all columns tested."""
_BINS = 20
_ENOUGH, _TOO_MANY = 20, 20_000
_WIDEST = 12.0  # log-odds
_MIN_ROWS, _MIN_SHARE = 10, 0.02


def corrected_z(tests: int) -> float:
    """One-sided normal quantile, Bonferroni-corrected for the number of tests.

    >>> round(corrected_z(1), 2), round(corrected_z(500), 2)
    (1.64, 3.72)
    """
    return float(norm.isf(FAMILY / max(tests, 1)))


def roc_auc(score: np.ndarray, y: np.ndarray) -> float:
    """ROC-AUC as the Mann-Whitney statistic, ties counted half; 0.5 if only one class is present.

    >>> roc_auc(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True]))
    0.875
    """
    positives, negatives = int(y.sum()), int((~y).sum())
    if not positives or not negatives:
        return 0.5
    ranks = rankdata(score)
    return float((ranks[y].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auc_error(auc: float, positives: int, negatives: int) -> float:
    """Standard error of an AUC (Hanley & McNeil 1982), never below a third of that under chance.

    >>> round(auc_error(0.5, 60, 540), 3), round(auc_error(1.0, 60, 540), 3)
    (0.039, 0.013)
    """
    if not positives or not negatives:
        return 0.5
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    chance = (positives + negatives + 1) / (12 * positives * negatives)
    return float(max(np.sqrt(max(variance, 0.0) / (positives * negatives)), np.sqrt(chance) / 3))


def auc_lower_bound(auc: float, y: np.ndarray, z: float) -> float:
    """Lower confidence bound of an AUC."""
    return auc - z * auc_error(auc, int(y.sum()), int((~y).sum()))


def best_auc(numbers: np.ndarray | None, texts: np.ndarray, y: np.ndarray) -> float:
    """Best AUC over the ways in which a column can be read.

    Parameters
    ----------
    numbers
        Values as float64 with NaN for missing, if the column is numeric: read as a ranking and in twenty bins.
    texts
        The same values as text, with the empty text for missing: read as categories if values repeat.
    y
        Outcomes, bool, (rows,).
    """
    aucs = []
    if numbers is not None:
        in_order = roc_auc(np.where(np.isnan(numbers), -np.inf, numbers), y)
        aucs += [max(in_order, 1 - in_order), roc_auc(cross_fitted_rate(_binned(numbers), y), y)]
    if pd.Series(texts).nunique() <= len(texts) / 2:
        aucs.append(roc_auc(cross_fitted_rate(texts, y), y))
    return max(aucs, default=0.5)


def cross_fitted_rate(groups: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Conversion rate of each row's group, computed on the other half of the rows, so that no row informs its own score."""
    half = np.empty(len(y), bool)
    for outcome in (y, ~y):  # both halves hold equally many conversions
        half[outcome] = np.arange(int(outcome.sum())) % 2 == 0
    score = np.empty(len(y))
    for fold, rest in ((half, ~half), (~half, half)):
        rate = pd.Series(y[rest].astype(float)).groupby(groups[rest]).agg(["sum", "count"])
        smooth = (rate["sum"] + y.mean()) / (rate["count"] + 1)
        score[fold] = pd.Series(groups[fold]).map(smooth).fillna(y.mean()).to_numpy()
    return score


def _binned(numbers: np.ndarray) -> np.ndarray:
    """Twenty bins of roughly equal size; missing values form their own bin."""
    missing = np.isnan(numbers)
    if missing.all():
        return np.full(len(numbers), -1)
    edges = np.unique(np.quantile(numbers[~missing], np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.asarray(np.where(missing, -1, np.searchsorted(edges, numbers, side="right")))


@dataclass(frozen=True)
class OddsRatio:
    """Odds ratio of two groups and its lower confidence bound."""

    value: float
    low: float


def odds_ratio(a: int, b: int, c: int, d: int, z: float) -> OddsRatio:
    """Odds ratio of the table [[a, b], [c, d]]: converted and not converted in one group, then in the other.

    The value uses Haldane's correction. The bound is Woolf's or, if a cell is small, exact: the ratio under which an `a` this
    large is as likely as a normal variable above `z` (Fisher's noncentral hypergeometric distribution).

    >>> few, many = odds_ratio(6, 1, 4, 89, z=2), odds_ratio(600, 100, 400, 8900, z=2)
    >>> round(few.value), round(few.low), round(many.value), round(many.low)
    (86, 10, 133, 105)
    """
    cells = np.array([a, b, c, d]) + 0.5
    log = np.log(cells[0] * cells[3] / (cells[1] * cells[2]))
    if min(a, b, c, d) >= _ENOUGH or a + b + c + d > _TOO_MANY:  # the exact bound would take seconds
        return OddsRatio(float(np.exp(log)), float(np.exp(log - z * np.sqrt((1 / cells).sum()))))
    return OddsRatio(float(np.exp(log)), _exact_lower_bound(a, b, c, d, float(norm.sf(z))))


def _exact_lower_bound(a: int, b: int, c: int, d: int, alpha: float) -> float:
    """Odds ratio at which `a` or more has probability `alpha`."""

    def beyond(log: float) -> float:
        return float(nchypergeom_fisher(a + b + c + d, a + b, a + c, np.exp(log)).sf(a - 1)) - alpha

    if beyond(-_WIDEST) > 0:
        return 0.0
    return (
        float(np.exp(brentq(beyond, -_WIDEST, _WIDEST, xtol=1e-3))) if beyond(_WIDEST) > 0 else float(np.exp(_WIDEST))
    )


@dataclass(frozen=True)
class CategoryContrast:
    """The two categories of a column with the highest and the lowest conversion rate."""

    best: str
    best_rate: float
    worst: str
    worst_rate: float
    ratio: OddsRatio


def category_contrast(texts: np.ndarray, y: np.ndarray, tests: int) -> CategoryContrast | None:
    """Compare the categories with the highest and lowest rates among those that hold 2 % of the rows (missing is one)."""
    groups = pd.Series(y).groupby(texts).agg(["sum", "count"])
    groups = groups[groups["count"] >= max(_MIN_ROWS, _MIN_SHARE * len(y))]
    if len(groups) < 2:
        return None
    groups = groups.assign(rate=groups["sum"] / groups["count"]).sort_values("rate", kind="stable")
    worst, best = groups.index[0], groups.index[-1]
    (c, a), (m, n) = (groups[name].iloc[[0, -1]].astype(int).tolist() for name in ("sum", "count"))
    ratio = odds_ratio(a, n - a, c, m - c, corrected_z(tests * len(groups)))
    return CategoryContrast(str(best) or "nothing", a / n, str(worst) or "nothing", c / m, ratio)
