"""Leakage audit of events and their values: acts of buying, what only customers do, and what foretells a payment too surely."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pql_model.audit.finding import Finding, action_for
from pql_model.audit.outcome_names import says_outcome, value_says_outcome
from pql_model.features.spec import parse_feature
from pql_model.sources.event_timing import NEAR, REGULAR, EventTiming
from pql_model.statistics.estimate import exact_low, wilson_around
from pql_model.statistics.univariate_auc import FAMILY, corrected_z
from pql_model.time import HOUR, MINUTE

LEAST_NEAR, NEAR_ODDS = 0.5, 4.0
"""For an honest event, the share in the purchase session is smaller than this and no larger than for other events."""
LEAST_AFTER, AFTER_ODDS = 0.8, 10.0
LEAST_BACK, BACK_ODDS = 0.05, 3.0
LEAST_SURE, SURE_ODDS = 0.8, 10.0
"""No honest behaviour is followed by a conversion this often: the surest one measured is a payment method, three in four."""
LEAST_SURE_NAMED, NAMED_ODDS = 0.5, 4.0
"""The same for a name that says the outcome, which is evidence as well."""
LEAST_ASK = 0.6
"""From here on an event is worth a look."""
LEAST_REGULAR, MOST_REGULAR_AGE, REGULAR_ODDS = 0.5, 0.5, 3.0
_MIN_DOERS = 5
"""Fewer cannot convict whatever they did, so they do not count as tests."""

Suspicion = tuple[str, str]  # kind, reason


def audit_events(around: Sequence[EventTiming], columns: Iterable[str], allowed: Collection[str]) -> list[Finding]:
    """Judge each event by its name, its timing around conversions and what follows it, compared with the other events.

    Parameters
    ----------
    around
        One per event of the log.
    columns
        Feature columns that could be used; those of a guilty event are quarantined.
    allowed
        Names that the config lets through.
    """
    z = corrected_z(3 * len(around))
    by_event: dict[str, list[str]] = {}
    for name in columns:
        for read in parse_feature(name).reads:
            by_event.setdefault(read, []).append(name)
    named = {event.event: words for event in around if (words := says_outcome(event.event)) is not None}
    sure = FAMILY / max(1, sum(event.did >= _MIN_DOERS for event in around))
    findings = []
    for event in around:
        others = [other for other in around if other is not event and other.event not in named]
        found = (
            _act_of_buying(event, others, z)
            or _after_conversion(event, others, z)
            or _sure_to_convert(event, others, sure)
            or _regular_delay(event, others, z)
            or _says_outcome(event, named.get(event.event), others, FAMILY / max(1, len(named)))
        )
        if found is not None:
            findings.append(_quarantine((event.event,), *found, by_event.get(event.event, []), allowed))
        elif (
            event.event in by_event and (why := _worth_a_look(event, named.get(event.event), others, sure)) is not None
        ):
            findings.append(Finding(event.event, "suspicious", why, None, "kept"))
        if (reason := _written_back(event, z)) is not None:
            findings.append(Finding(event.event, "written_back", reason, None, "named"))
    return findings


def audit_values(
    levels: Sequence[EventTiming], around: Sequence[EventTiming], columns: Iterable[str], allowed: Collection[str]
) -> list[Finding]:
    """Judge each value of each event by its levels, as `audit_events` judges events.

    Parameters
    ----------
    levels
        One per level of a value.
    around
        One per event of the log, to compare with.
    """
    subjects: dict[tuple[str, str], list[EventTiming]] = {}
    for level in levels:
        subjects.setdefault((level.event, str(level.value)), []).append(level)
    features = [parse_feature(name) for name in columns]
    tests = {(level.event, level.value, level.did, level.did_convert) for level in levels if level.did >= _MIN_DOERS}
    others = [other for other in around if says_outcome(other.event) is None]
    named = sum(value_says_outcome(value) is not None for _, value in subjects)
    z, sure, sure_named = corrected_z(len(subjects)), FAMILY / max(1, len(tests)), FAMILY / max(1, 2 * named)
    findings = []
    for (event, value), found_levels in subjects.items():
        word = value_says_outcome(value)
        suspicions = [
            _sure_to_convert(level, others, sure)
            or (_after_conversion(level, others, z) if _is_unusual(level) else None)
            or (_says_outcome(level, word, others, sure_named) if _is_unusual(level) else None)
            for level in found_levels
        ]
        if (found := next((one for one in suspicions if one is not None), None)) is not None:
            own = [feature.name for feature in features if event in feature.reads and feature.value == value]
            findings.append(_quarantine((f"{event}.{value}", value, event), *found, own, allowed))
    return findings


def _is_unusual(level: EventTiming) -> bool:
    return level.level is not None and level.level.startswith("other")


def _quarantine(
    names: tuple[str, ...], kind: str, reason: str, columns: Sequence[str], allowed: Collection[str]
) -> Finding:
    """Quarantine all features of an event or value except those that are allowed individually."""
    by_name = any(name in allowed for name in names)
    guilty = tuple(columns) if by_name else tuple(name for name in columns if name not in allowed)
    one_by_one = bool(columns) and not guilty
    action = "allowed" if one_by_one else action_for(allowed, names)
    if not columns:
        reason += ". None of its features was left to quarantine"
    return Finding(names[0], kind, reason, None, action if columns or action == "allowed" else "named", guilty)


def _act_of_buying(event: EventTiming, others: Sequence[EventTiming], z: float) -> Suspicion | None:
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


def _after_conversion(event: EventTiming, others: Sequence[EventTiming], z: float) -> Suspicion | None:
    if not event.doers:
        return None
    share = event.after / event.doers
    low = wilson_around(share, event.doers, z).low
    elsewhere = _pooled_share([(other.after, other.doers) for other in others])
    if low < LEAST_AFTER or _odds(low) < AFTER_ODDS * _odds(elsewhere):
        return None
    reason = (
        f"{share:.0%} of the {event.doers:,} {_that(event)} {'had one' if event.value else 'did so'} first at or after their conversion, against "
        f"{elsewhere:.0%} for other events: only customers {'have' if event.value else 'do'} it"
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


@dataclass(frozen=True)
class _Purity:
    """Share of those that did something and then converted, with its exact lower bound, and the share for other events."""

    share: float
    low: float
    elsewhere: float

    @classmethod
    def of(cls, event: EventTiming, others: Sequence[EventTiming], alpha: float) -> _Purity:
        elsewhere = _pooled_share([(other.did_convert, other.did) for other in others])
        return cls(event.did_convert / event.did, exact_low(event.did_convert, event.did, alpha), elsewhere)

    def beyond(self, least: float, odds: float) -> bool:
        return self.low > least and _odds(self.low) >= odds * _odds(self.elsewhere)


def _sure_to_convert(event: EventTiming, others: Sequence[EventTiming], alpha: float) -> Suspicion | None:
    """Detect what is followed by a conversion more surely than any honest behaviour."""
    if not event.did:
        return None
    purity = _Purity.of(event, others, alpha)
    if not purity.beyond(LEAST_SURE, SURE_ODDS):
        return None
    reason = f"{_converted(event, purity)}: no honest behaviour foretells a conversion this surely"
    return "sure_to_convert", reason


def _regular_delay(event: EventTiming, others: Sequence[EventTiming], z: float) -> Suspicion | None:
    """Detect a delay before the conversion that only a system keeps, unless it merely counts from the sign-up."""
    if event.near is None or not event.did_convert:
        return None
    share, age = event.regular / event.did_convert, event.regular_age / event.did_convert
    low = wilson_around(share, event.did_convert, z).low
    elsewhere = _pooled_share([(other.regular, other.did_convert) for other in others if other.near is not None])
    if low < LEAST_REGULAR or _odds(low) < NEAR_ODDS * _odds(elsewhere) or age >= MOST_REGULAR_AGE:
        return None
    purity = _Purity.of(event, others, FAMILY)
    if not purity.beyond(0.0, REGULAR_ODDS):
        return None
    return "regular_delay", (
        f"for {share:.0%} of {event.did_convert:,} converters it lies {_delay(event.delay)} before the conversion, to "
        f"{REGULAR // MINUTE} minutes, against {elsewhere:.0%} for other events: a system wrote both"
    )


def _says_outcome(
    event: EventTiming, words: str | None, others: Sequence[EventTiming], alpha: float
) -> Suspicion | None:
    """Detect a name that says the outcome, if what follows the event agrees with it."""
    known = event.did + event.after
    if words is None or not known:
        return None
    low = exact_low(event.did_convert + event.after, known, alpha)
    elsewhere = _pooled_share([(other.did_convert + other.after, other.did + other.after) for other in others])
    if low <= LEAST_SURE_NAMED or _odds(low) < NAMED_ODDS * _odds(elsewhere):
        return None
    share = (event.did_convert + event.after) / known
    reason = (
        f"`{words}` in its name says the outcome, and {share:.0%} of the {known:,} {_that(event)} converted afterwards or had "
        f"converted (at least {low:.0%}), against {elsewhere:.0%} for other events"
    )
    return "name_says_outcome", reason


def _worth_a_look(event: EventTiming, words: str | None, others: Sequence[EventTiming], alpha: float) -> str | None:
    """Why to check an event that is not guilty: its name, or a conversion that follows more often than for most."""
    if words is not None:
        share = (
            f"{event.did_convert:,} of the {event.did:,} that did it converted" if event.did else "none did it before"
        )
        return (
            f"`{words}` in its name may say the outcome, but what follows it does not ({share}): check what it records"
        )
    if event.did and (purity := _Purity.of(event, others, alpha)).beyond(LEAST_ASK, NAMED_ODDS):
        return f"{_converted(event, purity)}: check that it does not record the purchase itself"
    return None


def _converted(event: EventTiming, purity: _Purity) -> str:
    return (
        f"{purity.share:.0%} of the {event.did:,} {_that(event)} then converted (at least {purity.low:.0%}), against "
        f"{purity.elsewhere:.0%} for other events"
    )


def _that(event: EventTiming) -> str:
    return "that did it" if event.value is None else f"with a value {event.level}"


def _delay(us: int) -> str:
    return f"{us / HOUR:.1f} hours" if us >= 2 * HOUR else f"{us / MINUTE:.0f} minutes"


def _pooled_share(parts: Sequence[tuple[float, int]]) -> float:
    n = sum(count for _, count in parts)
    return sum(value for value, _ in parts) / n if n else 0.0


def _odds(share: float) -> float:
    return share / max(1 - share, 1e-9)
