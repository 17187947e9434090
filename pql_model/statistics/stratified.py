"""Ranking within strata: how well scores separate converters from others of the same stratum.

Only pairs of one stratum are compared, so nothing that merely tells the strata apart helps (the covariate-adjusted AUC:
Janes & Pepe 2009, Biometrika 96:371-382). All scores are resampled together, by entity, so differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pql_model.statistics.count_metrics import METRICS, Floats
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.intervals import SampleSize, interval_for, percentile_interval
from pql_model.statistics.metrics import SEED, Sample, bootstrap_weights, build_sample

STRATIFIED_RESAMPLES = 500


@dataclass(frozen=True)
class StratifiedAuc:
    """ROC-AUC within strata of several scores on the same rows, and its draws.

    Attributes
    ----------
    values, draws
        Score -> ROC-AUC on the sample, and on its resamples.
    units
        Number of entities, and of entities in the rarer class.
    """

    values: dict[str, float]
    draws: dict[str, Floats]
    units: SampleSize

    def estimate(self, name: str) -> Estimate:
        """The ROC-AUC of a score with its interval."""
        return interval_for("roc_auc", self.values[name], self.draws[name], self.units)

    def difference(self, first: str, second: str) -> Estimate:
        """`first` minus `second`, with the interval of the paired draws."""
        return percentile_interval(
            self.values[first] - self.values[second], self.draws[first] - self.draws[second], self.units
        )

    def p_worse(self, first: str, second: str) -> float:
        """Share of resamples in which `first` is at least as good as `second`: small if it is worse beyond chance."""
        draws = self.draws[first] - self.draws[second]
        usable = draws[~np.isnan(draws)]
        return (1 + float((usable >= 0).sum())) / (1 + len(usable))


def stratified_auc(
    y: ArrayLike,
    scores: Mapping[str, ArrayLike],
    entities: ArrayLike,
    strata: ArrayLike,
    *,
    resamples: int = STRATIFIED_RESAMPLES,
    seed: int = SEED,
) -> StratifiedAuc:
    """Compute the ROC-AUC within strata.

    Parameters
    ----------
    y, entities, strata
        Per row: 0 or 1, the entity (which is resampled), and the stratum.
    scores
        Name -> any finite score, per row.

    Examples
    --------
    >>> y, age = [0, 0, 1, 0, 1, 1], [1, 1, 1, 2, 2, 2]
    >>> found = stratified_auc(y, {"age": age, "usage": [1, 2, 3, 1, 2, 3]}, list("abcdef"), age)
    >>> found.values
    {'age': 0.5, 'usage': 1.0}
    """
    truth, stratum = np.asarray(y, float), np.asarray(strata)
    codes, known = pd.factorize(pd.Series(entities), sort=True)
    n = len(known)
    parts: dict[str, list[tuple[Sample, np.ndarray]]] = {name: [] for name in scores}
    for one in np.unique(stratum):
        rows = stratum == one
        if truth[rows].all() or not truth[rows].any():
            continue  # no pair to compare, whatever is drawn
        for name, score in scores.items():
            sample = build_sample(truth[rows], np.asarray(score, float)[rows], codes[rows], ["roc_auc"])
            parts[name].append((sample, np.unique(codes[rows])))
    units = SampleSize.of(np.bincount(codes, truth, n), np.bincount(codes, minlength=n))
    whole = np.ones((n, 1))
    values = {name: float(_pooled(samples, whole)[0]) for name, samples in parts.items()}
    draws: dict[str, list[Floats]] = {name: [np.empty(0)] for name in scores}
    for weights in bootstrap_weights(n, n, resamples, seed):
        for name, samples in parts.items():
            draws[name].append(_pooled(samples, weights))
    return StratifiedAuc(values, {name: np.concatenate(found) for name, found in draws.items()}, units)


def _pooled(samples: list[tuple[Sample, np.ndarray]], weights: Floats) -> Floats:
    """Pairs won over all pairs, per column of weights; NaN where there is no pair."""
    won, pairs = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
    for sample, members in samples:
        counts = sample.tally(weights[members])
        here = counts.total_positives * (counts.total_rows - counts.total_positives)
        won += np.nan_to_num(METRICS["roc_auc"](counts)) * here
        pairs += here
    return np.divide(won, pairs, out=np.full_like(won, np.nan), where=pairs > 0)
