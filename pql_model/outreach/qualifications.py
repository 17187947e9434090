"""The first qualification of each entity: when it was alerted, or would have been had it not been held out.

An entity enters the comparison once, at the first instant at which it qualified, with the arm it had then. The hold-out is
selected by the same threshold and queue as the others (`decide.select`), so the two arms differ by the contact only, provided
that the log shows the first qualification of both. Where it begins later, an alerted entity can be recognised (it is a PQL
that is not newly qualified), one of the hold-out cannot: the first runs after a gap are then left out in both arms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from pql_model.decide.select import HELD_OUT
from pql_model.outreach.logged_runs import LoggedRuns, fetch_rows, lead_rows

Table = Any
BEFORE_THE_LOG, UNKNOWN, PENDING = "qualified_before_the_log", "not_in_todays_data", "outcome_not_final"
_COLUMNS = [
    *("entity", "as_of", "model_version", "probability", "band", "is_pql", "newly_qualified", "suppressed"),
    *("known", "final", "converted", "value", "sent_at", "contacted_at"),
]


@dataclass(frozen=True)
class Qualifications:
    """Entities at their first qualification.

    Attributes
    ----------
    frame
        One row an entity, by instant: entity, as_of, probability, band, held_out, final, converted (bool; False unless
        final), value, sent_at, contacted_at, alerted_at (the first alert, whenever). Instants are microseconds, NaN for none.
    set_aside
        Reason -> entities that qualified and are not in the frame.
    """

    frame: pd.DataFrame
    set_aside: dict[str, int]

    @property
    def final(self) -> pd.DataFrame:
        """Those whose outcome is final."""
        return self.frame[self.frame["final"]].reset_index(drop=True)

    @property
    def pending(self) -> int:
        return int((~self.frame["final"]).sum())


def first_qualifications(ledger: Table, runs: LoggedRuns) -> Qualifications:
    """Find the first qualification of each entity in the runs of a ledger."""
    rows = lead_rows(ledger, runs)
    rows = rows.group_by("entity").order_by("as_of").mutate(_place=lambda t: t.as_of.rank())
    alerts = rows.filter(rows.newly_qualified.fill_null(False)).group_by("entity")
    alerts = alerts.agg(alerted_at=lambda t: t.as_of.min())
    first = fetch_rows(rows.filter(rows["_place"] == 0).select(*_COLUMNS))
    alerted_at = fetch_rows(alerts.rename(as_of="alerted_at")).set_index("entity")["as_of"]
    first = first.drop_duplicates("entity")
    held_out = (first["suppressed"] == HELD_OUT).to_numpy(bool)
    stock = ~held_out & ~first["newly_qualified"].fillna(False).to_numpy(bool)
    after_gap = first["as_of"].isin(first.loc[stock, "as_of"].unique()).to_numpy(bool)
    unknown = ~after_gap & ~first["known"].to_numpy(bool)
    usable = ~after_gap & ~unknown
    frame = first.assign(
        held_out=held_out,
        final=first["final"].to_numpy(bool),
        converted=first["converted"].fillna(False).to_numpy(bool),
        alerted_at=first["entity"].map(alerted_at),
    )[usable]
    frame = frame.drop(columns=["is_pql", "newly_qualified", "suppressed", "known"])
    set_aside = {BEFORE_THE_LOG: int(after_gap.sum()), UNKNOWN: int(unknown.sum())}
    order = ["as_of", "entity"]
    return Qualifications(
        frame.sort_values(order, ignore_index=True), {reason: n for reason, n in set_aside.items() if n}
    )


def flow_per_week(frame: pd.DataFrame, week: int, weeks: int = 12) -> float:
    """Entities that first qualify per week, over the last `weeks` weeks of the runs; NaN without two instants."""
    if frame.empty:
        return float("nan")
    instants = frame["as_of"].to_numpy(float)
    start = max(instants.min(), instants.max() - weeks * week)
    span = instants.max() - start
    # The first instant brings the stock that was there before, not the flow of a week.
    return float((instants > start).sum() / (span / week)) if span >= week else float("nan")
