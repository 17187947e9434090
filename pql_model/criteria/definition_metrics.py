"""Evaluate a definition: how many rows meet it, how many of them convert and when, compared with all rows.

A definition is given as a boolean per row. Rows are independent (see `pql_model.criteria.rows`), so intervals for
binomial shares apply.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

from pql_model.payload import select_attributes
from pql_model.snapshots.periods import month_of, whole_weeks
from pql_model.statistics.estimate import Z95, Estimate, wilson
from pql_model.time import week_of

LEAST_QUALIFIED, LEAST_CONVERSIONS = 30, 5
"""Minimum number of rows that meet a definition, and of conversions among them, for a judgement."""
TOO_FEW, NOBODY, EVERYBODY = "too few to judge", "nobody meets it", "everybody meets it"

_UNDEFINED = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Outcomes:
    """Rows and their outcomes, aligned arrays of shape (rows,).

    Attributes
    ----------
    entity : array
        Ids.
    as_of, begins : arrays of int64
        Microseconds: the instant of a lead, and the cohort of the row (sign-up in a trial, as_of in freemium).
    converted : array of bool
    probability : array of float or None
        A model's probabilities, for the fidelity of a definition to it.
    value : array of float or None
        What a conversion is worth; NaN where unknown, and where a row did not convert.
    """

    entity: np.ndarray
    as_of: np.ndarray
    begins: np.ndarray
    converted: np.ndarray
    probability: np.ndarray | None = None
    value: np.ndarray | None = None

    @classmethod
    def of_snapshots(cls, frame: pd.DataFrame, motion: str, probability: np.ndarray | None = None) -> Outcomes:
        """Read entity, as_of, signed_up, converted and, where it has them, values of a table of snapshots."""
        return cls(
            frame["entity"].to_numpy(),
            frame["as_of"].to_numpy(np.int64),
            cohort_instant(frame, motion),
            frame["converted"].to_numpy(bool),
            probability,
            frame["value"].to_numpy(float) if "value" in frame and frame["value"].notna().any() else None,
        )

    def __getitem__(self, rows: np.ndarray) -> Outcomes:
        optional = (None if column is None else column[rows] for column in (self.probability, self.value))
        return Outcomes(self.entity[rows], self.as_of[rows], self.begins[rows], self.converted[rows], *optional)

    def __len__(self) -> int:
        return len(self.converted)


def cohort_instant(frame: pd.DataFrame, motion: str) -> np.ndarray:
    """The instant that decides which cohort a snapshot belongs to, int64 (rows,)."""
    return frame["signed_up" if motion == "trial" else "as_of"].to_numpy(np.int64)


@dataclass(frozen=True)
class Month:
    """Figures of the rows of one month of as_of, UTC."""

    month: str
    entities: int
    qualified: int
    conversions: int
    rate: Estimate


@dataclass(frozen=True)
class DefinitionMetrics:
    """The figures of a definition.

    Attributes
    ----------
    rows, entities : int
        In freemium an entity has several rows.
    qualified, conversions : int
        Rows that meet the definition, and how many of them converted.
    base, rate : Estimate
        Conversion rate of all rows, and of those that meet the definition (Wilson's interval).
    lift : Estimate
        rate / base. See `lift_of`.
    recall : Estimate
        Share of all conversions that the definition catches (Wilson's interval).
    leads_per_week : Estimate
        Mean over whole weeks, with the lowest and highest week (not an interval).
    fidelity : float or None
        Cohen's kappa between the definition and an equal number of rows with the highest probability: 1 is perfect
        agreement, 0 is chance. None without a model, or where all rows or none meet the definition.
    note : str or None
        `too few to judge`, `nobody meets it` or `everybody meets it`.
    """

    rows: int
    entities: int
    qualified: int
    conversions: int
    base: Estimate
    rate: Estimate
    lift: Estimate
    recall: Estimate
    leads_per_week: Estimate
    months: tuple[Month, ...]
    fidelity: float | None
    note: str | None

    @property
    def share(self) -> float:
        """Share of the rows that meet the definition."""
        return self.qualified / self.rows if self.rows else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return `tested` of `pql criteria --json`."""
        counts = ("entities", "rows", "qualified", "conversions", "note")
        figures = ("share", "rate", "lift", "recall", "leads_per_week", "months")
        return {
            **select_attributes(self, *counts, *figures, base_rate="base", digits=6),
            **select_attributes(self, "fidelity", digits=4),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> DefinitionMetrics:
        """Read what `to_dict` wrote, without its months."""

        def estimate(name: str) -> Estimate:
            numbers = raw[name]
            return Estimate(
                *(math.nan if numbers[end] is None else float(numbers[end]) for end in ("value", "low", "high"))
            )

        return cls(
            rows=int(raw["rows"]),
            entities=int(raw["entities"]),
            qualified=int(raw["qualified"]),
            conversions=int(raw["conversions"]),
            base=estimate("base_rate"),
            rate=estimate("rate"),
            lift=estimate("lift"),
            recall=estimate("recall"),
            leads_per_week=estimate("leads_per_week"),
            months=(),
            fidelity=raw.get("fidelity"),
            note=raw.get("note"),
        )


def evaluate_definition(mask: np.ndarray, outcomes: Outcomes) -> DefinitionMetrics:
    """Compute the figures of a definition.

    Parameters
    ----------
    mask : array of bool, shape (rows,)
        Whether each row meets the definition.
    outcomes : Outcomes

    Examples
    --------
    >>> outcomes = Outcomes(np.arange(200), np.zeros(200, int), np.zeros(200, int), np.arange(200) % 5 == 0)
    >>> metrics = evaluate_definition(np.arange(200) % 10 == 0, outcomes)  # half of the 40 who convert, and no one else
    >>> metrics.qualified, metrics.conversions, metrics.rate.value, metrics.lift.value, metrics.recall.value
    (20, 20, 1.0, 5.0, 0.5)
    """
    mask, converted = np.asarray(mask, bool), outcomes.converted
    rows, qualified, conversions = len(mask), int(mask.sum()), int(converted.sum())
    caught = int((mask & converted).sum())
    return DefinitionMetrics(
        rows=rows,
        entities=len(np.unique(outcomes.entity)),
        qualified=qualified,
        conversions=caught,
        base=wilson(conversions, rows),
        rate=wilson(caught, qualified),
        lift=lift_of(caught, qualified, conversions, rows),
        recall=wilson(caught, conversions),
        leads_per_week=leads_per_week(mask, outcomes),
        months=_by_month(mask, outcomes),
        fidelity=_kappa(mask, outcomes.probability),
        note=_note(rows, qualified, caught),
    )


def lift_of(caught: int, qualified: int, conversions: int, rows: int) -> Estimate:
    """Divide the conversion rate of a part by that of the whole it belongs to.

    Of N rows, n are in the part, k converted, and a are both: lift = (a / n) / (k / N). The variance of its logarithm
    follows from the delta method on multinomial counts, where cov(log A, log B) = (P(A and B) / (P(A) P(B)) - 1) / N:
    (1/p_a - 1/p_n - 1/p_k + 2 lift - 1) / N (Agresti 2013, Categorical Data Analysis, 16.1). If nobody in the part
    converted, the logarithm does not exist, and the upper end is Wilson's upper end of the rate over the base rate.

    >>> lift_of(20, 100, 50, 1000)
    Estimate(value=4.0, low=2.89..., high=5.51...)
    """
    if not qualified or not conversions:
        return _UNDEFINED
    base = conversions / rows
    if not caught:
        return Estimate(0.0, 0.0, wilson(0, qualified).high / base)
    lift = caught / qualified / base
    variance = 1 / caught - 1 / qualified - 1 / conversions + (2 * lift - 1) / rows
    half = Z95 * math.sqrt(max(variance, 0.0))
    return Estimate(lift, lift * math.exp(-half), lift * math.exp(half))


def leads_per_week(mask: np.ndarray, outcomes: Outcomes) -> Estimate:
    """Count the rows that meet a definition per week of as_of (Monday to Sunday): mean, lowest and highest.

    Partial weeks at either end are left out; without a whole week the estimate is undefined.
    """
    weeks = whole_weeks(outcomes.as_of)
    if not len(weeks):
        return _UNDEFINED
    of_row = week_of(outcomes.as_of[mask])
    leads = np.array([(of_row == week).sum() for week in weeks])
    return Estimate(float(leads.mean()), float(leads.min()), float(leads.max()))


def _by_month(mask: np.ndarray, outcomes: Outcomes) -> tuple[Month, ...]:
    names = month_of(outcomes.as_of)
    months = []
    for name in np.unique(names):
        in_month = names == name
        both = in_month & mask
        qualified, conversions = int(both.sum()), int((both & outcomes.converted).sum())
        entities = len(np.unique(outcomes.entity[in_month]))
        months.append(Month(str(name), entities, qualified, conversions, wilson(conversions, qualified)))
    return tuple(months)


def _kappa(mask: np.ndarray, probability: np.ndarray | None) -> float | None:
    """Cohen's kappa with the equally large group of highest probability; rows tied at its edge count in part.

    If both groups hold a share q of the rows, kappa is (overlap - q) / (1 - q), where overlap is the share of one group
    that is in the other (Cohen 1960, Educ. Psychol. Meas. 20:37-46).
    """
    qualified = int(mask.sum())
    if probability is None or qualified in (0, len(mask)):
        return None
    edge = np.partition(probability, len(mask) - qualified)[len(mask) - qualified]
    above, tied = probability > edge, probability == edge
    part = (qualified - above.sum()) / tied.sum()
    overlap = ((mask & above).sum() + part * (mask & tied).sum()) / qualified
    q = qualified / len(mask)
    return float((overlap - q) / (1 - q))


def _note(rows: int, qualified: int, caught: int) -> str | None:
    if not qualified:
        return NOBODY
    if qualified == rows:
        return EVERYBODY
    return TOO_FEW if qualified < LEAST_QUALIFIED or caught < LEAST_CONVERSIONS else None


def p_above(mask: np.ndarray, converted: np.ndarray) -> float:
    """Return the one-sided p-value of Fisher's exact test that rows meeting a definition convert more often.

    >>> round(p_above(np.arange(20) < 10, np.arange(20) < 5), 4)
    0.0163
    """
    mask, converted = np.asarray(mask, bool), np.asarray(converted, bool)
    cells = [[int((a & b).sum()) for b in (converted, ~converted)] for a in (mask, ~mask)]
    return float(fisher_exact(cells, alternative="greater").pvalue)


@dataclass(frozen=True)
class GroupOutcomes:
    """Entities, conversions and conversion rate of a group of rows."""

    entities: int
    conversions: int
    rate: Estimate

    @classmethod
    def of(cls, mask: np.ndarray, outcomes: Outcomes) -> GroupOutcomes:
        rows, conversions = int(mask.sum()), int((mask & outcomes.converted).sum())
        return cls(len(np.unique(outcomes.entity[mask])), conversions, wilson(conversions, rows))

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=6)


@dataclass(frozen=True)
class DefinitionComparison:
    """Two definitions on the same rows.

    Attributes
    ----------
    both, only_a, only_b, neither : GroupOutcomes
        Rows by the definitions they meet.
    agreement : float
        Share of the rows that meet both definitions or neither.
    overlap : float
        Share of the rows meeting at least one definition that meet both; NaN if no row meets any.
    """

    both: GroupOutcomes
    only_a: GroupOutcomes
    only_b: GroupOutcomes
    neither: GroupOutcomes
    agreement: float
    overlap: float


def compare_definitions(met_a: np.ndarray, met_b: np.ndarray, outcomes: Outcomes) -> DefinitionComparison:
    """Compare two definitions on the same rows.

    Examples
    --------
    >>> outcomes = Outcomes(np.arange(8), np.zeros(8, int), np.zeros(8, int), np.arange(8) < 3)
    >>> comparison = compare_definitions(np.arange(8) < 4, np.arange(8) % 2 == 0, outcomes)
    >>> comparison.only_a.entities, comparison.only_a.conversions, comparison.agreement, round(comparison.overlap, 2)
    (2, 1, 0.5, 0.33)
    """
    a, b = np.asarray(met_a, bool), np.asarray(met_b, bool)
    union = int((a | b).sum())
    return DefinitionComparison(
        both=GroupOutcomes.of(a & b, outcomes),
        only_a=GroupOutcomes.of(a & ~b, outcomes),
        only_b=GroupOutcomes.of(~a & b, outcomes),
        neither=GroupOutcomes.of(~a & ~b, outcomes),
        agreement=float((a == b).mean()),
        overlap=int((a & b).sum()) / union if union else math.nan,
    )
