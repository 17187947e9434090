"""The charts of the monitor's page: predicted against observed, by month and by band."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from pql_model.monitoring.realised import Outcome
from pql_model.page import numbers
from pql_model.page.svg import (
    NARROW,
    Scale,
    axis_left,
    band_up,
    both_widths,
    dot,
    picture,
    text,
    ticks,
)

_SHOWN, _SHOWN_NARROW = 14, 5
"""Labels under the axis."""


def predicted_observed(groups: Sequence[Outcome], title: str) -> Markup:
    """Observed rates with intervals (filled circles) and predicted ones (open squares), side by side."""
    return both_widths(lambda width: _draw(groups, title, width))


def _draw(groups: Sequence[Outcome], title: str, width: int) -> Markup:
    height, left, right, top = 220, 46.0, width - 8.0, 30.0
    tops = [max(group.observed.high if not math.isnan(group.observed.high) else 0, group.predicted) for group in groups]
    scale = ticks(max([*tops, 0.001]), 4)
    to_y = Scale(0, scale[-1], height - 30, top)
    gap = (right - left) / max(len(groups), 1)
    aside = min(9.0, gap / 5)
    marks: list[str] = []
    every = max(1, math.ceil(len(groups) / (_SHOWN_NARROW if width == NARROW else _SHOWN)))
    for at, group in enumerate(groups):
        x = left + gap * (at + 0.5)
        if at % every == 0:
            marks.append(text(x, height - 10, group.name.replace("_", " "), "t dim", "middle"))
        marks += [
            band_up(group.observed.to_dict(), x + aside, to_y, "rule", min(9.0, gap / 3)),
            dot(x + aside, to_y(group.observed.value), "rule", 4),
            dot(x - aside, to_y(group.predicted), "all", 4),
        ]
    return picture(
        width,
        height,
        title,
        text(0, 12, "converted", "t dim"),
        axis_left(to_y, left, [(at, numbers.percent(at)) for at in scale], right),
        *marks,
    )
