"""The section on the rules that were tested."""

from __future__ import annotations

from dataclasses import dataclass

from pql_model.criteria.definition_metrics import TOO_FEW
from pql_model.page import numbers
from pql_model.report.behaviours import KINDS
from pql_model.report.view import GrowthNode, View, rule_meaning

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
    seen, shown = [rule_meaning(node.raw) for node in [*force, *best]], [*best]
    for node in [*view.growth["definitions"], *view.growth["criteria"]]:
        if rule_meaning(node.raw) not in seen:  # a definition of one criterion is that criterion
            seen.append(rule_meaning(node.raw))
            shown.append(node)
    rows = [RuleRow(node, _kind(node), standing(view, node)) for node in shown[: MOST - len(force)]]
    return rows + [RuleRow(node, "today’s rule", standing(view, node)) for node in force]


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
