"""Text output of `pql criteria test` and `pql criteria list`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from pql_model.cli.tables import Estimate, bar, estimate, percent, percent_estimate, print_table, say

_BAR = 24
_MOST_BEHAVIOURS = 8
_COLOURS = {"about right": "green", "too lax": "yellow", "too strict": "yellow", "stale": "red", "cannot tell": "dim"}


def show_definition(console: Console, payload: dict[str, Any]) -> None:
    """Print a tested definition: its figures on all, earlier and later rows, and by month."""
    say(console, payload["definition"]["text"], style="bold", gap=True)
    say(console, payload["rows"], style="dim")
    say(console, payload["words"], gap=True)
    for note in payload["notes"]:
        say(console, ("Note:", "yellow"), f" {note}")
    parts = {"all": payload["tested"], "earlier": payload["earlier"], "later": payload["later"]}
    _figures(console, {name: part for name, part in parts.items() if part is not None})
    _months(console, payload["tested"]["months"])


def _figures(console: Console, parts: dict[str, dict[str, Any]]) -> None:
    tests = parts.values()
    per = _denominator([test[name] for test in tests for name in ("rate", "base_rate")])
    rows: list[tuple[str | Text, ...]] = [
        ("meet it", *(f"{test['qualified']:,} of {test['rows']:,}" for test in tests)),
        (
            Text(f"of {per:,} of them convert", "bold"),
            *(Text(estimate(test["rate"], 0, per), "bold") for test in tests),
        ),
        (f"of {per:,} of all convert", *(estimate(test["base_rate"], 0, per) for test in tests)),
        ("lift", *(estimate(test["lift"], 1) for test in tests)),
        ("% of conversions caught", *(estimate(test["recall"], 0, 100) for test in tests)),
        ("leads a week", *(estimate(test["leads_per_week"], 0) for test in tests)),
    ]
    print_table(console, "", ["", *parts], rows)
    say(console, "In brackets: the 95 % interval; for leads a week, the lowest and the highest week.", style="dim")
    for name, test in parts.items():
        if test["note"] is not None:
            say(console, f"{name}: {test['note']}", style="yellow")


def _months(console: Console, months: list[dict[str, Any]]) -> None:
    per = _denominator([month["rate"] for month in months])
    top = max([month["rate"]["value"] or 0.0 for month in months], default=0.0) or 1.0
    rows = [
        (
            month["month"],
            f"{month['qualified']:,}",
            f"{month['conversions']:,}",
            estimate(month["rate"], 0, per),
            bar((month["rate"]["value"] or 0.0) / top, _BAR),
        )
        for month in months
    ]
    print_table(console, "", ["month", "meet it", "convert", f"of {per:,}", ""], rows)


def _denominator(rates: list[Estimate]) -> int:
    """Return 100, or 1,000 if every rate is below 1 %."""
    values = [rate["value"] for rate in rates if rate["value"] is not None]
    return 1000 if values and max(values) < 0.01 else 100


def show_criteria_list(console: Console, payload: dict[str, Any]) -> None:
    """Print the recommended definition, then all criteria and definitions, the one in force, and the behaviours."""
    model = payload["model"]
    say(
        console,
        f"{model['name']}, version {model['version']} ({model['verdict']}); {payload['rows']}; "
        f"{percent_estimate(payload['base']['later'])} of later accounts convert.",
    )
    best = next((definition for definition in payload["definitions"] if definition["recommended"]), None)
    if best is not None:
        say(console, ("Recommended", "bold"), f"  {best['text']}", gap=True)
    elif not payload["criteria"]:
        say(console, "No definition was confirmed on later accounts.", style="bold", gap=True)
    for criterion in payload["criteria"]:
        _criterion(console, criterion)
    columns = ["", "criteria", "meet it", "convert", "lift", "caught"]
    print_table(console, "Definitions", columns, [_definition_row(d) for d in payload["definitions"]])
    if payload["in_force"] is not None:
        _in_force(console, payload["in_force"])
    rows = [
        (b["behaviour"], percent(b["share"]), b["direction"], b["shape"], b["words"])
        for b in payload["behaviours"][:_MOST_BEHAVIOURS]
    ]
    print_table(
        console, "Behaviours that predict paying", ["behaviour", "share", "", "shape", "clearest feature"], rows
    )
    counts = payload["tried"]
    say(
        console,
        f"{counts['definitions']:,} combinations were tried on earlier accounts; {counts['tested']} rules, single criteria and "
        f"combinations, were tested on later ones, and {len(payload['not_confirmed'])} of these were not confirmed and are left out.",
        style="dim",
        gap=True,
    )
    say(console, "All of this predicts paying. Only an experiment can show what makes accounts pay.", style="dim")


def _criterion(console: Console, criterion: dict[str, Any]) -> None:
    """Print a criterion, the figures of its test, and the interval of its threshold."""
    metrics, condition = criterion["tested"], criterion["conditions"][0]
    say(console, (criterion["id"], "bold"), f"  {criterion['text']}", gap=True)
    say(
        console,
        f"    {percent_estimate(metrics['rate'])} of {metrics['qualified']:,} convert, lift {estimate(metrics['lift'], 1)}, "
        f"{percent(metrics['recall']['value'])} caught",
    )
    if "threshold" in condition:
        low, high = criterion["threshold_interval"]
        correlated = [f"{also['text']} ({percent(also['share'])})" for also in criterion["also"]]
        similar = f"; similar: {', '.join(correlated)}" if correlated else ""
        say(
            console,
            f"    threshold 95 % interval {low:g} to {high:g}; {percent(criterion['threshold_agreement'])} of resamples find "
            f"{condition['threshold']:g}{similar}",
            style="dim",
        )


def _definition_row(definition: dict[str, Any]) -> list[Text]:
    metrics = definition["tested"]
    row = [
        definition["id"],
        _ids_text(definition),
        f"{metrics['qualified']:,}",
        percent_estimate(metrics["rate"]),
        estimate(metrics["lift"], 1),
        percent(metrics["recall"]["value"]),
    ]
    return [Text(cell, style="bold" if definition["recommended"] else "") for cell in row]


def _ids_text(definition: dict[str, Any]) -> str:
    """The criteria by their ids; one by segment is nested, and has an id as a whole."""
    ids, parts = definition["criteria"], definition["conditions"]
    if _leaves(definition) == len(ids):
        return _joined_ids(definition, iter(ids))
    if len(ids) == 1:
        return f"{ids[0]} by segment"
    named = [
        {"id": f"{name} by segment" if "conditions" in part else name} for name, part in zip(ids, parts, strict=True)
    ]
    return _joined_ids({**definition, "conditions": named}, (part["id"] for part in named))


def _leaves(definition: dict[str, Any]) -> int:
    return sum(_leaves(part) if "conditions" in part else 1 for part in definition["conditions"])


def _joined_ids(definition: dict[str, Any], ids: Iterator[str]) -> str:
    """`c1 and (c2 or c3)`; the ids stand in the order of the conditions."""
    parts = [f"({_joined_ids(part, ids)})" if "conditions" in part else next(ids) for part in definition["conditions"]]
    if definition["join"] == "at_least_k":
        return f"{definition['k']} of {', '.join(parts)}"
    return (" and " if definition["join"] == "all" else " or ").join(parts)


def _in_force(console: Console, definition: dict[str, Any]) -> None:
    verdict, metrics = definition["verdict"], definition["tested"]
    say(console, ("In force", "bold"), f"  {definition['text']}: ", (verdict, _COLOURS[verdict]), gap=True)
    say(console, definition["sentence"])
    say(
        console,
        f"{metrics['qualified']:,} of {metrics['rows']:,} meet it; {percent_estimate(metrics['rate'])} of them convert, lift "
        f"{estimate(metrics['lift'], 1)}.",
    )
    for name, start in (("misses", "It misses"), ("wastes", "It wastes")):
        cell = definition[name]
        if cell is not None and cell["entities"]:
            say(console, f"{start} {cell['entities']:,}, of whom {percent_estimate(cell['rate'])} converted.")
