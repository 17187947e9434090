"""The rule in force, judged by the data: is each threshold where the outcomes put it, and does the rule still tell?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.candidates import places
from pql_model.criteria.definition_metrics import DefinitionMetrics, Outcomes, RuleCell, evaluate_definition
from pql_model.criteria.evaluate import criterion_values, holds
from pql_model.criteria.likelihood import Binned, Steps, profile
from pql_model.statistics.estimate import Z95

Word = Literal["too lax", "too strict", "about right", "stale", "cannot tell"]
LEAST_ROWS, LEAST_CONVERSIONS = 100, 15
"""A threshold is judged on so many rows that it decides about, and so many conversions among them."""
WORTH = 3.0
"""Gain in log-likelihood (a p-value of about 0.014) that the best threshold needs to have anything to say."""
DULL = 1.5
"""A rule whose lift is surely below this tells too little to be kept."""
RESAMPLES = 200


@dataclass(frozen=True)
class Placed:
    """Where the data put one threshold of the rule.

    Attributes
    ----------
    threshold, best, interval
        In force, the most telling one, and the middle 95 % of those that resamples of the entities find.
    rows, conversions
        That the criterion decides about: the other criteria of the rule leave it open.
    """

    condition: Criterion
    threshold: float
    best: float
    interval: tuple[float, float]
    rows: int
    conversions: int

    @property
    def strictness(self) -> int:
        """-1 too lax, 1 too strict, 0 where the data put it."""
        low, high = self.interval
        if low <= self.threshold <= high:
            return 0
        stricter_upwards = self.condition.operator in (">=", ">")
        return 1 if (self.threshold > high) == stricter_upwards else -1

    def to_dict(self) -> dict[str, Any]:
        return {
            "threshold": self.threshold,
            "best": self.best,
            "interval": list(self.interval),
            "rows": self.rows,
            "conversions": self.conversions,
            "says": {-1: "too lax", 0: "about right", 1: "too strict"}[self.strictness],
        }


@dataclass(frozen=True)
class InForce:
    """A verdict on the rule in force.

    Attributes
    ----------
    placed
        By threshold; those of which nothing can be said are not among them.
    misses, wastes
        Leads that the rule with its thresholds at their best would add, and drop; None if it would change nothing.
    """

    verdict: Word
    sentence: str
    earlier: DefinitionMetrics
    later: DefinitionMetrics
    placed: tuple[Placed, ...]
    misses: RuleCell | None
    wastes: RuleCell | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "sentence": self.sentence,
            "thresholds": [each.to_dict() for each in self.placed],
            "misses": self.misses.to_dict() if self.misses else None,
            "wastes": self.wastes.to_dict() if self.wastes else None,
        }


def judge_in_force(
    definition: Definition,
    table: pd.DataFrame,
    outcomes: Outcomes,
    later: np.ndarray,
    words: Callable[[Criterion], str],
    seed: int,
) -> InForce:
    """Judge a rule.

    Parameters
    ----------
    table, outcomes
        Criteria rows with a final outcome, earlier and later ones.
    later
        Which of them are later rows, bool (rows,).
    words
        English for a criterion.

    Notes
    -----
    A threshold is judged on the rows where it decides: those that meet exactly one criterion less than the rule needs
    without it. There the split that explains the outcomes best is sought (`likelihood.profile`), with an interval from
    resampled entities. Thresholds use earlier and later rows: the rule was found on neither.
    """
    each = np.column_stack([holds(criterion, table) for criterion in definition.criteria])
    met = each.sum(axis=1) >= definition.least
    before, now = evaluate_definition(met[~later], outcomes[~later]), evaluate_definition(met[later], outcomes[later])
    placed: list[Placed] = []
    better = each.copy()
    for k, criterion in enumerate(definition.criteria):
        decides = np.delete(each, k, axis=1).sum(axis=1) == definition.least - 1
        found = _place(criterion, table, outcomes, decides, seed) if criterion.threshold is not None else None
        if found is not None:
            placed.append(found)
            if found.strictness:
                better[:, k] = holds(criterion.model_copy(update={"threshold": found.best}), table)
    improved = better.sum(axis=1) >= definition.least
    verdict, sentence = _verdict(definition, before, now, placed, words)
    changed = bool((improved != met)[later].any())
    return InForce(
        verdict,
        sentence,
        before,
        now,
        tuple(placed),
        RuleCell.of((improved & ~met)[later], outcomes[later]) if changed else None,
        RuleCell.of((met & ~improved)[later], outcomes[later]) if changed else None,
    )


def _place(
    criterion: Criterion, table: pd.DataFrame, outcomes: Outcomes, decides: np.ndarray, seed: int
) -> Placed | None:
    values, y = criterion_values(criterion, table)[decides], outcomes.converted[decides].astype(float)
    if criterion.operator not in (">=", ">", "<=", "<") or len(y) < LEAST_ROWS or y.sum() < LEAST_CONVERSIONS:
        return None
    sign = 1.0 if criterion.operator in (">=", ">") else -1.0
    threshold = float(criterion.threshold or 0.0)
    beyond = _beyond(criterion.operator, threshold, values)
    signed = np.where(np.isnan(values), -np.inf, sign * values)
    numbers = np.union1d(places(signed[np.isfinite(signed)], len(signed)), sign * (threshold + beyond))
    steps = Steps(np.searchsorted(numbers, signed, side="right"), len(numbers))
    gain, top = _best(steps, y, np.ones(len(y)))
    if gain < WORTH:
        return None
    code = np.unique(outcomes.entity[decides], return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        times = np.bincount(rng.integers(0, code.max() + 1, code.max() + 1), minlength=code.max() + 1)
        found, at = _best(steps, y, times[code].astype(float))
        drawn += [at] if found > 0 else []
    ends = np.quantile(drawn, [0.025, 0.975], method="nearest").astype(int)
    low, high = sorted(sign * numbers[ends] - beyond)
    best = float(sign * numbers[top] - beyond)
    return Placed(criterion, threshold, best, (float(low), float(high)), int(decides.sum()), int(y.sum()))


def _beyond(operator: str, threshold: float, values: np.ndarray) -> float:
    """From the threshold to the first number that passes: `more than 2` is `at least 3` of whole numbers."""
    if operator in (">=", "<=") or np.any(np.mod(values[~np.isnan(values)], 1)):
        return 0.0
    return (math.floor(threshold) + 1 if operator == ">" else math.ceil(threshold) - 1) - threshold


def _best(steps: Steps, y: np.ndarray, weight: np.ndarray) -> tuple[float, int]:
    """The largest gain of a threshold above which more convert, and its place."""
    [(gain, effect)] = profile([steps], Binned.of(np.zeros(len(y))), y, weight)
    rising = np.where(effect > 0, gain, -np.inf)
    return float(rising.max()), int(rising.argmax())


def _verdict(
    definition: Definition,
    before: DefinitionMetrics,
    now: DefinitionMetrics,
    placed: list[Placed],
    words: Callable[[Criterion], str],
) -> tuple[Word, str]:
    stale = _stale(before, now)
    if stale:
        return "stale", stale
    off = [each for each in placed if each.strictness]
    if off:
        worst = max(off, key=lambda each: abs(_steps_off(each)))
        low, high = worst.interval
        where = f"the data put the threshold at {worst.best:g} (likely {low:g} to {high:g})"
        return (
            ("too strict", f"It turns away accounts that pay as often: for {words(worst.condition)}, {where}.")
            if worst.strictness > 0
            else ("too lax", f"It lets through accounts that seldom pay: for {words(worst.condition)}, {where}.")
        )
    if now.note is not None:
        return "cannot tell", f"There is not enough to judge it: {now.note}."
    tells = f"{_of_100(now.rate.value)} of 100 that meet it pay, of everybody {_of_100(now.base.value)}"
    if all(criterion.threshold is None for criterion in definition.criteria):
        return "cannot tell", f"It has no threshold that could be too lax or too strict: {tells}."
    if not placed:
        return "cannot tell", "There is not enough to judge it: too few conversions on either side of its thresholds."
    return "about right", f"Its thresholds are where the data put them, and it still tells: {tells}."


def _stale(before: DefinitionMetrics, now: DefinitionMetrics) -> str | None:
    """A sentence if the rule told who pays and no longer does, or surely tells too little."""
    if now.note is not None or math.isnan(now.lift.value):
        return None
    pays = f"{_of_100(now.rate.value)} of 100 that meet it pay now, of everybody {_of_100(now.base.value)}"
    if now.lift.low <= 1 and now.lift.high < DULL:
        return f"It does not tell who pays: {pays}."
    payload = before.note is None and before.lift.low > 1
    if payload and now.lift.low <= 1 and _fell(before, now):
        return f"It told who pays and no longer does: {pays}; before, it was {_of_100(before.rate.value)} against {_of_100(before.base.value)}."
    return None


def _fell(before: DefinitionMetrics, now: DefinitionMetrics) -> bool:
    """Whether the lift is lower than before by more than chance (difference of logarithms)."""
    if now.lift.value <= 0:
        return True
    spread = [(math.log(t.lift.high) - math.log(t.lift.low)) / (2 * Z95) for t in (before, now)]
    return math.log(before.lift.value / now.lift.value) > Z95 * math.hypot(*spread)


def _steps_off(each: Placed) -> float:
    low, high = each.interval
    near = low if each.threshold < low else high
    return (each.threshold - near) / max(abs(near), 1.0)


def _of_100(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.0095 else f"{100 * share:.1f}"
