"""The spellings of one id that `normalise:` brings together, declared once, and their reading in plain Python."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WIDE = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
INNER = "[\u200b\u200c\u200d\u2060\ufeff]"
EDGES = f"^[\\t\\n\\x0b\\f\\r {_WIDE}]+|[\\t\\n\\x0b\\f\\r {_WIDE}]+$"
"""Characters without width, and spaces of any kind at both ends."""
BRACKETS = r"""^[\["'({ ]+|[\]"')} ]+$"""
SALESFORCE = "^[A-Za-z0-9]{15}[A-Z0-5]{3}$"
"""The long form of a Salesforce id: its short form and three characters that repeat its capitals."""
ZEROS = "^0+([0-9])"

_inner, _edges, _brackets, _zeros = (re.compile(pattern).sub for pattern in (INNER, EDGES, BRACKETS, ZEROS))
_is_salesforce = re.compile(SALESFORCE).search


def normalise_id(raw: str, forms: Sequence[str]) -> str | None:
    """Bring an id to one spelling; None if nothing is left.

    >>> normalise_id("0012", ["leading_zeros"]), normalise_id('["Acme"]', ["brackets", "case"])
    ('12', 'acme')
    >>> normalise_id("0015000000Gv7qJAAR", ["salesforce"])
    '0015000000Gv7qJ'
    """
    if "spaces" in forms:
        raw = _edges("", _inner("", raw))
    if "brackets" in forms:
        raw = _brackets("", raw)
    if "salesforce" in forms and _is_salesforce(raw):
        raw = raw[:15]
    if "leading_zeros" in forms:
        raw = _zeros(r"\1", raw)
    if "case" in forms:
        raw = raw.lower()
    return raw or None
