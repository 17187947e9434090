"""The features offered to the model, chosen by how many entities did an event and never by the outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pql_model.config.schema import Config
from pql_model.config.source_tables import EventTable
from pql_model.features.spec import Feature
from pql_model.measures import ANY
from pql_model.time import DAY, EVER, Window

Table = Any


@dataclass(frozen=True)
class OfferedEvents:
    """The events offered to the model.

    Attributes
    ----------
    events
        Offered events, those of most entities first.
    known
        Every event name of the log, sorted.
    too_rare, beyond_limit
        Events left out because too few entities did them, or because of the limit.
    """

    events: tuple[str, ...]
    known: tuple[str, ...]
    too_rare: int
    beyond_limit: int

    @property
    def text(self) -> str:
        """A line about what was left out."""
        line = f"{len(self.events):,} of {len(self.known):,} event names offered to the model"
        left_out = {"done by too few entities": self.too_rare, "beyond the limit of `offer.events`": self.beyond_limit}
        parts = [f"{n:,} {why}" for why, n in left_out.items() if n]
        return f"{line}; left out: {', '.join(parts)}" if parts else line


def offer_events(events: Table, entities: Table, config: Config, until: int) -> OfferedEvents:
    """Choose events by the number of entities that did them, as far as was known before `until`.

    Parameters
    ----------
    events : Table
        Canonical events.
    entities : Table
        Column `entity`: the entities to count.
    config : Config
        The product.
    until : int
        The start of the test period, which must not influence the choice.
    """
    visible = (events.time < until) & (events.known_at.isnull() | (events.known_at < until))
    early = events.filter(visible).semi_join(entities, "entity")
    support = early.group_by("event").agg(entities=early.entity.nunique()).to_pyarrow().to_pylist()
    support.sort(key=lambda row: (-row["entities"], row["event"]))
    common = [row["event"] for row in support if row["entities"] >= config.offer.min_entities]
    offered = tuple(common[: config.offer.events])
    known = event_names(events)
    return OfferedEvents(offered, known, len(known) - len(common), len(common) - len(offered))


def event_names(events: Table) -> tuple[str, ...]:
    """List every event name of the log, sorted."""
    return tuple(sorted(events.select("event").distinct().to_pyarrow()["event"].to_pylist()))


def offer_features(config: Config, events: Sequence[str], has_signup: bool, has_users: bool) -> list[Feature]:
    """List every measure that makes sense for the product, over the windows of the config.

    Counts come in every window, other measures only in the widest ones, so that the model stays readable.

    Parameters
    ----------
    config : Config
        The product.
    events : sequence of str
        The offered events.
    has_signup, has_users : bool
        Whether the data have sign-up times and users.
    """
    windows = [Window("first", length) for length in config.windows.first] if has_signup else []
    windows += [Window("last", length) for length in config.windows.last]
    if config.motion == "trial":  # a window longer than the oldest age is the same as `ever`
        oldest = (max(config.schedule.at_days or [0]) + 1) * DAY
        windows = [window for window in windows if window.length and window.length.us <= oldest]
    windows.append(EVER)
    features: list[Feature] = []
    for event in events:
        if event == ANY:  # cannot be told from all events together
            continue
        features += _event_features(event, windows, _event_values(config.events, event), has_users)
    features += _entity_features(windows, has_signup, has_users)
    return list(dict.fromkeys(features))


def _event_features(event: str, windows: Sequence[Window], values: Sequence[str], has_users: bool) -> Iterator[Feature]:
    wide = _widest(windows)
    yield from (Feature(event, "count", window) for window in windows)
    yield from (Feature(event, "active_days", window) for window in wide)
    yield Feature(event, "days_since_last")
    if has_users:
        yield from (Feature(event, "distinct_users", window) for window in wide)
    for value in values:
        yield from (Feature(event, "sum", window, value) for window in wide)
        yield from (Feature(event, measure, EVER, value) for measure in ("max", "last"))


def _entity_features(windows: Sequence[Window], has_signup: bool, has_users: bool) -> Iterator[Feature]:
    wide = _widest(windows)
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


def _widest(windows: Sequence[Window]) -> list[Window]:
    """Keep the longest window of each kind."""
    longest = {}
    for window in sorted(windows, key=lambda w: w.length.us if w.length else 0):
        longest[window.kind] = window
    return [window for window in windows if window in longest.values()]


def _event_values(tables: Sequence[EventTable], event: str) -> list[str]:
    """List the values that an event may carry: those of its own table, or of any log."""
    return sorted({v for t in tables if t.event == event or t.columns.event is not None for v in t.values})
