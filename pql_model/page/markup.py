"""Text from the data made safe and readable: escaped, without control characters, its names set off."""

from __future__ import annotations

import json
import re
from typing import Any

from markupsafe import Markup
from markupsafe import escape as escape_html

# control and bidirectional marks: an event name must not reverse the sentence around it
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def without_controls(text: str) -> str:
    r"""Replace control characters and marks that change the direction of writing.

    >>> without_controls("a\u202eb")
    'a�b'
    """
    return _CONTROLS.sub("\ufffd", text)


def escape(text: object) -> Markup:
    """Text for an element or a quoted attribute.

    >>> escape("<b> & x")
    Markup('&lt;b&gt; &amp; x')
    """
    return escape_html(without_controls(str(text)))


def names(text: object) -> Markup:
    """Escape a text and set its names in backticks off.

    >>> names("at least 5 `Board Created`")
    Markup('at least 5 <b>Board Created</b>')
    """
    return Markup(re.sub("`([^`]+)`", r"<b>\1</b>", str(escape(text))))  # noqa: S704 (escaped)


def without_backticks(text: object) -> str:
    """The text for a chart, which has no bold names.

    >>> without_backticks("at least 5 `Board Created`")
    'at least 5 Board Created'
    """
    return str(text).replace("`", "")


def capitalise(text: str) -> Markup:
    """Start with a capital letter, even if the first letter is inside an element.

    >>> capitalise(Markup("<b>at</b> least")), capitalise("at least")
    (Markup('<b>At</b> least'), Markup('At least'))
    """
    first = re.compile(r"^((?:<[^>]*>)*)([^<&])")
    return Markup(first.sub(lambda match: match[1] + match[2].upper(), str(escape_html(text))))  # noqa: S704 (escaped)


def json_block(content: Any) -> Markup:
    """JSON for a `<script type="application/json">`; no text in it can end the element."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 (escaped)
