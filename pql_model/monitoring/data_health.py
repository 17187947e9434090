"""Whether the data still are what the model learnt from: events, tables, arrival and traits, from daily counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pql_model.config.schema import Config
from pql_model.monitoring.arrival import count_arrivals, late_findings
from pql_model.monitoring.by_entity import confirm_repeats
from pql_model.monitoring.conversion_feed import FEWEST_PAST_DAYS, PAST_DAYS, RECENT_DAYS, feed_findings
from pql_model.monitoring.counts import expected_counts, noise_of
from pql_model.monitoring.daily import DailyCounts, count_events, count_sources, sources_of_events, visible_log
from pql_model.monitoring.finding import Finding, in_order
from pql_model.monitoring.gaps import (
    ALL,
    Silence,
    expected_activity,
    incomplete_days,
    recovered,
    silence_findings,
    silences,
)
from pql_model.monitoring.payment_repeats import repeat_findings
from pql_model.monitoring.renames import find_renames, rename_findings
from pql_model.monitoring.traits import count_trait, trait_findings
from pql_model.monitoring.volume import EventChange, change_finding, event_changes, event_series
from pql_model.sources.read import Sources
from pql_model.time import DAY

MOST_NEW = 10
"""New events that are named; names that are made up for each occasion would be endless."""
_SHORTEST_OF_SOURCE, _SHORTEST_OF_EVENT = 3.0, 4.0  # days of usual activity
_NEAR_DAYS = 3
_MOST = 0.6


def data_findings(
    sources: Sources,
    config: Config,
    as_of: int,
    *,
    learnt_until: int | None = None,
    traits: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """Find what changed in the data since the model learnt from them.

    Entities are compared with entities: how many of those active on a day do an event, at the same age and on the same
    weekday, and how often. Weekends, holidays, seasons and growth change how many are active, and not this.

    Parameters
    ----------
    sources : Sources
        The data, as `read_sources` gives them.
    config : Config
        The product.
    as_of : int
        Instant in microseconds. Only what was known before it is used, and only its last whole day.
    learnt_until : int, optional
        Instant up to which the model knows outcomes. Changes are looked for after it, and in the last eight weeks in any case.
    traits : collection of str, optional
        Traits that the model reads; default: all of the entities.

    Returns
    -------
    tuple of Finding
        Those to act on first. Empty where fewer than six weeks lie before the days that are looked at.
    """
    newest = as_of - RECENT_DAYS * DAY
    recent = newest if learnt_until is None else min(newest, learnt_until)
    start = (recent - PAST_DAYS * DAY) // DAY * DAY
    events = count_events(sources, start, as_of)
    if events is None:
        return ()
    first = recent // DAY - events.first_day
    if first < FEWEST_PAST_DAYS:
        return ()
    arrivals = _late_arrivals(sources, config, as_of, events.first_day + first)
    silent = _silent(sources, config, events, first, start, as_of)
    return in_order(
        [
            *arrivals,
            *(finding for finding in silent.findings if not _known(finding, arrivals)),
            *feed_findings(sources, config, events, first, as_of),
            *repeat_findings(sources, config, events.first_day, first, as_of),
            *_event_findings(sources, events, first, silent.hidden, start, as_of),
            *_trait_findings(sources, as_of, events.first_day + first, traits),
        ]
    )


def _known(finding: Finding, arrivals: Sequence[Finding]) -> bool:
    """Whether days are missing at the end because rows arrive late, which the arrival times say already."""
    return finding.kind == "late_data" and any(finding.subject in (ALL, late.subject) for late in arrivals)


def _late_arrivals(sources: Sources, config: Config, as_of: int, recent_day: int) -> list[Finding]:
    found = []
    for spec, (source, table) in zip(config.events, sources.events.parts.items(), strict=False):
        if spec.columns.known_at is None:
            continue
        arrivals = count_arrivals(table, as_of, spec.covers.us if spec.covers is not None else 0)
        if arrivals is not None:
            found += late_findings(arrivals, source, recent_day)
    severe = [finding for finding in found if finding.severity == "act"]
    if len(severe) < 2 or len(severe) < len(sources.events.parts):
        return found
    whole = max(severe, key=lambda finding: finding.since or 0)  # in all tables: one cause
    words = whole.words.replace(f"`{whole.subject}`", "all tables of events")
    return [*(finding for finding in found if finding not in severe), replace(whole, subject=ALL, words=words)]


class _Silent:
    """Findings of silent days, and event -> days on which nothing was due."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.hidden: dict[str, np.ndarray] = {}

    def hide(self, names: Collection[str], runs: Sequence[Silence], days: int) -> None:
        for name in names:
            for run in runs:
                self.hidden.setdefault(name, np.zeros(days, bool))[run.start : run.end] = True


def _silent(sources: Sources, config: Config, events: DailyCounts, first: int, start: int, as_of: int) -> _Silent:
    """Days without anything, without a table, without an event that came again."""
    silent = _Silent()
    past = np.arange(events.days) < first
    active = events.active.sum(axis=1)
    usual = expected_activity(active)
    noise = noise_of(active, usual, past & (usual > 0))
    runs = silences(active, usual, noise, first)
    of_all = list(silence_findings(runs, ALL, events.first_day))
    silent.findings += of_all or incomplete_days(active, usual, noise, events.first_day)
    tables = count_sources(sources, start, as_of)
    if tables is not None and len(tables.names) > 1:
        members = sources_of_events(sources)
        for number, source in enumerate(tables.names):
            covers = config.events[number].covers
            end = None if covers is None else (as_of - covers.us) // DAY - events.first_day
            runs = _runs(tables, number, past, first, end, len(tables.names))
            runs = [run for run in runs if run.usual_days >= _SHORTEST_OF_SOURCE]
            silent.findings += silence_findings(runs, source, events.first_day, _SHORTEST_OF_SOURCE)
            silent.hide([name for name, of in members.items() if of == {source}], runs, events.days)
    for number, name in enumerate(events.names):
        if name in silent.hidden:
            continue
        count = events.entities[number].sum(axis=1)
        runs = _runs(events, number, past, first, None, len(events.names))
        runs = [run for run in runs if run.usual_days >= _SHORTEST_OF_EVENT and recovered(run, count)]
        silent.findings += silence_findings(runs, name, events.first_day, _SHORTEST_OF_EVENT)
        silent.hide([name], runs, events.days)
    return silent


def _runs(
    counts: DailyCounts, number: int, past: np.ndarray, first: int, end: int | None, searches: int
) -> list[Silence]:
    count = counts.entities[number].sum(axis=1)
    begun = np.arange(counts.days) >= int(np.argmax(count > 0))
    expected = expected_counts(counts.entities[number], counts.active, past & begun, counts.first_day)
    return silences(count, expected, noise_of(count, expected, past & begun), first, end, searches=searches)


def _event_findings(
    sources: Sources, events: DailyCounts, first: int, hidden: Mapping[str, np.ndarray], start: int, as_of: int
) -> list[Finding]:
    past = np.arange(events.days) < first
    series = event_series(events, past, hidden)
    changes = event_changes(series, events.active.sum(axis=1), first)
    log = visible_log(sources, sources.events.table, start, as_of)
    changes = confirm_repeats(changes, log, events.first_day, max(1, events.days - first) * len(series))
    renames = find_renames(changes, log, events.first_day)
    renamed = {change.name for pair in renames for change in (pair.old, pair.new)}
    changes = _together([change for change in changes if change.name not in renamed], len(series))
    started = sorted((c for c in changes if c.what == "started"), key=lambda change: -change.after)[:MOST_NEW]
    kept = [*(change for change in changes if change.what != "started"), *started]
    return [
        *rename_findings(renames, events.first_day),
        *(change_finding(change, events.instant(change.start)) for change in kept),
    ]


def _together(changes: list[EventChange], events: int) -> list[EventChange]:
    """Replace the changes of most events at one time and by one factor with a change of all events."""
    repeated = [change for change in changes if change.what == "repeated" and change.abrupt]
    if len(repeated) < max(2.0, _MOST * events):
        return changes
    typical = int(np.median([change.start for change in repeated]))
    same = [change for change in repeated if abs(change.start - typical) <= _NEAR_DAYS]
    if len(same) < max(2.0, _MOST * events):
        return changes
    whole = EventChange(
        ALL,
        "repeated",
        typical,
        sum(change.after for change in same),
        sum(change.expected for change in same),
        max(change.days for change in same),
        True,
    )
    return [whole, *(change for change in changes if change not in same)]


def _trait_findings(sources: Sources, as_of: int, recent_day: int, traits: Collection[str] | None) -> list[Finding]:
    found: list[Finding] = []
    for trait in sources.entities.traits:
        if traits is not None and trait not in traits:
            continue
        days = count_trait(sources.entities.table, trait, as_of, recent_day * DAY)
        if days is not None:
            found += trait_findings(days, recent_day)
    return found
