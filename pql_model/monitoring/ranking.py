"""Whether the model still ranks as well as in its test, on rows that it has not learnt from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from pql_model.evaluation.age import age_groups, ages
from pql_model.evaluation.gate import AUC_MARGIN
from pql_model.evaluation.verdict import MIN_TEST_CONVERSIONS
from pql_model.monitoring.finding import Finding
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Z95, Estimate
from pql_model.statistics.stratified import stratified_auc
from pql_model.time import DAY, iso

ALPHA = 0.01
"""One-sided probability of a finding in a quiet period, for all stretches together."""
STRETCHES = (60, 120)
"""Days before the newest final row; all rows are looked at too."""
MOST_ENTITIES = 20_000
"""More entities than this are drawn from: the interval is narrow enough by then."""
RESAMPLES = 300
_BEATEN = 0.05


@dataclass(frozen=True)
class Ranking:
    """ROC-AUC of realised rows beside that of the test.

    Attributes
    ----------
    since
        First `as_of` of the rows.
    rows, entities, conversions
        Final rows that the model has not learnt from; entities; converting entities.
    roc_auc
        Among rows of the same age.
    test
        The same figure in the test.
    expected
        That of the test, less what the mix of these rows takes away: where accounts are more alike, every model ranks worse.
    difference
        roc_auc minus expected, with its interval.
    fell
        Whether the ranking is worse than expected beyond chance, and by more than 0.03.
    """

    since: int
    rows: int
    entities: int
    conversions: int
    roc_auc: Estimate
    test: Estimate
    expected: float
    difference: Estimate
    fell: bool

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=6) | {"since": iso(self.since)}


@dataclass(frozen=True)
class TestRanking:
    """What the test of the model said: ROC-AUC among rows of the same age, and the predictions.

    Attributes
    ----------
    frame
        entity, as_of, signed_up (nullable), converted and probability of the test rows.
    """

    __test__ = False

    roc_auc: Estimate
    frame: pd.DataFrame


@dataclass(frozen=True)
class Rival:
    """A baseline beside the model on realised rows: the difference in ROC-AUC, and whether the baseline is better beyond chance."""

    difference: Estimate
    better: bool

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=6)


def rank_realised(rows: pd.DataFrame, test: TestRanking, seed: int) -> Ranking | None:
    """Compare the ranking of final rows with the test: of every stretch, the one that departs most.

    Parameters
    ----------
    rows
        entity, as_of, signed_up, probability, converted of final rows that the model has not learnt from.

    Returns
    -------
    Ranking or None
        None where fewer than 20 entities converted, or all did.
    """
    rows = sampled(rows)
    if rows.empty:
        return None
    end = int(rows["as_of"].max())
    first = int(rows["as_of"].min())
    starts = sorted({max(first, end - days * DAY) for days in STRETCHES} | {first})
    parts = [rows[rows["as_of"] >= start] for start in starts]
    usable = [part for part in parts if _enough(part)]
    if not usable:
        return None
    z = float(ndtri(1 - ALPHA / len(usable)))
    looks = [_rank(part, test, z, seed) for part in usable]
    return min(looks, key=lambda look: (not look.fell, look.difference.value if look.fell else look.since))


def _enough(rows: pd.DataFrame) -> bool:
    converted = rows["converted"].astype(bool)
    return rows.loc[converted, "entity"].nunique() >= MIN_TEST_CONVERSIONS and not converted.all()


def _rank(rows: pd.DataFrame, test: TestRanking, z: float, seed: int) -> Ranking:
    y, p = rows["converted"].to_numpy(float), rows["probability"].to_numpy(float)
    groups = age_groups(ages(rows))
    found = stratified_auc(y, {"model": p}, rows["entity"].to_numpy(), groups, resamples=RESAMPLES, seed=seed)
    auc = found.estimate("model")
    sample_error = float(np.nanstd(found.draws["model"], ddof=1))
    test_error = (test.roc_auc.high - test.roc_auc.low) / (2 * Z95)
    claimed_here = claimed_auc(p, groups)
    claimed_then = claimed_auc(test.frame["probability"].to_numpy(float), age_groups(ages(test.frame)))
    harder = min(0.0, claimed_here - claimed_then) if not math.isnan(claimed_then) else 0.0
    expected = test.roc_auc.value + harder
    error = math.hypot(sample_error, test_error if not math.isnan(test_error) else 0.0)
    difference = auc.value - expected
    return Ranking(
        since=int(rows["as_of"].min()),
        rows=len(rows),
        entities=rows["entity"].nunique(),
        conversions=rows.loc[rows["converted"].astype(bool), "entity"].nunique(),
        roc_auc=auc,
        test=test.roc_auc,
        expected=expected,
        difference=Estimate(difference, difference - Z95 * error, difference + Z95 * error),
        fell=difference < -AUC_MARGIN and difference + z * error < 0,
    )


def claimed_auc(probability: np.ndarray, groups: np.ndarray) -> float:
    """ROC-AUC within groups that the probabilities themselves imply, if they are right (van Klaveren et al. 2016).

    A pair counts by the probability that the first converts and the second does not. NaN where nothing can convert.

    >>> round(claimed_auc(np.array([0.1, 0.1, 0.5, 0.5]), np.zeros(4)), 3), claimed_auc(np.full(9, 0.2), np.zeros(9))
    (0.799, 0.5)
    """
    wins = pairs = 0.0
    for group in np.unique(groups):
        p = np.sort(probability[groups == group])
        levels, start, count = np.unique(p, return_index=True, return_counts=True)
        no = np.concatenate([[0.0], np.cumsum(1 - p)])
        below, same = no[start], no[start + count] - no[start]
        yes = levels * count
        # of a row with itself there is no pair
        wins += float(yes @ below + (yes * (same - (1 - levels))).sum() / 2)
        pairs += float(p.sum() * (1 - p).sum() - (p * (1 - p)).sum())
    return wins / pairs if pairs > 0 else math.nan


def compare_with_rivals(rows: pd.DataFrame, rivals: Mapping[str, np.ndarray], seed: int) -> dict[str, Rival]:
    """The model beside other rankings of the same rows, among rows of the same age.

    Parameters
    ----------
    rivals
        Name -> any finite score, per row.
    """
    scores = {"model": rows["probability"].to_numpy(float), **rivals}
    found = stratified_auc(
        rows["converted"].to_numpy(float),
        scores,
        rows["entity"].to_numpy(),
        age_groups(ages(rows)),
        resamples=RESAMPLES,
        seed=seed,
    )
    level = _BEATEN / max(1, len(rivals))
    return {name: Rival(found.difference("model", name), found.p_worse("model", name) < level) for name in rivals}


def ranking_findings(ranking: Ranking | None) -> tuple[Finding, ...]:
    """`performance_fell`, where it did."""
    if ranking is None or not ranking.fell:
        return ()
    auc, test = ranking.roc_auc, ranking.test
    mix = "" if ranking.expected >= test.value - 1e-9 else f" ({ranking.expected:.2f} for accounts as alike as these)"
    words = (
        f"The model ranks worse than in its test: ROC-AUC {auc.value:.2f} (95 % interval {auc.low:.2f} to {auc.high:.2f}) on "
        f"{ranking.entities:,} entities with {ranking.conversions:,} conversions since {iso(ranking.since // DAY * DAY)}, "
        f"where {test.value:.2f}{mix} was expected."
    )
    return (
        Finding(
            "performance_fell", "ranking", ranking.since, round(auc.value, 4), round(ranking.expected, 4), words, "act"
        ),
    )


def sampled(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, or those of so many entities as suffice, drawn by a hash."""
    entities = rows["entity"].nunique()
    if entities <= MOST_ENTITIES:
        return rows
    place = pd.util.hash_array(rows["entity"].to_numpy(object)) / 2.0**64
    return rows[place < MOST_ENTITIES / entities]
