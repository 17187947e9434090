"""Text output of `pql verify`."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from pql_model.cli.tables import print_table, say

_PARTS = ("usage", "fit", "timing")
_COLUMNS = ("path", "probability", "its parts", "rows that differ", "refused")


def show_verified(console: Console, payload: dict[str, Any]) -> None:
    """Print one line for each path to a score, and below it the differences and refusals."""
    sample = "of training and test" if payload["snapshots"] == "training" else f"at risk at {payload['as_of']}"
    rows = [
        (
            path["path"],
            f"{path['largest_difference']['probability']:.3g}",
            f"{max(path['largest_difference'][name] for name in _PARTS):.3g}",
            f"{max(path['different_rows'].values()):,}",
            f"{path['refused']['rows']:,}",
        )
        for path in payload["paths"]
    ]
    title = f"{payload['rows']:,} snapshots {sample}, compared with `pql score`: largest difference of the"
    print_table(console, title, _COLUMNS, rows, gap=False)
    for path in payload["paths"]:
        for name, count in path["different_rows"].items():
            if count:
                say(console, f"{path['path']}: {name} differs in {count:,} rows", style="red")
        if path["refused"]["first"] is not None:
            say(console, f"{path['path']}: first refusal: {path['refused']['first']}", style="red")
    if payload["same"]:
        say(console, "All paths give the same scores.", style="green")
