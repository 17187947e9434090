"""What commands and the scripts of `pipelines/` share: where they write, and their common options."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

out = Console()
err = Console(stderr=True)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The product's `pql.yaml`.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and everything else on stderr.")
]
TrialsOption = Annotated[int, typer.Option(min=1, max=1000, help="Number of hyperparameter trials.")]
FoldTrialsOption = Annotated[
    int,
    typer.Option(
        min=1,
        max=1000,
        help="Number of hyperparameter trials at each cut-off; fewer than in a training, since every cut-off is tuned "
        "from scratch.",
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        min=1,
        help="Stop starting trials after this many seconds. The result then depends on the speed of the machine.",
    ),
]
PromoteOption = Annotated[
    Literal["auto", "never", "force"],
    typer.Option(help="When to promote the new model: only if better (auto), never, or always (force)."),
]
CutoffsOption = Annotated[str | None, typer.Option(help="Dates or times, separated by commas: 2026-01-01,2026-02-01.")]
EveryOption = Annotated[
    str | None,
    typer.Option(
        help="Instead of dates, a step such as 30d, counted back from the end of the data while at least 50 conversions "
        "remain to train on."
    ),
]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", help="Score as of this date or time; default: the newest event in the data."),
]
ScoresOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="A .parquet or .csv file; default: scores.parquet beside the config."),
]
ModelOption = Annotated[str, typer.Option(help="`champion`, `challenger` or a version number.")]
AnyModelOption = Annotated[
    str | None,
    typer.Option(help="`champion`, `challenger` or a version number; default: the champion, else the newest version."),
]
ReportOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="An .html file; default: growth_report.html beside the config."),
]
ExplorerOption = Annotated[
    Literal["counts", "rows", "off"],
    typer.Option(
        help="What the definition explorer computes from: counts of combinations, which can be shared; rows, one "
        "anonymous row per account, which should stay inside the company; or off."
    ),
]


def printed(payload: dict[str, Any], as_json: bool) -> bool:
    """Write the one JSON object of `--json`; whether it was asked for."""
    if as_json:
        sys.stdout.write(json.dumps(payload, ensure_ascii=False, allow_nan=False) + "\n")
    return as_json
