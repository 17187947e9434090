"""What rejected leads have in common: mined on the earlier answers of sales, tested once on the later ones.

The candidates are those of criteria mining (`criteria.candidates`), met or not met. The outcome is the rejection, which says
what sales thought and not what the account did: nothing of it enters the label of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

from pql_model.config.definition import Criterion
from pql_model.criteria.candidates import CandidateColumn, candidate_columns
from pql_model.criteria.definition_text import criterion_text
from pql_model.criteria.evaluate import holds
from pql_model.model.columns import ModelColumn
from pql_model.outreach.alerts import ACCEPTED, REJECTED
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate, wilson
from pql_model.statistics.multiple_testing import holm

LEAST_ANSWERED, LEAST_OF_ANSWER = 100, 25
"""Answered leads, and leads of either answer, below which nothing is mined."""
_EARLIER = 0.6
_MOST_TESTED = 6
_LEVEL, _PROMISING = 0.05, 2.0
_OPPOSITE: dict[str, Literal["<", ">"]] = {">=": "<", "<=": ">"}


@dataclass(frozen=True)
class RejectedTrait:
    """A condition that rejected leads share.

    Attributes
    ----------
    leads, rejected
        Later leads that meet it, and how many of them were rejected.
    rate, others
        Share of rejected later leads among those that meet it, and among the others.
    p_value
        Fisher's exact test on the later leads, one-sided, corrected for the conditions tested (Holm 1979).
    """

    criterion: Criterion
    leads: int
    rejected: int
    rate: Estimate
    others: Estimate
    p_value: float

    @property
    def text(self) -> str:
        return criterion_text(self.criterion)

    @property
    def is_confirmed(self) -> bool:
        return self.p_value < _LEVEL

    def to_dict(self) -> dict[str, Any]:
        names = ("leads", "rejected", "rate", "others", "p_value")
        return select_attributes(self, *names, digits=6, words="text", confirmed="is_confirmed")


@dataclass(frozen=True)
class RejectedTraits:
    """The conditions tested, the strongest first.

    Attributes
    ----------
    answered
        Accounts whose first answered lead was accepted or rejected: one row an account.
    enough
        Whether there were enough of them to look for anything.
    """

    tested: tuple[RejectedTrait, ...]
    answered: int
    enough: bool

    @property
    def confirmed(self) -> tuple[RejectedTrait, ...]:
        return tuple(trait for trait in self.tested if trait.is_confirmed)

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, "answered", "enough", "tested")


def answered_leads(leads: pd.DataFrame) -> pd.DataFrame:
    """Select the first accepted or rejected lead of each entity, by instant."""
    answered = leads[leads["status"].isin([ACCEPTED, REJECTED]).to_numpy(bool)]
    return answered.drop_duplicates("entity").sort_values(["as_of", "entity"], ignore_index=True)


def are_enough(answered: pd.DataFrame) -> bool:
    """Whether there are enough answered leads to look for what rejected ones share."""
    rejected = int((answered["status"] == REJECTED).sum())
    return len(answered) >= LEAST_ANSWERED and min(rejected, len(answered) - rejected) >= LEAST_OF_ANSWER


def rejected_traits(
    answered: pd.DataFrame, table: pd.DataFrame, columns: Sequence[ModelColumn], signed_up: np.ndarray
) -> RejectedTraits:
    """Find what rejected leads share, and test it on later leads.

    Parameters
    ----------
    answered
        One row an entity, by instant: status and as_of (microseconds). See `answered_leads`.
    table
        Features and traits of the same rows, as of the alert.
    columns
        Columns of the table to search.
    signed_up
        Microseconds, NaN where unknown, (rows,).
    """
    if not are_enough(answered):
        return RejectedTraits((), len(answered), enough=False)
    rejected = (answered["status"] == REJECTED).to_numpy(bool)
    as_of = answered["as_of"].to_numpy(float)
    earlier = as_of <= np.quantile(as_of, _EARLIER)
    first = table[earlier].reset_index(drop=True)
    candidates = candidate_columns(columns, first, np.asarray(signed_up, float)[earlier], as_of[earlier])
    chosen = _promising(candidates, rejected[earlier])
    later, outcome = table[~earlier].reset_index(drop=True), rejected[~earlier]
    tested = [test for criterion in chosen if (test := _test(criterion, later, outcome)) is not None]
    corrected = holm([test.p_value for test in tested]).tolist() if tested else []
    final = [RejectedTrait(**{**vars(test), "p_value": p}) for test, p in zip(tested, corrected, strict=True)]
    return RejectedTraits(tuple(sorted(final, key=lambda test: test.p_value)), len(answered), enough=True)


def _promising(candidates: Sequence[CandidateColumn], rejected: np.ndarray) -> list[Criterion]:
    """The condition of each behaviour or trait that separates the earlier answers best, the best few of them."""
    best: dict[str, tuple[float, Criterion]] = {}
    for candidate in candidates:
        for threshold, condition in enumerate(candidate.conditions):
            z = _z(candidate.levels.met(threshold), rejected)
            criterion = condition if z > 0 else _opposite(condition)
            if criterion is not None and abs(z) > best.get(candidate.family, (_PROMISING, criterion))[0]:
                best[candidate.family] = (abs(z), criterion)
    ranked = sorted(best.values(), key=lambda item: -item[0])
    return [criterion for _, criterion in ranked[:_MOST_TESTED]]


def _z(met: np.ndarray, rejected: np.ndarray) -> float:
    """Difference of the rates of rejection in standard errors."""
    share, spread = met.mean(), rejected.std() * met.std()
    return float(((met & rejected).mean() - share * rejected.mean()) / spread * np.sqrt(len(met))) if spread else 0.0


def _opposite(condition: Criterion) -> Criterion | None:
    """The condition that is not met; None for a list of values, whose complement is another list."""
    if condition.operator not in _OPPOSITE:
        return None
    return condition.model_copy(update={"operator": _OPPOSITE[condition.operator]})


def _test(criterion: Criterion, later: pd.DataFrame, rejected: np.ndarray) -> RejectedTrait | None:
    met = holds(criterion, later)
    n, k, others, k_others = (int(x) for x in (met.sum(), rejected[met].sum(), (~met).sum(), rejected[~met].sum()))
    if not n or not others:
        return None
    p = fisher_exact([[k, n - k], [k_others, others - k_others]], alternative="greater").pvalue
    return RejectedTrait(criterion, n, k, wilson(k, n), wilson(k_others, others), float(p))
