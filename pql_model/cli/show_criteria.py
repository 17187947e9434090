"""A definition and what came of it, for people, on stdout."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_BAR = 24
_Estimate = dict[str, Any]


def show_definition(console: Console, payload: dict[str, Any]) -> None:
    """The rule, its figures on all, earlier and later rows, and by month."""
    console.print(f"\n[bold]{escape(payload['definition']['text'])}[/]", highlight=False)
    console.print(f"{escape(payload['rows'])}\n", style="dim", highlight=False)
    console.print(escape(payload["words"]), highlight=False)
    for note in payload["notes"]:
        console.print(f"[yellow]Note:[/] {escape(note)}", highlight=False)
    parts = {"all": payload["tested"], "earlier": payload["earlier"], "later": payload["later"]}
    _figures(console, {name: part for name, part in parts.items() if part is not None})
    _months(console, payload["tested"]["months"])


def _figures(console: Console, parts: dict[str, dict[str, Any]]) -> None:
    per = _per([part[name] for part in parts.values() for name in ("rate", "base_rate")])
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("", *parts):
        table.add_column(name, no_wrap=True)
    payload = parts.values()
    table.add_row("meet it", *(f"{p['qualified']:,} of {p['rows']:,}" for p in payload))
    table.add_row(f"of {per:,} of them convert", *(_span(p["rate"], per) for p in payload), style="bold")
    table.add_row(f"of {per:,} of all convert", *(_span(p["base_rate"], per) for p in payload))
    table.add_row("lift", *(_span(p["lift"], 1, 1) for p in payload))
    table.add_row("% of conversions caught", *(_span(p["recall"], 100) for p in payload))
    table.add_row("leads a week", *(_span(p["leads_per_week"], 1) for p in payload))
    console.print()
    console.print(table)
    console.print("In brackets the 95 % interval; of leads a week the lowest and the highest week.", style="dim")
    for name, part in parts.items():
        if part["note"] is not None:
            console.print(f"[yellow]{name}: {part['note']}[/]", highlight=False)


def _months(console: Console, months: list[dict[str, Any]]) -> None:
    per = _per([month["rate"] for month in months])
    top = max([month["rate"]["value"] or 0.0 for month in months], default=0.0) or 1.0
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("month", "meet it", "convert", f"of {per:,}", ""):
        table.add_column(name, justify="right" if name in ("meet it", "convert") else "left", no_wrap=True)
    for month in months:
        bar = "█" * round(_BAR * (month["rate"]["value"] or 0.0) / top)
        counts = (f"{month[name]:,}" for name in ("qualified", "conversions"))
        table.add_row(month["month"], *counts, _span(month["rate"], per), f"[cyan]{bar}[/]")
    console.print()
    console.print(table)


def _per(rates: list[_Estimate]) -> int:
    """100, or 1,000 where every rate is below 1 %."""
    known = [rate["value"] for rate in rates if rate["value"] is not None]
    return 1000 if known and max(known) < 0.01 else 100


def _span(estimate: _Estimate, times: float, digits: int = 0) -> str:
    if estimate["value"] is None:
        return "-"
    value, low, high = (f"{estimate[key] * times:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
