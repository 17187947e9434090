"""The precision of each definition over time, judged by the rule that judges the definition in force in a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.criteria.definition_metrics import DefinitionMetrics, Outcomes, evaluate_definition
from pql_model.criteria.in_force import stale_reason
from pql_model.monitoring.finding import Finding, Severity
from pql_model.payload import select_attributes
from pql_model.time import DAY, iso

COLUMNS = {"recommended": "meets_definition", "in_force": "meets_in_force"}
"""Definition -> its column in the ledger."""


@dataclass(frozen=True)
class DefinitionOverTime:
    """A definition on realised rows, beside its test.

    Attributes
    ----------
    name
        `recommended` or `in_force`.
    before, now
        Figures in the test of the model, and on final rows since.
    stale
        Why it is stale; None if it is not, or cannot be told.
    """

    name: str
    text: str
    before: DefinitionMetrics
    now: DefinitionMetrics
    since: int
    stale: str | None

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, "name", "text", "before", "now", "stale", digits=6) | {"since": iso(self.since)}


def definitions_over_time(
    rows: pd.DataFrame,
    texts: Mapping[str, str],
    before: Mapping[str, DefinitionMetrics],
    motion: str,
) -> tuple[DefinitionOverTime, ...]:
    """Evaluate each definition on final rows that the model has not learnt from.

    Parameters
    ----------
    rows
        See `ledger_rows.due_rows`; of a trial, the newest age of each entity counts.
    texts, before
        Name -> the definition in words, and its figures in the test; without those a definition is not judged.
    """
    if motion == "trial":
        rows = rows.sort_values(["as_of", "entity"]).drop_duplicates("entity", keep="last")
    found = []
    for name, column in COLUMNS.items():
        if name not in texts or name not in before:
            continue
        usable = rows[rows[column].notna()]
        if usable.empty:
            continue
        outcomes = Outcomes(
            usable["entity"].to_numpy(),
            usable["as_of"].to_numpy(np.int64),
            usable["as_of"].to_numpy(np.int64),
            usable["converted"].to_numpy(bool),
        )
        now = evaluate_definition(usable[column].to_numpy(bool), outcomes)
        since = int(usable["as_of"].min())
        found.append(DefinitionOverTime(name, texts[name], before[name], now, since, stale_reason(before[name], now)))
    return tuple(found)


def stale_findings(definitions: tuple[DefinitionOverTime, ...], qualifying: str | None) -> tuple[Finding, ...]:
    """`criterion_stale` for each stale definition: to be acted on where it qualifies leads.

    A definition that was already stale when the model was trained is not news.

    Parameters
    ----------
    qualifying
        The definition that the policy qualifies by; None if it goes by probability.
    """
    found = []
    for definition in definitions:
        if definition.stale is None or stale_reason(definition.before, definition.before) is not None:
            continue
        severity: Severity = "act" if definition.name == qualifying else "watch"
        label = "The recommended definition" if definition.name == "recommended" else "The definition in force"
        words = f"{label} is stale ({definition.text}). {definition.stale} Since {iso(definition.since // DAY * DAY)}."
        found.append(
            Finding(
                "criterion_stale",
                definition.name,
                definition.since,
                round(definition.now.rate.value, 4),
                round(definition.before.rate.value, 4),
                words,
                severity,
            )
        )
    return tuple(found)
