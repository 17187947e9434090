"""Alerted leads and the answers of sales: one row per alert, not per daily score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pql_model.ledger.schema import MEANINGS
from pql_model.outreach.logged_runs import LoggedRuns, fetch_rows, lead_rows

Table = Any
ACCEPTED, REJECTED = "accepted", "rejected"
_COLUMNS = [
    *("entity", "as_of", "model_version", "probability", "band", "meets_definition", "meets_in_force"),
    *("known", "final", "converted", "sent_at"),
]


def alerted_leads(ledger: Table, feedback: Table | None, runs: LoggedRuns, until: int) -> pd.DataFrame:
    """Find the alerts of the runs of a ledger, and what sales answered to each.

    An answer belongs to the last alert before it, so one that came before the first alert belongs to none.

    Parameters
    ----------
    ledger, feedback
        `table` and `feedback` of a `Ledger`.
    until
        Only what happened before this instant counts.

    Returns
    -------
    pandas.DataFrame
        One row per alert, by instant: the columns of the ledger that matter, and

        - `next_alert`: instant of the entity's next alert, NaN without one;
        - `contacted_at`, `accepted_at`, `rejected_at`, `won_at`: the first such answer, NaN without one;
        - `status`: `accepted` (or won) or `rejected`, whichever was said last (rejected at a tie), else None;
        - `rejected_reason`: of the last rejection that has one; `owner`: the first that is named;
        - `touched`: whether sales answered anything;
        - `contradictory`: it was accepted (or won) and rejected.
    """
    rows = lead_rows(ledger, runs)
    frame = fetch_rows(rows.filter(rows.newly_qualified.fill_null(False)).select(*_COLUMNS))
    frame = frame.sort_values(["as_of", "entity"], ignore_index=True)
    frame = frame.assign(next_alert=frame.groupby("entity", sort=False)["as_of"].shift(-1))
    answers = _answers(frame, feedback, until)
    first = answers.pivot_table("time", "alert", "meaning", "min").reindex(frame.index)
    first = first.reindex(columns=list(MEANINGS)).astype(float).add_suffix("_at")
    decided = answers.assign(said=answers["meaning"].map({"accepted": ACCEPTED, "won": ACCEPTED, "rejected": REJECTED}))
    decided = decided.dropna(subset=["said"]).sort_values(["time", "said"], kind="stable")
    by_alert = decided.groupby("alert")["said"]
    status = by_alert.last().reindex(frame.index)
    rejections = decided[decided["said"] == REJECTED]
    return frame.assign(
        **first,
        status=status.astype(object).where(status.notna(), None),
        rejected_reason=_said_of(rejections["reason"], rejections["alert"], frame.index, "last"),
        owner=_said_of(answers["owner"], answers["alert"], frame.index, "first"),
        touched=first.notna().any(axis=1).to_numpy(bool),
        contradictory=(by_alert.nunique().reindex(frame.index).fillna(0) > 1).to_numpy(bool),
    )


def _answers(alerts: pd.DataFrame, feedback: Table | None, until: int) -> pd.DataFrame:
    """The feedback before `until` that answers an alert, by time: time, meaning, reason, owner, and `alert`, its row."""
    columns = ["entity", "time", "meaning", "reason", "owner"]
    said = feedback.select(*columns).to_pandas() if feedback is not None else pd.DataFrame(columns=columns)
    said = said[said["entity"].isin(alerts["entity"]) & (said["time"] < until)].sort_values(["time", "meaning"])
    begun = alerts.assign(alert=alerts.index)[["entity", "as_of", "alert"]].astype({"entity": str, "as_of": np.int64})
    matched = pd.merge_asof(
        said.astype({"entity": str, "time": np.int64}),
        begun.sort_values("as_of"),
        left_on="time",
        right_on="as_of",
        by="entity",
    )
    return matched.dropna(subset=["alert"]).astype({"alert": int})


def _said_of(values: pd.Series, alert: pd.Series, index: pd.Index, which: str) -> pd.Series:
    """The first or last named value of each alert; None without one."""
    named = values.notna()
    found = values[named].groupby(alert[named]).agg(which).reindex(index).astype(object)
    return found.where(found.notna(), None)
