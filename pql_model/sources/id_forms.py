"""The spellings of one id that `normalise:` brings together, declared once, and their reading in plain Python."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pql_model.sources.scalars import read_identifier

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
_is_short_salesforce = re.compile("^[A-Za-z0-9]{15}$").search
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def read_entity_id(raw: str, forms: Sequence[str] = ()) -> str | None:
    """Read the id of an entity as the tables of a product do; None if it is missing.

    >>> read_entity_id(" 0012.0 ", ["leading_zeros"]), read_entity_id("12.0"), read_entity_id("null")
    ('12', '12', None)
    """
    identifier = read_identifier(raw)
    return None if identifier is None else normalise_id(identifier, forms)


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


def long_salesforce_id(raw: str) -> str | None:
    """Bring a Salesforce id of 15 or 18 characters to its form of 18; None if it is neither.

    Each of the last three characters holds which letters of five are capitals, so that the id survives tools that ignore case.

    >>> long_salesforce_id("0015000000Gv7qJ"), long_salesforce_id("0015000000Gv7qJAAR"), long_salesforce_id("acc-1")
    ('0015000000Gv7qJAAR', '0015000000Gv7qJAAR', None)
    """
    if _is_salesforce(raw):
        return raw if raw[15:] == _capitals(raw[:15]) else None
    return raw + _capitals(raw) if _is_short_salesforce(raw) else None


def _capitals(short: str) -> str:
    parts = (short[start : start + 5] for start in (0, 5, 10))
    return "".join(_CAPITALS[sum(1 << place for place, c in enumerate(part) if "A" <= c <= "Z")] for part in parts)
