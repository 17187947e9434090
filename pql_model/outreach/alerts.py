"""Alerted leads and the answers of sales: one row per alert, not per daily score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pql_model.ledger.schema import MEANINGS
from pql_model.outreach.logged_runs import LoggedRuns, fetch_rows, lead_rows

Table = Any
ACCEPTED, REJECTED = "accepted", "rejected"
_ANSWERS = [f"{meaning}_at" for meaning in MEANINGS]
_COLUMNS = [
    *("entity", "as_of", "model_version", "probability", "band", "meets_definition", "meets_in_force"),
    *("known", "final", "converted", "sent_at", "rejected_reason", "owner", *_ANSWERS),
]


def alerted_leads(ledger: Table, runs: LoggedRuns, until: int) -> pd.DataFrame:
    """Find the alerts of the runs of a ledger, and what sales answered to each.

    An answer belongs to the last alert before it, so one that came before the first alert belongs to none.

    Parameters
    ----------
    until
        Only what happened before this instant counts.

    Returns
    -------
    pandas.DataFrame
        One row per alert, by instant: the columns of the ledger that matter, with NaN where an answer belongs to a later
        alert, and

        - `next_alert`: instant of the entity's next alert, NaN without one;
        - `touched`: whether sales answered anything;
        - `status`: `accepted` (or won), `rejected`, the later of the two where both were said, else None;
        - `contradictory`: both were said.
    """
    rows = lead_rows(ledger, runs)
    frame = fetch_rows(rows.filter(rows.newly_qualified.fill_null(False)).select(*_COLUMNS))
    frame = frame.sort_values(["as_of", "entity"], ignore_index=True)
    next_alert = frame.groupby("entity", sort=False)["as_of"].shift(-1)
    end = next_alert.fillna(until).clip(upper=until).to_numpy(float)
    for name in _ANSWERS:
        frame[name] = frame[name].where(frame[name].to_numpy(float) < end)
    accepted = frame[["accepted_at", "won_at"]].min(axis=1).to_numpy(float)
    rejected = frame["rejected_at"].to_numpy(float)
    last_yes = frame[["accepted_at", "won_at"]].max(axis=1).to_numpy(float)
    status = np.full(len(frame), None, object)
    status[~np.isnan(accepted)] = ACCEPTED
    status[~np.isnan(rejected) & ~(last_yes > rejected)] = REJECTED
    return frame.assign(
        next_alert=next_alert,
        rejected_reason=frame["rejected_reason"].where(frame["rejected_at"].notna()),
        owner=frame["owner"].where(frame[_ANSWERS].notna().any(axis=1)),
        touched=frame[_ANSWERS].notna().any(axis=1).to_numpy(bool),
        status=pd.Series(status, frame.index, object),
        contradictory=(~np.isnan(accepted) & ~np.isnan(rejected)),
    )
