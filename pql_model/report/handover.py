"""The section on putting the rule to work: as text to copy, as commands, and as an experiment."""

from __future__ import annotations

from dataclasses import dataclass

from pql_model.criteria.export import definition_yaml
from pql_model.report.view import View

COMMANDS = {
    "pql criteria test pql.yaml": "the rule on today’s data, once it stands there under `definition:`",
    "pql criteria sql --dialect snowflake": "one SQL statement; also bigquery, databricks, duckdb, postgres, redshift, trino",
    "pql criteria dbt --dialect snowflake": "a dbt model with its sources, columns and tests",
    "pql criteria hubspot": "a draft of a HubSpot list; nothing is sent",
    "pql score": "who meets it now, with probability, reasons and next step",
    "pql sync": "what would reach the CRM, Slack or the warehouse; `--send` sends it",
}
"""Command -> what it gives."""


@dataclass(frozen=True)
class HandoverSection:
    """The rule as `definition:` of pql.yaml, and the commands that carry it elsewhere."""

    yaml: str | None
    commands: dict[str, str]


def handover(view: View) -> HandoverSection:
    """Prepare the section."""
    best = view.best
    if best is None or not best["recommended"]:
        return HandoverSection(None, {})
    return HandoverSection(definition_yaml("definition", best.raw), COMMANDS)
