"""`pql replay`: past scores recomputed from the score log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, emit, err
from pql_model.cli.progress import Bars
from pql_model.cli.tables import print_table, say

_COLOURS = {"same": "green", "inputs_changed": "yellow", "not_in_data": "yellow"}


def replay(
    log: Annotated[
        Path | None,
        typer.Argument(help="A folder or a file of the score log. Default: `score_log` of the config."),
    ] = None,
    config: ConfigOption = Path("pql.yaml"),
    entity: Annotated[str | None, typer.Option(help="Replay only the scores of this account (or user).")] = None,
    since: Annotated[str | None, typer.Option(help="Replay only scores made at or after this date or time.")] = None,
    until: Annotated[str | None, typer.Option(help="Replay only scores made before this date or time.")] = None,
    rows: Annotated[
        int, typer.Option(min=1, max=100_000, help="Maximum number of rows, sampled evenly from all of them.")
    ] = 1000,
    as_json: JsonOption = False,
) -> None:
    """Recompute past scores from the score log and check that they are reproduced.

    Each score is recomputed from its logged inputs by the model version that made it. Its inputs are then recomputed
    from the data of today, as of the same instant. Exit code 1 if any row differs.
    """
    with Bars(err) as bars:
        result = pql_model.replay(config, log, entity=entity, since=since, until=until, rows=rows, listener=bars)
    emit(result, as_json, show_replay)
    if not result.same:
        raise typer.Exit(1)


def show_replay(console: Console, payload: dict[str, Any]) -> None:
    """Print how many rows were reproduced and, for the others, the first ones with what changed."""
    from pql_model.workflows.replay import RESULTS

    say(
        console,
        "Replayed ",
        (f"{payload['rows']:,}", "bold"),
        f" of {payload['rows_in_log']:,} rows of {payload['log']} (model version {', '.join(payload['model_versions'])}).",
    )
    counts = [
        (f"{count:,}", Text(result, _COLOURS.get(result, "red")), RESULTS[result])
        for result, count in payload["results"].items()
        if count
    ]
    print_table(console, "", ["", "", ""], counts, gap=False)
    if payload["without_as_of"]:
        say(
            console,
            f"{payload['without_as_of']:,} were scored from ready-made features without `as_of`: their inputs cannot be "
            "compared with the data.",
        )
    examples = [(e["entity"], e["as_of"] or "-", e["source"], e["result"], e["words"]) for e in payload["examples"]]
    print_table(console, "First rows that differ", ["entity", "as of", "source", "result", "what changed"], examples)
