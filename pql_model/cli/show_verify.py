"""How far each path to a score is from the batch, for people, on stdout."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_PARTS = ("usage", "fit", "timing")


def show_verified(console: Console, found: dict[str, Any]) -> None:
    """A line for each path; below it what differs, and what was refused."""
    what = "of training and test" if found["snapshots"] == "training" else f"at risk at {found['as_of']}"
    table = Table(
        title=f"{found['rows']:,} snapshots {escape(what)}, compared with `pql score`",
        title_justify="left",
        title_style="bold",
        box=None,
        header_style="dim",
        padding=(0, 2, 0, 0),
    )
    for column in ("path", "largest difference of probability", "of usage, fit, timing", "rows that differ", "refused"):
        table.add_column(column, justify="left" if column == "path" else "right")
    for path in found["paths"]:
        largest, different = path["largest_difference"], path["different_rows"]
        parts = max(largest[name] for name in _PARTS)
        table.add_row(
            escape(path["path"]),
            f"{largest['probability']:.3g}",
            f"{parts:.3g}",
            f"{max(different.values()):,}",
            f"{path['refused']['rows']:,}",
        )
    console.print(table)
    for path in found["paths"]:
        for line in _faults(path):
            console.print(f"{path['path']}: {line}", style="red", highlight=False, markup=False)
    if found["same"]:
        console.print("The same number everywhere.", style="green")


def _faults(path: dict[str, Any]) -> list[str]:
    differing = [f"{rows:,} rows have another {name}" for name, rows in path["different_rows"].items() if rows]
    first = path["refused"]["first"]
    return [*differing, *([f"the first that was refused: {first}"] if first is not None else [])]
