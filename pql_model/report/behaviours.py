"""Section 3: behaviours that go with conversion."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from pql_model.page import numbers
from pql_model.page.markup import without_backticks
from pql_model.page.svg import both_widths
from pql_model.report.charts import curve, dots
from pql_model.report.view import GrowthNode, View

MOST = 10
_CURVE_WIDTH = 380
"""Of a chart that reads on a telephone and on a screen alike."""
KINDS = {
    "value": "value: they get use out of the product",
    "intent": "intent: they look at buying",
    "fit": "fit: who they are",
    "activity": "activity: how active they are",
}
_SHAPES = {
    "step": "The model sees a step: past one value the score is higher, and more adds little.",
    "saturating": "The model sees a curve that levels off: the first ones matter most.",
    "linear": "The model sees a straight line: each one more matters about as much.",
    "none": "The model sees no clear shape.",
}


@dataclass(frozen=True)
class Curve:
    """One behaviour at other thresholds."""

    node: GrowthNode
    table: str
    measure: str
    direction: str
    shape: str
    chart: Markup | None


@dataclass(frozen=True)
class BehavioursSection:
    """Behaviours, and the first one that separates buyers from the rest.

    Attributes
    ----------
    split, folded
        Those with a threshold: the ones that are criteria, or all where none is, and the rest, which tell nothing more.
    """

    behaviours: list[GrowthNode]
    split: list[GrowthNode] = field(default_factory=list)
    folded: list[GrowthNode] = field(default_factory=list)
    lead: GrowthNode | None = None
    lead_preposition: str = "with"
    chart: Markup | None = None
    curves: list[Curve] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=lambda: KINDS)


def behaviours(view: View) -> BehavioursSection:
    """Prepare section 3: rates above and below each threshold, and a curve for each behaviour."""
    top = list(view.growth["behaviours"])[:MOST]
    split = [node for node in top if node["above"] and node["below"]]
    criteria = [node for node in split if node["is_criterion"].raw]
    split, folded = (criteria, [node for node in split if node not in criteria]) if criteria else (split, [])
    lead = next((node for node in split if _separates(view, node)), None)
    curves = [_curve(view, node, at) for at, node in enumerate(top) if len(node["curve"]) > 1]
    preposition = "where" if lead is not None and str(lead["words"]).startswith("`") else "with"
    return BehavioursSection(top, split, folded, lead, preposition, _chart(view, split) if split else None, curves)


def measured(behaviour: GrowthNode) -> str:
    """Name the quantity of a behaviour, without a threshold.

    >>> measured(GrowthNode({"words": "at least 5 `x` ever", "shown": "x.count.ever",
    ...                      "features": [{"name": "x.count.ever", "words": "number of `x` ever"}]}))
    'number of `x` ever'
    """
    features = {feature["name"]: feature["words"] for feature in behaviour["features"].raw}
    return str(features.get(behaviour.raw.get("shown"), behaviour["words"]))


def _separates(view: View, node: GrowthNode) -> bool:
    """Whether the rates above and below the threshold differ beyond chance."""
    above, below = node["above"], node["below"]
    judgeable = view.can_judge(above) and view.can_judge(below)
    return judgeable and not numbers.overlap(above["rate"].raw, below["rate"].raw)


def _chart(view: View, split: list[GrowthNode]) -> Markup:
    marks = [
        (without_backticks(node["words"]), [view.mark(node["above"], "rule"), view.mark(node["below"], "all")])
        for node in split
    ]
    title = "How many convert with each behaviour and without it"
    return both_widths(lambda width: dots(marks, view.per, title, width))


def _curve(view: View, node: GrowthNode, at: int) -> Curve:
    steps = list(node["curve"])
    direction = "or less" if steps[-1]["entities"].raw > steps[0]["entities"].raw else "or more"
    points = [(float(step["threshold"].raw), step["rate"].raw) for step in steps if view.can_judge(step)]
    measure = measured(node)
    title = f"How many convert past each value: {without_backticks(measure)}"
    unit = f"{node['unit'].raw or 'value'} {direction}"
    chart = curve(points, [], view.per, title, unit, _CURVE_WIDTH) if len(points) > 1 else None
    return Curve(node, f"curve-{at}", measure, direction, _SHAPES.get(node["shape"].raw, ""), chart)
