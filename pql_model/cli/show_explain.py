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
    _definition(console, payload["definition"])
    if payload["definition"] != payload["in_force"]:
        _definition(console, payload["in_force"])
    _next_step(console, payload)
    _contacts(console, payload["contacts"] or [])
    say(console, _NOT_CAUSES, style="dim", gap=True)


def _definition(console: Console, status: dict[str, Any] | None) -> None:
    """Print whether the entity meets a definition, each condition, and what the outcomes say of one in force."""
    if status is None:
        return
    title = "The recommended definition" if status["source"] == "recommended" else "The definition in force"
    say(console, f"{title}: {'met' if status['meets'] else 'not met'}.", gap=True)
    if len(status["conditions"]) > 1:  # which of them are enough
        say(console, f"  {status['text']}", style="dim")
    for condition in status["conditions"]:
        say(console, f"  {'met    ' if condition['held'] else 'missing'}  {condition['words']}")
    if status["verdict"] is not None:
        say(console, f"  Verdict: {status['verdict']['verdict']}. {status['verdict']['sentence']}", style="dim")


def _next_step(console: Console, payload: dict[str, Any]) -> None:
    """Print the step with the largest predicted gain, or that none is worth a nudge."""
    step = payload["next_step"]
    if not payload["at_risk"]:
        return
    if step is None:
        say(console, "Next step: nothing is worth a nudge. No open criterion has a gain beyond noise.", gap=True)
        return
    low, high = (f"{100 * step['gain'][end]:.1f}" for end in ("low", "high"))
    say(
        console,
        f"Next step: {step['words']}. Predicted once it gets there: {percent(step['probability'])}, a gain of "
        f"{100 * step['gain']['value']:.1f} points ({low} to {high}, by how far such "
        "predictions came true on later accounts). A cautious prediction, not an effect.",
        gap=True,
    )


def _contacts(console: Console, contacts: Sequence[dict[str, Any]]) -> None:
    """Print the users who did most."""
    for place, contact in enumerate(contacts):
        origin = f", brought in by {contact['brought_in_by']}" if contact["brought_in_by"] is not None else ""
        title = "Contact: " if place == 0 else "         "
        text = f"{contact['user']}, {percent(contact['share'])} of the events, last seen {contact['last_seen']}{origin}"
        say(console, f"{title}{text}", gap=place == 0)


def _context(payload: dict[str, Any]) -> str:
    """Figures to compare the probability with."""
    parts = [f"score {payload['score']:g} of 100", f"{percent(payload['average_probability'])} on average"]
    if payload["base_rate"] is not None:
        parts.append(f"{percent(payload['base_rate'])} of the test period converted")
    return f" ({', '.join(parts)})"


def _steps(console: Console, steps: Sequence[dict[str, Any]]) -> None:
    """Print the steps from the base value to the probability, one line for each part of the score."""
    widest = max((abs(step["log_odds"]) for step in steps[1:]), default=0.0)
    rows: list[tuple[str | Text, ...]] = [("base, before anything is known", percent(steps[0]["probability"]), "")]
    rows += [
        (
            {"fit": "fit (traits)"}.get(step["part"], step["part"]),
            f"{step['effect']:+.1f}",
            _bar(step["log_odds"], widest),
        )
        for step in steps[1:]
    ]
    rows.append(("probability", Text(percent(steps[-1]["probability"]), style="bold"), ""))
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
