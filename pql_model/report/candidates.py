"""Sections 4 and 6: the rules that were tested, and how many leads at which rate."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from markupsafe import Markup

from pql_model.criteria.definition_metrics import TOO_FEW
from pql_model.criteria.export import condition_yaml
from pql_model.page import numbers
from pql_model.page.svg import both_widths
from pql_model.report.behaviours import KINDS
from pql_model.report.charts import Point, curve, dotplot, futures
from pql_model.report.view import GrowthNode, View

MOST = 8
_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class RuleRow:
    """A row of the table of rules."""

    node: GrowthNode
    note: str
    standing: str

    @property
    def is_better(self) -> bool:
        return self.standing.startswith(("better", "above"))

    @property
    def has_threshold(self) -> bool:
        return bool(self.node.raw.get("threshold_interval"))


def rule_rows(view: View) -> list[RuleRow]:
    """The rows of the table: the definition to show, the others, single criteria, then the rule in force."""
    force = [view.in_force] if view.in_force is not None else []
    best = [view.best] if view.best is not None else []
    seen, shown = [_meaning(node) for node in [*force, *best]], [*best]
    for node in [*view.growth["definitions"], *view.growth["criteria"]]:
        if _meaning(node) not in seen:  # a definition of one criterion is that criterion
            seen.append(_meaning(node))
            shown.append(node)
    rows = [RuleRow(node, _kind(node), standing(view, node)) for node in shown[: MOST - len(force)]]
    return rows + [RuleRow(node, "today’s rule", standing(view, node)) for node in force]


def _meaning(rule: GrowthNode) -> tuple[list[str], int]:
    """A key that is equal for equivalent rules."""
    lines = sorted(condition_yaml(condition) for condition in rule["conditions"].raw)
    join = rule.raw.get("join", "all")
    return lines, len(lines) if join == "all" else rule["k"].raw if join == "at_least_k" else 1


def _kind(rule: GrowthNode) -> str:
    kind = str(rule.raw.get("kind", ""))
    return KINDS.get(kind, kind).split(":")[0]


def standing(view: View, rule: GrowthNode) -> str:
    """The verdict of the later weeks on a rule, in a few words."""
    if not view.is_judged(rule["tested"]):
        return str(rule["tested"]["note"].raw or TOO_FEW)
    rate, base, force = rule["tested"]["rate"].raw, view.data["base"]["later"], view.in_force
    if rule.raw.get("adjusted_p", 0) > _SIGNIFICANT:
        return "could be chance"
    if force is not None and rule.path != force.path and view.is_judged(force["tested"]):
        today = force["tested"]["rate"].raw
        if numbers.overlap(rate, today):
            return "cannot tell from today’s"
        return "better rate than today’s" if rate["value"] > today["value"] else "lower rate than today’s"
    if numbers.overlap(rate, base):
        return "cannot tell from everyone"
    return "above everyone" if rate["value"] > base["value"] else "below everyone"


@dataclass(frozen=True)
class RulesSection:
    """All rows of the table of rules, those of them that are new, and how they compare."""

    rules: list[RuleRow]
    candidates: list[RuleRow]
    candidates_text: str
    better: int
    benchmark: str
    not_confirmed_text: str


def rules(view: View) -> RulesSection:
    """Prepare section 4: the rules, scored on the later weeks only."""
    rows = rule_rows(view)
    candidates = [row for row in rows if row.node.path != "in_force"]
    return RulesSection(
        rows,
        candidates,
        numbers.plural(len(candidates), "rule"),
        sum(row.is_better for row in candidates),
        "today’s" if any(row.standing.endswith("today’s") for row in candidates) else "everyone’s",
        numbers.plural(len(view.data["not_confirmed"]), "rule"),
    )


# ---------------------------------------------------------------- section 6


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
    """The model's frontier, the rules on it, and the futures of the rule to show."""

    nearest: GrowthNode | None = None
    points: list[RulePoint] = field(default_factory=list)
    chart: Markup | None = None
    futures: Futures | None = None


def volume(view: View) -> VolumeSection:
    """Prepare section 6: how many leads a week, at which rate."""
    line = list(view.growth["volume"])
    if not line:
        return VolumeSection()
    points = _points(view)
    return VolumeSection(_nearest(view, line), points, _frontier(view, line, points), _futures(view))


def _nearest(view: View, line: list[GrowthNode]) -> GrowthNode:
    """The point of the frontier with about as many leads as the rule to show."""
    leads = view.best["tested"]["leads_per_week"]["value"].raw if view.best is not None else None
    if leads is None:
        return line[len(line) // 2]
    return min(line, key=lambda step: abs(math.log(step["leads_per_week"].raw or 1e-9) - math.log(leads or 1e-9)))


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
