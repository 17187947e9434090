"""One entity explained for people, on stdout."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_BAR = 14
_MOST = 6
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_COLOURS = {"+": "green", "-": "red", "": "dim"}
_NOT_CAUSES = (
    "Bars are contributions (log-odds), which add up. `points` are percentage points of the probability: what it would "
    "lose or gain without that contribution, each alone, so they need not add up. All of it says what predicts paying, "
    "not what brings it about."
)


def show_explain(console: Console, found: dict[str, Any]) -> None:
    """The probability first, then the way to it, then what speaks for it and against it."""
    say = _Sayer(console)
    model = found["model"]
    say(f"{found['entity']}, as of {found['as_of']} ({model['name']} version {model['version']})", style="bold")
    if not found["at_risk"]:
        say(f"Not at risk ({found['why_not']}): {found['why_not_words']}.", style="yellow")
    if found["probability"] is None:
        return
    says = "It converts" if found["at_risk"] else "What the model would say all the same: it converts"
    say(f"{says} within {found['horizon_words']} with a probability of {found['probability']:.1%}{_beside(found)}.")
    _way(console, found["steps"])
    for title, sign in (("Speaks for it", 1), ("Speaks against it", -1)):
        _behaviours(console, say, title, [b for b in found["behaviours"] if b["contribution"] * sign > 0], found)
    _definition(say, found)
    say(f"\n{_NOT_CAUSES}", style="dim")


def plain(text: str) -> str:
    r"""A text from the data without what a terminal would obey: control characters and changes of direction.

    >>> plain("a\x1b[31mb\nc")
    'a�[31mb�c'
    """
    return "".join("\ufffd" if unicodedata.category(c) == "Cc" or c in _BIDI else c for c in text)


class _Sayer:
    """Prints a line that may hold text from the data, as it is."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, line: str, style: str = "") -> None:
        new = "\n" if line.startswith("\n") else ""
        self._console.print(Text(new + plain(line.removeprefix("\n")), style=style))


def _beside(found: dict[str, Any]) -> str:
    """What the number is to be compared with."""
    parts = [f"score {found['score']:g} of 100", f"{found['average_probability']:.1%} on average"]
    if found["base_rate"] is not None:
        parts.append(f"{found['base_rate']:.1%} of the test period converted")
    return f" ({', '.join(parts)})"


def _way(console: Console, steps: Sequence[dict[str, Any]]) -> None:
    """From the base value to the probability; the last line is what the row says."""
    table = _table("From the base to the probability", "", "points", "")
    widest = max((abs(step["log_odds"]) for step in steps[1:]), default=0.0)
    table.add_row("base, before anything is known", f"{steps[0]['probability']:.1%}", "")
    for step in steps[1:]:
        bar = _bar(step["log_odds"], widest)
        table.add_row({"fit": "fit (traits)"}.get(step["part"], step["part"]), f"{step['effect']:+.1f}", bar)
    table.add_row("probability", Text(f"{steps[-1]['probability']:.1%}", style="bold"), "")
    console.print()
    console.print(table)


def _behaviours(
    console: Console, say: _Sayer, title: str, behaviours: Sequence[dict[str, Any]], found: dict[str, Any]
) -> None:
    widest = max((abs(behaviour["contribution"]) for behaviour in found["behaviours"]), default=0.0)
    if not behaviours:
        say(f"\n{title}: nothing.")
        return
    table = _table(title, "", "points", "")
    for behaviour in behaviours[:_MOST]:
        bar = _bar(behaviour["contribution"], widest)
        words = behaviour["words"].removesuffix(" (+)").removesuffix(" (-)")
        table.add_row(Text(plain(words), overflow="fold"), f"{behaviour['effect']:+.1f}", bar)
    console.print()
    console.print(table)
    more = len(behaviours) - _MOST
    if more > 0:
        say(f"and {more} smaller ones: `--json` lists them", style="dim")


def _definition(say: _Sayer, found: dict[str, Any]) -> None:
    if found["meets_definition"] is None:
        return
    say(f"\nThe definition in force: {'met' if found['meets_definition'] else 'not met'}.")
    for condition in found["conditions"]:
        say(f"  {'met    ' if condition['held'] else 'missing'}  {condition['words']}")


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, header_style="dim", padding=(0, 2, 0, 0)
    )
    for column in columns:
        table.add_column(column, justify="right" if column else "left", no_wrap=bool(column))
    table.columns[-1].min_width = _BAR
    table.columns[-1].no_wrap = True
    return table


def _bar(value: float, widest: float) -> Text:
    """The sign in words as well as in colour."""
    sign = "+" if value > 0 else "-" if value < 0 else ""
    length = round(_BAR * abs(value) / widest) if widest else 0
    return Text("█" * length or ("▏" if sign else ""), style=_COLOURS[sign])
