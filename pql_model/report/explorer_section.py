"""Section 5: the definition explorer. The script only fills in what its template holds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from pql_model.criteria.export import condition_yaml
from pql_model.page import numbers
from pql_model.report.candidates import RuleRow, rule_rows
from pql_model.report.view import View


@dataclass(frozen=True)
class ExplorerSection:
    """The criteria to tick by group, the data of the script, and the rules that are shown without scripts."""

    script_data: dict[str, Any] | None = None
    groups: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rules: list[RuleRow] = field(default_factory=list)


def explorer_section(view: View) -> ExplorerSection:
    """Prepare section 5; it is hidden until the script has shown that it runs."""
    if view.explorer is None or view.mode == "off":
        return ExplorerSection()
    groups: dict[str, list[dict[str, Any]]] = {}
    for criterion in view.explorer["criteria"]:
        groups.setdefault(criterion["group"], []).append(criterion)
    sorted_groups = {group: sorted(criteria, key=_natural_order) for group, criteria in groups.items()}
    return ExplorerSection(script_data(view, view.explorer), sorted_groups, rule_rows(view))


def _natural_order(criterion: dict[str, Any]) -> list[tuple[int, str]]:
    """Sort key that puts `10 or more` after `5 or more`."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", criterion["short"])]


def script_data(view: View, explorer: dict[str, Any]) -> dict[str, Any]:
    """The explorer's data, and the facts about the page that its script needs."""
    criteria = explorer["criteria"]
    ids = {criterion["id"] for criterion in criteria}
    definitions = [rule for rule in view.data["definitions"] if set(rule["criteria"]) <= ids]
    best = view.best.raw if view.best is not None else None
    weeks = view.data["weeks"]
    return {
        **explorer,
        "starts": {"best": _start(best) if best and best in definitions else None, "today": _today(view, criteria)},
        "tested": _tested(view, definitions, ids) if view.mode == "counts" else [],
        "strips": [
            {**_start(rule), "weeks": _strip(view, rule["id"])} for rule in definitions if view.mode == "counts"
        ],
        "weeks": [
            {
                "week": week["week"],
                "label": numbers.short_day(week["week"]),
                "finished": week["finished"],
                "rows": week["entities"],
                "conversions": week["conversions"],
            }
            for week in weeks
        ],
        "per": view.per,
        "entities": view.entities,
        "horizon": view.data["horizon_days"],
        "product": view.data["product"],
        "everyone": view.data["base"]["later"]["value"],
    }


def _tested(view: View, definitions: list[dict[str, Any]], ids: set[str]) -> list[dict[str, Any]]:
    """Conversions and rows of every rule that the page shows, so that the explorer does not withhold what stands above it."""
    single = [{**rule, "criteria": [rule["id"]], "join": "all", "k": None} for rule in view.data["criteria"]]
    return [
        {
            **_start(rule),
            "earlier": _counts(rule["earlier"]),
            "later": _counts(rule["tested"]),
            "leads": _known(rule["tested"]["leads_per_week"]),
        }
        for rule in [*definitions, *single]
        if set(rule["criteria"]) <= ids
    ]


def _counts(metrics: dict[str, Any]) -> list[int]:
    return [metrics["conversions"], metrics["qualified"]]


def _known(estimate: dict[str, Any]) -> dict[str, Any] | None:
    return estimate if estimate["value"] is not None else None


def _start(rule: dict[str, Any]) -> dict[str, Any]:
    return {"criteria": rule["criteria"], "join": rule["join"], "k": rule["k"] or 1}


def _strip(view: View, name: str) -> list[list[int]]:
    zero = {"qualified": 0, "conversions": 0}
    counts = (week["by_definition"].get(name, zero) for week in view.data["weeks"])
    return [[count["qualified"], count["conversions"]] for count in counts]


def _today(view: View, criteria: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The rule in force in the explorer's criteria, if they can express it."""
    force = view.data["in_force"]
    if force is None:
        return None
    by_line = {criterion["yaml"]: criterion["id"] for criterion in reversed(criteria)}
    lines = [condition_yaml(condition) for condition in force["conditions"]]
    if not all(line in by_line for line in lines):
        return None
    return {"criteria": [by_line[line] for line in lines], "join": force["join"], "k": force["k"] or 1}
