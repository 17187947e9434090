"""What came of those who meet a rule: how many, how many of them converted, when, and against everybody.

A rule is any true or false per row. Rows are trials of their own (see `pql_model.criteria.rows`), so plain intervals of
shares are right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import fisher_exact

from pql_model.snapshots.periods import month_of, whole_weeks
from pql_model.statistics.estimate import Z95, Estimate, wilson
from pql_model.time import week_of

LEAST_QUALIFIED, LEAST_CONVERSIONS = 30, 5
"""With fewer who meet the rule, or fewer conversions among them, nothing is judged."""
TOO_FEW, NOBODY, EVERYBODY = "too few to judge", "nobody meets it", "everybody meets it"

_NOTHING = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Outcomes:
    """Rows and what came of them, aligned, (rows,).

    Attributes
    ----------
    entity
        Ids.
    as_of, begins
        Instants (int64 microseconds): when a lead would be raised, and which cohort the row belongs to (sign-up in a
        trial, as_of in freemium).
    converted
        Bool.
    probability
        A model's, for the fidelity of a rule to it; None without a model.
    """

    entity: np.ndarray
    as_of: np.ndarray
    begins: np.ndarray
    converted: np.ndarray
    probability: np.ndarray | None = None

    def __getitem__(self, rows: np.ndarray) -> Outcomes:
        probability = self.probability[rows] if self.probability is not None else None
        return Outcomes(self.entity[rows], self.as_of[rows], self.begins[rows], self.converted[rows], probability)

    def __len__(self) -> int:
        return len(self.converted)


@dataclass(frozen=True)
class Month:
    """The same of the rows of one month of as_of, UTC."""

    month: str
    entities: int
    qualified: int
    conversions: int
    rate: Estimate

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "rate": self.rate.to_dict(6)}


@dataclass(frozen=True)
class DefinitionMetrics:
    """A rule and what came of those who meet it.

    Attributes
    ----------
    rows, entities
        Looked at; in freemium an entity is looked at more than once.
    qualified, conversions
        Rows that meet the rule, and how many of them converted.
    base, rate
        Share that converted of all rows, and of those that meet the rule (Wilson's interval).
    lift
        rate / base. See `lift_of`.
    recall
        Share of all conversions that the rule catches (Wilson's interval).
    leads_per_week
        Mean of the whole weeks, and the lowest and highest of them (not an interval).
    fidelity
        Cohen's kappa between the rule and as many rows with the highest probability: 1 is the same, 0 no more than by
        chance. None without a model, or where the rule tells nobody apart.
    note
        `too few to judge`, `nobody meets it`, `everybody meets it`, or None.
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
        """Share of the rows that meet the rule."""
        return self.qualified / self.rows if self.rows else math.nan

    def to_dict(self) -> dict[str, Any]:
        """`tested` of `pql criteria --json`."""
        return {
            "entities": self.entities,
            "rows": self.rows,
            "qualified": self.qualified,
            "share": None if math.isnan(self.share) else round(self.share, 6),
            "conversions": self.conversions,
            "base_rate": self.base.to_dict(6),
            "rate": self.rate.to_dict(6),
            "lift": self.lift.to_dict(6),
            "recall": self.recall.to_dict(6),
            "leads_per_week": self.leads_per_week.to_dict(6),
            "months": [month.to_dict() for month in self.months],
            "fidelity": None if self.fidelity is None else round(self.fidelity, 4),
            "note": self.note,
        }


def evaluate_definition(met: np.ndarray, outcomes: Outcomes) -> DefinitionMetrics:
    """Everything there is to say of a rule on these rows.

    Parameters
    ----------
    met
        Whether each row meets the rule, bool (rows,).

    Examples
    --------
    >>> nobody = Outcomes(np.arange(200), np.zeros(200, int), np.zeros(200, int), np.arange(200) % 5 == 0)
    >>> found = tested(np.arange(200) % 10 == 0, nobody)  # half of the 40 who convert, and no one else
    >>> found.qualified, found.conversions, found.rate.value, found.lift.value, found.recall.value
    (20, 20, 1.0, 5.0, 0.5)
    """
    met, converted = np.asarray(met, bool), outcomes.converted
    rows, qualified, everyone = len(met), int(met.sum()), int(converted.sum())
    caught = int((met & converted).sum())
    return DefinitionMetrics(
        rows=rows,
        entities=len(np.unique(outcomes.entity)),
        qualified=qualified,
        conversions=caught,
        base=wilson(everyone, rows),
        rate=wilson(caught, qualified),
        lift=lift_of(caught, qualified, everyone, rows),
        recall=wilson(caught, everyone),
        leads_per_week=leads_per_week(met, outcomes),
        months=_by_month(met, outcomes),
        fidelity=_kappa(met, outcomes.probability),
        note=_note(rows, qualified, caught),
    )


def lift_of(caught: int, qualified: int, everyone: int, rows: int) -> Estimate:
    """Rate of a part over the rate of the whole it belongs to.

    With a of N rows both in the part and converted, n in the part and k converted, lift = (a / n) / (k / N). The variance
    of its logarithm by the delta method on the multinomial counts, for which cov(log A, log B) = (P(A and B) / (P(A) P(B))
    - 1) / N, is (1/p_a - 1/p_n - 1/p_k + 2 lift - 1) / N (delta method: Agresti 2013, Categorical Data Analysis, 16.1).
    Where nobody in the part converted there is no logarithm: the upper end is Wilson's of the rate over the base rate.

    >>> lift_of(20, 100, 50, 1000)
    Estimate(value=4.0, low=2.89..., high=5.51...)
    """
    if not qualified or not everyone:
        return _NOTHING
    base = everyone / rows
    if not caught:
        return Estimate(0.0, 0.0, wilson(0, qualified).high / base)
    lift = caught / qualified / base
    variance = 1 / caught - 1 / qualified - 1 / everyone + (2 * lift - 1) / rows
    half = Z95 * math.sqrt(max(variance, 0.0))
    return Estimate(lift, lift * math.exp(-half), lift * math.exp(half))


def leads_per_week(met: np.ndarray, outcomes: Outcomes) -> Estimate:
    """Mean, lowest and highest number of rows that meet the rule in a week of as_of, Monday to Sunday.

    The weeks that the rows only begin or end in do not count; nothing is said if that is all of them.
    """
    weeks = whole_weeks(outcomes.as_of)
    if not len(weeks):
        return _NOTHING
    of_row = week_of(outcomes.as_of[met])
    leads = np.array([(of_row == week).sum() for week in weeks])
    return Estimate(float(leads.mean()), float(leads.min()), float(leads.max()))


def _by_month(met: np.ndarray, outcomes: Outcomes) -> tuple[Month, ...]:
    names = month_of(outcomes.as_of)
    found = []
    for name in np.unique(names):
        here = names == name
        mine = here & met
        qualified, conversions = int(mine.sum()), int((mine & outcomes.converted).sum())
        entities = len(np.unique(outcomes.entity[here]))
        found.append(Month(str(name), entities, qualified, conversions, wilson(conversions, qualified)))
    return tuple(found)


def _kappa(met: np.ndarray, probability: np.ndarray | None) -> float | None:
    """Cohen's kappa with the equally large top by probability; of rows tied at its edge each counts in part.

    With both groups a share q of the rows it is (overlap - q) / (1 - q), where overlap is the share of one that is in the
    other (Cohen 1960, Educ. Psychol. Meas. 20:37-46).
    """
    qualified = int(met.sum())
    if probability is None or qualified in (0, len(met)):
        return None
    edge = np.partition(probability, len(met) - qualified)[len(met) - qualified]
    above, tied = probability > edge, probability == edge
    part = (qualified - above.sum()) / tied.sum()
    overlap = ((met & above).sum() + part * (met & tied).sum()) / qualified
    q = qualified / len(met)
    return float((overlap - q) / (1 - q))


def _note(rows: int, qualified: int, caught: int) -> str | None:
    if not qualified:
        return NOBODY
    if qualified == rows:
        return EVERYBODY
    return TOO_FEW if qualified < LEAST_QUALIFIED or caught < LEAST_CONVERSIONS else None


def p_above(met: np.ndarray, converted: np.ndarray) -> float:
    """How likely chance alone gives those who meet a rule such a lead over the others (Fisher's exact test, one-sided).

    >>> round(p_above(np.arange(20) < 10, np.arange(20) < 5), 4)
    0.0163
    """
    met, converted = np.asarray(met, bool), np.asarray(converted, bool)
    cells = [[int((a & b).sum()) for b in (converted, ~converted)] for a in (met, ~met)]
    return float(fisher_exact(cells, alternative="greater").pvalue)


@dataclass(frozen=True)
class RuleCell:
    """Rows that two rules say the same of."""

    entities: int
    conversions: int
    rate: Estimate

    @classmethod
    def of(cls, here: np.ndarray, outcomes: Outcomes) -> RuleCell:
        rows, conversions = int(here.sum()), int((here & outcomes.converted).sum())
        return cls(len(np.unique(outcomes.entity[here])), conversions, wilson(conversions, rows))

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "rate": self.rate.to_dict(6)}


@dataclass(frozen=True)
class RuleComparison:
    """Two rules on the same rows.

    Attributes
    ----------
    both, only_a, only_b, neither
        The four cells.
    agreement
        Share of the rows of which both say the same.
    overlap
        Of the rows that meet one of them, the share that meets both; NaN if nobody meets any.
    """

    both: RuleCell
    only_a: RuleCell
    only_b: RuleCell
    neither: RuleCell
    agreement: float
    overlap: float


def compare_rules(met_a: np.ndarray, met_b: np.ndarray, outcomes: Outcomes) -> RuleComparison:
    """Whom two rules agree about, and what came of the others.

    Examples
    --------
    >>> outcomes = Outcomes(np.arange(8), np.zeros(8, int), np.zeros(8, int), np.arange(8) < 3)
    >>> compared = compare_rules(np.arange(8) < 4, np.arange(8) % 2 == 0, outcomes)
    >>> compared.only_a.entities, compared.only_a.conversions, compared.agreement, round(compared.overlap, 2)
    (2, 1, 0.5, 0.33)
    """
    a, b = np.asarray(met_a, bool), np.asarray(met_b, bool)
    either = int((a | b).sum())
    return RuleComparison(
        both=RuleCell.of(a & b, outcomes),
        only_a=RuleCell.of(a & ~b, outcomes),
        only_b=RuleCell.of(~a & b, outcomes),
        neither=RuleCell.of(~a & ~b, outcomes),
        agreement=float((a == b).mean()),
        overlap=int((a & b).sum()) / either if either else math.nan,
    )
