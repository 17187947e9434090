"""How many of each week or month convert, of everybody and of those who meet a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pql_model.criteria.definition_metrics import Outcomes
from pql_model.time import WEEK, iso, week_of


def weekly_counts(
    outcomes: Outcomes, rules: Mapping[str, np.ndarray], until: int, finished_before: int
) -> list[dict[str, Any]]:
    """Count by week of `begins`, from the first one with a row to the end of the data.

    Parameters
    ----------
    outcomes
        Rows with a final outcome.
    rules
        Name -> whether each row meets the rule.
    until
        End of the data.
    finished_before
        Weeks that end later are not finished: rows of theirs have no final outcome yet.

    Returns
    -------
    list of dict
        `week, entities, conversions, finished`, and `by_definition`: name -> `qualified, conversions`.
    """
    week = week_of(outcomes.begins)
    payload = []
    for monday in range(int(week.min()), int(week_of(np.array([until]))[0]) + 1, WEEK):
        in_week = week == monday
        payload.append(
            {
                "week": iso(monday),
                "entities": int(in_week.sum()),
                "conversions": int((in_week & outcomes.converted).sum()),
                "finished": monday + WEEK <= finished_before,
                "by_definition": {
                    name: {
                        "qualified": int((in_week & met).sum()),
                        "conversions": int((in_week & met & outcomes.converted).sum()),
                    }
                    for name, met in rules.items()
                },
            }
        )
    return payload


def monthly_counts(weeks: Sequence[Mapping[str, Any]], later_from: str | None) -> list[dict[str, Any]]:
    """Add up weeks by the month of their Monday; earlier and later weeks of one month stay apart.

    Parameters
    ----------
    weeks
        As `weekly_counts` gives them.
    later_from
        The first instant of the later rows; None without any.

    Returns
    -------
    list of dict
        As the weeks; a month is finished if all of its weeks are.
    """
    months: dict[tuple[bool, str], dict[str, Any]] = {}
    for week in weeks:
        key = (later_from is not None and week["week"] >= later_from, week["week"][:7])
        month = months.setdefault(
            key, {"week": week["week"], "entities": 0, "conversions": 0, "finished": True, "by_definition": {}}
        )
        month["entities"] += week["entities"]
        month["conversions"] += week["conversions"]
        month["finished"] &= week["finished"]
        for name, counts in week["by_definition"].items():
            of_rule = month["by_definition"].setdefault(name, {"qualified": 0, "conversions": 0})
            for count, value in counts.items():
                of_rule[count] += value
    return list(months.values())
