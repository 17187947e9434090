"""Sections 7 and 8: the rule week by week, and the accounts to call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pql_model.criteria.definition_metrics import LEAST_QUALIFIED
from pql_model.page import numbers
from pql_model.page.svg import both_widths
from pql_model.report import charts
from pql_model.report.charts import Period
from pql_model.report.view import GrowthNode, View
from pql_model.statistics.estimate import wilson

_ADVICE = {"call": "Call first", "leave": "Leave for now"}
_NEAR_ADVICE = {
    "help": "Help with the missing step",
    "leave": "Leave: fewer convert than of everybody",
    "none": "None: cannot be told from everybody",
}


@dataclass(frozen=True)
class WeeksSection:
    """The rates of the rules and of everyone by cohort of sign-up.

    Attributes
    ----------
    unit
        `week`, or `month` where most weeks have too few leads of the rule.
    rows
        The cohorts, in the growth object.
    series
        Name of the rule that is followed -> its words: the id of the definition to show, and `in_force`.
    followed
        The first of them; None without any.
    judged, above
        Finished later cohorts with enough leads, and in how many of these the followed rule's rate is above everyone's.
    """

    unit: str
    rows: list[GrowthNode]
    series: dict[str, str]
    followed: str | None
    judged: int
    above: int
    unfinished: int
    chart: Markup


def weeks(view: View) -> WeeksSection:
    """Prepare the section; only later cohorts are in its heading, as the earlier ones were used to choose the rule."""
    series = {str(view.best["id"]): "the rule"} if view.best is not None else {}
    series |= {"in_force": "today’s rule"} if view.in_force is not None else {}
    followed = next(iter(series), None)
    start = view.data["periods"]["later"]["from"]
    weekly, monthly = list(view.growth["weeks"]), list(view.growth["cohort_months"])
    is_later = [row for row in weekly if row["finished"].raw and start and row["week"].raw >= start]
    judged_weeks = sum(_cell(row.raw, followed) is not None for row in is_later)
    unit, rows = ("week", weekly) if 2 * judged_weeks >= len(is_later) else ("month", monthly)
    later_start = next((at for at, row in enumerate(rows) if start and row["week"].raw >= start), len(rows))
    periods = [_period(row.raw, view, unit, followed) for row in rows]
    pairs = [
        (p.rule["value"], p.everyone["value"]) for p in periods[later_start:] if p.finished and p.rule and p.everyone
    ]
    title = f"Rates of the rules and of everyone, by {unit}"
    return WeeksSection(
        unit,
        rows,
        series,
        followed,
        len(pairs),
        sum(rule > everyone for rule, everyone in pairs),
        sum(not period.finished for period in periods),
        both_widths(lambda width: charts.over_time(periods, later_start, view.per, title, width)),
    )


def _period(row: dict[str, Any], view: View, unit: str, followed: str | None) -> Period:
    label = numbers.short_day(row["week"]) if unit == "week" else numbers.month(row["week"])
    today = _cell(row, "in_force") if followed != "in_force" else None
    everyone = wilson(row["conversions"], row["entities"]) if row["entities"] >= LEAST_QUALIFIED else None
    return Period(label, row["finished"], _cell(row, followed), today, everyone.to_dict() if everyone else None)


def _cell(row: dict[str, Any], rule: str | None) -> dict[str, float | None] | None:
    """The rate of those who meet a rule; None where they are too few."""
    counts = row["by_definition"].get(rule, {"qualified": 0, "conversions": 0})
    enough = counts["qualified"] >= LEAST_QUALIFIED
    return wilson(counts["conversions"], counts["qualified"]).to_dict() if enough else None


@dataclass(frozen=True)
class Profile:
    """A kind of leads, and what to do with them."""

    node: GrowthNode
    advice: str


@dataclass(frozen=True)
class CallSection:
    """Kinds of leads and near misses, as counts: no account is named.

    Attributes
    ----------
    best
        The near miss with the highest rate of those worth helping; None without one.
    judged
        Whether any near miss can be judged.
    """

    profiles: list[Profile]
    near: list[Profile]
    best: GrowthNode | None
    judged: bool


def call(view: View) -> CallSection:
    """Prepare section 8."""
    profiles = view.growth["profiles"]
    near = list(view.growth["near_misses"])
    helped = [node for node in near if node["advice"].raw == "help"]
    return CallSection(
        [Profile(node, advice) for kind, advice in _ADVICE.items() for node in profiles[kind]],
        [Profile(node, _near_advice(view, node)) for node in near],
        max(helped, key=lambda node: float(node["rate"]["value"].raw), default=None),
        any(view.can_judge(node) for node in near),
    )


def _near_advice(view: View, node: GrowthNode) -> str:
    return _NEAR_ADVICE.get(node["advice"].raw, "None") if view.can_judge(node) else "None: too few to judge"
