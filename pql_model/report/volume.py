"""The section on capacity: what the model, the new rule and today's bring at a number of leads a week."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from pql_model.page.svg import both_widths
from pql_model.report.candidates import rule_rows
from pql_model.report.charts import Point, curve, dotplot, futures
from pql_model.report.returns import SHARES
from pql_model.report.view import GrowthNode, View

LISTS = {"model": "the model’s best list", "new": "the new rule", "today": "today’s rule"}


@dataclass(frozen=True)
class RulePoint:
    """A rule on the curve of volume against rate."""

    node: GrowthNode
    label: str
    is_today: bool


@dataclass(frozen=True)
class Futures:
    """Possible conversions among the next 100 leads: counts by value."""

    counts: dict[int, int]
    title: str
    chart: Markup


@dataclass(frozen=True)
class VolumeSection:
    """What can be had at a number of leads a week, the model's frontier with the rules on it, and the futures of the rule.

    Attributes
    ----------
    lists
        What each list brings at the number that the control starts with: name, and its node in the growth object.
    steps
        Points of the frontier for the table.
    script_data
        For the control: points of the frontier as leads a week, entities and conversions; the rules as leads and rate.
    """

    lists: dict[str, GrowthNode] = field(default_factory=dict)
    steps: list[GrowthNode] = field(default_factory=list)
    points: list[RulePoint] = field(default_factory=list)
    chart: Markup | None = None
    futures: Futures | None = None
    script_data: dict[str, Any] | None = None
    labels: dict[str, str] = field(default_factory=lambda: LISTS)


def volume(view: View) -> VolumeSection:
    """Prepare the section: how many leads a week, at which rate."""
    line = list(view.growth["volume"])
    if not line:
        return VolumeSection()
    points = _points(view)
    capacity = view.growth["decision"]["capacity"]
    lists = {name: capacity[name] for name in LISTS if capacity and capacity[name]}
    return VolumeSection(
        lists,
        _for_table(line),
        points,
        _frontier(view, line, points),
        _futures(view),
        _script_data(view, line) if lists else None,
    )


def _for_table(line: list[GrowthNode]) -> list[GrowthNode]:
    """The points nearest to round shares."""
    nearest = [min(range(len(line)), key=lambda at: abs(line[at]["share"].raw - share)) for share in SHARES]
    return [line[at] for at in dict.fromkeys(nearest)]


def _script_data(view: View, line: list[GrowthNode]) -> dict[str, Any]:
    decision = view.data["decision"]
    return {
        "model": [[step[name].raw for name in ("leads_per_week", "entities", "conversions")] for step in line],
        "rules": {
            name: {key: decision[name][key] for key in ("leads_per_week", "rate", "recall")}
            for name in ("new", "today")
            if decision[name] is not None
        },
        "conversions": view.data["periods"]["later"]["conversions"],
        "per": view.per,
    }


def _points(view: View) -> list[RulePoint]:
    definitions = [row.node for row in rule_rows(view) if row.node.path.startswith("definitions")]
    points = [RulePoint(node, chr(ord("A") + at), False) for at, node in enumerate(definitions)]
    points += [RulePoint(view.in_force, "today", True)] if view.in_force is not None else []
    return [
        point
        for point in points
        if view.is_judged(point.node["tested"]) and point.node["tested"]["leads_per_week"]["value"].known
    ]


def _frontier(view: View, line: list[GrowthNode], points: list[RulePoint]) -> Markup:
    marks = []
    for point in points:
        tested = point.node["tested"].raw
        kind = "today" if point.is_today else "rule"
        marks.append(Point(tested["leads_per_week"]["value"], tested["rate"], kind, point.label))
    most = max([2 * mark.x for mark in marks], default=math.inf)  # nothing to compare lies beyond
    steps = [(float(step["leads_per_week"].raw), step["rate"].raw) for step in line]
    steps = [step for step in steps if step[0] <= most] or steps
    title = "The more leads a week, the lower their rate"
    return both_widths(lambda width: curve(steps, marks, view.per, title, "leads a week", width))


def _futures(view: View) -> Futures | None:
    if view.best is None or not view.is_judged(view.best["tested"]):
        return None
    tested = view.best["tested"].raw
    values = futures(tested["conversions"], tested["qualified"])
    title = f"Of the next 100 leads, {values[1]} to {values[-2]} convert in about 19 of 20 futures"
    chart = both_widths(lambda width: dotplot(values, title, "of the next 100 leads convert", width))
    return Futures(dict(sorted(Counter(values).items())), title, chart)
