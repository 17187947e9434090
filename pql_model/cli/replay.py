"""`pql replay`: past scores once more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, err, out, printed
from pql_model.cli.progress import Bars

_COLOURS = {"same": "green", "inputs_changed": "yellow", "not_in_data": "yellow"}


def replay(
    log: Annotated[
        Path | None,
        typer.Argument(help="A folder of the score log, or a file of it; default: `score_log` of the config."),
    ] = None,
    config: ConfigOption = Path("pql.yaml"),
    entity: Annotated[str | None, typer.Option(help="Only the scores of this account (or user).")] = None,
    since: Annotated[str | None, typer.Option(help="Only what was scored from this date or time on.")] = None,
    until: Annotated[str | None, typer.Option(help="Only what was scored before this date or time.")] = None,
    rows: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, spread over all of them.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """Recompute past scores from the score log and say whether they still come out.

    Each from its logged inputs by its own version of the model, then its inputs from the data of today as of its instant.
    Exit code 1 if any row does not come out.
    """
    with Bars(err) as bars:
        payload = pql_model.replay(
            config, log, entity=entity, since=since, until=until, rows=rows, listener=bars
        ).to_dict()
    if not printed(payload, as_json):
        show_replay(out, payload)
    if not payload["same"]:
        raise typer.Exit(1)


def show_replay(console: Console, payload: dict[str, Any]) -> None:
    """How many came out, and of the others the first with what changed."""
    from pql_model.workflows.replay import RESULTS

    versions = ", ".join(payload["model_versions"])
    console.print(
        f"Replayed [bold]{payload['rows']:,}[/] of {payload['rows_in_log']:,} rows of {escape(payload['log'])} (model version {escape(versions)}).",
        highlight=False,
    )
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    for result, count in payload["results"].items():
        if count:
            table.add_row(f"{count:,}", f"[{_COLOURS.get(result, 'red')}]{result}[/]", RESULTS[result])
    console.print(table)
    if payload["without_as_of"]:
        console.print(
            f"{payload['without_as_of']:,} were asked for with finished features and no as_of: their inputs cannot be "
            "compared with the data.",
            highlight=False,
        )
    if payload["examples"]:
        _examples(console, payload["examples"])


def _examples(console: Console, examples: list[dict[str, Any]]) -> None:
    table = Table(
        title="The first that do not come out",
        title_justify="left",
        title_style="bold",
        box=None,
        header_style="dim",
        padding=(0, 2, 0, 0),
    )
    for column in ("entity", "as_of", "from", "", "what"):
        table.add_column(column, overflow="fold")
    for row in examples:
        cells = (row["entity"], row["as_of"] or "-", row["source"], row["result"], row["words"])
        table.add_row(*(escape(cell) for cell in cells))
    console.print()
    console.print(table)
