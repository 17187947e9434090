"""The scoring runs of a ledger whose leads could be acted on, and the rows of their leads.

Only these rows are leads: rows that the service answered were not alerts, replayed rows were computed afterwards, and a run
that was made out of order was decided as a first run and never remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from pql_model.decide.select import HELD_OUT
from pql_model.ledger.schema import KEY, LEDGER_SCHEMA
from pql_model.time import to_datetime

Table = Any
_RUN = ["as_of", "model_version"]
_INSTANTS = ("as_of", "scored_at", "sent_at", "contacted_at", "accepted_at", "rejected_at", "won_at", "converted_at")
SCORED_LATE, OUT_OF_ORDER, ANOTHER_MODEL = "scored_after_horizon", "run_out_of_order", "another_model"
"""Why a run is set aside."""


@dataclass(frozen=True)
class LoggedRuns:
    """The runs of `pql score` in a ledger.

    Attributes
    ----------
    used
        as_of and model_version of the runs whose leads could be acted on, by instant. Instants are microseconds.
    set_aside
        Reason -> runs.
    """

    used: pd.DataFrame
    set_aside: dict[str, int]


def logged_runs(ledger: Table, horizon: int, until: int | None = None) -> LoggedRuns:
    """Find the runs of `pql score` whose leads could be acted on.

    Parameters
    ----------
    ledger
        The outcome ledger.
    horizon
        Microseconds within which a conversion counts. A run that was made later than its horizon changed nothing.
    until
        Only runs before this instant.
    """
    scored = ledger.filter(ledger.source == "score")
    if until is not None:
        scored = scored.filter(scored.as_of < to_datetime(until))
    runs = scored.group_by(_RUN).agg(scored_at=scored.scored_at.max()).to_pandas()
    runs = runs.assign(**{name: _microseconds(runs[name]).astype(np.int64) for name in ("as_of", "scored_at")})
    runs = runs.sort_values(["as_of", "scored_at"], ignore_index=True)
    reason = np.full(len(runs), None, object)
    reason[(runs["scored_at"] >= runs["as_of"] + horizon).to_numpy(bool)] = SCORED_LATE
    reason[_out_of_order(runs) & pd.isna(reason)] = OUT_OF_ORDER
    reason[_beside_another(runs, pd.isna(reason))] = ANOTHER_MODEL
    counts = pd.Series(reason).dropna().value_counts()
    return LoggedRuns(
        runs.loc[pd.isna(reason), _RUN].reset_index(drop=True), {str(k): int(n) for k, n in counts.items()}
    )


def _out_of_order(runs: pd.DataFrame) -> np.ndarray:
    """Runs made after a run of a later instant: they were decided as first runs, and not remembered."""
    by_clock = runs.sort_values(["scored_at", "as_of"])
    latest_before = by_clock["as_of"].cummax().shift(fill_value=np.iinfo(np.int64).min)
    late = by_clock["as_of"] < latest_before
    return np.asarray(late.reindex(runs.index), bool)


def _beside_another(runs: pd.DataFrame, usable: np.ndarray) -> np.ndarray:
    """Runs of an instant that another model decided too: the model of the run before decides, else the newer version."""
    beside, current = np.zeros(len(runs), bool), None
    for places in runs[usable].groupby("as_of").groups.values():
        versions = runs.loc[places, "model_version"]
        if current not in set(versions):
            current = max(versions, key=lambda version: (len(version), version))
        beside[places[versions != current]] = True
    return beside


def lead_rows(ledger: Table, runs: LoggedRuns) -> Table:
    """Select the qualifying rows of the runs in use: PQLs, and rows of the hold-out that would have been PQLs."""
    instants = pa.array(runs.used["as_of"], pa.int64()).cast(LEDGER_SCHEMA.field("as_of").type)
    used = ibis.memtable(
        pa.table({"as_of": instants, "model_version": pa.array(runs.used["model_version"], pa.string())})
    )
    rows = ledger.filter(ledger.source == "score").semi_join(used, _RUN)
    return rows.filter(rows.is_pql.fill_null(False) | (rows.suppressed == HELD_OUT).fill_null(False))


def fetch_rows(rows: Table) -> pd.DataFrame:
    """Fetch rows of the ledger: instants as microseconds (float, NaN where null), flags as objects with None."""
    frame: pd.DataFrame = rows.to_pandas()
    for name in set(_INSTANTS) & set(frame.columns):
        frame[name] = _microseconds(frame[name])
    return frame.sort_values([name for name in KEY if name in frame.columns], ignore_index=True)


def _microseconds(column: pd.Series) -> pd.Series:
    instants = pd.to_datetime(column, utc=True).astype("datetime64[us, UTC]")
    return instants.astype(np.int64).astype(float).where(instants.notna())
