"""Ranking within strata: how well scores separate converters from others of the same stratum.

Only pairs of one stratum are compared, so nothing that merely tells the strata apart helps (the covariate-adjusted AUC:
Janes & Pepe 2009, Biometrika 96:371-382). All scores are resampled together, by entity, so differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pql_model.statistics.count_metrics import METRICS, RATES, Floats, Metric
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
    classes = pd.DataFrame({"stratum": stratum, "y": truth}).groupby("stratum")["y"].transform("nunique").to_numpy()
    both = classes > 1  # a stratum of one class has no pair to compare, whatever is drawn
    parts = {
        name: _samples(truth[both], np.asarray(score, float)[both], codes[both], stratum[both])
        for name, score in scores.items()
    }
    whole = np.ones((n, 1))
    values = {name: float(_pooled("roc_auc", samples, whole)[0]) for name, samples in parts.items()}
    draws: dict[str, list[Floats]] = {name: [np.empty(0)] for name in scores}
    for weights in bootstrap_weights(n, n, resamples, seed):
        for name, samples in parts.items():
            draws[name].append(_pooled("roc_auc", samples, weights))
    units = _units(truth, codes)
    return StratifiedAuc(values, {name: np.concatenate(found) for name, found in draws.items()}, units)


def stratified_metrics(
    y: ArrayLike,
    score: ArrayLike,
    entities: ArrayLike,
    strata: ArrayLike,
    names: Sequence[str],
    *,
    resamples: int = STRATIFIED_RESAMPLES,
    seed: int = SEED,
) -> dict[str, Estimate]:
    """Compute other metrics of a ranking inside each stratum, as one number over all strata.

    Precision weighs the strata by their rows: the rate of the best k % of every stratum. Lift and average precision weigh them
    by their conversions.

    Parameters
    ----------
    y, score, entities, strata
        Per row: 0 or 1, any finite score, the entity (which is resampled), and the stratum.
    names
        Of `METRICS`, such as `lift_at_10pct`; they may read the order only.

    Examples
    --------
    >>> y, age = [0, 0, 1, 0, 1, 1], [1, 1, 1, 2, 2, 2]
    >>> stratified_metrics(y, [1, 2, 3, 1, 2, 3], list("abcdef"), age, ["average_precision"])["average_precision"].value
    1.0
    """
    codes, known = pd.factorize(pd.Series(entities), sort=True)
    truth, n = np.asarray(y, float), len(known)
    samples = _samples(truth, np.asarray(score, float), codes, np.asarray(strata))
    whole = np.ones((n, 1))
    parts = [
        [_pooled(name, samples, weights) for name in names] for weights in bootstrap_weights(n, n, resamples, seed)
    ]
    draws = np.concatenate(parts, axis=1) if parts else np.full((len(names), 1), np.nan)
    units = _units(truth, codes)
    return {
        name: interval_for(name, float(_pooled(name, samples, whole)[0]), drawn, units, _highest(name, samples, whole))
        for name, drawn in zip(names, draws, strict=True)
    }


def _units(truth: Floats, codes: np.ndarray) -> SampleSize:
    return SampleSize.of(np.bincount(codes, truth), np.bincount(codes))


Stratum = tuple[Sample, np.ndarray]
"""The rows of a stratum, and the codes of its entities."""


def _samples(truth: Floats, score: Floats, codes: np.ndarray, strata: np.ndarray) -> list[Stratum]:
    chosen = [strata == one for one in np.unique(strata)]
    return [
        (build_sample(truth[rows], score[rows], codes[rows], ["roc_auc"]), np.unique(codes[rows])) for rows in chosen
    ]


def _pooled(name: str, samples: list[Stratum], weights: Floats, metric: Metric | None = None) -> Floats:
    """Average a metric over the strata, per column of weights; NaN where no stratum has a value.

    ROC-AUC weighs the strata by their pairs.
    """
    total, measured = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
    for sample, members in samples:
        counts = sample.tally(weights[members])
        if name == "roc_auc":
            here = counts.total_positives * (counts.total_rows - counts.total_positives)
        else:
            here = counts.total_rows if name.startswith("precision") else counts.total_positives
        with np.errstate(invalid="ignore", divide="ignore"):  # a stratum of which nothing was drawn
            value = (metric or METRICS[name])(counts)
        here = np.where(np.isnan(value), 0.0, here)
        total += np.nan_to_num(value) * here
        measured += here
    return np.divide(total, measured, out=np.full_like(total, np.nan), where=measured > 0)


def _highest(name: str, samples: list[Stratum], whole: Floats) -> float:
    return float(_pooled(name, samples, whole, RATES[name].highest)[0]) if name in RATES else 1.0
