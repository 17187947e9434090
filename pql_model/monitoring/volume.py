"""Events that stopped, started, or come more or less often than before, among the entities that are active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pql_model.monitoring.counts import Noise, Shift, expected_counts, find_shift, noise_of, two_sided, usual_pause
from pql_model.monitoring.daily import DailyCounts
from pql_model.monitoring.finding import Finding, Severity
from pql_model.statistics.multiple_testing import holm
from pql_model.time import iso

SURE = 1e-3
"""Largest probability of any finding by chance among all events, after Holm's correction."""
STOPPED = 0.05
"""An event at less than this share of its expectation has stopped; old versions of a program may still send it."""
CHANGED = 1.5
"""Smallest factor by which the share of active entities with an event changes, or their occurrences."""
LOST = 0.35
"""An event that falls below this share from one day to the next is lost by a part of the tracking."""
REPEATED = 1.6
"""An event that each entity sends this many times as often from one day to the next is sent twice."""
SHORTEST = 3
"""Days that a change lasts before it is named."""
_STEP_DAYS = 14
_FEWEST = 10.0
_PAUSES = 3.0
_FEWEST_EVENTS = 5
REPEAT_DRIFT = 0.05
"""Standard error that the mean logarithm of an entity's occurrences moves by of itself."""


@dataclass(frozen=True)
class EventSeries:
    """One event on the days since it exists, with the expectation from its past.

    Attributes
    ----------
    count, expected
        (days,): entities with the event, observed and due.
    rows, logs
        (days,): occurrences, and the sum of their logarithms by entity.
    begun
        Column of its first day, 0 where it is as old as the log.
    """

    name: str
    count: np.ndarray
    expected: np.ndarray
    rows: np.ndarray
    logs: np.ndarray
    begun: int
    noise: Noise


def event_series(counts: DailyCounts, past: np.ndarray, hidden: Mapping[str, np.ndarray]) -> list[EventSeries]:
    """Expect each event from its past, which may begin later than that of the log.

    Parameters
    ----------
    past
        (days,), bool.
    hidden
        Name -> (days,), bool: days of a gap that is known, in which nothing was due.
    """
    raw = []
    for number, name in enumerate(counts.names):
        count = counts.entities[number].sum(axis=1)
        begun = _first_day(count)
        mine = past & (np.arange(counts.days) >= begun) & ~hidden.get(name, np.zeros(counts.days, bool))
        expected = expected_counts(counts.entities[number], counts.active, mine, counts.first_day)
        expected = np.where(hidden.get(name, False), 0.0, expected)
        raw.append((number, name, count, expected, begun, mine))
    raw = _at_common_intensity(raw)
    known = [
        noise_of(count, expected, mine).dispersion for *_, count, expected, _, mine in raw if expected[mine].sum() > 50
    ]
    typical = float(np.median(known)) if known else 2.0
    return [
        EventSeries(
            name,
            count,
            expected,
            counts.rows[number],
            counts.logs[number],
            begun,
            noise_of(count, expected, mine, typical),
        )
        for number, name, count, expected, begun, mine in raw
    ]


def _at_common_intensity(
    raw: list[tuple[int, str, np.ndarray, np.ndarray, int, np.ndarray]],
) -> list[tuple[int, str, np.ndarray, np.ndarray, int, np.ndarray]]:
    """Move the expectations of each week by the median of all events: those who are active in a holiday do less of everything.

    A median is not moved by the event that changes. With few events it would be one of them, and none is moved.
    """
    if len(raw) < _FEWEST_EVENTS:
        return raw
    week = np.arange(len(raw[0][2]))[::-1] // 7
    weeks = int(week.max()) + 1
    observed = np.array([np.bincount(week, item[2], weeks) for item in raw])
    due = np.array([np.bincount(week, item[3], weeks) for item in raw])
    factor = np.ones(weeks)
    for number in range(weeks):
        enough = due[:, number] > 1
        if enough.sum() >= _FEWEST_EVENTS:
            ratio = _weighted_median(observed[enough, number] / due[enough, number], np.sqrt(due[enough, number]))
            factor[number] = ratio if 0.4 < ratio < 2.5 else 1.0
    return [
        (number, name, count, expected * factor[week], begun, mine)
        for number, name, count, expected, begun, mine in raw
    ]


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _first_day(count: np.ndarray) -> int:
    """The first day with the event, 0 where it appears within the first fortnight of the log."""
    first = int(np.argmax(count > 0))
    return first if first >= _STEP_DAYS else 0


@dataclass(frozen=True)
class EventChange:
    """A change of one event: `stopped`, `started`, `fell`, `rose` or `repeated`.

    Attributes
    ----------
    start
        Column of its first day.
    after, expected
        Entities with the event since then, observed and due; for `repeated`, occurrences.
    days
        How many days it lasts.
    abrupt
        Whether it came from one day to the next.
    """

    name: str
    what: str
    start: int
    after: float
    expected: float
    days: int
    abrupt: bool

    @property
    def ratio(self) -> float:
        return self.after / self.expected if self.expected else float("inf")


def event_changes(series: Sequence[EventSeries], active: np.ndarray, recent: int) -> list[EventChange]:
    """Find the changes that began at or after column `recent`, at most one of an event.

    Parameters
    ----------
    active
        (days,): entities with any event.
    """
    tested: list[tuple[float, EventChange]] = []
    for event in series:
        tested += _tests(event, active, recent)
    if not tested:
        return []
    corrected = holm([min(1.0, p) for p, _ in tested])
    changes: dict[str, EventChange] = {}
    for (_, change), p in zip(tested, corrected, strict=True):
        if p < SURE:
            changes.setdefault(change.name, change)
    return list(changes.values())


def _tests(event: EventSeries, active: np.ndarray, recent: int) -> list[tuple[float, EventChange]]:
    """Changes large enough to matter with their probability by chance; the first that is certain counts."""
    end = len(event.count)
    if event.begun >= recent:
        return [_started(event, active)]
    shift = find_shift(event.count, event.expected, recent, end - SHORTEST + 1, event.begun)
    found = []
    if shift is not None:
        places = max(1, end - recent)
        if shift.ratio <= STOPPED and shift.expected > _PAUSES * usual_pause(
            event.count, event.expected, event.begun, shift.start
        ):
            p = event.noise.at_most(shift.after, shift.expected) * places
            found.append((p, _change(event, "stopped", shift, end)))
        elif (shift.ratio >= CHANGED or shift.ratio <= 1 / CHANGED) and shift.after >= _FEWEST:
            z = np.log(shift.ratio) / event.noise.log_error(shift.expected, shift.before)
            what = "rose" if shift.ratio > 1 else "fell"
            found.append((two_sided(z) * places, _change(event, what, shift, end)))
    # what the fortnight before the first possible day shows already is older, and the model learnt from it
    changes = [*_repeated(event, recent, end), *found]
    return [(p, change) for p, change in changes if change.abrupt or change.start > recent + SHORTEST]


def _started(event: EventSeries, active: np.ndarray) -> tuple[float, EventChange]:
    """Probability that all entities with the event fall into the days since its first one by chance."""
    share = float(active[event.begun :].sum() / max(active.sum(), 1.0))
    after = float(event.count[event.begun :].sum())
    independent = after / max(event.noise.dispersion, 2.0)
    days = len(event.count) - event.begun
    return share**independent, EventChange(event.name, "started", event.begun, after, 0.0, days, True)


def _change(event: EventSeries, what: str, shift: Shift, end: int) -> EventChange:
    near = slice(max(event.begun, shift.start - _STEP_DAYS), shift.start)
    past = float(shift.before / max(event.expected[event.begun : shift.start].sum(), 1e-9))
    before = float(event.count[near].sum() / max(event.expected[near].sum() * past, 1e-9))
    # as a share of the whole change in logarithms, how much of it the fortnight before does not show yet
    moved = abs(np.log(max(before, 0.01))) / max(abs(np.log(max(shift.ratio, 0.01))), 0.01)
    return EventChange(event.name, what, shift.start, shift.after, shift.expected, end - shift.start, bool(moved < 0.4))


def _repeated(event: EventSeries, recent: int, end: int) -> list[tuple[float, EventChange]]:
    """Test whether each entity sends the event more often on its days with it: the mean logarithm of its occurrences."""
    days = np.arange(max(recent, event.begun + 1), end - SHORTEST + 1)
    if not len(days):
        return []
    entities, logs = np.cumsum(event.count), np.cumsum(event.logs)
    n0, n1 = entities[days - 1], entities[-1] - entities[days - 1]
    usable = (n0 >= _FEWEST) & (n1 >= _FEWEST)
    if not usable.any():
        return []
    with np.errstate(divide="ignore", invalid="ignore"):
        step = (logs[-1] - logs[days - 1]) / n1 - logs[days - 1] / n0
        weight = np.abs(step) * np.sqrt(n0 * n1 / (n0 + n1))
    best = int(np.argmax(np.where(usable, weight, -1.0)))
    if abs(step[best]) < np.log(CHANGED):
        return []
    start = int(days[best])
    spread = _weekly_variance(event, start)
    error = np.sqrt(spread * (1 / n0[best] + 1 / n1[best]) + REPEAT_DRIFT**2)
    after = float(event.rows[start:].sum())
    factor = float(np.exp(step[best]))
    near = slice(max(event.begun, start - _STEP_DAYS), start)
    level = logs[start - 1] / entities[start - 1]
    gone = event.logs[near].sum() / max(event.count[near].sum(), 1.0) - level
    change = EventChange(
        event.name, "repeated", start, after, after / factor, end - start, bool(abs(gone) < 0.4 * abs(step[best]))
    )
    return [(two_sided(float(step[best] / error)) * len(days), change)]


def _weekly_variance(event: EventSeries, start: int) -> float:
    """Variance of the logarithm of one entity's occurrences, as far as weeks differ."""
    days = np.arange(event.begun, start)
    days = days[len(days) % 7 :]
    count, logs = (values[days].reshape(-1, 7).sum(axis=1) for values in (event.count, event.logs))
    alive = count > 0
    if alive.sum() < 3:
        return 1.0
    level = logs.sum() / count.sum()
    means = logs[alive] / count[alive]
    return max(0.05, float((count[alive] * (means - level) ** 2).sum() / (alive.sum() - 1)))


def change_finding(change: EventChange, since: int) -> Finding:
    """Phrase a change of one event."""
    name, date, days = f"`{change.name}`", iso(since), max(change.days, 1)
    figure, expected = round(change.after / days, 2), round(change.expected / days, 2)
    if change.what == "stopped":
        rest = "None came" if not change.after else f"{change.after:,.0f} came"
        words = f"{name} stopped on {date}: {rest} since, where {change.expected:,.0f} entities with it were due by their activity."
        return Finding("event_stopped", change.name, since, figure, expected, words, "act")
    if change.what == "started":
        words = f"{name} is new since {date}: {change.after:,.0f} active days of entities with it, and none before. The model does not know it."
        return Finding("event_started", change.name, since, figure, 0, words, "watch")
    factor = f"{change.ratio:.1f}" if change.ratio >= 1 else f"{change.ratio:.2f}"
    if change.what == "repeated":
        severity: Severity = "act" if change.abrupt and change.ratio >= REPEATED else "watch"
        reason = " It may be sent twice." if change.ratio > 1 else " Rows may be missing."
        words = (
            f"Since {date} each entity that does {name} has {factor} times as many of it on a day: {figure:,.1f} a day in sum, "
            f"where {expected:,.1f} were expected.{reason}"
        )
        return Finding("volume_changed", change.name, since, figure, expected, words, severity)
    severity = "act" if change.abrupt and change.ratio <= LOST else "watch"
    words = (
        f"Since {date} {factor} times as many of the active entities do {name} as before: {figure:,.1f} a day, where "
        f"{expected:,.1f} were expected."
    )
    return Finding("volume_changed", change.name, since, figure, expected, words, severity)
