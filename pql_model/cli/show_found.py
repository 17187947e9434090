"""Criteria, definitions and the rule in force, for people, on stdout."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_MOST_BEHAVIOURS = 8
_INDENT = "    "
_COLOURS = {"about right": "green", "too lax": "yellow", "too strict": "yellow", "stale": "red", "cannot tell": "dim"}


def show_found(console: Console, found: dict[str, Any]) -> None:
    """The recommended rule first, then every rule on one table, then behaviours."""
    model = found["model"]
    base = found["base"]["later"]
    console.print(
        f"{escape(model['name'])}, version {model['version']} ({model['verdict']}); {escape(found['rows'])}; "
        f"later accounts convert at {_rate(base)}.",
        highlight=False,
    )
    best = next((d for d in found["definitions"] if d["recommended"]), None)
    if best is not None:
        console.print(f"\n[bold]Recommended[/]  {escape(best['text'])}", highlight=False)
    elif not found["criteria"]:
        console.print("\n[bold]No rule was confirmed on later accounts.[/]", highlight=False)
    for criterion in found["criteria"]:
        _criterion(console, criterion)
    _definitions(console, found["definitions"])
    if found["in_force"] is not None:
        _in_force(console, found["in_force"])
    _behaviours(console, found["behaviours"])
    tried = found["tried"]
    console.print(
        f"\n{tried['definitions']:,} definitions were tried on earlier accounts, {tried['tested']} rules tested on later ones; "
        f"{len(found['not_confirmed'])} of these did not hold there and are left out.",
        style="dim",
        highlight=False,
    )
    console.print(
        "All of this predicts paying. Whether it brings paying about, only an experiment can tell.", style="dim"
    )


def _criterion(console: Console, criterion: dict[str, Any]) -> None:
    """The rule on one line, what came of it and how sure its threshold is on the next."""
    tested, condition = criterion["tested"], criterion["conditions"][0]
    console.print(f"\n[bold]{criterion['id']}[/]  {escape(criterion['text'])}", highlight=False)
    said = f"{_rate(tested['rate'])} of {tested['qualified']:,} convert, lift {_lift(tested['lift'])}, {_percent(tested['recall']['value'])} caught"
    console.print(_INDENT + said, highlight=False)
    if "threshold" in condition:
        low, high = criterion["threshold_interval"]
        others = [f"{also['text']} ({also['share']:.0%})" for also in criterion["also"]]
        sure = f"threshold likely {low:g} to {high:g}, {criterion['threshold_agreement']:.0%} of resamples find {condition['threshold']:g}"
        sure += f"; hard to tell from {', '.join(others)}" if others else ""
        console.print(_INDENT + escape(sure), style="dim", highlight=False)


def _definitions(console: Console, rules: list[dict[str, Any]]) -> None:
    if not rules:
        return
    table = Table(
        title="Definitions",
        title_justify="left",
        title_style="bold",
        box=None,
        header_style="dim",
        padding=(0, 2, 0, 0),
    )
    for name in ("", "criteria", "meet it", "convert", "lift", "caught"):
        table.add_column(name, no_wrap=name != "criteria")
    for rule in rules:
        tested = rule["tested"]
        row = (rule["id"], _joined(rule), f"{tested['qualified']:,}", _rate(tested["rate"]), _lift(tested["lift"]))
        table.add_row(*row, _percent(tested["recall"]["value"]), style="bold" if rule["recommended"] else "")
    console.print()
    console.print(table)


def _joined(rule: dict[str, Any]) -> str:
    if rule["join"] == "at_least_k":
        return f"{rule['k']} of {', '.join(rule['criteria'])}"
    return (" and " if rule["join"] == "all" else " or ").join(rule["criteria"])


def _in_force(console: Console, rule: dict[str, Any]) -> None:
    colour = _COLOURS[rule["verdict"]]
    console.print(f"\n[bold]In force[/]  {escape(rule['text'])}: [{colour}]{rule['verdict']}[/]", highlight=False)
    console.print(escape(rule["sentence"]), highlight=False)
    tested = rule["tested"]
    console.print(
        f"{tested['qualified']:,} of {tested['rows']:,} meet it, {_rate(tested['rate'])} of them convert, "
        f"lift {_lift(tested['lift'])}.",
        highlight=False,
    )
    for name, words in (("misses", "It misses"), ("wastes", "It wastes")):
        if rule[name] is not None and rule[name]["entities"]:
            cell = rule[name]
            console.print(f"{words} {cell['entities']:,}, of whom {_rate(cell['rate'])} converted.", highlight=False)


def _behaviours(console: Console, behaviours: list[dict[str, Any]]) -> None:
    table = Table(
        title="What goes with paying",
        title_justify="left",
        title_style="bold",
        box=None,
        header_style="dim",
        padding=(0, 2, 0, 0),
    )
    for name in ("behaviour", "share", "", "shape", "seen best in"):
        table.add_column(name)
    for each in behaviours[:_MOST_BEHAVIOURS]:
        table.add_row(
            escape(each["behaviour"]), _percent(each["share"]), each["direction"], each["shape"], escape(each["words"])
        )
    if behaviours:
        console.print()
        console.print(table)


def _rate(rate: dict[str, Any]) -> str:
    if rate["value"] is None:
        return "-"
    digits = 1 if rate["value"] < 0.1 else 0
    return f"{rate['value']:.{digits}%} ({100 * rate['low']:.{digits}f} to {100 * rate['high']:.{digits}f})"


def _lift(lift: dict[str, Any]) -> str:
    return "-" if lift["value"] is None else f"{lift['value']:.1f} ({lift['low']:.1f} to {lift['high']:.1f})"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
