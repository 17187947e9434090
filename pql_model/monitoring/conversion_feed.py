"""Whether conversions still arrive: a table of payments that ends looks like a product that nobody buys any more.

A product that nobody buys any more has a table that goes on: those who pay already renew. Where they do not, the config can say
until when the table is complete.

Conversions are compared with the entities that are active, at the same age and on the same weekday, as events are: holidays,
growth and campaigns change how many are active. How few are too few follows from the weeks before: a level that fell is a
finding about the model, a feed that is dead is one about the data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pql_model.config.schema import Config
from pql_model.monitoring.counts import Noise, expected_counts, find_shift, noise_of, usual_pause
from pql_model.monitoring.daily import DailyCounts, count_active, count_conversions, count_later_payments
from pql_model.monitoring.finding import Finding, Severity
from pql_model.monitoring.gaps import LONG_DAYS, recovered, silences
from pql_model.monitoring.volume import SHORTEST, STOPPED, SURE
from pql_model.sources.read import Sources
from pql_model.time import DAY, iso

SUBJECT = "conversions"
RECENT_DAYS = 56
"""Changes are looked for in the last eight weeks, or since the model learnt, if that is longer ago."""
PAST_DAYS = 365
"""Days before that with which they are compared."""
FEWEST_PAST_DAYS = 42
"""With a shorter past, nothing is known about how much counts differ of themselves."""
_FEWEST_DAYS = 21
FEWEST_CONVERSIONS = 20
"""With fewer in the past, nothing is known about how they come."""
_PAUSES = 1.5
"""Silence is longer than the second longest of the past by this factor: billing has a rhythm."""
_SHORTEST, _ACT_DAYS, _SHORTEST_GAP = 2.0, 3.5, 4.0  # days of usual activity
_LEVEL_DAYS = (28, 56)
_PRIOR = 1.0
_LATER_DAYS, _FEWEST_LATER, _LATER_SHARE, _LATER_PAUSE = 35, 5, 0.5, 2.0  # days that hold a billing run once a month


@dataclass(frozen=True)
class ConversionSeries:
    """Conversions by day, and how many were due by the entities that were active.

    Attributes
    ----------
    first_day
        Day of the first column, in days since 1970.
    begun
        Column of the first conversion.
    count, expected
        (days,).
    later
        (days,): payments of entities that paid already.
    complete
        Column until which the config says that the table is complete; 0 where it says nothing.
    """

    first_day: int
    begun: int
    count: np.ndarray
    expected: np.ndarray
    noise: Noise
    later: np.ndarray
    complete: int = 0

    def is_silent(self, start: int, end: int, places: int = 1) -> bool:
        """Whether so few conversions from one column to another are beyond chance, at the level of the weeks around them."""
        came, due = float(self.count[start:end].sum()), float(self.expected[start:end].sum())
        if not self.is_pause_unusual(start, end):
            return False
        level, known = min(self._levels(start, end), default=(1.0, 1.0))
        noise = Noise(self.noise.dispersion, math.hypot(self.noise.drift, 1 / math.sqrt(known)))
        return noise.at_most(came, due * min(1.0, level)) * places < SURE

    def renewals(self, start: int, end: int) -> int | None:
        """How many payments of those who pay already came in the last five weeks of a stretch; None if fewer than the table would have.

        They come until its end, with no longer pauses than before it, and half as often as in the eight weeks before at least.
        """
        begun = int(np.argmax(self.later > 0))
        if self.later[:start].sum() < FEWEST_CONVERSIONS:
            return None
        tail = max(start, end - _LATER_DAYS)
        came, before = float(self.later[tail:end].sum()), self.later[max(0, tail - RECENT_DAYS) : tail]
        pause = end - 1 - int(np.flatnonzero(self.later[:end])[-1])
        usual = usual_pause(self.later, np.ones(len(self.later)), begun, start)
        enough = came >= max(_FEWEST_LATER, _LATER_SHARE * float(before.mean()) * (end - tail))
        return int(came) if enough and pause <= max(_LATER_PAUSE, _PAUSES * usual) else None

    def is_complete(self, start: int, end: int) -> bool:
        """Whether the config calls the table complete until a day on which a silence was longer already than any pause of the past.

        Then nobody buys; whether the table ended after that day as well cannot be known until somebody does.
        """
        return self.is_pause_unusual(start, min(self.complete, end))

    def is_pause_unusual(self, start: int, end: int) -> bool:
        """Whether a stretch is longer than the conversions have paused before."""
        due = float(self.expected[start : max(start, end)].sum())
        return due > _PAUSES * usual_pause(self.count, self.expected, self.begun, start)

    def _levels(self, start: int, end: int) -> Iterator[tuple[float, float]]:
        """Observed over due in the weeks before and after a stretch, and the conversions that this rests on.

        Near and far: a level that fell some weeks before would hide in longer ones.
        """
        for days in _LEVEL_DAYS:
            for near in (slice(max(self.begun, start - days), start), slice(end, min(len(self.count), end + days))):
                if near.stop - near.start >= days // 2:
                    came, due = self.count[near].sum() + _PRIOR, self.expected[near].sum() + _PRIOR
                    yield float(came / due), float(came)

    def usual_days(self, start: int, end: int) -> float:
        """Length of a stretch in days of the four weeks before it."""
        before = self.expected[max(0, start - 28) : start]
        usual = float(before.mean()) if len(before) else 0.0
        return float(self.expected[start:end].sum()) / usual if usual > 0 else float(end - start)


def feed_findings(sources: Sources, config: Config, events: DailyCounts, first: int, as_of: int) -> list[Finding]:
    """Find conversions that stopped, that end earlier than the events, or that were missing for a time.

    Parameters
    ----------
    events
        Daily counts of the events.
    first
        Column from which on changes are looked for; silence until the end is found however long it lasts.
    as_of
        Instant in microseconds; its last whole day counts.
    """
    by_age = count_conversions(sources, events.first_day, as_of)
    later = count_later_payments(sources, events.first_day, as_of)
    said = config.conversions.complete_until
    complete = 0 if said is None else said // DAY - events.first_day
    series = conversion_series(by_age, events.active, events.first_day, first, later, complete)
    return [] if series is None else silence_findings(series, first, config.conversions.table)


def missing_conversions(sources: Sources, config: Config, as_of: int) -> Finding | None:
    """What must be repaired before outcomes up to an instant are learnt from or forecast: conversions that ended early."""
    recent = as_of - RECENT_DAYS * DAY
    events = count_active(sources, (recent - PAST_DAYS * DAY) // DAY * DAY, as_of)
    if events is None:
        return None
    first = max(FEWEST_PAST_DAYS, recent // DAY - events.first_day)  # of a short past all is looked at
    found = feed_findings(sources, config, events, first, as_of)
    act = (finding for finding in found if finding.severity == "act" and finding.is_about_data)
    return next((finding for finding in act if finding.kind != "tracking_gap"), None)


def conversion_series(
    by_age: np.ndarray,
    active: np.ndarray,
    first_day: int,
    first: int,
    later: np.ndarray | None = None,
    complete: int = 0,
) -> ConversionSeries | None:
    """Conversions with their expectation; None where too little is known of the past.

    Parameters
    ----------
    by_age, active
        (days, ages): entities that converted, and entities with any event.
    later, complete
        See `ConversionSeries`.
    """
    count = by_age.sum(axis=1)
    days = np.flatnonzero(count)
    if not len(days):
        return None
    begun, newest = int(days[0]), int(days[-1])
    number = np.arange(len(count))
    past = (number >= begun) & (number < min(first, newest + 1))  # a silence that is older than `first` is no past
    if past.sum() < _FEWEST_DAYS or count[past].sum() < FEWEST_CONVERSIONS:
        return None
    expected = expected_counts(by_age, active, past, first_day)
    later = np.zeros(len(count)) if later is None else later
    return ConversionSeries(first_day, begun, count, expected, noise_of(count, expected, past), later, complete)


def silence_findings(series: ConversionSeries, first: int, table: str) -> list[Finding]:
    """Find silence until the end, and gaps that reach past column `first`."""
    stopped = _stopped(series, first)
    found = [] if stopped is None else [*_end_finding(series, stopped, table)]
    return [*found, *_gap_findings(series, first, table)]


def _stopped(series: ConversionSeries, first: int) -> int | None:
    """The first column of a silence, or near silence, that lasts until the end."""
    end = len(series.count)
    newest = int(np.flatnonzero(series.count)[-1]) + 1
    shift = find_shift(series.count, series.expected, first, end - SHORTEST + 1, series.begun)
    if shift is not None and shift.ratio <= STOPPED and series.is_silent(shift.start, end, max(1, end - first)):
        return min(shift.start, newest)
    # a silence that ends with the data begins where the last conversion was: it is one place, and not the best of many
    if newest < end and series.usual_days(newest, end) >= _SHORTEST and series.is_silent(newest, end):
        return newest
    return None


def _end_finding(series: ConversionSeries, start: int, table: str) -> Iterator[Finding]:
    end = len(series.count)
    days, came, due = end - start, float(series.count[start:].sum()), float(series.expected[start:].sum())
    since = (series.first_day + start) * DAY
    why = _why_complete(series, start, end, table)
    if why is not None:
        words = (
            f"First payments stopped on {iso(since)} while events go on: {_nothing(came)} came in {days} days, where "
            f"{due:,.0f} were due by the entities that are active. {why}: nobody new buys."
        )
        yield Finding("base_rate_changed", SUBJECT, since, came, round(due, 1), words, "watch")
        return
    kind = "event_stopped" if days >= LONG_DAYS else "late_data"
    severity: Severity = "act" if series.usual_days(start, end) >= _ACT_DAYS else "watch"
    yield Finding(
        kind,
        SUBJECT,
        since,
        came if kind == "event_stopped" else days,
        round(due, 1) if kind == "event_stopped" else 0,
        f"Conversions in {table} stopped on {iso(since)} while events go on: {_nothing(came)} came in {days} days, where "
        f"{due:,.0f} were due by the entities that are active. The table may have been exported earlier than the events. If "
        "nobody buys any more, set `conversions.complete_until` to the day until which you know it to be complete.",
        severity,
    )


def _why_complete(series: ConversionSeries, start: int, end: int, table: str) -> str | None:
    """Why a silence is not one of the table; None if it may be."""
    renewals = series.renewals(start, end)
    if renewals is not None:
        days = min(_LATER_DAYS, end - start)
        return f"{table} still arrives, with {renewals:,} payments in the last {days} days of those who paid before"
    if series.is_complete(start, end):
        return f"`conversions.complete_until` says that {table} is complete until {iso((series.first_day + series.complete) * DAY)}"
    return None


def _gap_findings(series: ConversionSeries, first: int, table: str) -> Iterator[Finding]:
    for run in silences(series.count, series.expected, series.noise, first):
        if (
            not run.ended
            or run.usual_days < _SHORTEST_GAP
            or not recovered(run, series.count)
            or not series.is_silent(run.start, run.end, max(1, len(series.count) - first))
            or _why_complete(series, run.start, run.end, table) is not None
        ):
            continue
        since, until = ((series.first_day + day) * DAY for day in (run.start, run.end))
        words = (
            f"There is a gap in the conversions of {table} from {iso(since)} until {iso(until)}, {run.days} days: "
            f"{_nothing(run.count)} came, and {run.expected:,.0f} were due by the entities that were active."
        )
        yield Finding("tracking_gap", SUBJECT, since, run.days, 0, words, "act")


def _nothing(count: float) -> str:
    return f"only {count:,.0f}" if count else "none"
