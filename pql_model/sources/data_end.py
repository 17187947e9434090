"""Where the data end: at the newest event, or later where payments keep coming after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pql_model.errors import DataError
from pql_model.sources.conversions import Conversions
from pql_model.sources.duckdb_session import fetch_scalar
from pql_model.sources.events import StagedEvents
from pql_model.time import Duration, iso

Table = Any

LEAST_PACE = 0.5
"""Payments after the newest event extend the data while they come at this share of their earlier rate, or faster."""


@dataclass(frozen=True)
class DataEnd:
    """Where the data end.

    Attributes
    ----------
    observed_until
        The instant up to which outcomes are known.
    events_until
        The instant up to which behaviour is known: no snapshot lies after it.
    warning
        A sentence about later payments that do not move the end, or None.
    """

    observed_until: int
    events_until: int
    warning: str | None = None


def refuse_after_end(requested: int, latest: int, what: str) -> None:
    """Refuse an instant about which the data say nothing.

    Raises
    ------
    DataError
        If it lies after `latest`.
    """
    if requested > latest:
        raise DataError(
            f"{what} where the data end, or before",
            received=iso(requested),
            allowed=f"at the latest {iso(latest)}",
            remedy="name an earlier `--as-of`, or add the newest data",
        )


def find_data_end(
    staged: Sequence[StagedEvents], counted: Table, conversions: Conversions, source: str, horizon: Duration, now: int
) -> DataEnd | None:
    """Find the end of the data; None without an event in the past.

    Events of others than the entities that count do not move it: a test account may act long after the export. Sign-ups and the arrival of rows do not move it: both go on in a table whose log has ended. A payment alone does not
    either, since its date may be planned. Payments that keep their pace after the newest event do: the table of payments
    was then exported later than the log.

    Parameters
    ----------
    staged : sequence of StagedEvents
        All event tables.
    counted : Table
        entity: those that are neither unlisted, nor excluded, nor left out by `where:`.
    conversions : Conversions
        With every payment.
    source : str
        The name of the table of conversions.
    horizon : Duration
        The shortest time over which the pace of payments is measured.
    now : int
        The present instant; a later one is planned, or wrong.
    """
    events_until = _newest_event(staged, counted, now)
    if events_until is None:
        return None
    times = _payment_times(conversions, now)
    before, after = times[times <= events_until], times[times > events_until]
    if not len(after):
        return DataEnd(events_until, events_until)
    span = max(horizon.us, events_until - int(before[0])) if len(before) else horizon.us
    expected = LEAST_PACE * len(before) / span * (after - events_until)
    in_pace = np.flatnonzero(np.arange(1, len(after) + 1) >= expected)
    last = int(in_pace[-1]) if len(in_pace) else -1
    later = len(after) - last - 1
    warning = (
        f"{later:,} payments in {source} are later than the newest event ({iso(events_until)}), and too few to show that the "
        "data reach that far: planned dates look like this. They are set aside; if the data do reach further, set "
        "`observed_until`."
    )
    observed_until = int(after[last]) if last >= 0 else events_until
    return DataEnd(observed_until, events_until, warning if later else None)


def _newest_event(staged: Sequence[StagedEvents], counted: Table, now: int) -> int | None:
    newest = []
    for part in staged:
        time = part.table.semi_join(counted, "entity").time
        ends = [time] if part.spec.covers is None else [time, time + part.spec.covers.us]
        newest += [fetch_scalar(end.max(where=end <= now)) for end in ends]
    return max((int(instant) for instant in newest if instant is not None), default=None)


def _payment_times(conversions: Conversions, now: int) -> np.ndarray:
    """The times of the payments that have happened, ascending."""
    payments = conversions.table if conversions.payments is None else conversions.payments
    times = payments.filter(payments.time <= now).select("time").order_by("time").to_pyarrow()["time"]
    return np.asarray(times.to_numpy(), np.int64)
