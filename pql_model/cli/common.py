"""Output and options shared by the commands and the scripts of `pipelines/`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import typer
from rich.console import Console

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The product's `pql.yaml`.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and everything else on stderr.")
]
TrialsOption = Annotated[
    int, typer.Option(min=1, max=1000, help="Number of hyperparameter trials; `--refit` needs none.")
]
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
RefitOption = Annotated[
    bool,
    typer.Option(
        "--refit",
        help="Train with the champion's settings on today's data, without a search: quick enough for every day. Promoted unless worse.",
    ),
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
    typer.Option("--as-of", help="Date or time to score at; default: the newest event in the data."),
]
ScoresOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="A .parquet or .csv file; default: scores.parquet beside the config."),
]
NearMissesOption = Annotated[
    Path | None,
    typer.Option(help="A .csv file for those who lack one criterion of the definition, nearest first."),
]
SendOption = Annotated[bool, typer.Option("--send", help="Send. Without it, what would be sent is shown.")]
LeadsOption = Annotated[bool, typer.Option(help="Write the list of leads as a page.")]
MonitorAsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of", help="Date or time to look at, with only what was known then. Default: the end of the data."
    ),
]
MonitorPageOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="An .html file; default: monitor.html beside the config."),
]
AlwaysOption = Annotated[bool, typer.Option("--always", help="Retrain even where the monitor does not advise it.")]
FailOnOption = Annotated[
    Literal["never", "watch", "act"],
    typer.Option(
        help="End with exit code 3 if anything must be done (act), or if anything was found (watch), for a scheduler."
    ),
]
ModelOption = Annotated[str, typer.Option(help="`champion`, `challenger` or a version number.")]
AnyModelOption = Annotated[
    str | None,
    typer.Option(help="`champion`, `challenger` or a version number; default: the champion, else the newest version."),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="An .html file; default: growth_report-with-account-data.html beside the config, or growth_report.html of a file to share.",
    ),
]
ExplorerOption = Annotated[
    Literal["counts", "rows", "off"],
    typer.Option(
        help="What the explorer of the report computes from: rows, one per account without names, which answer any rule and stay inside "
        "the company; counts of combinations, for a file to share; or off."
    ),
]


class Result(Protocol):
    """A result of the public API."""

    def to_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""


def emit(result: Result, as_json: bool, show: Callable[[Console, dict[str, Any]], None]) -> None:
    """Print a result on stdout: one JSON object with `--json`, otherwise the text that `show` prints."""
    payload = result.to_dict()
    if as_json:
        print_json(payload)
    else:
        show(out, payload)


def print_json(payload: dict[str, Any]) -> None:
    """Write one JSON object on one line of stdout."""
    sys.stdout.write(json.dumps(payload, ensure_ascii=False, allow_nan=False) + "\n")
