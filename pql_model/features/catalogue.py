"""Which features are offered to the model: decided by how many entities did an event, never by the outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pql_model.config.schema import Config, EventTable
from pql_model.features.spec import Feature
from pql_model.measures import ANY
from pql_model.time import DAY, EVER, Window

Table = Any


@dataclass(frozen=True)
class OfferedEvents:
    """Events offered, most widely done first, every event name of the log, and what was left out."""

    events: tuple[str, ...]
    known: tuple[str, ...]
    too_rare: int
    beyond_limit: int

    @property
    def text(self) -> str:
        """The line that says what was left out."""
        line = f"{len(self.events):,} of {len(self.known):,} event names offered to the model"
        left_out = {"done by too few entities": self.too_rare, "beyond the limit of `offer.events`": self.beyond_limit}
        parts = [f"{n:,} {why}" for why, n in left_out.items() if n]
        return f"{line}; left out: {', '.join(parts)}" if parts else line


def offer_events(events: Table, entities: Table, config: Config, until: int) -> OfferedEvents:
    """Events by the number of distinct entities that did them before `until`, as far as was known by then.

    Parameters
    ----------
    events
        Canonical events.
    entities
        Column `entity`: who takes part.
    until
        The start of the test period: what is offered must not be chosen with it in sight.
    """
    seen = (events.time < until) & (events.known_at.isnull() | (events.known_at < until))
    early = events.filter(seen).semi_join(entities, "entity")
    support = early.group_by("event").agg(entities=early.entity.nunique()).to_pyarrow().to_pylist()
    support.sort(key=lambda row: (-row["entities"], row["event"]))
    wide = [row["event"] for row in support if row["entities"] >= config.offer.min_entities]
    kept = tuple(wide[: config.offer.events])
    known = event_names(events)
    return OfferedEvents(kept, known, len(known) - len(wide), len(wide) - len(kept))


def event_names(events: Table) -> tuple[str, ...]:
    """Every event name of the log, sorted."""
    return tuple(sorted(events.select("event").distinct().to_pyarrow()["event"].to_pylist()))


def offer_features(config: Config, events: Sequence[str], has_signup: bool, has_users: bool) -> list[Feature]:
    """Every measure that makes sense for the product, over the windows of the config.

    Counts come in every window; the other measures in the widest ones, to keep the model readable.
    """
    windows = [Window("first", length) for length in config.windows.first] if has_signup else []
    windows += [Window("last", length) for length in config.windows.last]
    if config.motion == "trial":  # a window longer than the oldest age is the same as `ever`
        oldest = (max(config.schedule.at_days or [0]) + 1) * DAY
        windows = [window for window in windows if window.length and window.length.us <= oldest]
    windows.append(EVER)
    features: list[Feature] = []
    for event in events:
        if event == ANY:  # an event that is really called so cannot be told from all events together
            continue
        features += _of_event(event, windows, _values_of(config.events, event), has_users)
    features += _of_entity(windows, has_signup, has_users)
    return list(dict.fromkeys(features))


def _of_event(event: str, windows: Sequence[Window], values: Sequence[str], has_users: bool) -> Iterator[Feature]:
    wide = _wide(windows)
    yield from (Feature(event, "count", window) for window in windows)
    yield from (Feature(event, "active_days", window) for window in wide)
    yield Feature(event, "days_since_last")
    if has_users:
        yield from (Feature(event, "distinct_users", window) for window in wide)
    for value in values:
        yield from (Feature(event, "sum", window, value) for window in wide)
        yield from (Feature(event, measure, EVER, value) for measure in ("max", "last"))


def _of_entity(windows: Sequence[Window], has_signup: bool, has_users: bool) -> Iterator[Feature]:
    wide = _wide(windows)
    for measure in ("count", "active_days"):
        yield from (Feature(ANY, measure, window) for window in windows)
    for measure in ("breadth", "sessions", "session_minutes", *(["distinct_users"] if has_users else [])):
        yield from (Feature(ANY, measure, window) for window in wide)
    yield from (Feature(ANY, m) for m in ("days_since_last", "current_streak_days", "longest_streak_days"))
    yield from (Feature(ANY, "trend", window) for window in windows if window.kind == "last")
    if has_users:
        yield Feature(ANY, "top_user_share")
    if has_signup:
        yield from (Feature(ANY, m) for m in ("days_to_first", "days_since_signup"))


def _wide(windows: Sequence[Window]) -> list[Window]:
    """The longest window of each kind."""
    longest = {}
    for window in sorted(windows, key=lambda w: w.length.us if w.length else 0):
        longest[window.kind] = window
    return [window for window in windows if window in longest.values()]


def _values_of(tables: Sequence[EventTable], event: str) -> list[str]:
    """Values an event may carry: those of its own table, or of any log."""
    return sorted({v for t in tables if t.event == event or t.columns.event is not None for v in t.values})
