"""The section in which readers build a rule of their own. The script only fills in what its template holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pql_model.criteria.export import condition_yaml
from pql_model.page import numbers
from pql_model.report.candidates import RuleRow, rule_rows
from pql_model.report.view import View


@dataclass(frozen=True)
class Control:
    """A slider, whose steps are thresholds, or chips, the values of a trait."""

    label: str
    kind: str
    criteria: list[dict[str, Any]]


@dataclass(frozen=True)
class ExplorerSection:
    """The controls, the data of the script, and the rules that are shown without scripts."""

    script_data: dict[str, Any] | None = None
    sliders: list[Control] = field(default_factory=list)
    chips: list[Control] = field(default_factory=list)
    rules: list[RuleRow] = field(default_factory=list)


def explorer_section(view: View) -> ExplorerSection:
    """Prepare the section; it is hidden until the script has shown that it runs."""
    if view.explorer is None or view.mode == "off":
        return ExplorerSection()
    by_id = {criterion["id"]: criterion for criterion in view.explorer["criteria"]}
    controls = [
        Control(control["label"], control["kind"], [by_id[name] for name in control["ids"]])
        for control in view.explorer["controls"]
    ]
    sliders, chips = ([c for c in controls if (c.kind == "chips") == are_chips] for are_chips in (False, True))
    return ExplorerSection(script_data(view, view.explorer), sliders, chips, rule_rows(view))


def script_data(view: View, explorer: dict[str, Any]) -> dict[str, Any]:
    """The explorer's data, and the facts about the page that its script needs."""
    start = _Starts(explorer)
    best, force = view.best.raw if view.best is not None else None, view.data["in_force"]
    definitions = [(rule, start.of(rule)) for rule in view.data["definitions"]]
    tested = [(rule, start.of(rule)) for rule in (*view.data["criteria"], *view.data["not_confirmed"])]
    in_counts = view.mode == "counts"
    return {
        **explorer,
        "sql": explorer.get("sql"),
        "starts": {"best": start.of(best), "today": start.of(force)},
        "tested": [{**at, **_figures(rule)} for rule, at in (*definitions, *tested) if at and in_counts],
        "strips": [{**at, "weeks": _strip(view, rule["id"])} for rule, at in definitions if at and in_counts],
        "todays": _figures(force) if force is not None else None,
        "weeks": [
            {
                "week": week["week"],
                "label": numbers.short_day(week["week"]),
                "finished": week["finished"],
                "rows": week["entities"],
                "conversions": week["conversions"],
            }
            for week in view.data["weeks"]
        ],
        "per": view.per,
        "entities": view.entities,
        "horizon": view.data["horizon_days"],
        "product": view.data["product"],
        "everyone": view.data["base"]["later"]["value"],
    }


class _Starts:
    """Finds the controls that express a rule."""

    def __init__(self, explorer: Mapping[str, Any]) -> None:
        self._ids = {criterion["yaml"]: criterion["id"] for criterion in reversed(explorer["criteria"])}
        self._sliders = [set(control["ids"]) for control in explorer["controls"] if control["kind"] == "slider"]

    def of(self, rule: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The ids of its criteria and how they are joined; None where the controls cannot express it."""
        if rule is None or any("conditions" in condition for condition in rule["conditions"]):
            return None
        ids = [self._ids.get(line) for condition in rule["conditions"] for line in _lines(condition)]
        if None in ids or len(set(ids)) < len(ids) or any(len(slider & set(ids)) > 1 for slider in self._sliders):
            return None
        if len({c["trait"] for c in rule["conditions"] if c.get("in")}) < sum(
            bool(c.get("in")) for c in rule["conditions"]
        ):
            return None  # two conditions on the values of one trait
        return {"criteria": ids, "join": rule.get("join") or "all", "k": rule.get("k") or 1}


def _lines(condition: Mapping[str, Any]) -> Sequence[str]:
    """A condition on several values of a trait as one line for each."""
    return [condition_yaml({**condition, "in": [value]}) for value in condition.get("in") or []] or [
        condition_yaml(condition)
    ]


def _figures(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Conversions and rows, so that the explorer merges nothing of what stands on the page; and the leads a week."""
    leads = rule["tested"]["leads_per_week"]
    counts = {
        name: [rule[key]["conversions"], rule[key]["qualified"]]
        for name, key in (("earlier", "earlier"), ("later", "tested"))
    }
    return {**counts, "leads": leads if leads["value"] is not None else None}


def _strip(view: View, name: str) -> list[list[int]]:
    zero = {"qualified": 0, "conversions": 0}
    counts = (week["by_definition"].get(name, zero) for week in view.data["weeks"])
    return [[count["qualified"], count["conversions"]] for count in counts]
