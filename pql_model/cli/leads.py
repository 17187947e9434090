"""`pql leads`: today's list as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, ModelOption, emit, err
from pql_model.cli.progress import Bars
from pql_model.cli.tables import say


def leads(
    config: ConfigOption = Path("pql.yaml"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="An .html file; default: leads.html beside the config.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="A file of `pql score`; default: scores.parquet beside the config.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            help="Date or time of the scores, for the list of an earlier day. Default: that of the file of the scores.",
        ),
    ] = None,
    model: ModelOption = "champion",
    as_json: JsonOption = False,
) -> None:
    """Write today's list as one internal page: whom to call, why, since when, and whom not to call.

    It shows the rows of the last `pql score`. It holds names and contacts: keep it inside the company.
    """
    with Bars(err) as bars:
        result = pql_model.write_leads(config, output=output, scores=scores, as_of=as_of, model=model, listener=bars)
    emit(result, as_json, show_leads)


def show_leads(console: Console, payload: dict[str, Any]) -> None:
    """Print what is to be done today, and where the page is."""
    say(console, f"{payload['words']}.")
    if payload["note"]:
        say(console, payload["note"], style="yellow")
    say(
        console,
        f"Wrote {payload['output']} ({payload['bytes'] / 1024:.0f} KB). It holds personal data: do not forward it.",
    )
