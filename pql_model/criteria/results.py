"""Criteria and definitions of a product: found on earlier rows, tested once on later ones, beside the rule in force."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition, criterion_json
from pql_model.criteria.candidates import Candidate, family_words
from pql_model.criteria.definition_metrics import (
    DefinitionMetrics,
    Outcomes,
    RuleCell,
    RuleComparison,
    compare_rules,
    evaluate_definition,
    p_above,
)
from pql_model.criteria.definitions import CandidateDefinition, search
from pql_model.criteria.evaluate import holds, meets
from pql_model.criteria.in_force import InForce, judge_in_force
from pql_model.criteria.mine import Mined, mine
from pql_model.criteria.phrasing import criterion_text, definition_json
from pql_model.measures import ANY
from pql_model.statistics.multiple_testing import holm

LEVEL = 0.05
"""A rule is confirmed if its corrected p-value on later rows is below this."""
CORRECTION = (
    "One-sided exact tests (Fisher) that those who meet a rule convert more often than the others, on later rows only, "
    "corrected by Holm's method for every rule that was tested there"
)
Kind = Literal["value", "intent", "fit", "activity"]
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_BUYING = re.compile(
    r"pric\w*|checkout|billing|upgrad\w*|plans?|pay|payments?|paywall|purchas\w*|cart|invoices?|quotes?|subscri\w*"
)
_ASKING = ({"contact", "sales"}, {"talk", "sales"}, {"book", "demo"}, {"request", "demo"}, {"extend", "trial"})


@dataclass(frozen=True)
class TestedRule:
    """A criterion or definition with what came of it.

    Attributes
    ----------
    earlier, later
        On the rows it was found on, and on the rows it is tested on.
    adjusted_p
        On later rows, corrected for all rules tested there.
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
        payload = definition_json(self.definition)
        return {
            "id": self.id,
            **payload,
            "earlier": self.earlier.to_dict(),
            "tested": self.later.to_dict(),
            "adjusted_p": self.adjusted_p,
            "confirmed": self.confirmed,
        }


@dataclass(frozen=True)
class CriterionResult(TestedRule):
    """One criterion, and how sure its threshold is."""

    mined: Mined
    overlap: dict[str, float]

    @property
    def kind(self) -> Kind:
        return kind_of(self.definition.criteria[0])

    def to_dict(self) -> dict[str, Any]:
        mined = self.mined
        return {
            **super().to_dict(),
            "kind": self.kind,
            "behaviour": family_words(mined.family),
            "effect": round(mined.effect, 4),
            "threshold_interval": list(mined.threshold_interval) if mined.threshold_interval is not None else None,
            "threshold_agreement": round(mined.threshold_agreement, 4),
            "window_agreement": round(mined.window_agreement, 4),
            "also": [
                {**criterion_json(a.condition), "text": criterion_text(a.condition), "share": round(a.share, 4)}
                for a in mined.also
            ],
            "same": list(mined.same),
            "overlap": {name: round(share, 4) for name, share in self.overlap.items()},
        }


@dataclass(frozen=True)
class DefinitionResult(TestedRule):
    """Up to three criteria together; `near_miss` are those who lack exactly one of them (of `all` and `at least k`)."""

    members: tuple[str, ...]
    recommended: bool
    near_miss: RuleCell

    def to_dict(self) -> dict[str, Any]:
        return {
            **super().to_dict(),
            "criteria": list(self.members),
            "recommended": self.recommended,
            "near_miss": self.near_miss.to_dict(),
        }


@dataclass(frozen=True)
class CriteriaResults:
    """Everything found.

    Attributes
    ----------
    criteria, definitions
        Confirmed on later rows.
    not_confirmed
        Found on earlier rows and not confirmed on later ones.
    tried, tested
        Definitions that the search tried on earlier rows; rules that were tested on later ones.
    in_force, against
        The verdict on the rule in force, and its four cells with the recommended definition (first the new one).
    """

    rows: str
    earlier: DefinitionMetrics
    later: DefinitionMetrics
    criteria: tuple[CriterionResult, ...]
    definitions: tuple[DefinitionResult, ...]
    not_confirmed: tuple[TestedRule, ...]
    tried: int
    tested: int
    in_force: InForce | None
    rule: Definition | None
    against: RuleComparison | None

    @property
    def recommended(self) -> DefinitionResult | None:
        return next((d for d in self.definitions if d.recommended), None)

    def to_dict(self) -> dict[str, Any]:
        """`pql criteria list --json` without the behaviours."""
        return {
            "rows": self.rows,
            "base_rate": self.later.base.value,
            "base": {"earlier": self.earlier.base.to_dict(6), "later": self.later.base.to_dict(6)},
            "entities": {"earlier": self.earlier.entities, "later": self.later.entities},
            "criteria": [c.to_dict() for c in self.criteria],
            "definitions": [d.to_dict() for d in self.definitions],
            "not_confirmed": [r.to_dict() for r in self.not_confirmed],
            "tried": {"definitions": self.tried, "tested": self.tested, "correction": CORRECTION},
            "in_force": self._in_force_json(),
        }

    def _in_force_json(self) -> dict[str, Any] | None:
        if self.in_force is None or self.rule is None:
            return None
        payload = {**definition_json(self.rule), **self.in_force.to_dict()}
        payload |= {"earlier": self.in_force.earlier.to_dict(), "tested": self.in_force.later.to_dict()}
        if self.against is not None and self.recommended is not None:
            cells = {
                "both": self.against.both,
                "only_new": self.against.only_a,
                "only_today": self.against.only_b,
                "neither": self.against.neither,
            }
            payload["against"] = {
                "definition": self.recommended.id,
                **{name: cell.to_dict() for name, cell in cells.items()},
                "agreement": round(self.against.agreement, 4),
            }
        return payload


def kind_of(criterion: Criterion) -> Kind:
    """Whether a criterion shows intent to buy, value met, mere activity, or fit.

    >>> kind_of(Criterion.model_validate({"event": "Pricing Viewed", "at_least": 1}))
    'intent'
    >>> kind_of(Criterion.model_validate({"event": "Teammate Invited", "at_least": 1}))
    'value'
    """
    if criterion.event is None:
        return "fit"
    if criterion.event == ANY:
        return "activity"
    words = {word.lower() for word in _WORDS.findall(criterion.event)}
    buying = any(_BUYING.fullmatch(word) for word in words) or any(pair <= words for pair in _ASKING)
    return "intent" if buying else "value"


def find_criteria(
    offered: Sequence[Candidate],
    table: pd.DataFrame,
    outcomes: Outcomes,
    earlier: np.ndarray,
    later: np.ndarray,
    traits: Mapping[str, np.ndarray],
    *,
    rows: str,
    rule: Definition | None,
    leads_a_week: float | None,
    seed: int,
    mined_rows: np.ndarray | None = None,
    progress: Callable[[float], None] | None = None,
) -> CriteriaResults:
    """Mine, join, test, and judge the rule in force.

    Parameters
    ----------
    offered
        Candidates on `mined_rows`.
    table, outcomes
        All criteria rows; `earlier` and `later` say which is which, bool (rows,).
    traits
        Family of a trait -> SHAP value on `mined_rows`.
    rows
        What a row is, in words.
    rule
        The definition in force.
    leads_a_week
        How many the team can work, if the policy says so.
    mined_rows
        Which rows are mined, positions; default: all earlier ones.
    """
    at = np.flatnonzero(earlier) if mined_rows is None else mined_rows
    mined = mine(offered, outcomes.converted[at].astype(float), outcomes.entity[at], traits, seed, progress)
    before, now = outcomes[earlier], outcomes[later]
    everybody = evaluate_definition(np.ones(int(earlier.sum()), bool), before)
    everybody_now = evaluate_definition(np.ones(int(later.sum()), bool), now)
    met = np.column_stack([holds(m.condition, table) for m in mined]) if mined else np.empty((len(table), 0), bool)
    weekly = everybody.leads_per_week.value
    at_most = leads_a_week / weekly if leads_a_week is not None and weekly > 0 else None
    frontier = search(met[earlier], before.converted, at_most)
    names = [f"c{k + 1}" for k in range(len(mined))]
    criteria = [
        CriterionResult(
            names[k],
            _definition([m.condition], 1),
            evaluate_definition(met[earlier, k], before),
            evaluate_definition(met[later, k], now),
            p_above(met[later, k], now.converted),
            m,
            _overlap(k, met[later], now, names),
        )
        for k, m in enumerate(mined)
    ]
    definitions = [
        _found_definition(
            f"d{k + 1}",
            joined,
            [m.condition for m in mined],
            names,
            met,
            earlier,
            later,
            outcomes,
            k == frontier.recommended,
        )
        for k, joined in enumerate(frontier.kept)
    ]
    corrected = holm([rule.adjusted_p for rule in (*criteria, *definitions)])
    criteria = [replace(c, adjusted_p=float(p)) for c, p in zip(criteria, corrected, strict=False)]
    definitions = [
        replace(d, adjusted_p=float(p)) for d, p in zip(definitions, corrected[len(criteria) :], strict=True)
    ]
    best = next((d for d in definitions if d.recommended and d.confirmed), None)
    judged = judge_in_force(rule, table, outcomes, later, criterion_text, seed) if rule is not None else None
    return CriteriaResults(
        rows=rows,
        earlier=everybody,
        later=everybody_now,
        criteria=tuple(c for c in criteria if c.confirmed),
        definitions=tuple(d for d in definitions if d.confirmed),
        not_confirmed=tuple(r for r in (*criteria, *definitions) if not r.confirmed),
        tried=frontier.tried,
        tested=len(criteria) + len(definitions),
        in_force=judged,
        rule=rule,
        against=compare_rules(meets(best.definition, table)[later], meets(rule, table)[later], now)
        if best is not None and rule is not None
        else None,
    )


def _found_definition(
    name: str,
    joined: CandidateDefinition,
    conditions: Sequence[Criterion],
    names: Sequence[str],
    met: np.ndarray,
    earlier: np.ndarray,
    later: np.ndarray,
    outcomes: Outcomes,
    recommended: bool,
) -> DefinitionResult:
    members = list(joined.members)
    held = met[:, members].sum(axis=1)
    meeting, near = held >= joined.least, (held == joined.least - 1) & (joined.least > 1)
    now = outcomes[later]
    return DefinitionResult(
        name,
        _definition([conditions[k] for k in members], joined.least),
        evaluate_definition(meeting[earlier], outcomes[earlier]),
        evaluate_definition(meeting[later], now),
        p_above(meeting[later], now.converted),
        tuple(names[k] for k in members),
        recommended,
        RuleCell.of(near[later], now),
    )


def _definition(conditions: Sequence[Criterion], least: int) -> Definition:
    payload = [criterion_json(condition) for condition in conditions]
    if least == len(payload):
        return Definition.model_validate({"all": payload})
    return Definition.model_validate({"any": payload} if least == 1 else {"at_least_k": least, "of": payload})


def _overlap(k: int, met: np.ndarray, outcomes: Outcomes, names: Sequence[str]) -> dict[str, float]:
    """Of those who meet either of two criteria, the share that meets both."""
    shares = {names[j]: compare_rules(met[:, k], met[:, j], outcomes).overlap for j in range(met.shape[1]) if j != k}
    return {name: share for name, share in shares.items() if share == share}
