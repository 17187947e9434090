"""The versions of a model for people, on stdout."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_COLOURS = {"champion": "green", "challenger": "yellow", "previous": "dim"}


def show_models(console: Console, found: dict[str, Any]) -> None:
    """A line for each version, the newest first, and what was decided about it below."""
    if not found["models"]:
        console.print(f"There is no version of {escape(found['name'])} yet: `pql train` makes one.", highlight=False)
        return
    table = Table(
        title=f"Versions of {escape(found['name'])}",
        title_justify="left",
        title_style="bold",
        box=None,
        header_style="dim",
        padding=(0, 2, 0, 0),
    )
    for column in ("version", "trained", "verdict", "ROC-AUC", "", "champion since"):
        table.add_column(column, no_wrap=bool(column) and column != "champion since")
    for model in found["models"]:
        aliases = ", ".join(f"[{_COLOURS[a]}]{a}[/]" if a in _COLOURS else escape(a) for a in model["aliases"])
        table.add_row(
            model["version"],
            _day(model["trained_at"]),
            model["verdict"] or "-",
            _auc(model["roc_auc"]),
            aliases,
            _since(model),
        )
    console.print(table)
    for model in found["models"]:
        if model["promotion"]:
            console.print(f"{model['version']}: {model['promotion']}", style="dim", highlight=False, markup=False)
    console.print("Each ROC-AUC is on the version's own test rows. `pql rollback` goes back to the previous champion.")


def _auc(estimate: dict[str, Any] | None) -> str:
    if estimate is None:
        return "-"
    low, high = ("-" if estimate[end] is None else f"{estimate[end]:.3f}" for end in ("low", "high"))
    return f"{estimate['value']:.3f} ({low}-{high})"


def _since(model: dict[str, Any]) -> str:
    if model["promoted_at"] is None:
        return "-"
    left = f", rolled back {_day(model['rolled_back_at'])}" if model["rolled_back_at"] else ""
    return _day(model["promoted_at"]) + left


def _day(instant: str) -> str:
    return instant[:10]
