"""The report's charts: dots with intervals, curves, weeks, calibration, icon arrays, quantile dotplots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pql_model.page import numbers
from pql_model.page.numbers import Estimate
from pql_model.page.svg import (
    NARROW,
    Scale,
    axis_below,
    axis_left,
    band_across,
    band_up,
    box,
    coordinate,
    dot,
    line,
    path,
    picture,
    text,
    ticks,
)

_WEEKS_SHOWN = 8
_LETTER = 6.6  # mean width of a letter of the charts' 12 px, to cut what would not fit


@dataclass(frozen=True)
class Mark:
    """One estimate of a series: `kind` is rule, today, all or few."""

    estimate: Estimate
    kind: str
    text: str


def dots(rows: Sequence[tuple[str, Sequence[Mark]]], per: int, title: str, width: int) -> Markup:
    """Rows of dots with graded bands on one scale, with the numbers beside the marks."""
    aside = 116 if width == NARROW else 170
    tops = [mark.estimate["high"] or mark.estimate["value"] or 0 for _, marks in rows for mark in marks]
    scale = ticks(max([*tops, 0.001]), 3 if width == NARROW else 5)
    to_x = Scale(0, scale[-1], 8, width - aside)
    y, elements = 4.0, []
    for label, marks in rows:
        y += 14
        elements.append(text(0, y, cut(label, width), "t strong"))
        for mark in marks:
            y += 20
            if mark.estimate["value"] is not None and mark.kind != "few":
                elements += [
                    band_across(mark.estimate, to_x, y - 4, mark.kind),
                    dot(to_x(mark.estimate["value"]), y - 4, mark.kind),
                ]
            elements.append(text(width - aside + 12, y, mark.text, "t dim" if mark.kind == "few" else "t"))
        y += 14
    axis = axis_below(to_x, y, _rates(scale, per), 8, f"how many of {per:,} convert")
    return picture(width, y + 40, title, axis, *elements)


def cut(label: str, width: float) -> str:
    """Shorten a label so that it stays inside its chart; the table below has all of it.

    >>> cut("abcdefghijkl", 50)
    'abcdef…'
    """
    max_letters = int(width / _LETTER)
    return label if len(label) <= max_letters else f"{label[: max_letters - 1].rstrip()}…"


@dataclass(frozen=True)
class Point:
    """A labelled point on a curve."""

    x: float
    estimate: Estimate
    kind: str
    label: str


def curve(
    line_: Sequence[tuple[float, Estimate]], points: Sequence[Point], per: int, title: str, name: str, width: int
) -> Markup:
    """A rate against a threshold or a volume, with its interval and labelled points."""
    height, left, right, top = 236, 40.0, width - 12.0, 26.0
    extent = [*line_, *((point.x, point.estimate) for point in points)]
    scale = ticks(max([e["high"] or e["value"] or 0 for _, e in extent] + [0.001]), 4)
    across = ticks(max([x for x, _ in extent] + [1]), 4 if width == NARROW else 6)
    low = 0.0 if min([x for x, _ in extent] + [0]) >= 0 else min(x for x, _ in extent)
    to_x, to_y = Scale(low, across[-1], left, right), Scale(0, scale[-1], height - 44, top)
    values = [(to_x(x), e) for x, e in line_ if e["value"] is not None]
    area = [(x, to_y(e["high"])) for x, e in values if e["high"] is not None]
    area += [(x, to_y(e["low"])) for x, e in reversed(values) if e["low"] is not None]
    marks = [path(area, "band rule", closed=True), path([(x, to_y(e["value"])) for x, e in values], "line rule")]
    marks += [_labelled(point, to_x, to_y, width) for point in points if point.estimate["value"] is not None]
    return picture(
        width,
        height,
        title,
        text(0, 12, f"of {per:,} convert", "t dim"),
        axis_left(to_y, left, _rates(scale, per), right),
        axis_below(to_x, height - 44, [(at, numbers.number(at)) for at in across], height - 48, name),
        *(marks if values else marks[2:]),
    )


def _labelled(point: Point, to_x: Scale, to_y: Scale, width: int) -> str:
    x, y = to_x(point.x), to_y(point.estimate["value"])
    to_the_left, below = x > width * 0.6, point.kind == "today"
    at = x - 12 if to_the_left else x + 12
    return (
        band_up(point.estimate, x, to_y, point.kind)
        + dot(x, y, point.kind)
        + text(at, y + 18 if below else y - 8, point.label, "t strong halo", "end" if to_the_left else "start")
    )


@dataclass(frozen=True)
class Period:
    """One week or month of sign-ups; an estimate is None where there are too few."""

    label: str
    finished: bool
    rule: Estimate | None
    today: Estimate | None
    everyone: Estimate | None


def over_time(rows: Sequence[Period], later: int, per: int, title: str, width: int) -> Markup:
    """The rates of the rule, of today's rule and of everyone, period by period; unfinished ones are hatched and have no mark.

    `later` is the index of the first period that was not used to choose the rule.
    """
    height, left, right, top = 220, 40.0, width - 8.0, 26.0
    tops = [e["high"] or 0 for row in rows if row.finished for e in (row.rule, row.today, row.everyone) if e]
    scale = ticks(max([*tops, 0.001]), 4)
    to_y = Scale(0, scale[-1], height - 36, top)
    gap = (right - left) / max(len(rows), 1)
    thick = min(8.0, gap / 4)
    marks: list[str] = []
    labels: list[str] = []
    if 0 < later < len(rows):
        x = left + gap * later
        marks += [line(x, top - 8, x, height - 36, "line all dashed"), text(x + 5, 14, "later", "t dim")]
    every = max(1, math.ceil(len(rows) / (_WEEKS_SHOWN if width != NARROW else 4)))
    for at, row in enumerate(rows):
        x = left + gap * (at + 0.5)
        if at % every == 0:
            labels.append(text(x, height - 18, row.label, "t dim", "middle"))
        if not row.finished:
            marks.append(_hatched(x - gap / 2, top, gap, height - 36 - top))
            continue
        if row.everyone:
            marks.append(dot(x, to_y(row.everyone["value"]), "all", min(4, thick / 2 + 1)))
        for estimate, kind, shift in ((row.today, "today", thick), (row.rule, "rule", -thick)):
            if estimate:
                marks += [
                    band_up(estimate, x + shift, to_y, kind, thick),
                    dot(x + shift, to_y(estimate["value"]), kind, min(5, thick / 2 + 1)),
                ]
    return picture(
        width,
        height,
        title,
        text(0, 12, f"of {per:,} convert", "t dim"),
        axis_left(to_y, left, _rates(scale, per), right),
        *marks,
        *labels,
    )


def _hatched(x: float, y: float, width: float, height: float) -> str:
    """Slanted lines inside a box. An SVG pattern would need a name that is unique in the page."""
    lines = [box(x, y, width, height, "unfinished")]
    at = y + 8
    while at < y + height:
        lines.append(line(x, at, x + width, max(at - width, y), "hatch"))
        at += 8
    return "".join(lines)


def calibration(groups: Sequence[tuple[float, Estimate]], per: int, title: str, width: int) -> Markup:
    """Predicted against observed rates; a calibrated model lies on the line."""
    side = min(width, 380)
    scale = ticks(max([*(p for p, _ in groups), *(e["high"] or 0 for _, e in groups), 0.001]), 4)
    to_x, to_y = Scale(0, scale[-1], 40, side - 14), Scale(0, scale[-1], side - 90, 26)
    marks = [line(to_x(0), to_y(0), to_x(scale[-1]), to_y(scale[-1]), "line all dashed")]
    for predicted, observed in groups:
        if observed["value"] is not None:
            marks += [
                band_up(observed, to_x(predicted), to_y, "rule"),
                dot(to_x(predicted), to_y(observed["value"]), "rule", 4),
            ]
    return picture(
        side,
        side - 46,
        title,
        text(0, 12, f"converted, of {per:,}", "t dim"),
        axis_left(to_y, 40, _rates(scale, per), side - 14),
        axis_below(to_x, side - 90, _rates(scale, per), side - 94, f"predicted, of {per:,}"),
        *marks,
    )


def icons(rate: float, per: int, title: str) -> Markup:
    """A hundred people (or a thousand); those who convert are filled."""
    across, size = (10, 17.0) if per == 100 else (40, 6.0)
    converted = math.floor(rate * per + 0.5)
    places = [(size * (at % across), size * (at // across)) for at in range(per)]
    side = size * 0.76
    squares = [
        f"M{coordinate(x)} {coordinate(y)}h{coordinate(side)}v{coordinate(side)}h-{coordinate(side)}z"
        for x, y in places
    ]
    marks = [f'<path d="{"".join(squares[:converted])}" class="icon yes"/>'] if converted else []
    marks += [f'<path d="{"".join(squares[converted:])}" class="icon no"/>'] if converted < per else []
    return picture(across * size, size * math.ceil(per / across), title, *marks)


def futures(conversions: int, qualified: int, leads: int = 100, count: int = 50) -> list[int]:
    """How many of the next `leads` may convert: quantiles of the beta-binomial with Jeffreys' prior.

    >>> futures(300, 1000)[0], futures(300, 1000)[24], futures(300, 1000)[-1]
    (19, 30, 41)
    """
    a, b = conversions + 0.5, qualified - conversions + 0.5
    logs = [
        _log_beta(k + a, leads - k + b) - _log_beta(a, b) - math.log(leads + 1) - _log_beta(k + 1, leads - k + 1)
        for k in range(leads + 1)
    ]
    quantiles, k, below = [], 0, math.exp(logs[0])
    for at in range(count):
        while below < (at + 0.5) / count and k < leads:
            k += 1
            below += math.exp(logs[k])
        quantiles.append(k)
    return quantiles


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def dotplot(values: Sequence[int], title: str, name: str, width: int) -> Markup:
    """Fifty equally likely outcomes, stacked (quantile dotplot: Fernandes et al., CHI 2018)."""
    low, high = min(values), max(values)
    bins = 14 if width == NARROW else 24
    bin_width = max(1, math.ceil((high - low + 1) / bins))
    to_x = Scale(low, max(high, low + 1), 20, width - 20)
    stacks: dict[int, int] = {}
    for value in values:
        at = low + (value - low) // bin_width * bin_width
        stacks[at] = stacks.get(at, 0) + 1
    radius = min(6.0, (width - 40) / max((high - low) / bin_width, 1) / 2 - 0.5)
    base = 2 * radius * max(stacks.values()) + 12
    marks = [
        dot(to_x(at), base - radius * (2 * up + 1) - 2, "rule", radius - 0.5)
        for at, tall in stacks.items()
        for up in range(tall)
    ]
    across = sorted({low, values[len(values) // 2], high})
    axis = axis_below(to_x, base, [(at, str(at)) for at in across], base - 4, name)
    return picture(width, base + 40, title, axis, *marks)


def _rates(scale: Sequence[float], per: int) -> list[tuple[float, str]]:
    return [(at, numbers.number(at * per)) for at in scale]
