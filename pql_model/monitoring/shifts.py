"""Which behaviours and traits count otherwise than in the test of the model.

A model can keep most of its ranking while what leads to a conversion changes: active accounts do more of everything. So each
column is asked what it adds to the model's own probability, now and in the test: the slope of one step of a logistic regression
that starts from the model's log-odds and the level of these rows (Rao's efficient score). A column that the model has used well
adds nothing, at either time; one that counts more than it did adds, one that stopped to count takes away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm, rankdata

from pql_model.errors import listed
from pql_model.monitoring.finding import Finding, Severity
from pql_model.statistics.multiple_testing import holm
from pql_model.time import DAY, iso

ALPHA = 0.05
"""Probability of a finding in a quiet period, for all columns together (Holm)."""
FEWEST_CONVERTING = 20
LEAST_SPREAD = 0.05
"""A column of which a smaller share of the rows departs from its most frequent value is not asked: the sums are not normal."""
_LEAST_INFORMATION = 0.01
"""Share of a column's variance that must lie within ages."""
_SHOWN = 3


@dataclass(frozen=True)
class Judged:
    """Rows with a final outcome, which the model had not seen when it scored them.

    Attributes
    ----------
    y, margin
        Outcome and log-odds that the model gave, (rows,).
    X
        Columns, NaN for missing, (rows, columns).
    entity
        Code of the entity, (rows,).
    group
        Code of the age, (rows,). Columns are compared among rows of the same age, as the level of each age is another question.
    """

    y: np.ndarray
    margin: np.ndarray
    X: np.ndarray
    entity: np.ndarray
    group: np.ndarray


@dataclass(frozen=True)
class Shift:
    """A column that adds another slope to the log-odds than in the test, per standard deviation of its ranks."""

    words: str
    then: float
    now: float
    p_value: float


def shifted_columns(now: Judged, then: Judged, words: Sequence[str]) -> tuple[Shift, ...]:
    """The columns whose slope changed beyond chance, the most certain first.

    Parameters
    ----------
    now, then
        Realised rows, and those of the test.
    words
        What each column is, in words.
    """
    if any(len(np.unique(part.entity[part.y > 0])) < FEWEST_CONVERTING or part.y.all() for part in (now, then)):
        return ()
    asked = np.flatnonzero(_spread(now.X) & _spread(then.X))
    if not len(asked):
        return ()
    ranks = _ranks(np.vstack([now.X[:, asked], then.X[:, asked]]))
    (slope_now, error_now), (slope_then, error_then) = (
        _slopes(now, ranks[: len(now.y)]),
        _slopes(then, ranks[len(now.y) :]),
    )
    z = (slope_now - slope_then) / np.hypot(error_now, error_then)
    told = np.flatnonzero(np.isfinite(z))
    found = [
        Shift(words[int(asked[k])], float(slope_then[k]), float(slope_now[k]), float(p_value))
        for k, p_value in zip(told, holm(2 * norm.sf(np.abs(z[told]))), strict=True)
        if p_value < ALPHA
    ]
    return tuple(sorted(found, key=lambda shift: shift.p_value))


def _spread(X: np.ndarray) -> np.ndarray:
    """Whether enough rows depart from a column's most frequent value, (columns,)."""
    spread = np.zeros(X.shape[1], bool)
    for k, column in enumerate(X.T):
        known = column[~np.isnan(column)]
        if len(known):
            spread[k] = len(known) - np.unique(known, return_counts=True)[1].max() >= LEAST_SPREAD * len(column)
    return spread


def _ranks(X: np.ndarray) -> np.ndarray:
    """Ranks with mean 0 and standard deviation 1; a missing value is in the middle."""
    ranks = rankdata(X, axis=0, nan_policy="omit")
    ranks = ranks - np.nanmean(ranks, axis=0)
    return np.asarray(np.nan_to_num(ranks / np.nanstd(ranks, axis=0)))


def _slopes(rows: Judged, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope of each column beyond the model at the level of these rows, and its standard error clustered by entity.

    NaN where a column does not differ among rows of the same age.
    """
    level = brentq(lambda addition: float((expit(rows.margin + addition) - rows.y).sum()), -30, 30)
    p = expit(rows.margin + level)
    weight = (p * (1 - p))[:, None]
    beyond = ranks.copy()
    for group in np.unique(rows.group):
        same = rows.group == group
        beyond[same] -= (weight[same] * ranks[same]).sum(axis=0) / weight[same].sum()
    information = (weight * beyond**2).sum(axis=0)
    information = np.where(information > _LEAST_INFORMATION * weight.sum(), information, np.nan)
    code = np.unique(rows.entity, return_inverse=True)[1]
    scores = np.zeros((code.max() + 1, ranks.shape[1]))
    np.add.at(scores, code, beyond * (rows.y - p)[:, None])
    return scores.sum(axis=0) / information, np.sqrt((scores**2).sum(axis=0)) / information


def shift_findings(
    shifts: Sequence[Shift], since: int, entities: int, converting: int, ranking_fell: bool
) -> tuple[Finding, ...]:
    """`performance_fell`, about the behaviour or trait that changed most certainly.

    It says what changed; whether that matters is for the ranking to say. Alone it is at most `watch`.
    """
    if not shifts:
        return ()
    first = shifts[0]
    parts = [
        f"{kind} counts {listed(f'`{shift.words}`' for shift in some[:_SHOWN])}"
        for kind, some in (
            ("more", [shift for shift in shifts if shift.now > shift.then]),
            ("less", [shift for shift in shifts if shift.now < shift.then]),
        )
        if some
    ]
    words = (
        f"What leads to a conversion has changed: {', '.join(parts)}, than in the test of the model, beside its own "
        f"probability ({entities:,} entities with {converting:,} conversions since {iso(since // DAY * DAY)})."
    )
    severity: Severity = "act" if ranking_fell else "watch"
    return (
        Finding("performance_fell", first.words, since, round(first.now, 4), round(first.then, 4), words, severity),
    )
