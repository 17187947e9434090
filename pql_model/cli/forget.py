"""`pql forget`: what pql has written about one entity, removed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, emit, err, out
from pql_model.cli.progress import Bars
from pql_model.cli.tables import say
from pql_model.errors import PqlError, listed


def forget(
    entity: Annotated[str, typer.Argument(help="Id of an account (or user) as in the entities table, or of a user.")],
    config: ConfigOption = Path("pql.yaml"),
    also: Annotated[
        list[Path] | None,
        typer.Option(
            help="File or folder elsewhere that pql has written to, such as a service's score log. Repeatable."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove one account (or user) from everything that pql has written. This cannot be undone.

    Its rows go from scores, score log, remembered decisions, outbox, lists, predictions and feature tables; its users go
    from the contacts of other rows. Your own tables are not changed: as long as they hold the account, the next run reads
    it again.
    """
    if not (dry_run or yes):
        if as_json or not sys.stdin.isatty():
            raise PqlError(
                "Nothing was removed: this cannot be undone and was not confirmed",
                received="neither --yes nor --dry-run",
                remedy="look at the result of `--dry-run`, then add `--yes`",
            )
        with Bars(err) as bars:
            planned = pql_model.forget(config, entity, also=also or (), dry_run=True, listener=bars)
        _show(out, planned.to_dict())
        if not typer.confirm("Remove all of this?"):
            say(out, "Nothing was removed.")
            return
    with Bars(err) as bars:
        result = pql_model.forget(config, entity, also=also or (), dry_run=dry_run, listener=bars)
    emit(result, as_json, _show)


def _show(console: Console, payload: dict[str, Any]) -> None:
    verb = "Would remove" if payload["dry_run"] else "Removed"
    for place in payload["places"]:
        what = [f"{place['rows']:,} {'row' if place['rows'] == 1 else 'rows'}"] if place["rows"] else []
        others = place["cleared"]
        what += [f"its users from {others:,} other {'row' if others == 1 else 'rows'}"] if others else []
        kind = "" if place["kind"] == "table" else f" ({place['kind']})"
        say(console, f"{verb} {' and '.join(what)}: {os.path.relpath(place['path'])}{kind}")
    for text in payload["not_reached"]:
        say(console, f"Not reached, look there and delete it: {text}")
    for text in payload["notes"]:
        say(console, text)
    say(
        console,
        f"Not changed: your own tables ({listed(payload['sources'])}). As long as they hold it, the next run reads it again: "
        "delete it there too, or name it under `exclude:` of the config.",
        gap=True,
    )
