"""Whether recent scores are distributed as in the model's test period."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import chi2

from pql_model.monitoring.finding import Finding
from pql_model.time import DAY

RECENT = 30 * DAY
TENTHS = 10
ALPHA = 0.001
"""Probability of a finding in a quiet month. Scores move with every season, so the level is strict."""
LEAST_INDEX = 0.1
"""Population stability index from which a shift is worth a look (the usual rule: 0.1 moderate, 0.25 large)."""
FEWEST_ENTITIES = 50


def drift_findings(
    rows: pd.DataFrame, reference: Sequence[float], reference_entities: int, until: int
) -> tuple[Finding, ...]:
    """`score_drift`: the shares of the tenths of the reference among the entities scored in the last 30 days.

    It needs no outcomes, and is never more than `watch`: a change of mix moves scores, and the model handles it.

    Parameters
    ----------
    rows
        entity, as_of, probability, one row per entity and age.
    reference
        Quantiles of the probability that the model answers on the test period, ascending and equally spaced. They must be
        its own answers: where many entities look alike, those of a model fitted on other rows differ in every tie.
    reference_entities
        Number of entities behind them.
    """
    recent = rows[rows["as_of"] >= until - RECENT]
    entities = recent["entity"].nunique()
    if entities < FEWEST_ENTITIES or reference_entities < FEWEST_ENTITIES:
        return ()
    quantiles = np.asarray(reference, float)
    edges = np.unique(np.quantile(quantiles, np.arange(1, TENTHS) / TENTHS))
    usual = np.bincount(np.searchsorted(edges, quantiles, side="right"), minlength=len(edges) + 1) / len(quantiles)
    place = np.searchsorted(edges, recent["probability"].to_numpy(float), side="right")
    weight = 1.0 / recent.groupby("entity")["as_of"].transform("size").to_numpy(float)
    now = np.bincount(place, weights=weight, minlength=len(edges) + 1) / entities
    filled = usual > 0  # a tie at an edge leaves a part of the reference empty
    usual, now = usual[filled] / usual[filled].sum(), now[filled]
    noise = 1 / entities + 1 / reference_entities
    statistic = float(((now - usual) ** 2 / usual).sum() / noise)
    degrees = len(usual) - 1
    if degrees < 1 or statistic < chi2.isf(ALPHA, degrees):
        return ()
    index = stability_index(now, usual, 0.5 / entities) - degrees * noise
    if index < LEAST_INDEX:
        return ()
    mean, before = float(np.average(recent["probability"], weights=weight)), float(quantiles.mean())
    side = "lower" if mean < before else "higher"
    words = (
        f"Scores are {side} than in the test period: mean probability {mean:.1%} for {entities:,} entities of the last 30 "
        f"days, {before:.1%} then (stability index {index:.2f}). If outcomes keep up, the mix of accounts has changed, not the model."
    )
    return (Finding("score_drift", "score", until - RECENT, round(index, 3), LEAST_INDEX, words, "watch"),)


def stability_index(now: np.ndarray, usual: np.ndarray, least: float) -> float:
    """Population stability index of two distributions; no share counts as less than `least`.

    >>> stability_index(np.array([0.5, 0.5]), np.array([0.5, 0.5]), 0.01)
    0.0
    """
    a, b = np.maximum(now, least), np.maximum(usual, least)
    return float(((a - b) * np.log(a / b)).sum())
