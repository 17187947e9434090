"""HTML by small functions. Whatever comes from the data passes through `esc` first."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pql_model.report import numbers

# control and bidirectional marks: an event name must not reverse the sentence it stands in
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def esc(text: object) -> str:
    """Text for an element or a quoted attribute.

    >>> esc('<b> & "x"')
    '&lt;b&gt; &amp; &quot;x&quot;'
    """
    return html.escape(_UNPRINTABLE.sub("\ufffd", str(text)))


def marked(text: object) -> str:
    """Text whose names in backticks stand out.

    >>> marked("at least 5 `Board Created`")
    'at least 5 <b>Board Created</b>'
    """
    return re.sub("`([^`]+)`", r"<b>\1</b>", esc(text))


def bare(text: object) -> str:
    """The same without any marks, for a chart.

    >>> bare("at least 5 `Board Created`")
    'at least 5 Board Created'
    """
    return str(text).replace("`", "")


def tag(name: str, inner: str = "", **attributes: object) -> str:
    """An element; `class_` stands for `class`, `data_key` for `data-key`, None leaves an attribute out.

    >>> tag("p", "a &lt; b", class_="note", hidden=True, id=None)
    '<p class="note" hidden>a &lt; b</p>'
    """
    return f"<{name}{_attributes(attributes)}>{inner}</{name}>"


def _attributes(attributes: dict[str, object]) -> str:
    found = []
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        key = name.rstrip("_").replace("_", "-")
        found.append(f" {key}" if value is True else f' {key}="{esc(value)}"')
    return "".join(found)


def paragraph(*parts: str, class_: str | None = None) -> str:
    """Sentences as one paragraph; empty ones are left out."""
    text = " ".join(part for part in parts if part)
    return tag("p", text, class_=class_) if text else ""


def section(name: str, heading: str, *parts: str, above: str = "") -> str:
    """One section of the page, headed by its finding; `above` stands over the heading."""
    return tag(
        "section", above + tag("h2", heading, id=f"{name}-h") + "".join(parts), id=name, aria_labelledby=f"{name}-h"
    )


@dataclass(frozen=True)
class TableCell:
    """A cell of a table: what it shows, and the number it sorts by."""

    html: str
    value: float | None = None


def table(
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str | TableCell]],
    *,
    sortable: bool = False,
    name: str = "",
) -> str:
    """A table in a region that scrolls by itself; the first cell of each row is its heading. All is HTML already."""
    head = "".join(tag("th", heading, scope="col") for heading in headings)
    body = "".join(_row(row) for row in rows)
    inner = tag("caption", caption) + tag("thead", tag("tr", head)) + tag("tbody", body)
    return tag(
        "div",
        tag("table", inner, data_sortable=sortable, data_table=name or None),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=plain(caption),
    )


def _row(row: Sequence[str | TableCell]) -> str:
    cells = [cell if isinstance(cell, TableCell) else TableCell(cell) for cell in row]
    found = [
        tag("th" if at == 0 else "td", cell.html, scope="row" if at == 0 else None, data_value=cell.value)
        for at, cell in enumerate(cells)
    ]
    return tag("tr", "".join(found))


def details(summary: str, *inner: str) -> str:
    """Something folded away; it opens without a script, and when printed."""
    return tag("details", tag("summary", summary) + "".join(inner))


def figure(chart: str, caption: str, data: str, class_: str | None = None) -> str:
    """A picture, what it shows in words, and its numbers as a table."""
    folded = details("The numbers behind this picture", data) if data else ""
    return tag("figure", chart + tag("figcaption", caption) + folded, class_=class_)


def plain(marked: str) -> str:
    """The text of a piece of HTML.

    >>> plain("<b>a &lt; b</b>")
    'a < b'
    """
    return html.unescape(re.sub(r"<[^>]*>", "", marked))


def data_block(name: str, content: Any) -> str:
    """JSON inside the page; no text in it can end the element."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    harmless = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{harmless}</script>'


class Facts:
    """The numbers of the growth object, each printed in a `<span>` that names its place there.

    >>> facts = Facts({"base": {"later": {"value": 0.061, "low": 0.05, "high": 0.07}}})
    >>> facts.say("base.later.value", "of")
    '<span data-key="base.later.value" data-as="of">6</span>'
    """

    def __init__(self, growth: dict[str, Any], per: int = 100) -> None:
        self.growth = growth
        self.per = per

    def get(self, key: str) -> Any:
        """The value at a dotted place."""
        at: Any = self.growth
        for part in key.split("."):
            at = at[int(part)] if isinstance(at, list) else at[part]
        return at

    def say(self, key: str, how: str) -> str:
        """The number at `key`, said in one of the ways of `WAYS`."""
        return tag("span", esc(WAYS[how](self.get(key), self.per)), data_key=key, data_as=how)

    def about(self, key: str) -> str:
        """`about 31 of 100`, of an estimate."""
        return self.say(f"{key}.value", "about")

    def likely(self, key: str) -> str:
        """`(likely range 26 to 36)`, of an estimate; the reader knows from the number beside it that it is `of 100`."""
        return f"(likely range {self.say(key, 'span')})"


WAYS: dict[str, Callable[[Any, int], str]] = {
    "of": numbers.of,
    "about": numbers.about,
    "span": numbers.span,
    "of_100": lambda value, per: numbers.of(value),
    "span_of_100": lambda value, per: numbers.span(value),
    "left": numbers.left_over,
    "percent": lambda value, per: numbers.percent(value),
    "percent_span": lambda value, per: numbers.percent_span(value),
    "number": lambda value, per: numbers.number(value),
    "number_span": lambda value, per: numbers.number_span(value),
    "two": lambda value, per: "unknown" if value is None else f"{value:.2f}",
    "two_span": lambda value, per: "unknown" if value["low"] is None else f"{value['low']:.2f} to {value['high']:.2f}",
    "p": lambda value, per: "unknown" if value is None else "below 0.001" if value < 0.001 else f"{value:.3f}",
    "count": lambda value, per: f"{value:,}",
    "day": lambda value, per: numbers.day(value),
}
