"""Find criteria and definitions on earlier rows, test them once on later rows, and judge the definition in force."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition, criterion_json
from pql_model.criteria.candidates import CandidateColumn, family_text
from pql_model.criteria.definition_metrics import (
    DefinitionComparison,
    DefinitionMetrics,
    GroupOutcomes,
    Outcomes,
    compare_definitions,
    evaluate_definition,
    p_above,
)
from pql_model.criteria.definition_text import criterion_text, definition_json
from pql_model.criteria.definitions import CandidateDefinition, search_definitions
from pql_model.criteria.evaluate import holds, meets, met_by, near_miss
from pql_model.criteria.in_force import InForceVerdict, judge_in_force
from pql_model.criteria.mine import MinedCriterion, mine_criteria
from pql_model.criteria.segments import BySegment, thresholds_by_segment
from pql_model.measures import ANY
from pql_model.payload import select_attributes
from pql_model.statistics.multiple_testing import holm

LEVEL = 0.05
"""A definition is confirmed if its corrected p-value on later rows is below this."""
CORRECTION = (
    "One-sided exact tests (Fisher), on later rows only, that rows meeting a definition convert more often than the others; "
    "corrected by Holm's method for the number of definitions tested"
)
Kind = Literal["value", "intent", "fit", "activity"]
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_BUYING = re.compile(
    r"pric\w*|checkout|billing|upgrad\w*|plans?|pay|payments?|paywall|purchas\w*|cart|invoices?|quotes?|subscri\w*"
)
_SALES_REQUESTS = ({"contact", "sales"}, {"talk", "sales"}, {"book", "demo"}, {"request", "demo"}, {"extend", "trial"})


@dataclass(frozen=True)
class TestedDefinition:
    """A criterion or definition with its figures.

    Attributes
    ----------
    earlier, later : DefinitionMetrics
        On the rows of the search, and on the rows of the test.
    adjusted_p : float
        On later rows, corrected for all definitions tested there.
    """

    id: str
    definition: Definition
    earlier: DefinitionMetrics
    later: DefinitionMetrics
    adjusted_p: float

    @property
    def confirmed(self) -> bool:
        return self.adjusted_p < LEVEL

    def to_dict(self) -> dict[str, Any]:
        figures = select_attributes(self, "id", "earlier", "adjusted_p", "confirmed", tested="later")
        return {**definition_json(self.definition), **figures}


@dataclass(frozen=True)
class CriterionResult(TestedDefinition):
    """One criterion, with the uncertainty of its threshold and its overlap with the other criteria."""

    mined: MinedCriterion
    overlap: dict[str, float]

    @property
    def criterion(self) -> Criterion:
        return self.definition.criteria[0]

    @property
    def kind(self) -> Kind:
        return kind_of(self.criterion)

    def to_dict(self) -> dict[str, Any]:
        mined = self.mined
        return {
            **super().to_dict(),
            "kind": self.kind,
            "behaviour": family_text(mined.family),
            "effect": round(mined.effect, 4),
            "threshold_interval": list(mined.threshold_interval) if mined.threshold_interval is not None else None,
            "threshold_agreement": round(mined.threshold_agreement, 4),
            "window_agreement": round(mined.window_agreement, 4),
            "also": [
                {**criterion_json(a.condition), "text": criterion_text(a.condition), "share": round(a.share, 4)}
                for a in mined.alternatives
            ],
            "same": list(mined.identical),
            "overlap": {name: round(share, 4) for name, share in self.overlap.items()},
        }


@dataclass(frozen=True)
class DefinitionResult(TestedDefinition):
    """Up to three criteria joined; `near_miss` are the rows that meet a part of it and lack exactly one criterion."""

    members: tuple[str, ...]
    recommended: bool
    near_miss: GroupOutcomes

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), **select_attributes(self, "recommended", "near_miss", criteria="members")}


@dataclass(frozen=True)
class InForceResult:
    """The definition in force with its verdict, and its comparison with the recommended definition, if there is one.

    Attributes
    ----------
    comparison : DefinitionComparison or None
        `only_a` are the rows that only the recommended definition finds.
    """

    definition: Definition
    verdict: InForceVerdict
    recommended: str | None
    comparison: DefinitionComparison | None

    def to_dict(self) -> dict[str, Any]:
        payload = {
            **definition_json(self.definition),
            **self.verdict.to_dict(),
            **select_attributes(self.verdict, "earlier", tested="later"),
        }
        if self.comparison is not None:
            groups = select_attributes(self.comparison, "both", "neither", only_new="only_a", only_today="only_b")
            agreement = round(self.comparison.agreement, 4)
            payload["against"] = {"definition": self.recommended, **groups, "agreement": agreement}
        return payload


@dataclass(frozen=True)
class CriteriaResults:
    """The criteria and definitions of a product.

    Attributes
    ----------
    rows : str
        Description of a row.
    earlier, later : DefinitionMetrics
        Figures of all rows.
    criteria, definitions : tuple
        Confirmed on later rows.
    not_confirmed : tuple of TestedDefinition
        Found on earlier rows and not confirmed on later ones.
    tried, tested : int
        Definitions tried by the search on earlier rows, and definitions tested on later rows.
    in_force : InForceResult or None
    """

    rows: str
    earlier: DefinitionMetrics
    later: DefinitionMetrics
    criteria: tuple[CriterionResult, ...]
    definitions: tuple[DefinitionResult, ...]
    not_confirmed: tuple[TestedDefinition, ...]
    tried: int
    tested: int
    in_force: InForceResult | None

    @property
    def recommended(self) -> DefinitionResult | None:
        return next((d for d in self.definitions if d.recommended), None)

    def to_dict(self) -> dict[str, Any]:
        """Return `pql criteria list --json` without the behaviours."""
        return {
            "rows": self.rows,
            "base_rate": self.later.base.value,
            "base": {"earlier": self.earlier.base.to_dict(6), "later": self.later.base.to_dict(6)},
            "entities": {"earlier": self.earlier.entities, "later": self.later.entities},
            **select_attributes(self, "criteria", "definitions", "not_confirmed", "in_force"),
            "tried": {"definitions": self.tried, "tested": self.tested, "correction": CORRECTION},
        }


def kind_of(criterion: Criterion) -> Kind:
    """Tell whether a criterion shows intent to buy, value received, mere activity, or fit.

    >>> kind_of(Criterion.model_validate({"event": "Pricing Viewed", "at_least": 1}))
    'intent'
    >>> kind_of(Criterion.model_validate({"event": "Teammate Invited", "at_least": 1}))
    'value'
    """
    if criterion.event is None:
        return "fit"
    if criterion.event == ANY:
        return "activity"
    words = {word.lower() for event in criterion.events for word in _WORDS.findall(event)}
    buying = any(_BUYING.fullmatch(word) for word in words) or any(pair <= words for pair in _SALES_REQUESTS)
    return "intent" if buying else "value"


def find_criteria(
    candidates: Sequence[CandidateColumn],
    table: pd.DataFrame,
    outcomes: Outcomes,
    earlier: np.ndarray,
    later: np.ndarray,
    traits: Mapping[str, np.ndarray],
    *,
    rows: str,
    in_force: Definition | None,
    leads_a_week: float | None,
    seed: int,
    search_rows: np.ndarray | None = None,
    progress: Callable[[float], None] | None = None,
) -> CriteriaResults:
    """Find criteria, also by segment, join them to definitions, test both on later rows, and judge the definition in force.

    Parameters
    ----------
    candidates : sequence of CandidateColumn
        Candidates on `search_rows`.
    table, outcomes : DataFrame, Outcomes
        All criteria rows.
    earlier, later : arrays of bool, shape (rows,)
        Which rows are searched, and which test the results.
    traits : mapping
        Family of a trait -> SHAP value on `search_rows`.
    rows : str
        Description of a row.
    in_force : Definition or None
    leads_a_week : float or None
        Number of leads that the team can work, if the policy limits it.
    seed : int
    search_rows : array of int, optional
        Positions of the rows that are searched; default: all earlier ones.
    progress : callable, optional
        Called with the share done.
    """
    at = np.flatnonzero(earlier) if search_rows is None else search_rows
    converted = outcomes.converted[at].astype(float)
    mined = mine_criteria(candidates, converted, outcomes.entity[at], traits, seed, progress)
    by_segment = thresholds_by_segment(candidates, converted, traits, mined, seed)
    masks = [holds(m.condition, table) for m in mined] + [meets(variant.definition, table) for variant in by_segment]
    met = np.column_stack(masks) if masks else np.empty((len(table), 0), bool)
    test = _Test(table, outcomes, earlier, later, met, mined, by_segment)
    everybody, everybody_now = test.metrics(np.ones(len(table), bool))
    weekly = everybody.leads_per_week.value
    most_share = leads_a_week / weekly if leads_a_week is not None and weekly > 0 else None
    variant_of = [variant.criterion for variant in by_segment]
    frontier = search_definitions(met[earlier], outcomes.converted[earlier], most_share, variant_of)
    criteria = [test.criterion(k, m) for k, m in enumerate(mined)]
    definitions = [
        test.definition(f"d{k + 1}", candidate, k == frontier.recommended)
        for k, candidate in enumerate(frontier.definitions)
    ]
    corrected = holm([item.adjusted_p for item in (*criteria, *definitions)])
    criteria = [replace(c, adjusted_p=float(p)) for c, p in zip(criteria, corrected, strict=False)]
    definitions = [
        replace(d, adjusted_p=float(p)) for d, p in zip(definitions, corrected[len(criteria) :], strict=True)
    ]
    best = next((d for d in definitions if d.recommended and d.confirmed), None)
    return CriteriaResults(
        rows=rows,
        earlier=everybody,
        later=everybody_now,
        criteria=tuple(c for c in criteria if c.confirmed),
        definitions=tuple(d for d in definitions if d.confirmed),
        not_confirmed=tuple(r for r in (*criteria, *definitions) if not r.confirmed),
        tried=frontier.tried,
        tested=len(criteria) + len(definitions),
        in_force=test.in_force(in_force, best, seed) if in_force is not None else None,
    )


@dataclass(frozen=True)
class _Test:
    """All criteria rows, and which of the mined criteria, and of those by segment, each row meets."""

    table: pd.DataFrame
    outcomes: Outcomes
    earlier: np.ndarray
    later: np.ndarray
    met: np.ndarray
    mined: Sequence[MinedCriterion]
    by_segment: Sequence[BySegment]

    @property
    def names(self) -> list[str]:
        return [f"c{k + 1}" for k in range(len(self.mined))]

    def metrics(self, mask: np.ndarray) -> tuple[DefinitionMetrics, DefinitionMetrics]:
        """On earlier and on later rows."""
        earlier, later = (evaluate_definition(mask[at], self.outcomes[at]) for at in (self.earlier, self.later))
        return earlier, later

    def p_value(self, mask: np.ndarray) -> float:
        return p_above(mask[self.later], self.outcomes.converted[self.later])

    def criterion(self, k: int, mined: MinedCriterion) -> CriterionResult:
        mask = self.met[:, k]
        definition = Definition.joining([mined.condition], 1)
        return CriterionResult(
            self.names[k], definition, *self.metrics(mask), self.p_value(mask), mined, self._overlap(k)
        )

    def _overlap(self, k: int) -> dict[str, float]:
        """By other criterion, the share of the rows meeting either one that meet both."""
        masks, outcomes = self.met[self.later], self.outcomes[self.later]
        shares = {
            name: compare_definitions(masks[:, k], masks[:, j], outcomes).overlap
            for j, name in enumerate(self.names)
            if j != k
        }
        return {name: share for name, share in shares.items() if share == share}

    def definition(self, name: str, candidate: CandidateDefinition, recommended: bool) -> DefinitionResult:
        parts: list[Criterion | Definition] = [
            *(m.condition for m in self.mined),
            *(variant.definition for variant in self.by_segment),
        ]
        names = [*self.names, *(self.names[variant.criterion] for variant in self.by_segment)]
        definition = candidate.joined(parts)
        masks = np.column_stack([holds(criterion, self.table) for criterion in definition.criteria])
        mask, near = met_by(definition, masks), near_miss(definition, masks)
        return DefinitionResult(
            name,
            definition,
            *self.metrics(mask),
            self.p_value(mask),
            tuple(names[k] for k in candidate.members),
            recommended,
            GroupOutcomes.of(near[self.later], self.outcomes[self.later]),
        )

    def in_force(self, definition: Definition, best: DefinitionResult | None, seed: int) -> InForceResult:
        verdict = judge_in_force(definition, self.table, self.outcomes, self.later, seed)
        if best is None:
            return InForceResult(definition, verdict, None, None)
        later = self.outcomes[self.later]
        met_new, met_today = (meets(part, self.table)[self.later] for part in (best.definition, definition))
        return InForceResult(definition, verdict, best.id, compare_definitions(met_new, met_today, later))
