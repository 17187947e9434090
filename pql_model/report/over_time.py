"""Sections 7 and 8: the rule week by week, and the accounts to call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pql_model.criteria.definition_metrics import LEAST_QUALIFIED
from pql_model.page import numbers
from pql_model.page.svg import both_widths
from pql_model.report import charts
from pql_model.report.charts import Week
from pql_model.report.view import GrowthNode, View
from pql_model.statistics.estimate import wilson

_ADVICE = {"call": "Call first", "near": "One step short", "leave": "Leave for now"}


@dataclass(frozen=True)
class WeeksSection:
    """The rate of a rule and of everyone by sign-up week.

    Attributes
    ----------
    series
        Which rule is followed: the id of a definition, `in_force`, or None.
    judged, above
        Finished weeks with enough leads, and in how many of these the rule's rate is above everyone's.
    """

    series: str | None
    judged: int
    judged_text: str
    above: int
    unfinished: int
    chart: Markup


def weeks(view: View) -> WeeksSection:
    """Prepare section 7."""
    series = str(view.best["id"]) if view.best is not None else "in_force" if view.in_force is not None else None
    rows = [_week(week, series) for week in view.data["weeks"]]
    pairs = [(w.estimate["value"], w.everyone["value"]) for w in rows if w.finished and w.estimate and w.everyone]
    start = view.data["periods"]["later"]["from"]
    later_start = next((at for at, week in enumerate(view.data["weeks"]) if start and week["week"] >= start), 0)
    title = "Rate of the rule and of everyone, by week"
    return WeeksSection(
        series,
        len(pairs),
        numbers.plural(len(pairs), "week"),
        sum(rule > everyone for rule, everyone in pairs),
        sum(not week.finished for week in rows),
        both_widths(lambda width: charts.weeks(rows, later_start, view.per, title, width)),
    )


def _week(week: dict[str, Any], series: str | None) -> Week:
    rule = week["by_definition"].get(series, {"qualified": 0, "conversions": 0})
    qualified, conversions = rule["qualified"], rule["conversions"]
    everyone = wilson(week["conversions"], week["entities"]) if week["entities"] >= LEAST_QUALIFIED else None
    return Week(
        numbers.short_day(week["week"]),
        week["finished"],
        wilson(conversions, qualified).to_dict() if qualified >= LEAST_QUALIFIED else None,
        conversions / qualified if qualified else None,
        everyone.to_dict() if everyone else None,
    )


@dataclass(frozen=True)
class Profile:
    """A kind of leads, and what to do with them."""

    node: GrowthNode
    advice: str


@dataclass(frozen=True)
class CallSection:
    """Kinds of leads, as counts: no account is named."""

    profiles: list[Profile]


def call(view: View) -> CallSection:
    """Prepare section 8."""
    profiles = view.growth["profiles"]
    return CallSection([Profile(node, advice) for kind, advice in _ADVICE.items() for node in profiles[kind]])
