"""Sections 1 and 2: the recommendation, and the new rule against today's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from markupsafe import Markup

from pql_model.page import numbers
from pql_model.page.svg import both_widths
from pql_model.report.charts import dots, icons
from pql_model.report.view import GrowthNode, RuleLines, View, rule_lines

_BADGES = {"use": ("●", "Use"), "use_with_care": ("◐", "Use with care"), "do_not_use": ("○", "Do not use yet")}
_CELLS = {
    "both": "Both rules",
    "only_new": "Only the new rule",
    "only_today": "Only today’s rule",
    "neither": "Neither",
}
_KINDS = {"only_new": "rule", "only_today": "today", "both": "rule", "neither": "all"}


Action = Literal["replace", "start", "try", "keep", "none"]


@dataclass(frozen=True)
class VerdictSection:
    """The first screen: what to do, the rule, what it brings beside today's, and how sure that is.

    Attributes
    ----------
    action
        `replace` today's rule, `start` with this one where none is in force, `try` it with care, `keep` today's, or `none`.
    rule
        The rule as lines to tick, and how they are joined.
    shown
        The rules of the table, `today` and `new`: label, and its node under `decision`.
    has_value, fills
        Whether conversions have a value, and whether the new rule has at least as many leads as the team can work.
    """

    badge_shape: str
    badge: str
    action: Action
    red_lines: str | None
    later_conversions: str
    rule: RuleLines | None = None
    shown: dict[str, GrowthNode] | None = None
    icons: Markup | None = None
    icons_caption: str = ""
    has_value: bool = False
    fills: bool = False


def verdict(view: View) -> VerdictSection:
    """Prepare section 1."""
    red = sum(line["level"] == "red" for line in view.data["health"])
    decision = view.growth["decision"]
    shown = {"today’s rule": decision["today"], "the new rule": decision["new"]}
    section = VerdictSection(
        *_BADGES[view.data["badge"]["name"]],
        _action(view),
        numbers.plural(red, "red line") if red else None,
        numbers.plural(view.data["periods"]["later"]["conversions"], "conversion"),
        rule_lines(view.best) if view.best is not None else None,
        {label: node for label, node in shown.items() if node},
        has_value=any(node["value_per_week"] for node in shown.values() if node),
        fills=_fills(decision),
    )
    if view.best is None or not view.is_judged(view.best["tested"]):
        return section
    rate = view.best["tested"]["rate"]["value"].raw
    about = numbers.about(rate, view.per)
    title = f"{about[:1].upper()}{about[1:]} convert"
    caption = f"{title}, {numbers.complement(rate, view.per)} do not"
    return replace(section, icons=icons(rate, view.per, title), icons_caption=caption)


def _fills(decision: GrowthNode) -> bool:
    capacity = decision["capacity"]
    if not capacity or not capacity["new"]:
        return False
    return bool(decision["new"]["leads_per_week"]["value"].raw >= capacity["leads_per_week"].raw)


def _action(view: View) -> Action:
    if view.best is None or not view.best["recommended"]:
        return "none" if view.in_force is None else "keep"
    badge = view.data["badge"]["name"]
    if badge == "use":
        return "start" if view.in_force is None else "replace"
    return "try" if badge == "use_with_care" else "none" if view.in_force is None else "keep"


@dataclass(frozen=True)
class TodaySection:
    """The leads that both rules find, only one of them, or neither."""

    better: Literal["new", "today", "same", "unknown"] = "unknown"
    cells: dict[str, str] | None = None
    chart: Markup | None = None


def today(view: View) -> TodaySection:
    """Prepare section 2."""
    if view.best is None or view.in_force is None or not view.in_force["against"]:
        return TodaySection()
    against = view.in_force["against"]
    marks = [
        (f"{label}: {against[name]['entities'].raw:,} {view.entities}", [view.mark(against[name], _KINDS[name])])
        for name, label in _CELLS.items()
    ]
    title = "How many convert among those that both rules, one of them or neither finds"
    chart = both_widths(lambda width: dots(marks, view.per, title, width))
    new, old = against["only_new"], against["only_today"]
    if not (view.can_judge(new) and view.can_judge(old)):
        return TodaySection("unknown", _CELLS, chart)
    if numbers.overlap(new["rate"].raw, old["rate"].raw):
        return TodaySection("same", _CELLS, chart)
    is_better = new["rate"]["value"].raw > old["rate"]["value"].raw
    return TodaySection("new" if is_better else "today", _CELLS, chart)
