"""`pql forecast`: conversions and value to come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, ModelOption, emit, err
from pql_model.cli.progress import Bars
from pql_model.cli.tables import bar, estimate, print_table, say


def forecast(
    config: ConfigOption = Path("pql.yaml"),
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", help="Date or time at which the forecast begins; default: the newest event in the data."
        ),
    ] = None,
    weeks: Annotated[int, typer.Option(min=1, max=26, help="How many weeks to forecast.")] = 8,
    model: ModelOption = "champion",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .png file for the plot; default: forecast.png beside the config."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Forecast the conversions of the coming weeks, and their value, with intervals that were checked at past dates.

    Counts those at risk now and those still to sign up. Needs no model; uses one where past dates show that it helps.
    """
    with Bars(err) as bars:
        result = pql_model.forecast(config, as_of=as_of, weeks=weeks, model=model, output=output, listener=bars)
    emit(result, as_json, show_forecast)


def show_forecast(console: Console, payload: dict[str, Any]) -> None:
    """Print the sum, the weeks, and how the same forecast did at past dates."""
    value = payload["value"]
    say(
        console,
        (estimate(payload["conversions"], 0), "bold"),
        f" conversions from {payload['as_of']} to {payload['until']} (95 % interval)",
        f", worth {estimate(value, 0)}" if value is not None else "",
        ".",
    )
    say(
        console,
        f"{payload['of_those_at_risk']:,.0f} of the {payload['at_risk']['entities']:,} at risk now, "
        f"{payload['of_those_still_to_sign_up']:,.0f} of those still to sign up.",
    )
    most = max(1e-9, *(week["conversions"]["value"] for week in payload["weeks"]))
    worth = ["value"] if value is not None else []
    print_table(
        console,
        "By week",
        ["from", "sign-ups", "conversions", *worth, ""],
        [
            (
                week["from"][:10],
                estimate(week["sign_ups"], 0),
                estimate(week["conversions"], 1),
                *([estimate(week["value"], 0)] if worth else []),
                bar(week["conversions"]["value"] / most, 24),
            )
            for week in payload["weeks"]
        ],
    )
    checked = payload["checked"]
    if checked["dates"]:
        say(
            console,
            f"At {checked['dates']} past dates the interval held the outcome in {checked['held']}.",
            gap=True,
        )
    for note in payload["notes"]:
        say(console, note, style="dim")
    say(console, f"Wrote {payload['files']['plot']}.")
