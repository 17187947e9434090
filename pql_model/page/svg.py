"""The shapes of charts, as SVG that prints, needs no script and follows the theme."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pql_model.page.markup import escape
from pql_model.page.numbers import Estimate
from pql_model.statistics.estimate import Z95

WIDE, NARROW = 720, 320
"""Charts are drawn in two widths, for desktop and phone, since a scaled-down picture is not readable."""

_MIDDLE_HALF = 0.6745 / Z95
"""Where the middle 50 % of a normal distribution ends, as a share of the way to the ends of its 95 %."""


def both_widths(draw: Callable[[int], Markup]) -> Markup:
    """Draw a chart at both widths; the style sheet shows one of them."""
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(draw(WIDE), draw(NARROW))


def picture(width: float, height: float, title: str, *marks: str) -> Markup:
    """A chart; its title is the finding, which screen readers read."""
    return Markup(  # noqa: S704 (`text` escapes)
        f'<svg viewBox="0 0 {coordinate(width)} {coordinate(height)}" width="{coordinate(width)}" height="{coordinate(height)}" role="img">'
        f"<title>{escape(title)}</title>{''.join(marks)}</svg>"
    )


@dataclass(frozen=True)
class Scale:
    """A linear scale from values to coordinates.

    >>> Scale(0, 10, 100, 200)(5)
    150.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return (self.start + self.end) / 2
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def coordinate(value: float) -> str:
    """A coordinate, as short as a tenth of a pixel allows.

    >>> coordinate(12.04), coordinate(-0.01)
    ('12', '0')
    """
    return f"{round(value, 1) + 0.0:g}"


def ticks(high: float, at_most: int) -> list[float]:
    """Round numbers from 0 to `high` or the next above it.

    >>> ticks(0.37, 4), ticks(9, 5)
    ([0.0, 0.1, 0.2, 0.3, 0.4], [0, 2, 4, 6, 8, 10])
    """
    if high <= 0:
        return [0.0, 1.0]
    power = 10 ** math.floor(math.log10(high / at_most))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power * at_most >= high * (1 - 1e-9))
    return [round(at * step, 10) for at in range(math.ceil(high / step - 1e-9) + 1)]


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line."""
    return f'<line x1="{coordinate(x1)}" y1="{coordinate(y1)}" x2="{coordinate(x2)}" y2="{coordinate(y2)}" class="{kind}"/>'


def box(x: float, y: float, width: float, height: float, kind: str, **attributes: str) -> str:
    """A rectangle."""
    extra = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    size = f'width="{coordinate(max(width, 0))}" height="{coordinate(max(height, 0))}"'
    return f'<rect x="{coordinate(x)}" y="{coordinate(y)}" {size} class="{kind}"{extra}/>'


def text(x: float, y: float, label: str, kind: str = "t", anchor: str = "start") -> str:
    """A label."""
    return f'<text x="{coordinate(x)}" y="{coordinate(y)}" class="{kind}" text-anchor="{anchor}">{escape(label)}</text>'


def path(points: Sequence[tuple[float, float]], kind: str, closed: bool = False) -> str:
    """A line through points, or the area inside it."""
    commands = " ".join(f"{'L' if at else 'M'}{coordinate(x)} {coordinate(y)}" for at, (x, y) in enumerate(points))
    return f'<path d="{commands}{"Z" if closed else ""}" class="{kind}"/>'


def dot(x: float, y: float, kind: str, size: float = 5) -> str:
    """The mark of a series. Each series has its own shape, so that no reader depends on colour.

    rule: filled circle. today: filled diamond. all: open square. few: small open circle.
    """
    if kind == "today":
        corners = [(x, y - size - 1), (x + size + 1, y), (x, y + size + 1), (x - size - 1, y)]
        return path(corners, "dot today", closed=True)
    if kind == "all":
        return box(x - size + 0.5, y - size + 0.5, 2 * size - 1, 2 * size - 1, "dot all")
    return f'<circle cx="{coordinate(x)}" cy="{coordinate(y)}" r="{coordinate(3.5 if kind == "few" else size)}" class="dot {kind}"/>'


def band_across(estimate: Estimate, to_x: Scale, y: float, kind: str, thick: float = 12) -> str:
    """A horizontal interval, the middle half darker."""
    (low, high), (inner_low, inner_high) = ends(estimate)
    return box(to_x(low), y - thick / 2, to_x(high) - to_x(low), thick, f"band {kind}", rx="3") + box(
        to_x(inner_low), y - thick / 2, to_x(inner_high) - to_x(inner_low), thick, f"half {kind}"
    )


def band_up(estimate: Estimate, x: float, to_y: Scale, kind: str, thick: float = 8) -> str:
    """A vertical interval, the middle half darker."""
    (low, high), (inner_low, inner_high) = ends(estimate)
    return box(x - thick / 2, to_y(high), thick, to_y(low) - to_y(high), f"band {kind}", rx="3") + box(
        x - thick / 2, to_y(inner_high), thick, to_y(inner_low) - to_y(inner_high), f"half {kind}"
    )


def ends(estimate: Estimate) -> tuple[tuple[float, float], tuple[float, float]]:
    """The ends of the 95 % interval and of its middle half.

    >>> ends({"value": 0.5, "low": 0.5, "high": 0.7})
    ((0.5, 0.7), (0.5, 0.568...))
    """
    value = float(estimate["value"])
    low = value if estimate["low"] is None else float(estimate["low"])
    high = value if estimate["high"] is None else float(estimate["high"])
    half = (value - _MIDDLE_HALF * (value - low), value + _MIDDLE_HALF * (high - value))
    return (low, high), half


def axis_below(to_x: Scale, y: float, marks: Sequence[tuple[float, str]], top: float, name: str = "") -> str:
    """Numbers under a chart, with faint lines up to `top`."""
    elements = [
        line(to_x(at), top, to_x(at), y, "grid") + text(to_x(at), y + 16, label, "t dim", "middle")
        for at, label in marks
    ]
    title = [text((to_x.start + to_x.end) / 2, y + 34, name, "t dim", "middle")] if name else []
    return "".join([*elements, *title])


def axis_left(to_y: Scale, x: float, marks: Sequence[tuple[float, str]], right: float) -> str:
    """Numbers beside a chart, with faint lines to `right`."""
    return "".join(
        line(x, to_y(at), right, to_y(at), "grid") + text(x - 6, to_y(at) + 4, label, "t dim", "end")
        for at, label in marks
    )
