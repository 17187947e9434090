"""The growth object, which holds every number of the growth report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.definition_metrics import GroupOutcomes, Outcomes
from pql_model.criteria.definition_text import criterion_text, definition_text
from pql_model.criteria.evaluate import criterion_values, holds, meets
from pql_model.criteria.results import DefinitionResult, kind_of
from pql_model.explain.behaviours import Behaviour
from pql_model.measures import MEASURES
from pql_model.number_text import of_100
from pql_model.report.badge import badge
from pql_model.report.changes import changes
from pql_model.report.cohort_counts import monthly_counts, weekly_counts
from pql_model.report.explorer import TODAY
from pql_model.report.findings import Findings
from pql_model.report.fit_rates import fit_by_usage, trait_rates
from pql_model.report.near_misses import near_misses
from pql_model.report.offered import behaviour_condition
from pql_model.report.returns import at_capacity, experiment, frontier, on_frontier, weekly_return
from pql_model.time import DAY, iso

_CURVE = 12
_MOST_BEHAVIOURS = 10


def growth_object(
    findings: Findings,
    product: Mapping[str, Any],
    model: Mapping[str, Any],
    reliability: pd.DataFrame,
    months: pd.DataFrame,
    health: Sequence[Mapping[str, str]],
    facts: Mapping[str, Any],
    leads_a_week: float | None = None,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Collect everything the page shows as plain JSON values; see docs/report.md.

    Parameters
    ----------
    product
        product, entity, motion, horizon_days, made_at, owner, config_digest.
    model
        name, version, verdict, verdict_sentence, roc_auc, trained_at, served (the rows of the refit, or None).
    reliability, months
        As `Evaluation` gives them.
    health
        Lines of `level` (red, amber, ok), `saw`, `does` and `todo`.
    leads_a_week
        What the team can work, where the policy says so.
    before
        The growth object of the model that was in force until now.
    """
    results, payload = findings.results, findings.results.to_dict()
    volume, weeks = frontier(findings.outcomes[findings.later]), _weeks(findings)
    decided = decision(findings, volume, leads_a_week)
    periods = {"earlier": _period(findings, findings.earlier), "later": _period(findings, findings.later)}
    growth = {
        **product,
        "rows_words": findings.text,
        "model": dict(model),
        "periods": periods,
        "base": payload["base"],
        "badge": badge(results, str(model["verdict"]), health),
        "criteria": payload["criteria"],
        "definitions": [
            _with_near_miss(d, j) for d, j in zip(results.definitions, payload["definitions"], strict=True)
        ],
        "not_confirmed": payload["not_confirmed"],
        "tried": payload["tried"],
        "in_force": _with_sentence(payload["in_force"], findings),
        "behaviours": [_behaviour(b, findings) for b in findings.behaviours[:_MOST_BEHAVIOURS]],
        "volume": volume,
        "decision": decided,
        "experiment": experiment(decided["new"]) if decided["new"] is not None else None,
        "fit": _fit(findings),
        "weeks": weeks,
        "cohort_months": monthly_counts(weeks, periods["later"]["from"]),
        "profiles": _profiles(findings),
        "near_misses": _near_misses(findings),
        "calibration": [
            {
                "predicted": row["predicted"],
                "observed": {"value": row["observed"], "low": row["low"], "high": row["high"]},
                "rows": int(row["n"]),
                "conversions": int(row["conversions"]),
            }
            for row in reliability.round(6).to_dict("records")
        ],
        "months": [
            {
                "month": row["month"],
                "rows": int(row["rows"]),
                "expected": round(float(row["expected"]), 2),
                "observed": int(row["observed"]),
            }
            for row in months.to_dict("records")
        ],
        "health": [dict(line) for line in health],
        "facts": dict(facts),
    }
    return {**growth, "changes": changes(before, growth)}


def decision(findings: Findings, volume: list[dict[str, Any]], leads_a_week: float | None) -> dict[str, Any]:
    """What the rule to show, the rule in force and the model bring a week on the later rows, also within the team's capacity.

    Parameters
    ----------
    volume
        As `frontier` gives it.

    Returns
    -------
    dict
        `new`, `today`: see `weekly_return`, or None; `capacity`: `leads_per_week`, its `source` (policy or rule), and what
        `model`, `new` and `today` bring at that number. None without a model, a rule or a whole week.
    """
    outcomes, table = findings.outcomes[findings.later], findings.table[findings.later]
    force = findings.results.in_force
    rules = {
        "new": shown_rule(findings),
        "today": force.definition if force is not None else None,
    }
    weekly = {
        name: weekly_return(meets(rule, table), outcomes) if rule is not None else None for name, rule in rules.items()
    }
    own = next((found["leads_per_week"]["value"] for found in weekly.values() if found is not None), None)
    leads = leads_a_week if leads_a_week is not None else own
    if not leads or not volume:
        return {**weekly, "capacity": None}
    capacity = {
        "leads_per_week": round(leads, 2),
        "source": "policy" if leads_a_week is not None else "rule",
        "model": on_frontier(volume, leads, int(outcomes.converted.sum())),
        **{name: at_capacity(found, leads) if found is not None else None for name, found in weekly.items()},
    }
    return {**weekly, "capacity": capacity}


def _period(findings: Findings, rows: np.ndarray) -> dict[str, Any]:
    outcomes = findings.outcomes[rows]
    days = outcomes.as_of // DAY * DAY
    return {
        "from": iso(int(days.min())) if len(days) else None,
        "to": iso(int(days.max())) if len(days) else None,
        "rows": len(outcomes),
        "entities": len(np.unique(outcomes.entity)),
        "conversions": int(outcomes.converted.sum()),
    }


def _with_near_miss(definition: DefinitionResult, payload: dict[str, Any]) -> dict[str, Any]:
    rule = definition.definition
    lacking = "meets all but one of its criteria" if rule.least > 1 or rule.nested else "nobody can lack just one"
    return {**payload, "near_miss": {**payload["near_miss"], "text": lacking}}


def _with_sentence(payload: dict[str, Any] | None, findings: Findings) -> dict[str, Any] | None:
    if payload is None or "against" not in payload:
        return payload
    against = payload["against"]
    new, today = against["only_new"], against["only_today"]
    sentence = (
        f"The {new['entities']:,} that only the new rule finds convert at {of_100(new['rate']['value'])} of 100; "
        f"the {today['entities']:,} that only today's rule finds convert at {of_100(today['rate']['value'])} of 100."
    )
    return {**payload, "against": {**against, "sentence": sentence}}


def _behaviour(behaviour: Behaviour, findings: Findings) -> dict[str, Any]:
    """A behaviour, with the outcomes of later rows above and below its threshold."""
    payload = behaviour.to_dict()
    payload["share"] = behaviour.share.to_dict(6)
    payload["shap"] = [
        {"value": p["value"], "contribution": p["contribution"], "entities": p["rows"]} for p in behaviour.curve
    ]
    condition = behaviour_condition(behaviour, findings)
    outcomes, table = findings.outcomes[findings.later], findings.table[findings.later]
    if condition is None:
        return {**payload, "kind": "fit", "threshold": None, "unit": None, "above": None, "below": None, "curve": []}
    above = holds(condition, table)
    unit = MEASURES[condition.measure].unit if condition.event is not None else None
    return {
        **payload,
        "words": criterion_text(condition),
        "is_criterion": any(
            c.mined.column in {column.name for column, _ in behaviour.columns} for c in findings.results.criteria
        ),
        "kind": kind_of(condition),
        "threshold": condition.threshold,
        "unit": unit,
        "above": GroupOutcomes.of(above, outcomes).to_dict(),
        "below": GroupOutcomes.of(~above, outcomes).to_dict(),
        "curve": _curve(condition, table, outcomes),
    }


def _curve(condition: Criterion, table: pd.DataFrame, outcomes: Outcomes) -> list[dict[str, Any]]:
    """Outcomes of the rows beyond each value of the condition's column."""
    if condition.threshold is None:
        return []
    values = criterion_values(condition, table)
    falling = condition.operator in ("<=", "<")
    present = values[~np.isnan(values)]
    if not len(present):
        return []
    levels = np.unique(present)
    levels = np.unique(
        np.r_[condition.threshold, levels[np.unique(np.linspace(0, len(levels) - 1, _CURVE).astype(int))]]
    )
    points = []
    for level in levels:
        mask = values <= level if falling else values >= level
        cell = GroupOutcomes.of(np.asarray(mask), outcomes)
        points.append({"threshold": round(float(level), 6), **cell.to_dict()})
    return points


def _fit(findings: Findings) -> dict[str, Any]:
    """Rates by trait, and fit beside usage, of the later rows."""
    outcomes = findings.outcomes[findings.later]
    known = findings.fit is not None and findings.usage is not None
    return {
        "traits": trait_rates(findings.columns, findings.table[findings.later], outcomes),
        "by_usage": fit_by_usage(findings.fit, findings.usage, outcomes) if known else None,  # type: ignore[arg-type]
    }


def _weeks(findings: Findings) -> list[dict[str, Any]]:
    """Counts by week of sign-up (or of the snapshot), of every definition and of the rule in force."""
    outcomes = findings.outcomes
    if not len(outcomes):
        return []
    rules = {d.id: meets(d.definition, findings.table) for d in findings.results.definitions}
    if findings.results.in_force is not None:
        rules[TODAY] = meets(findings.results.in_force.definition, findings.table)
    age = int((outcomes.as_of - outcomes.begins).max())
    return weekly_counts(outcomes, rules, findings.observed_until, findings.observed_until - findings.horizon - age)


def _profiles(findings: Findings) -> dict[str, list[dict[str, Any]]]:
    """Counts of later rows to call and to leave; no names."""
    best, outcomes = findings.results.recommended, findings.outcomes[findings.later]
    if best is None:
        return {"call": [], "leave": []}
    table = findings.table[findings.later]
    masks = np.column_stack([holds(c.definition.criteria[0], table) for c in findings.results.criteria])
    call = [_profile(definition_text(best.definition), meets(best.definition, table), outcomes)]
    meets_all = np.asarray(masks.all(axis=1))
    if masks.shape[1] > 1 and meets_all.any():
        call.append(_profile(f"meets all {masks.shape[1]} criteria", meets_all, outcomes))
    meets_none = np.asarray(~masks.any(axis=1))
    leave = [_profile("meets none of the criteria", meets_none, outcomes)]
    return {"call": call, "leave": leave}


def _near_misses(findings: Findings) -> list[dict[str, Any]]:
    """Those of the rule to show among the later rows."""
    shown = shown_rule(findings)
    return (
        near_misses(shown, findings.table[findings.later], findings.outcomes[findings.later])
        if shown is not None
        else []
    )


def shown_rule(findings: Findings) -> Definition | None:
    """The recommended definition, or the first of those that were confirmed."""
    shown = findings.results.recommended or next(iter(findings.results.definitions), None)
    return shown.definition if shown is not None else None


def _profile(text: str, mask: np.ndarray, outcomes: Outcomes) -> dict[str, Any]:
    return {"text": text, **GroupOutcomes.of(mask, outcomes).to_dict()}
