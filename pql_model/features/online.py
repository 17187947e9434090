"""The features of one entity from its raw events in plain Python, as the service computes them for each request.

`pql_model.features.oracle` defines the right result; this module must equal it, and the batch
(`pql_model.features.compile`), to the last bit. The declarations are compiled once to a plan. An evaluation sorts
the events once. Then a window is two bisections, and a measure is a difference of running counts, or a slice where
the order of addition matters.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from math import nan
from typing import Any, NamedTuple

from pql_model.features.rounding import rounded
from pql_model.features.spec import Feature, Subject
from pql_model.features.timeline import Amounts, EventRow, Timeline, visible
from pql_model.measures import ANY
from pql_model.time import DAY, MINUTE, Duration, Window


class _Snapshot(NamedTuple):
    """The instants that windows and measures refer to."""

    signed_up: int | None
    as_of: int


_Edges = tuple[int | None, int | None] | None
"""Start and end of a window, None where nothing visible lies beyond; no edges at all without a sign-up to count from."""
_Measure = Callable[[Any, int, int, _Snapshot], float]
"""Measures the rows i to j, at least one, of a Timeline or Amounts."""
_ByWindow = list[tuple[int, list[tuple[int, _Measure]]]]
"""Number of a window -> its features: position in the result, and measure."""


class OnlineFeatures:
    """Compute the features of one entity as known at an instant.

    Parameters
    ----------
    features : sequence of Feature
        What to compute; the result has this order.

    Examples
    --------
    >>> from pql_model.features.spec import parse_feature
    >>> names = ("login.count.ever", "login.count.last_7d", "any.days_since_last.ever", "any.count.first_7d")
    >>> online = OnlineFeatures([parse_feature(name) for name in names])
    >>> log = [EventRow("login", 0), EventRow("login", 3 * DAY), EventRow("login", 9 * DAY)]
    >>> online.compute(log, signed_up=0, as_of=9 * DAY)
    [2.0, 1.0, 6.0, 2.0]
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        empty = [nan if f.rule.empty is None else float(f.rule.empty) for f in features]
        self._empty = empty
        self._without_signup = [nan if f.needs_signup else number for f, number in zip(features, empty, strict=True)]
        self._ages = [position for position, f in enumerate(features) if f.measure == "days_since_signup"]
        self._plan, self._windows = _plan(features)

    def compute(self, events: Iterable[EventRow], signed_up: int | None, as_of: int) -> list[float]:
        """Compute one number per feature; NaN where undefined.

        Parameters
        ----------
        events : iterable of EventRow
            The entity's events in any order. Events that are not visible at as_of are ignored.
        signed_up, as_of : int
            Microseconds since 1970, UTC; `signed_up` may be None.
        """
        out = list(self._without_signup if signed_up is None else self._empty)
        if signed_up is not None:
            for position in self._ages:
                out[position] = (as_of - signed_up) / DAY
        whole = Timeline(visible(events, as_of))
        snapshot = _Snapshot(signed_up, as_of)
        edges = [_edges(window, snapshot) for window in self._windows]
        for subject, value, by_window in self._plan:
            log = _log(whole, subject)
            if log is not None:
                _fill(out, log if value is None else Amounts(log, value), by_window, edges, snapshot)
        return out


def _log(whole: Timeline, subject: Subject) -> Timeline | None:
    """The rows of a subject; None where there are none."""
    if subject.plain:
        event = subject.events[0]
        if event == ANY:
            return whole
        return whole.subset(whole.positions[event]) if event in whole.positions else None
    positions = sorted(at for event in subject.events for at in whole.positions.get(event, ()))
    if subject.after is not None and subject.gap is not None:
        earlier = [whole.times[at] for at in whole.positions.get(subject.after, ())]
        positions = [at for at in positions if _follows(whole.times[at], earlier, subject.gap.us)]
    return whole.subset(positions) if positions else None


def _follows(time: int, earlier: Sequence[int], gap: int) -> bool:
    """Whether the last of these times before `time` is at most `gap` ago."""
    before = bisect_left(earlier, time)
    return before > 0 and time - earlier[before - 1] <= gap


def _plan(features: Sequence[Feature]) -> tuple[list[tuple[Subject, str | None, _ByWindow]], list[Window]]:
    """Group the features by subject, value and window, and list the windows, which an evaluation looks up once each."""
    numbers: dict[Window, int] = {}
    plan: dict[tuple[Subject, str | None], dict[int, list[tuple[int, _Measure]]]] = {}
    for position, feature in enumerate(features):
        if feature.measure == "days_since_signup":  # reads no events
            continue
        window, measure = _compile(feature)
        number = numbers.setdefault(window, len(numbers))
        plan.setdefault((feature.subject, feature.value), {}).setdefault(number, []).append((position, measure))
    return [(subject, value, list(by_window.items())) for (subject, value), by_window in plan.items()], list(numbers)


def _compile(feature: Feature) -> tuple[Window, _Measure]:
    """Choose the window to read and the measure of its rows. A comparison also reads the window before its own."""
    if feature.measure in _OF_HALVES and feature.window.length is not None:
        length = feature.window.length.us
        return Window("last", Duration(2 * length)), partial(_halves, _OF_HALVES[feature.measure], length)
    return feature.window, _MEASURES[feature.measure]


def _edges(window: Window, snapshot: _Snapshot) -> _Edges:
    if snapshot.signed_up is None and window.kind == "first":
        return None
    start, end = window.bounds(*snapshot)
    return start, None if end == snapshot.as_of else end


def _fill(
    out: list[float], log: Timeline | Amounts, by_window: _ByWindow, edges: Sequence[_Edges], snapshot: _Snapshot
) -> None:
    """Write the measures of one log to their positions. A window without rows keeps the empty number."""
    times = log.times
    for number, features in by_window:
        edge = edges[number]
        if edge is None:
            continue
        start, end = edge
        i = 0 if start is None else bisect_left(times, start)
        j = len(times) if end is None else bisect_left(times, end, i)
        if i < j:
            for position, measure in features:
                out[position] = measure(log, i, j, snapshot)


# ---------------------------------------------------------------- the measures


def _count(log: Timeline, i: int, j: int, _: _Snapshot) -> float:
    return float(j - i if log.plain else sum(log.counts[i:j]))


def _halves(
    compare: Callable[[float, float], float], length: int, log: Timeline, i: int, j: int, snapshot: _Snapshot
) -> float:
    middle = bisect_left(log.times, snapshot.as_of - length)
    return compare(_count(log, middle, j, snapshot), _count(log, i, middle, snapshot))


def _active_days(log: Timeline, i: int, j: int, _: _Snapshot) -> float:
    return float(len(set(log.days[i:j])))


def _distinct_users(log: Timeline, i: int, j: int, _: _Snapshot) -> float:
    named = set(log.users[i:j])
    logged = float(len(named) - (None in named))
    return logged if log.plain else max([logged, *(users for users in log.user_counts[i:j] if users is not None)])


def _by_user(log: Timeline, i: int, j: int) -> tuple[float, float]:
    """Events of the user with most of them, and events of all users."""
    users = log.users[i:j]
    if log.plain:
        totals: dict[str | None, float] = {**Counter(users)}
        named = float(len(users) - totals.pop(None, 0))
    else:
        totals, named = defaultdict(float), 0.0
        for user, n in zip(users, log.counts[i:j], strict=True):
            if user is not None:
                totals[user] += n
                named += n
    return float(max(totals.values(), default=0.0)), named


def _top_user_share(log: Timeline, i: int, j: int, _: _Snapshot) -> float:
    most, named = _by_user(log, i, j)
    return most / named if named else nan


def _days_since_last(log: Timeline, _: int, j: int, snapshot: _Snapshot) -> float:
    return (snapshot.as_of - log.times[j - 1]) / DAY


def _days_to_first(log: Timeline, i: int, _: int, snapshot: _Snapshot) -> float:
    return nan if snapshot.signed_up is None else (log.times[i] - snapshot.signed_up) / DAY


def _runs(log: Timeline, i: int, j: int) -> tuple[list[int], int]:
    """Lengths of the runs of consecutive active days in order, and the latest day."""
    days = list(dict.fromkeys(log.days[i:j]))
    lengths = [1]
    for before, day in pairwise(days):
        if day == before + 1:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return lengths, days[-1]


def _longest_streak(log: Timeline, i: int, j: int, _: _Snapshot) -> float:
    return float(max(_runs(log, i, j)[0]))


def _current_streak(log: Timeline, i: int, j: int, snapshot: _Snapshot) -> float:
    """The run may have ended yesterday, because today, the day that as_of lies in or ends, is not over."""
    lengths, latest = _runs(log, i, j)
    return float(lengths[-1]) if latest >= (snapshot.as_of - 1) // DAY - 1 else 0.0


def _sessions(log: Timeline, i: int, j: int, _: _Snapshot) -> float:
    return float(bisect_left(log.breaks, j) - bisect_right(log.breaks, i) + 1)


def _session_minutes(log: Timeline, i: int, j: int, _: _Snapshot) -> float:
    first, last = bisect_right(log.breaks, i), bisect_left(log.breaks, j)
    return (log.times[j - 1] - log.times[i] - log.pauses[last] + log.pauses[first]) / MINUTE


def _sum(amounts: Sequence[float]) -> float:
    return rounded(float(sum(amounts)), float(sum(map(abs, amounts))))


_MEASURES: dict[str, _Measure] = {
    "count": _count,
    "active_days": _active_days,
    "distinct_users": _distinct_users,
    "days_since_last": _days_since_last,
    "days_to_first": _days_to_first,
    "sum": lambda log, i, j, _: _sum(log.amounts[i:j]),
    "max": lambda log, i, j, _: float(max(log.amounts[i:j])),
    "last": lambda log, _, j, __: float(log.amounts[j - 1]),
    "distinct_values": lambda log, i, j, _: float(len(set(log.amounts[i:j]))),
    "current_streak_days": _current_streak,
    "longest_streak_days": _longest_streak,
    "breadth": lambda log, i, j, _: float(len(set(log.names[i:j]))),
    "sessions": _sessions,
    "session_minutes": _session_minutes,
    "top_user_share": _top_user_share,
    "top_user_count": lambda log, i, j, _: _by_user(log, i, j)[0],
}
"""Measures of the events in a window."""
_OF_HALVES: dict[str, Callable[[float, float], float]] = {
    "trend": lambda a, b: (a - b) / (a + b) if a + b else nan,
    "times_before": lambda a, b: a / b if b else nan,
}
"""Measures of the number of events in a window and in the equally long one before it."""
