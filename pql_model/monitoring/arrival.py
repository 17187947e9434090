"""Rows that arrive later than they did: measured where the config maps their arrival (`known_at`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pql_model.monitoring.finding import Finding, Severity
from pql_model.time import DAY, iso

Table = Any

BINS_A_DAY = 4
MOST_DAYS = 60
"""Rows that arrive later than this count as that late."""
LATER = 1.0
"""Days by which rows must arrive later than almost all did before."""
SHARE = 0.3
"""Share of the rows of a day that must be late."""
MOST = 0.6
"""From this share on the lateness concerns the table and not a part of it."""
SHORTEST = 3
"""Days of arrival that a delay lasts before it is named."""
FEWEST_ROWS = 30
_LEAST_OF_DAYS = 0.8


@dataclass(frozen=True)
class ArrivalDays:
    """Rows of one table by the day on which they arrived and by their delay.

    Attributes
    ----------
    first_day
        Day of row 0, in days since 1970.
    rows
        (days, bins): four bins a day of delay.
    """

    first_day: int
    rows: np.ndarray

    def median_days(self, days: slice) -> float:
        """Median delay of the rows that arrived on these days, in days."""
        by_delay = np.cumsum(self.rows[days].sum(axis=0))
        if not by_delay[-1]:
            return 0.0
        return float(np.searchsorted(by_delay, by_delay[-1] / 2, side="left") / BINS_A_DAY)


def count_arrivals(table: Table, as_of: int, period: int = 0) -> ArrivalDays | None:
    """Count the rows of a table that arrived before as_of; None where no arrival is known.

    Parameters
    ----------
    table
        time and known_at.
    period
        Length of the period that a row sums up: it happened when the period ended.
    """
    width = DAY // BINS_A_DAY
    known = table.filter(table.known_at.notnull() & (table.known_at < as_of))
    delay = ((known.known_at - known.time - period) // width).clip(0, MOST_DAYS * BINS_A_DAY)
    counts = (
        known.group_by(day=known.known_at // DAY, delay=delay).agg(rows=lambda t: t.count()).to_pyarrow().to_pydict()
    )
    if not counts["day"]:
        return None
    first, end = min(counts["day"]), as_of // DAY
    rows = np.zeros((max(end, max(counts["day"]) + 1) - first, MOST_DAYS * BINS_A_DAY + 1))
    rows[np.array(counts["day"]) - first, np.array(counts["delay"])] = counts["rows"]
    return ArrivalDays(first, rows[: max(end - first, 0)])


def late_findings(arrivals: ArrivalDays, source: str, recent_day: int) -> list[Finding]:
    """Find a delay that began at or after a day and lasts until the end.

    An import of old rows is late too, on the days of the import; a delay that has not lasted until the end is none.

    Parameters
    ----------
    recent_day
        In days since 1970; arrivals before it are the past.
    """
    recent = recent_day - arrivals.first_day
    if recent < 1 or len(arrivals.rows) - recent < SHORTEST:
        return []
    usual = np.cumsum(arrivals.rows[:recent].sum(axis=0))
    if usual[-1] < FEWEST_ROWS:
        return []
    almost_all = int(np.searchsorted(usual, 0.9 * usual[-1])) / BINS_A_DAY
    limit = int(np.ceil((almost_all + LATER) * BINS_A_DAY))
    if limit >= arrivals.rows.shape[1]:
        return []
    total = arrivals.rows.sum(axis=1)
    late = arrivals.rows[:, limit:].sum(axis=1)
    share_before = late[:recent].sum() / total[:recent].sum()
    is_late = late > np.maximum(SHARE, 3 * share_before) * total
    start = _start(is_late, total, recent)
    if start is None:
        return []
    rows, share = float(total[start:].sum()), float(late[start:].sum() / total[start:].sum())
    before, now = arrivals.median_days(slice(0, recent)), arrivals.median_days(slice(start, None))
    if share < MOST:
        now = arrivals.median_days(slice(start, None)) if share >= 0.5 else _late_median(arrivals, start, limit)
    since = (arrivals.first_day + start) * DAY
    severity: Severity = "act" if share >= MOST else "watch"
    words = (
        f"Since {iso(since)} rows of `{source}` arrive later: {share:.0%} of {rows:,.0f} more than {limit / BINS_A_DAY:g} days "
        f"after they happened ({share_before:.1%} before), typically {now:.1f} days."
    )
    return [Finding("late_data", source, since, round(now, 1), round(before, 1), words, severity)]


def _start(is_late: np.ndarray, total: np.ndarray, recent: int) -> int | None:
    """First day of the delay that lasts until the end: nearly all days with rows are late from then on."""
    days = np.flatnonzero(total[recent:] > 0) + recent
    late = is_late[days]
    from_end = np.cumsum(late[::-1])[::-1] / np.arange(len(late), 0, -1)
    good = np.flatnonzero(late & (from_end >= _LEAST_OF_DAYS))
    if not len(good) or not late[-1] or len(late) - good[0] < SHORTEST or total[days[good[0]] :].sum() < FEWEST_ROWS:
        return None
    return int(days[good[0]])


def _late_median(arrivals: ArrivalDays, start: int, limit: int) -> float:
    late = arrivals.rows.copy()
    late[:, :limit] = 0
    return ArrivalDays(arrivals.first_day, late).median_days(slice(start, None))
