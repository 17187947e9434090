"""`pql simulate`: a policy replayed on the past."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, ModelOption, emit, err
from pql_model.cli.progress import Bars
from pql_model.cli.tables import bar, estimate, number, percent_estimate, print_table, say

_MOST_RUNS = 14
"""Runs that are printed; the plot has all of them."""


def simulate(
    config: ConfigOption = Path("pql.yaml"),
    policy: Annotated[
        Path | None,
        typer.Option(help="YAML file with a policy, bare or under `policy:`. Default: the present one, alone."),
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="First date or time. Default: the start of the test period.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="Last date or time. Default: the last whose outcomes are final.")
    ] = None,
    every: Annotated[str, typer.Option(help="Time between runs, such as 12h, 1d or 7d.")] = "1d",
    model: ModelOption = "champion",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .png file for the plot; default: simulation.png beside the config."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay a policy day by day on the past: alerts, waiting times, load and wins, beside the present policy.

    Everybody at risk is scored at each run from what was known then. A win is an alert whose account paid within the
    horizon after it.
    """
    with Bars(err) as bars:
        result = pql_model.simulate_policy(
            config, policy, from_=from_, to=to, every=every, model=model, output=output, listener=bars
        )
    emit(result, as_json, show_simulation)


def show_simulation(console: Console, payload: dict[str, Any]) -> None:
    """Print the policies side by side, and the first runs."""
    policies = {"this policy": payload, **({"the present one": payload["present"]} if payload["present"] else {})}
    say(console, f"Runs every {payload['every']} from {payload['from']} to {payload['to']}.")
    print_table(
        console,
        "",
        ["", *policies],
        [[words, *(of(policy) for policy in policies.values())] for words, of in _LINES.items()],
        gap=False,
    )
    most = max((day["alerted"] for day in payload["days"]), default=0)
    print_table(
        console,
        f"The first {min(_MOST_RUNS, len(payload['days']))} runs of this policy",
        ["run", "alerts", "waiting", ""],
        [
            (day["as_of"], f"{day['alerted']:,}", f"{day['waiting']:,}", bar(day["alerted"] / max(1, most), 24))
            for day in payload["days"][:_MOST_RUNS]
        ],
    )
    for note in payload["notes"]:
        say(console, note, style="dim")
    plot = payload["files"]["plot"]
    say(console, f"Wrote {plot}, with every run." if plot else "Nothing to plot, so no file was written.", gap=True)


def _load(policy: dict[str, Any]) -> str:
    return ", ".join(f"{day} {number(mean, 1)}" for day, mean in policy["by_weekday"].items())


_LINES = {
    "rule": lambda p: p["rule"],
    "alerts": lambda p: f"{p['alerts']:,}",
    "most within a period": lambda p: f"{p['most_in_period']:,}",
    "days waited, half and 95 % of the alerted": lambda p: (
        f"{number(p['wait_days']['p50'], 1)}, {number(p['wait_days']['p95'], 1)}"
    ),
    "wins, of alerts with a final outcome": lambda p: f"{estimate(p['wins'], 0)} of {p['final_alerts']:,}",
    "conversion rate of these alerts": lambda p: percent_estimate(p["win_rate"]),
    "waited and were never alerted": lambda p: f"{p['never_alerted']:,}, of whom {p['paid_unalerted']:,} paid",
    "alerts of a run by weekday": _load,
}
