"""The growth object, which holds every number of the growth report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, criterion_json
from pql_model.criteria.candidates import family_text, roundest
from pql_model.criteria.definition_metrics import GroupOutcomes, Outcomes
from pql_model.criteria.definition_text import criterion_short, criterion_text, definition_text
from pql_model.criteria.evaluate import criterion_values, holds, meets
from pql_model.criteria.results import CriteriaResults, DefinitionResult, kind_of
from pql_model.explain.behaviours import Behaviour
from pql_model.features.spec import parse_feature
from pql_model.measures import LESS_IS_MORE, MEASURES
from pql_model.model.columns import ModelColumn, as_numbers
from pql_model.report.badge import badge
from pql_model.report.cohort_counts import monthly_counts, weekly_counts
from pql_model.report.explorer import TODAY
from pql_model.report.fit_rates import fit_by_usage, trait_rates
from pql_model.report.returns import at_capacity, experiment, frontier, on_frontier, weekly_return
from pql_model.time import DAY, iso

MOST_OFFERED = 30
_CURVE = 12
_MOST_BEHAVIOURS = 10


@dataclass(frozen=True)
class Findings:
    """Criteria, definitions and behaviours, and the rows they were found and tested on.

    Attributes
    ----------
    text
        Description of a row, such as `as of day 14 of the trial`.
    table, outcomes, earlier, later
        Criteria rows, and which of them are earlier and later ones, bool (rows,).
    variants
        By criterion id: looser and stricter thresholds of the same column.
    observed_until, horizon
        Microseconds.
    columns
        Columns of the model.
    fit, usage
        Log-odds of the model that come from traits and from behaviours, of the later rows; None where they are not known.
    """

    text: str
    table: pd.DataFrame
    outcomes: Outcomes
    earlier: np.ndarray
    later: np.ndarray
    results: CriteriaResults
    behaviours: tuple[Behaviour, ...]
    variants: Mapping[str, Sequence[Criterion]]
    observed_until: int
    horizon: int
    columns: tuple[ModelColumn, ...] = ()
    fit: np.ndarray | None = None
    usage: np.ndarray | None = None

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql criteria list --json` prints."""
        return {**self.results.to_dict(), "behaviours": [behaviour.to_dict() for behaviour in self.behaviours]}


def growth_object(
    findings: Findings,
    product: Mapping[str, Any],
    model: Mapping[str, Any],
    reliability: pd.DataFrame,
    months: pd.DataFrame,
    health: Sequence[Mapping[str, str]],
    facts: Mapping[str, Any],
    leads_a_week: float | None = None,
) -> dict[str, Any]:
    """Collect everything the page shows as plain JSON values; see docs/report.md.

    Parameters
    ----------
    product
        product, entity, motion, horizon_days, made_at, config_digest.
    model
        name, version, verdict, verdict_sentence, roc_auc, trained_at, served (the rows of the refit, or None).
    reliability, months
        As `Evaluation` gives them.
    health
        Lines of `level` (red, amber, ok), `saw`, `does` and `todo`.
    leads_a_week
        What the team can work, where the policy says so.
    """
    results, payload = findings.results, findings.results.to_dict()
    volume, weeks = frontier(findings.outcomes[findings.later]), _weeks(findings)
    decided = decision(findings, volume, leads_a_week)
    periods = {"earlier": _period(findings, findings.earlier), "later": _period(findings, findings.later)}
    return {
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


def offered_criteria(findings: Findings) -> list[dict[str, Any]]:
    """List the criteria of the explorer: those found, those of the rule in force, and other thresholds of the same columns."""
    criteria: list[dict[str, Any]] = []
    ids: set[str] = set()

    def add(name: str, condition: Criterion, group: str) -> None:
        payload = criterion_json(condition)
        if str(payload) in ids or len(criteria) == MOST_OFFERED:
            return
        ids.add(str(payload))
        text, short = criterion_text(condition), criterion_short(condition)
        criteria.append({"id": name, "text": text, "short": short, "group": group, "conditions": [payload]})

    for criterion in findings.results.criteria:
        add(criterion.id, criterion.definition.criteria[0], family_text(criterion.mined.family))
    for k, condition in enumerate(
        findings.results.in_force.definition.criteria if findings.results.in_force is not None else []
    ):
        add(f"t{k + 1}", condition, condition.event or str(condition.trait))
    for criterion in findings.results.criteria:
        for k, condition in enumerate(findings.variants.get(criterion.id, ())):
            add(f"{criterion.id}v{k + 1}", condition, family_text(criterion.mined.family))
    return criteria


def explorer_bits(findings: Findings) -> pd.DataFrame:
    """Make the explorer's table: entity, as_of, begins, period, converted, and a bool for every offered criterion."""
    rows = findings.earlier | findings.later
    outcomes, table = findings.outcomes[rows], findings.table[rows]
    bits = pd.DataFrame(
        {
            "entity": outcomes.entity,
            "as_of": outcomes.as_of,
            "begins": outcomes.begins,
            "period": np.where(findings.later[rows], "later", "earlier"),
            "converted": outcomes.converted,
        }
    )
    for criterion in offered_criteria(findings):
        bits[criterion["id"]] = holds(Criterion.model_validate(criterion["conditions"][0]), table)
    if findings.results.in_force is not None:
        bits[TODAY] = meets(findings.results.in_force.definition, table)
    return bits


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
    shown = findings.results.recommended or next(iter(findings.results.definitions), None)
    rules = {
        "new": shown.definition if shown is not None else None,
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
    lacking = "meets all but one of its criteria" if definition.definition.least > 1 else "nobody can lack just one"
    return {**payload, "near_miss": {**payload["near_miss"], "text": lacking}}


def _with_sentence(payload: dict[str, Any] | None, findings: Findings) -> dict[str, Any] | None:
    if payload is None or "against" not in payload:
        return payload
    against = payload["against"]
    new, today = against["only_new"], against["only_today"]
    sentence = (
        f"The {new['entities']:,} that only the new rule finds convert at {_of_100(new['rate']['value'])} of 100; "
        f"the {today['entities']:,} that only today's rule finds convert at {_of_100(today['rate']['value'])} of 100."
    )
    return {**payload, "against": {**against, "sentence": sentence}}


def _of_100(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.0f}"


def _behaviour(behaviour: Behaviour, findings: Findings) -> dict[str, Any]:
    """A behaviour, with the outcomes of later rows above and below its threshold."""
    payload = behaviour.to_dict()
    payload["share"] = behaviour.share.to_dict(6)
    payload["shap"] = [
        {"value": p["value"], "contribution": p["contribution"], "entities": p["rows"]} for p in behaviour.curve
    ]
    mined = next(
        (c for c in findings.results.criteria if c.mined.column in {f["name"] for f in payload["features"]}), None
    )
    condition = mined.definition.criteria[0] if mined is not None else _median_criterion(behaviour, findings)
    outcomes, table = findings.outcomes[findings.later], findings.table[findings.later]
    if condition is None:
        return {**payload, "kind": "fit", "threshold": None, "unit": None, "above": None, "below": None, "curve": []}
    above = holds(condition, table)
    unit = MEASURES[condition.measure].unit if condition.event is not None else None
    return {
        **payload,
        "words": criterion_text(condition),
        "kind": kind_of(condition),
        "threshold": condition.threshold,
        "unit": unit,
        "above": GroupOutcomes.of(above, outcomes).to_dict(),
        "below": GroupOutcomes.of(~above, outcomes).to_dict(),
        "curve": _curve(condition, table, outcomes),
    }


def _median_criterion(behaviour: Behaviour, findings: Findings) -> Criterion | None:
    """A criterion with its threshold at the median of the earlier rows that did it, where none was found."""
    column = behaviour.column
    if column.kind == "category":
        return None
    values = as_numbers(findings.table[column.name][findings.earlier])
    positive = values[~np.isnan(values) & (values > 0)]
    if len(np.unique(positive)) < 2:
        return None
    middle = roundest(*np.quantile(positive, [0.4, 0.6]))
    if column.kind == "number":
        return Criterion.model_validate({"trait": column.text, "operator": ">=", "threshold": middle})
    feature = parse_feature(column.name)
    value = {"value": feature.value} if feature.value is not None else {}
    return Criterion.model_validate(
        {
            "event": feature.event,
            "measure": feature.measure,
            "window": str(feature.window),
            "operator": ">=",
            "threshold": middle,
            **value,
        }
        | ({"operator": "<="} if feature.measure in LESS_IS_MORE else {})
    )


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
    """Counts of later rows to call, to leave, and one step short; no names."""
    best, outcomes = findings.results.recommended, findings.outcomes[findings.later]
    if best is None:
        return {"call": [], "leave": [], "near": []}
    table = findings.table[findings.later]
    masks = np.column_stack([holds(c.definition.criteria[0], table) for c in findings.results.criteria])
    call = [_profile(definition_text(best.definition), meets(best.definition, table), outcomes)]
    meets_all = np.asarray(masks.all(axis=1))
    if masks.shape[1] > 1 and meets_all.any():
        call.append(_profile(f"meets all {masks.shape[1]} criteria", meets_all, outcomes))
    meets_none = np.asarray(~masks.any(axis=1))
    leave = [_profile("meets none of the criteria", meets_none, outcomes)]
    return {"call": call, "leave": leave, "near": _near(best, table, outcomes)}


def _near(best: DefinitionResult, table: pd.DataFrame, outcomes: Outcomes) -> list[dict[str, Any]]:
    members = best.definition.criteria
    masks = np.column_stack([holds(c, table) for c in members])
    near = masks.sum(axis=1) == best.definition.least - 1
    payload = []
    for k, criterion in enumerate(members):
        lacks = near & ~masks[:, k]
        if lacks.any() and best.definition.least > 1:
            payload.append(_profile(f"only lacks: {criterion_text(criterion)}", lacks, outcomes))
    return payload


def _profile(text: str, mask: np.ndarray, outcomes: Outcomes) -> dict[str, Any]:
    return {"text": text, **GroupOutcomes.of(mask, outcomes).to_dict()}
