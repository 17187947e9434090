"""Judge the definition in force: are its thresholds where the outcomes put them, and does it still separate payers?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.candidates import threshold_candidates
from pql_model.criteria.definition_metrics import (
    DefinitionMetrics,
    GroupOutcomes,
    Outcomes,
    evaluate_definition,
)
from pql_model.criteria.definition_text import criterion_text
from pql_model.criteria.evaluate import criterion_values, holds, met_by
from pql_model.criteria.likelihood import BinnedOffset, ThresholdLevels, threshold_gains
from pql_model.number_text import of_100
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Z95

Verdict = Literal["too lax", "too strict", "about right", "stale", "cannot tell"]
LEAST_ROWS, LEAST_CONVERSIONS = 100, 15
"""Minimum number of rows that a threshold decides about, and of conversions among them, for a judgement."""
LEAST_GAIN = 3.0
"""Gain in log-likelihood (a p-value of about 0.014) that the best threshold needs to count as evidence."""
LEAST_LIFT = 1.5
"""A definition whose lift is surely below this is not worth keeping."""
RESAMPLES = 200


@dataclass(frozen=True)
class ThresholdEstimate:
    """The threshold of one criterion in force, beside the best threshold in the data.

    Attributes
    ----------
    threshold, best : float
        In force, and the one that explains the outcomes best.
    interval : tuple of float
        The middle 95 % of the best thresholds of resampled entities.
    rows, conversions : int
        Rows that the criterion decides about: the other criteria of the definition leave them undecided.
    """

    condition: Criterion
    threshold: float
    best: float
    interval: tuple[float, float]
    rows: int
    conversions: int

    @property
    def strictness(self) -> int:
        """-1 for too lax, 1 for too strict, 0 for a threshold inside the interval."""
        low, high = self.interval
        if low <= self.threshold <= high:
            return 0
        stricter_upwards = self.condition.operator in (">=", ">")
        return 1 if (self.threshold > high) == stricter_upwards else -1

    @property
    def distance(self) -> float:
        """Relative distance from the threshold to the interval."""
        low, high = self.interval
        near = low if self.threshold < low else high
        return abs(self.threshold - near) / max(abs(near), 1.0)

    def to_dict(self) -> dict[str, Any]:
        says = {-1: "too lax", 0: "about right", 1: "too strict"}[self.strictness]
        return {**select_attributes(self, "threshold", "best", "interval", "rows", "conversions"), "says": says}


@dataclass(frozen=True)
class InForceVerdict:
    """The verdict on the definition in force.

    Attributes
    ----------
    thresholds : tuple of ThresholdEstimate
        Thresholds without enough evidence are left out.
    misses, wastes : GroupOutcomes or None
        Leads that the definition with its best thresholds would add, and drop; None if it would change nothing.
    """

    verdict: Verdict
    sentence: str
    earlier: DefinitionMetrics
    later: DefinitionMetrics
    thresholds: tuple[ThresholdEstimate, ...]
    misses: GroupOutcomes | None
    wastes: GroupOutcomes | None

    @property
    def stale(self) -> bool:
        """Whether the definition does not separate payers, or no longer does: it then drives no suggestion."""
        return self.verdict == "stale"

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, "verdict", "sentence", "thresholds", "misses", "wastes")


def judge_in_force(
    definition: Definition, table: pd.DataFrame, outcomes: Outcomes, later: np.ndarray, seed: int
) -> InForceVerdict:
    """Judge the definition in force.

    Parameters
    ----------
    definition : Definition
    table, outcomes : DataFrame, Outcomes
        Criteria rows with a mature outcome, earlier and later ones.
    later : array of bool, shape (rows,)
        Which of them are later rows.
    seed : int

    Notes
    -----
    A threshold is judged on the rows it decides about: those that meet the definition with this criterion and not without
    it. There the split that explains the outcomes best is sought (`likelihood.threshold_gains`),
    with an interval from resampled entities. Both earlier and later rows are used, since the definition was found on
    neither.
    """
    masks = np.column_stack([holds(criterion, table) for criterion in definition.criteria])
    mask = met_by(definition, masks)
    before, now = evaluate_definition(mask[~later], outcomes[~later]), evaluate_definition(mask[later], outcomes[later])
    estimates: list[ThresholdEstimate] = []
    improved_masks = masks.copy()
    for k, criterion in enumerate(definition.criteria):
        undecided = met_by(definition, masks, {k: True}) & ~met_by(definition, masks, {k: False})
        estimate = _estimate_threshold(criterion, table, outcomes, undecided, seed)
        if estimate is not None:
            estimates.append(estimate)
            if estimate.strictness:
                improved_masks[:, k] = holds(criterion.model_copy(update={"threshold": estimate.best}), table)
    improved = met_by(definition, improved_masks)
    verdict, sentence = _verdict(definition, before, now, estimates)
    changed = bool((improved != mask)[later].any())
    return InForceVerdict(
        verdict,
        sentence,
        before,
        now,
        tuple(estimates),
        GroupOutcomes.of((improved & ~mask)[later], outcomes[later]) if changed else None,
        GroupOutcomes.of((mask & ~improved)[later], outcomes[later]) if changed else None,
    )


def _estimate_threshold(
    criterion: Criterion, table: pd.DataFrame, outcomes: Outcomes, undecided: np.ndarray, seed: int
) -> ThresholdEstimate | None:
    if criterion.threshold is None or criterion.operator not in (">=", ">", "<=", "<"):
        return None
    values, y = criterion_values(criterion, table)[undecided], outcomes.converted[undecided].astype(float)
    if len(y) < LEAST_ROWS or y.sum() < LEAST_CONVERSIONS:
        return None
    sign = 1.0 if criterion.operator in (">=", ">") else -1.0
    threshold = float(criterion.threshold)
    gap = _gap_to_first_passing(criterion.operator, threshold, values)
    signed = np.where(np.isnan(values), -np.inf, sign * values)
    finite = signed[np.isfinite(signed)]
    numbers = np.union1d(threshold_candidates(finite, len(signed)), sign * (threshold + gap))
    levels = ThresholdLevels(np.searchsorted(numbers, signed, side="right"), len(numbers))
    gain, top = _best_threshold(levels, y, np.ones(len(y)))
    if gain < LEAST_GAIN:
        return None
    ends = _resampled_ends(levels, y, outcomes.entity[undecided], seed)
    low, high = sorted(sign * numbers[ends] - gap)
    best = float(sign * numbers[top] - gap)
    return ThresholdEstimate(criterion, threshold, best, (float(low), float(high)), len(y), int(y.sum()))


def _resampled_ends(levels: ThresholdLevels, y: np.ndarray, entity: np.ndarray, seed: int) -> np.ndarray:
    """Positions of the middle 95 % of the best thresholds when entities are resampled."""
    code = np.unique(entity, return_inverse=True)[1]
    entities = code.max() + 1
    rng = np.random.default_rng(seed)
    best = []
    for _ in range(RESAMPLES):
        times = np.bincount(rng.integers(0, entities, entities), minlength=entities)
        gain, position = _best_threshold(levels, y, times[code].astype(float))
        best += [position] if gain > 0 else []
    return np.quantile(best, [0.025, 0.975], method="nearest").astype(int)


def _gap_to_first_passing(operator: str, threshold: float, values: np.ndarray) -> float:
    """From the threshold to the first number that passes: for whole numbers, `more than 2` means `at least 3`."""
    if operator in (">=", "<=") or np.any(np.mod(values[~np.isnan(values)], 1)):
        return 0.0
    return (math.floor(threshold) + 1 if operator == ">" else math.ceil(threshold) - 1) - threshold


def _best_threshold(levels: ThresholdLevels, y: np.ndarray, weight: np.ndarray) -> tuple[float, int]:
    """The largest gain of a threshold above which more rows convert, and its position."""
    [(gain, effect)] = threshold_gains([levels], BinnedOffset.of(np.zeros(len(y))), y, weight)
    rising = np.where(effect > 0, gain, -np.inf)
    return float(rising.max()), int(rising.argmax())


def _verdict(
    definition: Definition, before: DefinitionMetrics, now: DefinitionMetrics, estimates: Sequence[ThresholdEstimate]
) -> tuple[Verdict, str]:
    stale = stale_reason(before, now)
    if stale:
        return "stale", stale
    misplaced = [estimate for estimate in estimates if estimate.strictness]
    if misplaced:
        worst = max(misplaced, key=lambda estimate: estimate.distance)
        low, high = worst.interval
        subject = criterion_text(worst.condition)
        advice = f"for {subject}, the data put the threshold at {worst.best:g} (95 % interval {low:g} to {high:g})"
        return (
            ("too strict", f"It turns away accounts that pay as often: {advice}.")
            if worst.strictness > 0
            else ("too lax", f"It lets through accounts that seldom pay: {advice}.")
        )
    if now.note is not None:
        return "cannot tell", f"There is not enough data to judge it: {now.note}."
    rates = f"of the accounts that meet it {of_100(now.rate.value)} of 100 pay, overall {of_100(now.base.value)}"
    if all(criterion.threshold is None for criterion in definition.criteria):
        return "cannot tell", f"It has no threshold that could be too lax or too strict: {rates}."
    if not estimates:
        return (
            "cannot tell",
            "There is not enough data to judge it: too few conversions on either side of its thresholds.",
        )
    return "about right", f"Its thresholds are where the data put them, and it still separates payers: {rates}."


def stale_reason(before: DefinitionMetrics, now: DefinitionMetrics) -> str | None:
    """Explain in a sentence that a definition no longer separates payers, or never did; None if it does, or too little is known.

    Parameters
    ----------
    before, now : DefinitionMetrics
        Its figures on earlier and on later rows.
    """
    if now.note is not None or math.isnan(now.lift.value):
        return None
    rates = f"{of_100(now.rate.value)} of 100 that meet it pay now ({of_100(now.base.value)} overall)"
    if now.lift.low <= 1 and now.lift.high < LEAST_LIFT:
        return f"It does not separate payers from non-payers: {rates}."
    separated = before.note is None and before.lift.low > 1
    if separated and now.lift.low <= 1 and _fell(before, now):
        rates_before = f"{of_100(before.rate.value)} of 100 ({of_100(before.base.value)} overall)"
        return f"It used to separate payers from non-payers and no longer does: {rates}; before, it was {rates_before}."
    return None


def _fell(before: DefinitionMetrics, now: DefinitionMetrics) -> bool:
    """Whether the lift has fallen by more than chance explains (difference of logarithms)."""
    if now.lift.value <= 0:
        return True
    errors = [(math.log(m.lift.high) - math.log(m.lift.low)) / (2 * Z95) for m in (before, now)]
    return math.log(before.lift.value / now.lift.value) > Z95 * math.hypot(*errors)
