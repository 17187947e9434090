"""Text output of `pql models`."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from pql_model.cli.tables import estimate, print_table, say

_COLOURS = {"champion": "green", "challenger": "yellow", "previous": "dim"}
_COLUMNS = ("version", "trained", "verdict", "ROC-AUC (95 %)", "alias", "champion since")


def show_models(console: Console, payload: dict[str, Any]) -> None:
    """Print one line for each version, the newest first, and below it how each was promoted."""
    if not payload["models"]:
        say(console, f"{payload['name']} has no versions yet. Train one with `pql train`.")
        return
    rows = [
        (
            model["version"],
            model["trained_at"][:10],
            model["verdict"] or "-",
            estimate(model["roc_auc"]),
            # each alias on a line of its own: in a narrow terminal a list would be broken within a word
            Text("\n").join(Text(alias, _COLOURS.get(alias, "")) for alias in model["aliases"]),
            _since(model),
        )
        for model in payload["models"]
    ]
    print_table(console, f"Versions of {payload['name']}", _COLUMNS, rows, gap=False, unbroken=["alias"])
    for model in payload["models"]:
        if model["promotion"]:
            say(console, f"{model['version']}: {model['promotion']}", style="dim")
    say(
        console,
        "Each ROC-AUC is measured on the version's own test rows; in brackets is its 95 % interval. "
        "`pql rollback` restores the previous champion.",
    )


def _since(model: dict[str, Any]) -> str:
    if model["promoted_at"] is None:
        return "-"
    rolled_back = f", rolled back {model['rolled_back_at'][:10]}" if model["rolled_back_at"] else ""
    return f"{model['promoted_at'][:10]}{rolled_back}"
