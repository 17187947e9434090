"""Section 3: what goes with conversion."""

from __future__ import annotations

from typing import Any

from pql_model.report import numbers
from pql_model.report.charts import curve, dots
from pql_model.report.markup import bare, details, esc, figure, marked, paragraph, section, table, tag
from pql_model.report.svg import twice
from pql_model.report.view import View

MOST = 10
KINDS = {
    "value": "value: they get use out of the product",
    "intent": "intent: they look at buying",
    "fit": "fit: who they are",
    "activity": "activity: how much they are around",
}


def behaviours(view: View) -> str:
    """Dots with ranges above and below the threshold, and a curve for each behaviour."""
    found = view.growth["behaviours"][:MOST]
    split = [at for at, one in enumerate(found) if one["above"] and one["below"]]
    if not found:
        return section(
            "behaviours",
            "No behaviour goes with conversion beyond what chance gives",
            paragraph("The model found nothing in the behaviours that holds on later weeks."),
        )
    return section(
        "behaviours", _finding(view, split), _sentence(view, split), _picture(view, split), _folded(view, found)
    )


def measured(one: dict[str, Any]) -> str:
    """What is counted, without a threshold.

    >>> measured({"words": "at least 5 `x` ever", "shown": "x.count.ever",
    ...           "features": [{"name": "x.count.ever", "words": "number of `x` ever"}]})
    'number of `x` ever'
    """
    named = {feature["name"]: feature["words"] for feature in one["features"]}
    return str(named.get(one.get("shown"), one["words"]))


def _readable(view: View, at: int, side: str) -> bool:
    cell = view.growth["behaviours"][at][side]
    return view.says(f"behaviours.{at}.{side}.rate", cell["entities"], cell["conversions"])


def _first(view: View, split: list[int]) -> int | None:
    """The first behaviour of which those who meet it and the rest are told apart."""
    found = view.growth["behaviours"]
    return next(
        (
            at
            for at in split
            if _readable(view, at, "above")
            and _readable(view, at, "below")
            and not numbers.overlap(found[at]["above"]["rate"], found[at]["below"]["rate"])
        ),
        None,
    )


def _finding(view: View, split: list[int]) -> str:
    at = _first(view, split)
    if at is None:
        return f"What goes with conversion: {numbers.CANNOT_TELL} yet"
    above, below = (view.facts.say(f"behaviours.{at}.{side}.rate.value", "of") for side in ("above", "below"))
    return f"{esc(view.growth['behaviours'][at]['behaviour'])} goes with conversion: {above} against {below} of {view.per:,}"


def _sentence(view: View, split: list[int]) -> str:
    at = _first(view, split)
    if at is None:
        return paragraph("Those with a behaviour and the rest convert alike, as far as the later weeks tell.")
    above, below = (f"behaviours.{at}.{side}.rate" for side in ("above", "below"))
    says = str(view.growth["behaviours"][at]["words"])
    joint = "where" if says.startswith("`") else "with"
    return paragraph(
        f"Of {view.many} {joint} {marked(says)}, {view.facts.say(f'{above}.value', 'of')} of "
        f"{view.per:,} convert {view.facts.likely(above)}; of the rest, {view.facts.say(f'{below}.value', 'of')} "
        f"{view.facts.likely(below)}. This shows who converts, not that doing it makes the {view.one} convert."
    )


def _picture(view: View, split: list[int]) -> str:
    if not split:
        return ""
    found = view.growth["behaviours"]
    rows = [
        (
            bare(found[at]["words"]),
            [
                view.mark(found[at][side]["rate"], found[at][side]["entities"], found[at][side]["conversions"], kind)
                for side, kind in (("above", "rule"), ("below", "all"))
            ],
        )
        for at in split
    ]
    data = table(
        "Behaviours, above and below their threshold, in the later weeks",
        ["behaviour", "with it", "95 % range", "the rest", "95 % range", "kind", "part in the model"],
        [_row(view, at) for at in split],
        name="behaviours",
    )
    title = "How many convert with each behaviour and without it"
    return figure(
        twice(lambda width: dots(rows, view.per, title, width)),
        "Filled circle: those who meet it. Open square: the rest. Bands: the likely range, its likelier half darker.",
        data,
    )


def _row(view: View, at: int) -> list[str]:
    one, key = view.growth["behaviours"][at], f"behaviours.{at}"
    rates = [
        shown
        for side in ("above", "below")
        for shown in (view.cell_rate(f"{key}.{side}"), view.cell_range(f"{key}.{side}"))
    ]
    share = f"{view.facts.say(f'{key}.share.value', 'percent')}{tag('small', view.facts.say(f'{key}.share', 'percent_span'))}"
    return [marked(one["words"]), *rates, esc(KINDS.get(one["kind"], one["kind"])), share]


def _folded(view: View, found: list[dict[str, Any]]) -> str:
    drawn = [at for at, one in enumerate(found) if len(one["curve"]) > 1]
    if not drawn:
        return ""
    head = tag("h3", "Where to draw the line")
    return (
        head
        + paragraph("For each behaviour: how many are past each value, and how many of those convert.")
        + "".join(details(marked(measured(found[at])), _curve(view, at)) for at in drawn)
    )


def _curve(view: View, at: int) -> str:
    one, key = view.growth["behaviours"][at], f"behaviours.{at}.curve"
    steps = one["curve"]
    past = "or less" if steps[-1]["entities"] > steps[0]["entities"] else "or more"
    payload = [
        (float(step["threshold"]), step["rate"])
        for step in steps
        if numbers.judgeable(step["entities"], step["conversions"], view.base)
    ]
    rows = [
        [
            f"{view.facts.say(f'{key}.{i}.threshold', 'number')} {past}",
            view.facts.say(f"{key}.{i}.entities", "count"),
            view.cell_rate(f"{key}.{i}"),
            view.cell_range(f"{key}.{i}"),
        ]
        for i in range(len(steps))
    ]
    caption = f"{marked(measured(one))}: past each value, later weeks"
    data = table(caption, ["value", view.many, "convert", "95 % range"], rows, name=f"curve-{at}")
    title = f"How many convert past each value: {bare(measured(one))}"
    unit = f"{one['unit'] or 'value'} {past}"
    drawn = twice(lambda width: curve(payload, [], view.per, title, unit, width)) if len(payload) > 1 else ""
    return figure(drawn, _SHAPES.get(one["shape"], ""), data) + _shap(one)


_SHAPES = {
    "step": "To the model it is a step: past one value the score is higher, and more adds little.",
    "saturating": "To the model it levels off: the first ones tell most.",
    "linear": "To the model each one more tells about as much.",
    "none": "The model sees no clear shape in it.",
}


def _shap(one: dict[str, Any]) -> str:
    if not one["shap"]:
        return ""
    rows = [[_value(step["value"]), f"{step['contribution']:+.2f}", f"{step['entities']:,}"] for step in one["shap"]]
    caption = f"{marked(measured(one))}: mean SHAP value, on the model’s own scale"
    return details("What the model adds at each value", table(caption, ["value", "adds", "rows"], rows))


def _value(value: float | str | None) -> str:
    return numbers.number(value) if isinstance(value, int | float) else "none" if value is None else esc(value)
