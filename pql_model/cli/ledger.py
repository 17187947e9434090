"""`pql ledger`: the outcome ledger as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pql_model.cli.common import ConfigOption, JsonOption, emit, err
from pql_model.cli.progress import Bars
from pql_model.cli.tables import say


def ledger(
    config: ConfigOption = Path("pql.yaml"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .parquet file; default: ledger.parquet beside the config.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="The ledger as it was at this date or time. Default: everything that is known."),
    ] = None,
    replay: Annotated[
        bool, typer.Option(help="Compute what the champion would have said where nothing was logged.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Write the outcome ledger: every score with what was done about it and what came of it.

    One row per entity, instant and model version: the score, the hold-out, deliveries, feedback of sales, and the outcome
    once it is final. Monitor, effect of contact and funnel read the same table.
    """
    from pql_model.workflows.ledger import write_ledger  # slow, and `pql --help` does not need it

    with Bars(err) as bars:
        result = write_ledger(config, output=output, as_of=as_of, replay=replay, listener=bars)
    emit(result, as_json, show_ledger)


def show_ledger(console: Console, payload: dict[str, Any]) -> None:
    """Print what the ledger holds and what it leaves out."""
    by_source = ", ".join(f"{rows:,} {source}" for source, rows in payload["by_source"].items()) or "none"
    say(
        console,
        f"Wrote {payload['rows']:,} rows of {payload['entities']:,} entities to {payload['output']}: {by_source}.",
    )
    say(
        console,
        f"Outcomes are known until {payload['outcomes_until']}: {payload['final']:,} rows are final, "
        f"{payload['converted']:,} of them converted.",
    )
    if payload["set_aside"]:
        counts = ", ".join(f"{rows:,} {reason}" for reason, rows in payload["set_aside"].items())
        say(console, f"Not in the ledger: {counts}.")
    for warning in payload["warnings"]:
        say(console, warning)
