"""Leakage audit of events: the act of buying itself, events that only customers do, and rows backfilled after the outcome."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pql_model.audit.finding import Finding, action_for
from pql_model.features.spec import parse_feature
from pql_model.model.columns import Manifest
from pql_model.sources.event_timing import NEAR, EventTiming
from pql_model.statistics.estimate import wilson_around
from pql_model.statistics.univariate_auc import corrected_z
from pql_model.time import MINUTE

LEAST_NEAR, NEAR_ODDS = 0.5, 4.0
"""For an honest event, the share in the purchase session is smaller than this and no larger than for other events."""
LEAST_AFTER, AFTER_ODDS = 0.8, 10.0
LEAST_BACK, BACK_ODDS = 0.05, 3.0


def audit_events(around: Sequence[EventTiming], manifest: Manifest, allowed: Collection[str]) -> list[Finding]:
    """Judge each event by its timing around conversions, compared with the other events.

    Parameters
    ----------
    around
        One per event of the log.
    manifest
        Columns that a model would read; those of a guilty event are quarantined.
    """
    z = corrected_z(3 * len(around))
    columns: dict[str, list[str]] = {}
    for column in manifest.columns:
        if column.kind == "feature":
            columns.setdefault(parse_feature(column.name).event, []).append(column.name)
    findings = []
    for event in around:
        others = [other for other in around if other is not event]
        found = _act_of_buying(event, others, z) or _after_conversion(event, others, z)
        if found is not None:
            findings.append(_quarantine_event(event.event, *found, columns.get(event.event, []), allowed))
        if (reason := _written_back(event, z)) is not None:
            findings.append(Finding(event.event, "written_back", reason, None, "named"))
    return findings


def _quarantine_event(event: str, kind: str, reason: str, columns: Sequence[str], allowed: Collection[str]) -> Finding:
    """Quarantine all features of the event except those that are allowed individually."""
    guilty = tuple(columns) if event in allowed else tuple(name for name in columns if name not in allowed)
    one_by_one = bool(columns) and not guilty
    action = "allowed" if one_by_one else action_for(allowed, [event])
    if not columns:
        reason += ". None of its features was left to quarantine"
    return Finding(event, kind, reason, None, action if columns or action == "allowed" else "named", guilty)


def _act_of_buying(event: EventTiming, others: Sequence[EventTiming], z: float) -> tuple[str, str] | None:
    if event.near is None or not event.converters:
        return None
    share = event.near / event.converters
    low = wilson_around(share, event.converters, z).low
    elsewhere = _pooled_share([(other.near, other.converters) for other in others if other.near is not None])
    if low < LEAST_NEAR or _odds(low) < NEAR_ODDS * _odds(elsewhere):
        return None
    reason = (
        f"{share:.0%} of its occurrences for {event.converters:,} converters fall within {NEAR // MINUTE} minutes of the conversion, "
        f"against {elsewhere:.0%} for other events: the act of buying, not a behaviour before it"
    )
    return "act_of_buying", reason


def _after_conversion(event: EventTiming, others: Sequence[EventTiming], z: float) -> tuple[str, str] | None:
    if not event.doers:
        return None
    share = event.after / event.doers
    low = wilson_around(share, event.doers, z).low
    elsewhere = _pooled_share([(other.after, other.doers) for other in others])
    if low < LEAST_AFTER or _odds(low) < AFTER_ODDS * _odds(elsewhere):
        return None
    reason = (
        f"{share:.0%} of the {event.doers:,} that did it did so first at or after their conversion, against "
        f"{elsewhere:.0%} for other events: only customers do it"
    )
    return "after_conversion", reason


def _written_back(event: EventTiming, z: float) -> str | None:
    if not event.known_converters:
        return None
    share = event.back / event.known_converters
    elsewhere = event.late / event.known_others if event.known_others else 0.0
    low = wilson_around(share, event.known_converters, z).low
    if low < LEAST_BACK or _odds(low) < BACK_ODDS * _odds(elsewhere):
        return None
    return (
        f"{share:.0%} of its rows from before the conversion of {event.known_converters:,} converters arrived after it and more than a day "
        f"late, against {elsewhere:.0%} late rows for the others. Features see a row only once it has arrived, so nothing is quarantined"
    )


def _pooled_share(parts: Sequence[tuple[float, int]]) -> float:
    n = sum(count for _, count in parts)
    return sum(value for value, _ in parts) / n if n else 0.0


def _odds(share: float) -> float:
    return share / max(1 - share, 1e-9)
