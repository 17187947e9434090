"""The section on who converts: rates by trait, and fit beside usage."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from pql_model.page import numbers
from pql_model.page.svg import both_widths
from pql_model.report.charts import dots
from pql_model.report.view import GrowthNode, View


@dataclass(frozen=True)
class FitSection:
    """Traits, each with its chart, and the two groups of the first that differ most.

    Attributes
    ----------
    best, worst
        Of the first trait whose groups differ beyond chance; None without one.
    by_usage
        The four groups of fit and usage, or None.
    """

    charts: list[tuple[GrowthNode, Markup]] = field(default_factory=list)
    trait: GrowthNode | None = None
    best: GrowthNode | None = None
    worst: GrowthNode | None = None
    by_usage: GrowthNode | None = None


def fit(view: View) -> FitSection:
    """Prepare the section."""
    traits = list(view.growth["fit"]["traits"])
    by_usage = view.growth["fit"]["by_usage"]
    charts = [(trait, _chart(view, trait)) for trait in traits]
    for trait in traits:
        judged = [group for group in trait["groups"] if view.can_judge(group)]
        if len(judged) < 2:
            continue
        worst, *_, best = sorted(judged, key=lambda group: float(group["rate"]["value"].raw))
        if not numbers.overlap(best["rate"].raw, worst["rate"].raw):
            return FitSection(charts, trait, best, worst, by_usage if by_usage else None)
    return FitSection(charts, by_usage=by_usage if by_usage else None)


def _chart(view: View, trait: GrowthNode) -> Markup:
    marks = [(str(group["name"]), [view.mark(group, "rule")]) for group in trait["groups"]]
    return both_widths(lambda width: dots(marks, view.per, f"How many convert, by {trait['trait']}", width))
