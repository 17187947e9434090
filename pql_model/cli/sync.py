"""`pql sync`: what is new, to where it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, SendOption, emit, err
from pql_model.cli.progress import Bars
from pql_model.cli.run import stop
from pql_model.cli.tables import print_table, say

_REASONS = {"converted": "converted since", "no_longer_pql": "no longer a PQL"}


def sync(
    config: ConfigOption = Path("pql.yaml"),
    target: Annotated[
        list[str] | None, typer.Option("--target", help="Name of a target; repeat it for several.")
    ] = None,
    send: SendOption = False,
    replay_dead: Annotated[
        bool,
        typer.Option(
            "--replay-dead", help="Try once more what a target has refused for good; without --send, show it."
        ),
    ] = False,
    show: Annotated[int, typer.Option(min=0, help="Number of messages or rows to show per target.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Send what `pql score` found to the targets under `sync:`. Without `--send` it only shows what would be sent.

    A lead is sent at least once, and a repeat carries the same id. Who converted in the meantime, or is no longer a PQL, is
    withdrawn. What a target cannot take now waits for the next run; the exit code is then 2.
    """
    with Bars(err) as bars:
        result = pql_model.sync(config, target=target, send=send, replay_dead=replay_dead, preview=show, listener=bars)
    emit(result, as_json, show_sync)
    if result.error is not None:
        stop(result.error)


def show_sync(console: Console, payload: dict[str, Any]) -> None:
    """Print the counts of each target, and of a run that only shows, the first messages or rows."""
    columns = ["target", "kind", "rows", "sent", "failed", "pending", "to"]
    rows = [
        [str(target[name]) for name in ("name", "kind", "rows", "sent", "failed", "pending", "output")]
        for target in payload["targets"]
    ]
    print_table(console, f"Leads as of {payload['as_of']}", columns, rows, gap=False)
    for target in payload["targets"]:
        _show_target(console, target, payload["send"])
    if payload["missing_variables"]:
        say(console, f"To send, set {', '.join(payload['missing_variables'])}.", gap=True)
    if not payload["send"]:
        say(console, "Nothing was sent. Add --send to send it.", gap=True)


def _show_target(console: Console, target: dict[str, Any], sent: bool) -> None:
    if target["withdrawn"]:
        counts = ", ".join(f"{count:,} {_REASONS.get(why, why)}" for why, count in target["withdrawn"].items())
        say(console, f"{target['name']}: withdrawn: {counts}.")
    if target["dead"] > target["failed"]:
        say(
            console,
            f"{target['name']}: {target['dead']:,} were refused for good; `--replay-dead --send` tries them again.",
        )
    for why, count in target["refused"].items() if not sent else ():
        say(console, f"{target['name']}: {count:,} of {target['rows']:,} rows would be left out: {why}.")
    if target["preview"]:
        say(console, (f"{target['name']}, the first {len(target['preview'])} of {target['rows']:,}", "bold"), gap=True)
    for item in target["preview"]:
        for line in json.dumps(item, ensure_ascii=False, indent=2).splitlines():
            console.print(line, markup=False, soft_wrap=True)
