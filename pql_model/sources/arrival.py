"""How late the rows of a log arrived: a column of arrival times may be that of an import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.sources.duckdb_session import fetch_row
from pql_model.time import DAY, iso

Table = Any

LATE = DAY
"""A row that arrives later than this after the event is late."""
IMPORT_SHARE = 0.05
"""Above this share of late rows, a column of arrival times hides too much of the past to be used without a question."""


@dataclass(frozen=True)
class Arrival:
    """When rows arrived, over all rows of a table.

    Attributes
    ----------
    rows
        Rows with a time and an arrival.
    late
        Rows that arrived more than a day after they happened.
    busiest_day, busiest_rows
        The UTC day on which most late rows arrived, and how many did; None and 0 without late rows.
    """

    rows: int
    late: int
    busiest_day: int | None
    busiest_rows: int

    @property
    def share(self) -> float:
        """Share of the rows that arrived late."""
        return self.late / self.rows if self.rows else 0.0

    @property
    def is_import(self) -> bool:
        """Whether more rows are late than live tracking explains."""
        return self.share > IMPORT_SHARE

    @property
    def text(self) -> str:
        """Say how much arrived late: `61% of 5,207 rows arrived more than a day after they happened, ...`."""
        text = f"{self.share:.0%} of {self.rows:,} rows arrived more than a day after they happened"
        if self.busiest_day is None:
            return text
        return f"{text}, {self.busiest_rows:,} of them on {iso(self.busiest_day)}"


def measure_arrival(table: Table, period: int = 0) -> Arrival:
    """Measure how late the rows of a table arrived, on all of them.

    Parameters
    ----------
    table : Table
        time and known_at in microseconds, either of which may be null.
    period : int
        Length of the period that a row sums up; it happened when the period ended.
    """
    known = table.filter(table.time.notnull() & table.known_at.notnull())
    is_late = known.known_at - known.time - period > LATE
    counts = fetch_row(known.aggregate(rows=known.count(), late=known.count(where=is_late)))
    late = known.filter(is_late)
    by_day = late.group_by(day=late.known_at // DAY).agg(rows=lambda t: t.count())
    busiest = by_day.order_by(ibis.desc("rows"), "day").limit(1).to_pyarrow().to_pylist()
    day, most = (int(busiest[0]["day"]) * DAY, int(busiest[0]["rows"])) if busiest else (None, 0)
    return Arrival(int(counts["rows"]), int(counts["late"]), day, most)


def warn_of_late_arrival(arrival: Arrival, source: str, column: str) -> str | None:
    """Ask whether the arrival times of a table are those of an import; None where few rows are late."""
    if not arrival.is_import:
        return None
    return (
        f"{source}: {arrival.text} (`{column}`), and no snapshot sees a row before it arrived. If those rows were imported "
        "after the fact, remove `known_at` from the columns of this table."
    )
