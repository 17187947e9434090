"""`pql monitor`: whether anything must be done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

import pql_model
from pql_model.cli.common import ConfigOption, FailOnOption, JsonOption, MonitorAsOfOption, MonitorPageOption, emit, err
from pql_model.cli.progress import Bars
from pql_model.cli.run import exit_if_found
from pql_model.cli.tables import estimate, number, percent, percent_estimate, print_table, say


def monitor(
    config: ConfigOption = Path("pql.yaml"),
    as_of: MonitorAsOfOption = None,
    output: MonitorPageOption = None,
    fail_on: FailOnOption = "never",
    as_json: JsonOption = False,
) -> None:
    """Say whether the scores came true, the data are healthy and the model still fits, and what to do.

    Writes a page whose first line says whether anything must be done, and logs the figures to MLflow. With `--as-of` in the
    past, only what was known then is used. Exit code 3 if it finds what `--fail-on` names.
    """
    with Bars(err) as bars:
        result = pql_model.monitor(config, as_of=as_of, output=output, listener=bars)
    emit(result, as_json, show_monitor)
    exit_if_found(result.severity, fail_on)


def show_monitor(console: Console, payload: dict[str, Any]) -> None:
    """Print the advice with its reasons, the findings, and the realised results by month."""
    say(console, f"{payload['words']} ({payload['advice']}, as of {payload['as_of']})", style="bold")
    for why in payload["why"]:
        say(console, f"- {why}")
    others = [f"{finding['severity']}: {finding['words']}" for finding in payload["findings"]]
    for words in [words for words in others if words.split(": ", 1)[1] not in payload["why"]]:
        say(console, f"- {words}")
    realised = payload["realised"]
    if realised is not None:
        say(console, realised["words"])
        _outcomes(console, "Scores whose outcome is final, by month", "month", realised["months"])
        if len(realised["origins"]) > 1:
            _outcomes(console, "Logged scores and replayed ones", "source", realised["origins"])
        pql = realised["pql"]
        if pql["entities"]:
            say(
                console,
                f"{pql['entities']:,} PQLs: {percent_estimate(pql['precision'])} converted, "
                f"{number(pql['lift']['value'], 1)} times as often as everybody.",
            )
    if payload["estimate"] is not None:
        say(console, payload["estimate"]["words"])
    for note in payload["notes"]:
        say(console, note, style="dim")
    say(console, f"Wrote {payload['output']}.", gap=True)


def _outcomes(console: Console, title: str, name: str, groups: list[dict[str, Any]]) -> None:
    rows = [
        (
            group["name"],
            f"{group['entities']:,}",
            percent(group["predicted"]),
            percent_estimate(group["observed"]),
            estimate(group["observed_over_predicted"], 2),
        )
        for group in groups
    ]
    print_table(console, title, [name, "entities", "predicted", "observed", "observed / predicted"], rows)
