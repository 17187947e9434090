"""Metrics of one or several back-test folds, with the entity as the unit of resampling across all of them.

Rankings are compared within a fold only. A list is worked at one time with one model; whether a conversion in March
ranks above a non-conversion in July shows how the level moved, not whether the list was in the right order. A ranking
metric over several folds is therefore the mean of the folds' metrics weighted by conversions: lift in the top tenth is ten
times the share of all conversions that were in the top tenth of their fold; average precision is the mean precision at a
conversion, within its fold. Precision at 10 % is the rate over all top tenths. Probabilities claim to be comparable across
folds, so their metrics use all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pql_model.evaluation.evaluate import definition_rates
from pql_model.payload import to_payload
from pql_model.statistics.count_metrics import RATES, Metric
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.intervals import SampleSize, interval_for
from pql_model.statistics.metrics import (
    METRICS,
    RESAMPLES,
    SEED,
    Floats,
    Sample,
    bootstrap_weights,
    build_sample,
    evaluate,
)

RANKS = ("roc_auc", "average_precision", "precision_at_10pct", "lift_at_10pct")
PROBABILITIES = ("brier", "log_loss", "calibration_error", "base_rate")
_BY_ROWS = {"precision_at_10pct"}
"""Metrics about rows rather than conversions: folds are weighted by their rows."""


@dataclass(frozen=True)
class _FoldSample:
    """Sample of one fold, and the indices of its entities among all entities."""

    sample: Sample
    places: np.ndarray


def evaluate_within(
    y: ArrayLike,
    score: ArrayLike,
    entities: ArrayLike,
    fold: ArrayLike,
    *,
    names: Sequence[str] = RANKS,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[str, Estimate]:
    """Ranking metrics within folds, averaged, with intervals from a bootstrap over entities across all folds.

    Parameters
    ----------
    y, score, entities, fold
        Outcome (0 or 1), prediction, entity and fold of each row.

    Returns
    -------
    dict
        Name -> estimate; NaN if no fold holds both classes. Equals `metrics.evaluate` for a single fold.

    Examples
    --------
    Each fold is ranked perfectly, although the second one scores every entity higher:

    >>> y, score, fold = [0, 1, 0, 1], [0.1, 0.2, 0.8, 0.9], [1, 1, 2, 2]
    >>> evaluate_within(y, score, ["a", "b", "c", "d"], fold, names=["roc_auc"])["roc_auc"].value
    1.0
    """
    truth, scores, folds = np.asarray(y, float), np.asarray(score, float), np.asarray(fold)
    everyone, codes = np.unique(np.asarray(entities), return_inverse=True)
    parts = []
    for name in np.unique(folds):
        rows = folds == name
        parts.append(_FoldSample(build_sample(truth[rows], scores[rows], codes[rows], names), np.unique(codes[rows])))
    if not parts:
        return {name: Estimate(np.nan, np.nan, np.nan) for name in names}
    metrics = {name: METRICS[name] for name in names}
    once, levels = np.ones((len(everyone), 1)), max(len(part.sample.score) for part in parts)
    value = dict(zip(names, _means(parts, metrics, once)[:, 0], strict=True))
    highest = {name: RATES[name].highest for name in names if name in RATES}
    most = dict(zip(highest, _means(parts, highest, once)[:, 0], strict=True))
    draws = [_means(parts, metrics, w) for w in bootstrap_weights(len(everyone), levels, resamples, seed)]
    resampled = np.concatenate(draws, axis=1) if draws else np.full((len(names), 1), np.nan)
    units = SampleSize.of(np.bincount(codes, truth), np.bincount(codes).astype(np.float64))
    return {
        name: interval_for(name, value[name], resampled[i], units, most.get(name, 1.0)) for i, name in enumerate(names)
    }


def _means(parts: Sequence[_FoldSample], metrics: dict[str, Metric], weights: Floats) -> Floats:
    """Mean over folds of each metric, per resample, (metrics, resamples)."""
    top = np.zeros((len(metrics), weights.shape[1]))
    bottom = np.zeros_like(top)
    for part in parts:
        tally = part.sample.tally(weights[part.places])
        with np.errstate(invalid="ignore"):  # a resample may contain no entity of a fold
            values = np.array([metric(tally) for metric in metrics.values()]).reshape(top.shape)
        weighs = np.array(
            [tally.total_rows if name in _BY_ROWS else tally.total_positives for name in metrics]
        ).reshape(top.shape)
        counts = ~np.isnan(values)
        top += np.where(counts, weighs * np.where(counts, values, 0.0), 0.0)
        bottom += np.where(counts, weighs, 0.0)
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)


# ---------------------------------------------------------------- metrics of a back-test


@dataclass(frozen=True)
class FoldMetrics:
    """Metrics of the model and its baselines on the same rows.

    Attributes
    ----------
    counts
        rows, entities, conversions.
    model
        Metrics with intervals.
    expected
        Sum of the probabilities.
    observed
        Observed conversions, with the interval in which their number could have fallen.
    baselines
        Name -> metrics.
    """

    counts: dict[str, int]
    model: dict[str, Estimate]
    expected: float
    observed: Estimate
    baselines: dict[str, dict[str, Estimate]]

    @property
    def note(self) -> str | None:
        """Why ranking metrics are missing, or None."""
        rows, conversions = self.counts["rows"], self.counts["conversions"]
        if 0 < conversions < rows:
            return None
        outcome = "no conversions" if conversions == 0 else "only conversions"
        return (
            f"{outcome} among {rows:,} snapshots: ranking is undefined, so ROC-AUC, average precision and lift are null"
        )

    def to_dict(self) -> dict[str, Any]:
        metrics = to_payload(self.model, 6)
        return {
            **self.counts,
            **metrics,
            "precision_at_10": metrics["precision_at_10pct"]["value"],
            "base_rate": metrics["base_rate"]["value"],
            "calibration": {"expected": round(self.expected, 2), "observed": self.observed.to_dict(6)},
            "note": self.note,
        }


def fold_metrics(rows: pd.DataFrame, seed: int) -> FoldMetrics:
    """Compute the metrics of one or several folds.

    Parameters
    ----------
    rows
        cutoff, entity, converted, probability, logistic_regression, activity, base_rate (of the training rows, known at
        the cut-off) and, if a definition is in force, meets_definition.
    """
    y, entities = rows["converted"].to_numpy(float), rows["entity"].to_numpy()

    def ranks(name: str) -> dict[str, Estimate]:
        return evaluate_within(y, rows[name].to_numpy(float), entities, rows["cutoff"].to_numpy(), seed=seed)

    def chances(name: str) -> dict[str, Estimate]:
        return evaluate(y, rows[name].to_numpy(float), entities, names=PROBABILITIES, seed=seed)

    model = ranks("probability") | chances("probability")
    baselines = {
        "base_rate": chances("base_rate"),
        "activity": ranks("activity"),
        "logistic_regression": ranks("logistic_regression") | chances("logistic_regression"),
    }
    if "meets_definition" in rows:
        baselines["definition"] = {
            "roc_auc": ranks("meets_definition")["roc_auc"],
            **definition_rates(rows["meets_definition"].to_numpy(bool), y, entities, seed),
        }
    rate = model["base_rate"]
    observed = Estimate(float(y.sum()), *(round(bound * len(y), 1) for bound in (rate.low, rate.high)))
    counts = {"rows": len(y), "entities": int(rows["entity"].nunique()), "conversions": int(y.sum())}
    return FoldMetrics(counts, model, float(rows["probability"].sum()), observed, baselines)
