"""One entity's visible events in order of time, as columns and running counts: what the online measures read."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from operator import itemgetter, sub
from typing import Any, NamedTuple

from pql_model.time import DAY, SESSION_GAP


class EventRow(NamedTuple):
    """One row of an entity's log. A pre-counted row stands for `n` events by `users` distinct users."""

    event: str
    time: int
    user: str | None = None
    values: Mapping[str, float] | None = None
    known_at: int | None = None
    n: float = 1.0
    users: float | None = None


class Timeline:
    """Rows in order of time, by column. A column is made when it is first asked for.

    Examples
    --------
    >>> log = Timeline([EventRow("login", 0, "ann"), EventRow("upload", DAY, "bob"), EventRow("login", DAY + 1, "bob")])
    >>> log.users, log.days, log.breaks
    (('ann', 'bob', 'bob'), [0, 1, 1], [1])
    >>> log.only(log.places["login"]).users
    ['ann', 'bob']
    """

    times: Sequence[int]
    names: Sequence[str]
    users: Sequence[str | None]
    values: Sequence[Mapping[str, float] | None]
    counts: Sequence[float]
    user_counts: Sequence[float | None]
    plain: bool  # every row is one event, and none says how many users it stands for
    places: dict[str, list[int]]  # event -> the numbers of its rows
    days: Sequence[int]  # days since 1970
    breaks: list[int]  # the numbers of the rows that begin another session
    pauses: list[int]  # up to each break, the time between sessions

    def __init__(self, rows: Sequence[EventRow]) -> None:
        columns = zip(*rows, strict=True) if rows else ((),) * 7
        self.names, self.times, self.users, self.values, _, self.counts, self.user_counts = columns
        self.plain = self.counts.count(1.0) == len(rows) == self.user_counts.count(None)
        self._whole = self
        self._numbers: Sequence[int] = ()

    def only(self, numbers: Sequence[int]) -> Timeline:
        """The rows of these numbers, which ascend."""
        part = Timeline.__new__(Timeline)
        part._whole, part._numbers, part.plain = self, numbers, self.plain
        part.times = _picked(self.times, numbers)
        return part

    def __getattr__(self, name: str) -> Any:
        """A column that is not there yet: taken from the whole, or computed. (`cached_property` costs four times more.)"""
        if name in _TAKEN and self._whole is not self:
            made = _picked(getattr(self._whole, name), self._numbers)
        elif name in _COMPUTED:
            made = _COMPUTED[name](self)
        else:
            raise AttributeError(name)
        self.__dict__[name] = made
        return made


class Amounts:
    """One value, by time and by size among equal times. A row without it does not take part."""

    def __init__(self, log: Timeline, value: str) -> None:
        rows = zip(log.times, log.values, strict=True)
        pairs = sorted((time, values[value]) for time, values in rows if values and value in values)
        self.times = [time for time, _ in pairs]
        self.amounts = [amount for _, amount in pairs]


def _picked(column: Sequence[Any], numbers: Sequence[int]) -> list[Any]:
    return list(map(column.__getitem__, numbers))


def _places(log: Timeline) -> dict[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(log.names):
        places[name].append(number)
    return places


def _days(log: Timeline) -> list[int]:
    return [time // DAY for time in log.times]


def _breaks(log: Timeline) -> list[int]:
    gaps = map(sub, log.times[1:], log.times)
    return [number for number, gap in enumerate(gaps, 1) if gap > SESSION_GAP]


def _pauses(log: Timeline) -> list[int]:
    times = log.times
    return list(accumulate([times[number] - times[number - 1] for number in log.breaks], initial=0))


_TAKEN = ("names", "users", "values", "counts", "user_counts", "days")
_COMPUTED: dict[str, Callable[[Timeline], Any]] = {
    "places": _places,
    "days": _days,
    "breaks": _breaks,
    "pauses": _pauses,
}


def visible(events: Any, as_of: int) -> list[EventRow]:
    """The rows that had happened and were known before as_of, in order of time."""
    rows = sorted(events, key=itemgetter(1))
    happened = bisect_left(rows, as_of, key=itemgetter(1))
    return [row for row in rows[:happened] if row[4] is None or row[4] < as_of]
