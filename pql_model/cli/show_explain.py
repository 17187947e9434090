"""Text output of `pql explain`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from pql_model.cli.tables import bar, percent, print_table, say

_BAR = 14
_MOST = 6
_COLOURS = {"+": "green", "-": "red"}
_NOT_CAUSES = (
    "Bars are contributions (log-odds), which add up. `points` are percentage points of the probability: how much it would "
    "change without that contribution. Each is computed alone, so they need not add up. All of this predicts paying; it "
    "does not show what makes an account pay."
)


def show_explain(console: Console, payload: dict[str, Any]) -> None:
    """Print the probability of one entity, how it is reached, and what raises and lowers it."""
    model = payload["model"]
    say(
        console,
        f"{payload['entity']}, as of {payload['as_of']} ({model['name']} version {model['version']})",
        style="bold",
    )
    if not payload["at_risk"]:
        say(console, f"Not at risk ({payload['why_not']}): {payload['why_not_words']}.", style="yellow")
    if payload["probability"] is None:
        return
    start = "It converts" if payload["at_risk"] else "The model's answer all the same: it converts"
    say(
        console,
        f"{start} within {payload['horizon_words']} with a probability of {percent(payload['probability'])}{_context(payload)}.",
    )
    _steps(console, payload["steps"])
    widest = max((abs(behaviour["contribution"]) for behaviour in payload["behaviours"]), default=0.0)
    for title, sign in (("Raises it", 1), ("Lowers it", -1)):
        _behaviours(console, title, [b for b in payload["behaviours"] if b["contribution"] * sign > 0], widest)
    if payload["meets_definition"] is not None:
        say(console, f"The definition in force: {'met' if payload['meets_definition'] else 'not met'}.", gap=True)
        for condition in payload["conditions"]:
            say(console, f"  {'met    ' if condition['held'] else 'missing'}  {condition['words']}")
    say(console, _NOT_CAUSES, style="dim", gap=True)


def _context(payload: dict[str, Any]) -> str:
    """Figures to compare the probability with."""
    parts = [f"score {payload['score']:g} of 100", f"{percent(payload['average_probability'])} on average"]
    if payload["base_rate"] is not None:
        parts.append(f"{percent(payload['base_rate'])} of the test period converted")
    return f" ({', '.join(parts)})"


def _steps(console: Console, steps: Sequence[dict[str, Any]]) -> None:
    """Print the steps from the base value to the probability, one line for each part of the score."""
    widest = max((abs(step["log_odds"]) for step in steps[1:]), default=0.0)
    rows: list[tuple[str | Text, ...]] = [("base, before anything is known", f"{steps[0]['probability']:.1%}", "")]
    rows += [
        (
            {"fit": "fit (traits)"}.get(step["part"], step["part"]),
            f"{step['effect']:+.1f}",
            _bar(step["log_odds"], widest),
        )
        for step in steps[1:]
    ]
    rows.append(("probability", Text(f"{steps[-1]['probability']:.1%}", style="bold"), ""))
    print_table(console, "From the base to the probability", ["", "points", ""], rows)


def _behaviours(console: Console, title: str, behaviours: Sequence[dict[str, Any]], widest: float) -> None:
    if not behaviours:
        say(console, f"{title}: nothing.", gap=True)
        return
    rows = [
        (
            behaviour["words"].removesuffix(" (+)").removesuffix(" (-)"),
            f"{behaviour['effect']:+.1f}",
            _bar(behaviour["contribution"], widest),
        )
        for behaviour in behaviours[:_MOST]
    ]
    print_table(console, title, ["", "points", ""], rows)
    hidden_count = len(behaviours) - _MOST
    if hidden_count > 0:
        say(console, f"and {hidden_count} smaller ones: `--json` lists them", style="dim")


def _bar(value: float, widest: float) -> Text:
    """Draw a bar for the size of a contribution; its colour shows the sign."""
    segment = bar(abs(value) / widest if widest else 0.0, _BAR, _COLOURS["+" if value > 0 else "-"])
    return segment if segment or not value else Text("▏", style=segment.style)
