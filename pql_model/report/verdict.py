"""Sections 1 and 2: the recommendation, and the new rule against today's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from pql_model.page import numbers
from pql_model.page.svg import both_widths
from pql_model.report.charts import dots, icons
from pql_model.report.view import View

_BADGES = {"use": ("●", "Use"), "use_with_care": ("◐", "Use with care"), "do_not_use": ("○", "Do not use yet")}
_CELLS = {
    "both": "Both rules",
    "only_new": "Only the new rule",
    "only_today": "Only today’s rule",
    "neither": "Neither",
}
_KINDS = {"only_new": "rule", "only_today": "today", "both": "rule", "neither": "all"}


@dataclass(frozen=True)
class VerdictSection:
    """The first screen: badge, rule, four numbers, and what would change the verdict."""

    badge_shape: str
    badge: str
    red_lines: str | None
    later_conversions: str
    icons: Markup | None = None
    icons_caption: str = ""


def verdict(view: View) -> VerdictSection:
    """Prepare section 1."""
    red = sum(line["level"] == "red" for line in view.data["health"])
    section = VerdictSection(
        *_BADGES[view.data["badge"]["name"]],
        numbers.plural(red, "red line") if red else None,
        numbers.plural(view.data["periods"]["later"]["conversions"], "conversion"),
    )
    if view.best is None or not view.is_judged(view.best["tested"]):
        return section
    rate = view.best["tested"]["rate"]["value"].raw
    about = numbers.about(rate, view.per)
    title = f"{about[:1].upper()}{about[1:]} convert"
    caption = f"{title}, {numbers.complement(rate, view.per)} do not"
    return VerdictSection(
        section.badge_shape,
        section.badge,
        section.red_lines,
        section.later_conversions,
        icons(rate, view.per, title),
        caption,
    )


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
