"""Scored rows with one plain value per column, as spreadsheets and CRM importers take them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pql_model.time import parse_instant, timestamp

_FORMULA = re.compile(r"[=\t\r]|[-+@].*[(|!]", re.DOTALL)
_AS_THEY_ARE = (
    *("entity", "as_of", "probability", "score", "expected_value", "band", "is_pql", "newly_qualified"),
    *("usage", "fit", "timing"),
)
_REST = ("meets_definition", "meets_in_force", "suppressed", "model_version", "feature_set", "scored_at")
FLAT_COLUMNS = (
    *_AS_THEY_ARE,
    *("reasons", "contact", "contact_share", "contact_last_seen", "brought_in_by", "other_contacts"),
    *("next_step", "next_step_gain", "criteria_met"),
    *_REST,
)
"""The columns of a csv, in order. A column that a score lacks is empty."""


def flat_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a scored row.

    >>> flat_row({"entity": "a1", "reasons": [{"words": "3 invited"}, {"words": "5 files"}]})["reasons"]
    '3 invited; 5 files'
    """
    contact = row.get("contact") or {}
    others = [c["user"] for c in row.get("contacts") or [] if c.get("user") != contact.get("user")]
    return {
        **{name: row.get(name) for name in _AS_THEY_ARE},
        "as_of": _moment(row.get("as_of")),
        "reasons": reasons_text(row),
        "contact": contact.get("user"),
        "contact_share": contact.get("share"),
        "contact_last_seen": _moment(contact.get("last_seen")),
        "brought_in_by": contact.get("brought_in_by"),
        "other_contacts": "; ".join(map(str, others)) or None,
        "next_step": next_step_text(row),
        "next_step_gain": _gain(row),
        "criteria_met": "; ".join(str(c.get("text", c.get("id"))) for c in row.get("criteria_met") or []) or None,
        **{name: row.get(name) for name in _REST},
        "scored_at": _moment(row.get("scored_at")),
    }


def _moment(text: str | None) -> str | None:
    """One form for all instants of a column, which an answer of the service shortens at midnight."""
    return None if text is None else timestamp(parse_instant(text))


def reasons_text(row: Mapping[str, Any]) -> str | None:
    """Join the reasons of a row into one text."""
    return "; ".join(str(reason.get("words", "")) for reason in row.get("reasons") or []) or None


def next_step_text(row: Mapping[str, Any]) -> str | None:
    """Get the words of the next step, which rows of older versions lack."""
    step = row.get("next_step")
    return str(step["words"]) if isinstance(step, Mapping) and step.get("words") else None


def _gain(row: Mapping[str, Any]) -> float | None:
    step = row.get("next_step")
    gain = step.get("gain") if isinstance(step, Mapping) else None
    return gain.get("value") if isinstance(gain, Mapping) else gain


def safe_cell(value: Any) -> Any:
    r"""Keep a spreadsheet from running a text as a formula: names come from whoever signed up.

    >>> safe_cell('=HYPERLINK("http://x")'), safe_cell("-5"), safe_cell("+49 151 1234"), safe_cell("@ada")
    ('\'=HYPERLINK("http://x")', '-5', '+49 151 1234', '@ada')
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
