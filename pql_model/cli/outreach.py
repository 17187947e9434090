"""`pql feedback` and `pql effect`: what sales did with the leads, and what difference contacting them makes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, emit, err
from pql_model.cli.progress import Bars
from pql_model.cli.tables import number, percent_estimate, print_table, say

KnownAtOption = Annotated[
    str | None,
    typer.Option("--as-of", help="Date or time: only what was known then counts. Default: everything that is known."),
]
_TITLES = {
    "band": "By band",
    "definition": "By the recommended definition",
    "definition_in_force": "By the definition in force",
    "reason": "By the leading reason of the score",
    "owner": "By owner",
    "month": "By month of the alert",
}
_MOST_ROWS = 8
_PLAIN_NAMES = {"near_threshold": "lower half"}


def feedback(config: ConfigOption = Path("pql.yaml"), as_of: KnownAtOption = None, as_json: JsonOption = False) -> None:
    """Show what sales did with the alerts: accepted, rejected and why, contacted, won; and what rejected leads share.

    Needs `feedback:` in the config and the score log. One alert is one lead.
    """
    with Bars(err) as bars:
        result = pql_model.feedback(config, as_of=as_of, listener=bars)
    emit(result, as_json, show_feedback)


def effect(config: ConfigOption = Path("pql.yaml"), as_of: KnownAtOption = None, as_json: JsonOption = False) -> None:
    """Measure the difference that contact makes, from the random hold-out (`policy: {hold_out: 0.1}`).

    Alerted accounts are compared with those of the hold-out that qualified by the same rule. Without a hold-out the answer
    is that it cannot be known.
    """
    with Bars(err) as bars:
        result = pql_model.effect(config, as_of=as_of, listener=bars)
    emit(result, as_json, show_effect)


def show_feedback(console: Console, payload: dict[str, Any]) -> None:
    """Print the sentences, acceptance by group, and why alerts were rejected."""
    _say_all(console, payload["sentences"])
    if payload["overall"]["touched"]:
        for kind, groups in payload["groups"].items():
            if len(groups) > 1:
                _print_groups(console, _TITLES.get(kind, kind), groups)
        print_table(
            console,
            "Why alerts were rejected",
            ["reason", "alerts", "share of the rejected"],
            [
                (reason["reason"] or "(no reason given)", f"{reason['leads']:,}", percent_estimate(reason["share"]))
                for reason in payload["rejection_reasons"][:_MOST_ROWS]
            ],
        )
    _print_notes(console, payload)


def _print_groups(console: Console, title: str, groups: Sequence[Mapping[str, Any]]) -> None:
    shown = groups[-_MOST_ROWS:] if title == _TITLES["month"] else groups[:_MOST_ROWS]
    print_table(
        console,
        title,
        ["", "alerts", "contacted", "accepted", "rejected", "won", "of those decided"],
        [
            (
                group["group"],
                *(f"{group[name]:,}" for name in ("leads", "contacted", "accepted", "rejected", "won")),
                percent_estimate(group["acceptance"]),
            )
            for group in shown
        ],
    )


def show_effect(console: Console, payload: dict[str, Any]) -> None:
    """Print the sentences, the difference by group, and how long other effects take to see."""
    _say_all(console, payload["sentences"])
    if payload["overall"]["difference"]["value"] is not None:
        print_table(
            console,
            "Alerted and held out, with final outcomes: the difference in points",
            ["", "alerted", "converted", "held out", "converted", "points"],
            [_group_row(group) for group in (payload["overall"], *payload["groups"])],
        )
    print_table(
        console,
        f"Until a difference is seen 8 times in 10 (hold-out of {payload['planning']['hold_out']:.0%})",
        ["difference", "accounts that qualify", "weeks from now"],
        [
            (f"{100 * wait['effect']:.0f} points", f"{wait['entities']:,}", _weeks(wait["weeks"]))
            for wait in payload["waits"]
        ],
    )
    _print_notes(console, payload)


def _group_row(group: Mapping[str, Any]) -> tuple[str, ...]:
    difference = group["difference"]
    points = {name: None if value is None else 100 * value for name, value in difference.items()}
    arms = (group["alerted"], group["held_out"])
    cells = [cell for arm in arms for cell in (f"{arm['entities']:,}", percent_estimate(arm["rate"]))]
    text = "too few" if points["value"] is None else _estimate(points)
    return (_PLAIN_NAMES.get(group["name"], group["name"]), *cells, text)


def _estimate(of: Mapping[str, float | None]) -> str:
    return f"{number(of['value'], 1)} ({number(of['low'], 1)} to {number(of['high'], 1)})"


def _weeks(weeks: float | None) -> str:
    if weeks is None:
        return "unknown, or more than ten years"
    return "there are enough" if weeks == 0 else f"{math.ceil(weeks):,}"


def _say_all(console: Console, sentences: Sequence[str]) -> None:
    for place, sentence in enumerate(sentences):
        say(console, sentence, style="bold" if place == 0 else "")


def _print_notes(console: Console, payload: Mapping[str, Any]) -> None:
    for note in payload["notes"]:
        say(console, note, style="dim")
