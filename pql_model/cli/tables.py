"""Lines, tables, estimates and shares as every command prints them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pql_model import number_text

Estimate = Mapping[str, Any]
"""`{"value", "low", "high"}`: numbers, or None where unknown."""

_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LONGEST_WORD = 16
_NUMERIC = re.compile(r"|-|[-+]?\d[\d,.]*%?( \([-\d,.]+ to [-\d,.]+\))?|[-\d,.]+ to [-\d,.]+|\d{4}-\d\d(-\d\d)?")


def plain(text: str) -> str:
    r"""Replace the control characters and direction marks that a terminal would interpret.

    >>> plain("a\x1b[31mb\nc")
    'a�[31mb�c'
    """
    return "".join("\ufffd" if unicodedata.category(c) == "Cc" or c in _BIDI else c for c in text)


def say(console: Console, *parts: str | tuple[str, str], style: str = "", gap: bool = False) -> None:
    """Print one line; its parts are texts or (text, style) pairs and are never read as markup.

    Parameters
    ----------
    gap
        Whether to print an empty line first.
    """
    styled = [plain(part) if isinstance(part, str) else (plain(part[0]), part[1]) for part in parts]
    if gap:
        console.print()
    console.print(Text.assemble(*styled, style=style))


def _longest_word(cells: Iterable[Text]) -> int:
    """Width below which a column would break words; of very long ones it may."""
    return min(_LONGEST_WORD, max((len(word) for cell in cells for word in cell.plain.split()), default=1))


def print_table(
    console: Console,
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    gap: bool = True,
    unbroken: Collection[str] = (),
) -> None:
    """Print a table, or nothing if it has no rows. Columns of numbers and dates are aligned to the right and never wrapped.

    Parameters
    ----------
    unbroken
        Other columns whose lines are never wrapped: short words.
    """
    cells = [[cell if isinstance(cell, Text) else Text(plain(cell), overflow="fold") for cell in row] for row in rows]
    if not cells:
        return
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False, show_header=any(columns))
    table.title, table.title_justify, table.title_style = Text(plain(title)) if title else None, "left", "bold"
    for heading, column in zip(columns, zip(*cells, strict=True), strict=True):
        numeric = all(_NUMERIC.fullmatch(cell.plain) for cell in column)
        table.add_column(
            Text(heading),
            justify="right" if numeric else "left",
            no_wrap=numeric or heading in unbroken,
            min_width=None if numeric else _longest_word([Text(heading), *column]),
            overflow="fold",
        )
    for row in cells:
        table.add_row(*row)
    if gap:
        console.print()
    console.print(table)


def bar(share: float, width: int, style: str = "cyan") -> Text:
    """A bar of `share` (0 to 1) of `width` characters."""
    return Text("█" * round(width * share), style=style, no_wrap=True)


def number(value: float | None, digits: int = 3) -> str:
    """A number with a fixed count of decimals, or a dash.

    >>> number(0.7311), number(None)
    ('0.731', '-')
    """
    return "-" if value is None else f"{value:,.{digits}f}"


def estimate(of: Estimate | None, digits: int | None = None, scale: float = 1) -> str:
    """A number with its 95 % interval; by default three decimals, four below 0.05.

    >>> estimate({"value": 0.7311, "low": 0.65, "high": None}), estimate({"value": 31.2, "low": 26, "high": 36}, 0)
    ('0.731 (0.650 to -)', '31 (26 to 36)')
    """
    if of is None or of["value"] is None:
        return "-"
    if digits is None:
        digits = 4 if abs(of["value"]) < 0.05 else 3
    value, low, high = (number(None if of[k] is None else of[k] * scale, digits) for k in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def percent(share: float | None) -> str:
    """A share as a percentage, with one decimal below 10 % and none above.

    >>> percent(0.314), percent(0.0623), percent(None)
    ('31%', '6.2%', '-')
    """
    return "-" if share is None else number_text.percent(share)


def percent_estimate(of: Estimate) -> str:
    """A share as a percentage with its 95 % interval.

    >>> percent_estimate({"value": 0.082, "low": 0.06, "high": 0.11})
    '8.2% (6.0 to 11.0)'
    """
    if of["value"] is None:
        return "-"
    digits = 1 if of["value"] < 0.1 else 0
    return f"{of['value']:.{digits}%} ({number(100 * of['low'], digits)} to {number(100 * of['high'], digits)})"
