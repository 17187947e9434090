"""One message about all leads of a run, for people: the best ones described, the others counted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pql_model.activate.flat import next_step_text, reasons_text
from pql_model.activate.lead import Lead
from pql_model.number_text import percent
from pql_model.time import to_datetime

_SECTION_CHARACTERS = 2_900  # Slack refuses a section of more than 3,000
_NAME_CHARACTERS = 150


def digest_title(product: str, leads: int) -> str:
    """Title of the message."""
    return f"{leads:,} new {'lead' if leads == 1 else 'leads'} from {product}"


def digest_text(product: str, leads: Sequence[Lead], total: int) -> str:
    """Write the message as plain text.

    Parameters
    ----------
    leads
        Those described, the best first.
    total
        How many there are.
    """
    parts = ["\n".join([lead.entity, *(f"  {line}" for line in _lines(lead))]) for lead in leads]
    return "\n\n".join([digest_title(product, total), *parts, *_more(len(leads), total)])


def slack_body(product: str, leads: Sequence[Lead], total: int) -> bytes:
    """Write the message for an incoming webhook of Slack. What comes from the data cannot become markup, a link or a mention."""
    title = escape_slack(digest_title(product, total))
    blocks = [_section(f"*{title}*")]
    for lead in leads:
        lines = [f"*{_name(lead.entity)}*", *(escape_slack(line) for line in _lines(lead))]
        blocks.append(_section("\n".join(lines)))
    blocks += [_section(text) for text in _more(len(leads), total)]
    return json.dumps({"text": title, "blocks": blocks}, ensure_ascii=False).encode()


def escape_slack(text: str) -> str:
    """Escape the characters that Slack reads as markup of links and mentions.

    >>> escape_slack("<!channel> R&D")
    '&lt;!channel&gt; R&amp;D'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _name(entity: str) -> str:
    """A name in bold: cut, on one line, and without the signs that would end the bold text."""
    one_line = " ".join(entity.split())
    cut = one_line if len(one_line) <= _NAME_CHARACTERS else f"{one_line[:_NAME_CHARACTERS]}…"
    return escape_slack(cut.translate({ord(sign): "\u2217" if sign == "*" else "'" for sign in "*`"}))


def _section(text: str) -> dict[str, Any]:
    shown = text if len(text) <= _SECTION_CHARACTERS else f"{text[:_SECTION_CHARACTERS]}…"
    return {"type": "section", "text": {"type": "mrkdwn", "text": shown}}


def _lines(lead: Lead) -> Iterator[str]:
    row = lead.row
    probability, contact = row.get("probability"), (row.get("contact") or {}).get("user")
    if probability is not None:
        yield f"{percent(probability)} likely to convert ({row.get('band')}), since {to_datetime(lead.qualified_at):%Y-%m-%d}"
    if contact:
        yield f"Contact: {contact}"
    if reasons := reasons_text(row):
        yield f"Why: {reasons}"
    if step := next_step_text(row):
        yield f"Next step: {step}"


def _more(described: int, total: int) -> list[str]:
    return [f"And {total - described:,} more."] if total > described else []
