"""What the explorer offers: a slider for each behaviour, whose steps are thresholds, and the values of each trait."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.definition import Criterion, criterion_json
from pql_model.criteria.candidates import roundest
from pql_model.criteria.definition_text import criterion_text, subject_text, threshold_text
from pql_model.criteria.evaluate import criterion_values, holds, meets
from pql_model.explain.behaviours import Behaviour
from pql_model.features.spec import declared_feature, feature_criterion, parse_feature
from pql_model.features.trait_columns import as_numbers
from pql_model.measures import LESS_IS_MORE
from pql_model.report.explorer import TODAY
from pql_model.report.findings import Findings
from pql_model.report.fit_rates import UNKNOWN, trait_groups

MOST_SLIDERS, MOST_LEVELS, MOST_VALUES = 8, 5, 6
_ORDERED = (">=", ">", "<=", "<")


def offered_criteria(findings: Findings) -> list[dict[str, Any]]:
    """List the criteria of the explorer, each behaviour's from the loosest to the strictest.

    Returns
    -------
    list of dict
        `id, text, short, group, control` (slider or chips) and `conditions`, a list of one. The criteria of a group are next to
        each other: thresholds of one behaviour, or values of one trait.
    """
    groups: dict[tuple[str, ...], dict[str, tuple[str, Criterion]]] = {}
    for name, condition in _conditions(findings):
        group = groups.setdefault(_group(condition), {})
        if len(group) < (MOST_VALUES + 2 if condition.in_ is not None else MOST_LEVELS):
            group.setdefault(str(criterion_json(condition)), (name, condition))
    sliders = [key for key in groups if key[0] == "slider"][:MOST_SLIDERS]
    offered = []
    for key, members in groups.items():
        if key[0] == "slider" and key not in sliders:
            continue
        ordered = (
            sorted(members.values(), key=lambda member: _strictness(member[1]))
            if key[0] == "slider"
            else members.values()
        )
        offered += [_offer(name, condition, key[0]) for name, condition in ordered]
    return offered


def explorer_bits(findings: Findings) -> pd.DataFrame:
    """Make the explorer's table: entity, as_of, begins, period, converted, and a bool for every offered criterion."""
    rows = findings.earlier | findings.later
    outcomes, table = findings.outcomes[rows], findings.table[rows]
    bits = {
        "entity": outcomes.entity,
        "as_of": outcomes.as_of,
        "begins": outcomes.begins,
        "period": np.where(findings.later[rows], "later", "earlier"),
        "converted": outcomes.converted,
    }
    for criterion in offered_criteria(findings):
        bits[criterion["id"]] = holds(Criterion.model_validate(criterion["conditions"][0]), table)
    if findings.results.in_force is not None:
        bits[TODAY] = meets(findings.results.in_force.definition, table)
    return pd.DataFrame(bits)


def behaviour_condition(behaviour: Behaviour, findings: Findings) -> Criterion | None:
    """A condition on a behaviour: as it was found, or at the median of the earlier rows that did it; None for a category."""
    columns = {column.name for column, _ in behaviour.columns}
    mined = next((c for c in findings.results.criteria if c.mined.column in columns), None)
    if mined is not None:
        return mined.criterion
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
    return feature_criterion(feature, "<=" if feature.measure in LESS_IS_MORE else ">=", middle)


def _conditions(findings: Findings) -> Iterator[tuple[str, Criterion]]:
    """Those of the tested rules first, since a group has room for few; conditions on several values come apart."""
    for criterion in findings.results.criteria:
        yield from _apart(criterion.id, criterion.criterion)
    for definition in findings.results.definitions:  # a rule by segment has thresholds of its own
        for k, condition in enumerate(definition.definition.criteria):
            yield from _apart(f"{definition.id}c{k + 1}", condition)
    force = findings.results.in_force
    for k, condition in enumerate(force.definition.criteria if force is not None else []):
        yield from _apart(f"t{k + 1}", condition)
        for step, other in enumerate(_other_thresholds(condition, findings)):
            yield f"t{k + 1}v{step + 1}", other
    for criterion in findings.results.criteria:
        for k, condition in enumerate(findings.variants.get(criterion.id, ())):
            yield from _apart(f"{criterion.id}v{k + 1}", condition)
    yield from _about_behaviours(findings)
    traits = trait_groups(findings.columns, findings.table[findings.later])
    for k, (column, _, names) in enumerate(traits):
        for step, name in enumerate([name for name in names if name != UNKNOWN][:MOST_VALUES]):
            yield f"f{k + 1}v{step + 1}", Criterion.model_validate({"trait": column.text, "in": [name]})


def _about_behaviours(findings: Findings) -> Iterator[tuple[str, Criterion]]:
    for k, behaviour in enumerate(findings.behaviours):
        found = behaviour_condition(behaviour, findings)
        if found is not None:
            yield from _apart(f"b{k + 1}", found)
            for step, other in enumerate(_other_thresholds(found, findings)):
                yield f"b{k + 1}v{step + 1}", other


def _apart(name: str, condition: Criterion) -> Iterator[tuple[str, Criterion]]:
    if condition.in_ is None or len(condition.in_) == 1:
        yield name, condition
        return
    for k, value in enumerate(condition.in_):
        yield f"{name}.{k + 1}", condition.model_copy(update={"in_": [value]})


def _other_thresholds(condition: Criterion, findings: Findings) -> list[Criterion]:
    """Further thresholds, between quarters of the earlier rows that did it."""
    if condition.operator not in _ORDERED:
        return []
    values = criterion_values(condition, findings.table[findings.earlier])
    positive = values[~np.isnan(values) & (values > 0)]
    if len(np.unique(positive)) < 2:
        return []
    shares = np.quantile(positive, [0.25, 0.5, 0.75, 0.9])
    found = {roundest(low, high) for low, high in pairwise(shares) if low < high}
    return [condition.model_copy(update={"threshold": at}) for at in sorted(found - {condition.threshold})]


def _group(condition: Criterion) -> tuple[str, ...]:
    if condition.in_ is not None:
        return "chips", str(condition.trait)
    kind = "slider" if condition.operator in _ORDERED else "single"
    own = () if kind == "slider" else (str(condition.threshold),)
    subject = declared_feature(condition).name if condition.event is not None else str(condition.trait)
    return (kind, subject, str(condition.operator), *own)


def _strictness(condition: Criterion) -> float:
    threshold = float(condition.threshold or 0.0)
    return threshold if condition.operator in (">=", ">") else -threshold


def _offer(name: str, condition: Criterion, kind: str) -> dict[str, Any]:
    short = condition.in_[0] if condition.in_ is not None else threshold_text(condition)
    return {
        "id": name,
        "text": criterion_text(condition),
        "short": short,
        "group": subject_text(condition),
        "control": "chips" if kind == "chips" else "slider",
        "conditions": [criterion_json(condition)],
    }
