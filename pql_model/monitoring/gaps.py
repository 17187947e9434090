"""Days on which nothing came although something was due: gaps that ended, and tables that end too early."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pql_model.monitoring.counts import WEEK_DAYS, Noise
from pql_model.monitoring.finding import Finding, Severity
from pql_model.time import DAY, iso

ALL = "all events"
SILENT = 0.05
"""A day with less than this share of what was due is silent."""
SPARSE = 0.3
"""The newest days with less than this share are incomplete."""
SURE = 1e-4
"""Largest probability of silence by chance, over all days that were searched."""
LATE_DAYS = 4
"""Days that rows are on their way at most; a longer time with little activity is a holiday."""
LONG_DAYS = 7
"""A table that ends this many days early is missing rather than late."""
_ACT_DAYS = 3.5  # of usual activity: the days around a public holiday are fewer
_WEEKS = 8
_FEWEST_WEEKS = 3


@dataclass(frozen=True)
class Silence:
    """A run of days without what was due.

    Attributes
    ----------
    start, end
        Columns of the first silent day and of the first day after it.
    count, expected
        Entities with an event on these days: observed, and due.
    usual_days
        Length in days of usual activity.
    ended
        Whether something came afterwards.
    """

    start: int
    end: int
    count: float
    expected: float
    usual_days: float
    ended: bool

    @property
    def days(self) -> int:
        return self.end - self.start


def expected_activity(active: np.ndarray) -> np.ndarray:
    """Expect on each day the median of the same weekday in the eight weeks before, without days on which nothing came.

    >>> expected_activity(np.array([5, 6, 7, 5, 6, 1, 1] * 5 + [5.0, 0, 7]))[-3:].tolist()
    [5.0, 6.0, 7.0]
    """
    expected = np.zeros(len(active))
    for day in range(len(active)):
        before = active[max(0, day - _WEEKS * WEEK_DAYS) : day][::-1][WEEK_DAYS - 1 :: WEEK_DAYS]
        if len(before) >= _FEWEST_WEEKS:
            alive = before[before > 0]
            expected[day] = np.median(alive) if 2 * len(alive) > len(before) else 0.0
    return expected


def silences(
    count: np.ndarray, expected: np.ndarray, noise: Noise, first: int, end: int | None = None, searches: int = 1
) -> list[Silence]:
    """Find runs of silent days beyond chance that reach past column `first`.

    Parameters
    ----------
    count, expected
        (days,).
    noise
        Of the series.
    first
        Runs that end before it are ignored.
    end
        Column at which the series is due to end; default: the last one.
    searches
        Number of series that are searched.

    Examples
    --------
    >>> count = np.array([9, 8, 9, 0, 0, 0, 0, 8, 9.0])
    >>> [(run.start, run.end, run.ended) for run in silences(count, np.full(9, 9.0), Noise(), 0)]
    [(3, 7, True)]
    """
    end = len(count) if end is None else end
    count, expected = count[:end], expected[:end]
    silent = count <= SILENT * expected
    edges = np.flatnonzero(np.diff(np.concatenate([[0], silent.astype(int), [0]])))
    found = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        due = float(expected[start:stop].sum())
        if stop <= first or not due:
            continue
        came = float(count[start:stop].sum())
        days = np.flatnonzero(expected[start:stop] > 0)
        start, stop = int(start + days[0]), int(start + days[-1] + 1) if stop < end else int(stop)
        usual = expected[max(0, start - 4 * WEEK_DAYS) : start]
        typical = float(usual.mean()) if len(usual) and usual.mean() > 0 else due / max(1, stop - start)
        if noise.at_most(came, due) * (end - first) * searches < SURE:
            found.append(Silence(start, stop, came, due, due / typical, stop < end))
    return found


def recovered(run: Silence, count: np.ndarray) -> bool:
    """Whether a series came back after a silent run at half of its former rate, or more.

    >>> run = Silence(7, 9, 0, 4.0, 2.0, True)
    >>> recovered(run, np.array([2.0] * 7 + [0, 0, 2, 1, 2])), recovered(run, np.array([2.0] * 7 + [0, 0, 1, 0, 0]))
    (True, False)
    """
    before, after = count[max(0, run.start - 4 * WEEK_DAYS) : run.start], count[run.end :]
    return bool(run.ended and len(after) and len(before) and after.mean() >= before.mean() / 2)


def silence_findings(runs: Iterable[Silence], subject: str, first_day: int, shortest: float = 2.0) -> Iterator[Finding]:
    """Phrase silent days: `tracking_gap` where something came afterwards or a week is missing, else `late_data`."""
    for run in runs:
        if run.usual_days < (shortest if run.ended else min(shortest, 1.0)):
            continue
        since = (first_day + run.start) * DAY
        severity: Severity = "act" if run.usual_days >= _ACT_DAYS else "watch"
        nothing = "nothing" if not run.count else f"only {run.count:,.0f}"
        due = f"{run.expected:,.0f} active days of entities were due"
        until = iso((first_day + run.end) * DAY)
        if run.ended:
            words = f"{_of(subject)} from {iso(since)} until {until}, {run.days} days: {nothing} came, and {due}."
            yield Finding("tracking_gap", subject, since, run.days, 0, words, severity)
        elif run.days >= LONG_DAYS:
            words = f"{_of(subject)} since {iso(since)}, for {run.days} days: {nothing} came, and {due}."
            yield Finding("tracking_gap", subject, since, run.days, 0, words, severity)
        else:
            words = (
                f"The newest rows of {_named(subject)} are of {iso(since - 1)[:10]}, {run.days} whole days before the end: "
                f"{nothing} came since, and {due}. They seem to arrive late."
            )
            yield Finding("late_data", subject, since, run.days, 0, words, "act" if run.days >= 2 else "watch")


def incomplete_days(active: np.ndarray, expected: np.ndarray, noise: Noise, first_day: int) -> list[Finding]:
    """Find newest days that hold less than a third of the usual activity: their rows may still be on the way."""
    few = active <= SPARSE * expected
    days = 0
    while days < min(LONG_DAYS, len(active)) and few[-1 - days] and expected[-1 - days] > 0:
        days += 1
    if not 0 < days <= LATE_DAYS:  # for longer, people are away
        return []
    came, due = float(active[-days:].sum()), float(expected[-days:].sum())
    if noise.at_most(came, due) > SURE:
        return []
    since = (first_day + len(active) - days) * DAY
    words = (
        f"Since {iso(since)} entities were active on {came:,.0f} days in sum, where {due:,.0f} were due by the same weekdays "
        "before: the newest days seem to be incomplete, or a holiday has begun."
    )
    return [Finding("late_data", ALL, since, days, 0, words, "watch")]


def _named(subject: str) -> str:
    return subject if subject == ALL else f"`{subject}`"


def _of(subject: str) -> str:
    return "There is a gap in all events" if subject == ALL else f"There is a gap in `{subject}`"
