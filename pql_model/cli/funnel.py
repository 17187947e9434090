"""`pql funnel`: from sign-up to payment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, emit, err
from pql_model.cli.progress import Bars
from pql_model.cli.tables import estimate, percent, percent_estimate, print_table, say

_CELLS = {"both": "both", "pql_only": "PQL only", "mql_only": "{other} only", "neither": "neither"}


def funnel(
    config: ConfigOption = Path("pql.yaml"),
    within: Annotated[
        str | None,
        typer.Option(
            help="How long each entity is followed after its sign-up, such as 60d. Default: the last landmark of a trial "
            "and the horizon; 90d in freemium."
        ),
    ] = None,
    segment: Annotated[str | None, typer.Option(help="A trait, by whose values the funnel is shown too.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Count who reached which stage after signing up: activated, PQL, MQL, SQL, paid; by cohort and segment.

    Only entities that were followed long enough count. PQLs stand beside MQLs on the same accounts.
    """
    with Bars(err) as bars:
        result = pql_model.funnel(config, within=within, segment=segment, listener=bars)
    emit(result, as_json, show_funnel)


def show_funnel(console: Console, payload: dict[str, Any]) -> None:
    """Print the stages, the cohorts, the segments, and PQLs beside MQLs."""
    say(console, f"Stages reached within {payload['within']} after the sign-up (95 % intervals).")
    names = [stage["stage"].replace("_", " ") for stage in payload["stages"]]
    print_table(
        console,
        "Funnel",
        ["stage", "entities", "of", "of all", "of the stage before"],
        [
            (
                name,
                f"{stage['entities']:,}",
                f"{stage['of']:,}",
                percent_estimate(stage["of_signed_up"]),
                percent_estimate(stage["of_previous"]),
            )
            for name, stage in zip(names, payload["stages"], strict=True)
        ],
    )
    print_table(
        console,
        "When, and in which order",
        ["stage", "days from sign-up", "backwards", "skipped one"],
        [
            (name, estimate(stage["days_from_sign_up"], 1), f"{stage['backwards']:,}", f"{stage['skipped']:,}")
            for name, stage in zip(names, payload["stages"], strict=True)
        ],
    )
    _show_parts(console, "By month of sign-up", "cohort", payload["cohorts"])
    _show_parts(console, f"By {payload['segmented_by']}", "segment", payload["segments"])
    if payload["pql_and_mql"] is not None:
        _show_overlap(console, payload["pql_and_mql"])
    if payload["definition"] is not None:
        say(console, f"Activated: {payload['definition']}.", gap=True)
    if payload["too_young"]:
        say(console, f"{payload['too_young']:,} entities signed up too late to be followed so long, and are left out.")
    for note in payload["notes"]:
        say(console, note, style="dim")


def _show_parts(console: Console, title: str, key: str, parts: list[dict[str, Any]]) -> None:
    if not parts:
        return
    names = [stage["stage"] for stage in parts[0]["stages"]][1:]
    rows = [
        (
            part[key],
            f"{part['stages'][0]['entities']:,}",
            *(percent(stage["of_signed_up"]["value"]) for stage in part["stages"][1:]),
            percent_estimate(part["stages"][-1]["of_signed_up"]),
        )
        for part in parts
    ]
    print_table(console, title, [key, "entities", *names, "paid (95 % interval)"], rows)


def _show_overlap(console: Console, overlap: Mapping[str, Any]) -> None:
    other = overlap["other"]
    rows = [
        (words.format(other=other), f"{cell['entities']:,}", f"{cell['paid']:,}", percent_estimate(cell["rate"]))
        for key, words in _CELLS.items()
        for cell in [overlap[key]]
    ]
    print_table(console, f"PQLs beside {other}s, on the same accounts", ["", "entities", "paid", "rate"], rows)
    days = overlap["days_to_paid"]
    say(
        console,
        f"Days to the payment: {estimate(days['pql'], 1)} from PQL, {estimate(days['mql'], 1)} from {other}. PQL only minus "
        f"{other} only: {estimate(overlap['difference'], 1, scale=100)} percentage points.",
    )
