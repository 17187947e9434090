"""Lines of a commented `pql.yaml`: keys with their reason beside them, wrapped comments, quoted texts."""

from __future__ import annotations

import re
from collections.abc import Iterable

import yaml

_WIDTH = 116
_COMMENT_AT = 40


def line(key: str, value: str, reason: str = "", indent: int = 0) -> str:
    """Format `key: value  # reason` for a text value."""
    return with_reason(f"{key}: {scalar(value)}", reason, indent)


def with_reason(pair: str, reason: str, indent: int = 0) -> str:
    """Put the reason behind a pair of key and value; a reason that is too long goes above."""
    blank = " " * indent
    reason = printable(reason)
    if not reason:
        return blank + pair
    beside = f"{blank + pair:<{_COMMENT_AT}}  # {reason}"
    return beside if len(beside) <= 120 else "\n".join([*comment(reason, blank), blank + pair])


def comment(text: str, indent: str = "") -> list[str]:
    """Wrap a text into comment lines; a line of the text stays one line if it fits."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        current = ""
        for word in re.findall(r"\s*\S+", printable(paragraph)):
            if current and len(indent) + len(current) + len(word) > _WIDTH:
                lines.append(current)
                current = "  "
                word = word.strip()
            current += word
        lines.append(current)
    return [f"{indent}# {line}" for line in lines]


def scalar(text: str) -> str:
    """Format a text as YAML on one line, quoted where necessary."""
    plain = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**9)[1:-2]
    if text == printable(text) and "\n" not in plain:
        return plain
    return str(yaml.safe_dump([text], default_flow_style=True, default_style='"', width=10**9))[1:-2]


def scalars(texts: Iterable[str], flags: bool = False) -> str:
    """Format a list of texts on one line; with `flags`, `true`, `false`, `0` and `1` are not quoted."""
    return f"[{', '.join(text if flags and text in ('true', 'false', '0', '1') else scalar(text) for text in texts)}]"


def printable(text: str) -> str:
    """Replace line breaks and characters that YAML forbids, for comments and notes."""
    return "".join(char if char.isprintable() else " " for char in text)
