"""The visible events of one entity in order of time, as columns and running counts for the online measures."""

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
    """Rows in order of time, by column. A column is computed when first read.

    Examples
    --------
    >>> log = Timeline([EventRow("login", 0, "ann"), EventRow("upload", DAY, "bob"), EventRow("login", DAY + 1, "bob")])
    >>> log.users, log.days, log.breaks
    (('ann', 'bob', 'bob'), [0, 1, 1], [1])
    >>> log.subset(log.positions["login"]).users
    ['ann', 'bob']
    """

    times: Sequence[int]
    names: Sequence[str]
    users: Sequence[str | None]
    values: Sequence[Mapping[str, float] | None]
    counts: Sequence[float]
    user_counts: Sequence[float | None]
    plain: bool  # every row is one event, and none states a number of users
    positions: dict[str, list[int]]  # event -> positions of its rows
    days: Sequence[int]  # days since 1970
    breaks: list[int]  # positions of the rows that begin another session
    pauses: list[int]  # time between sessions, accumulated up to each break

    def __init__(self, rows: Sequence[EventRow]) -> None:
        columns = zip(*rows, strict=True) if rows else ((),) * 7
        self.names, self.times, self.users, self.values, _, self.counts, self.user_counts = columns
        self.plain = self.counts.count(1.0) == len(rows) == self.user_counts.count(None)
        self._whole = self
        self._positions: Sequence[int] = ()

    def subset(self, positions: Sequence[int]) -> Timeline:
        """Keep the rows at these ascending positions."""
        part = Timeline.__new__(Timeline)
        part._whole, part._positions, part.plain = self, positions, self.plain
        part.times = _pick(self.times, positions)
        return part

    def __getattr__(self, name: str) -> Any:
        """Compute a missing column, or pick it from the whole; `cached_property` costs four times more."""
        if name in _PICKED and self._whole is not self:
            column = _pick(getattr(self._whole, name), self._positions)
        elif name in _COMPUTED:
            column = _COMPUTED[name](self)
        else:
            raise AttributeError(name)
        self.__dict__[name] = column
        return column


class Amounts:
    """One value in order of time, and of size among equal times. Rows without the value are left out."""

    def __init__(self, log: Timeline, value: str) -> None:
        rows = zip(log.times, log.values, strict=True)
        pairs = sorted((time, values[value]) for time, values in rows if values and value in values)
        self.times = [time for time, _ in pairs]
        self.amounts = [amount for _, amount in pairs]


def _pick(column: Sequence[Any], positions: Sequence[int]) -> list[Any]:
    return list(map(column.__getitem__, positions))


def _positions(log: Timeline) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = defaultdict(list)
    for position, name in enumerate(log.names):
        positions[name].append(position)
    return positions


def _days(log: Timeline) -> list[int]:
    return [time // DAY for time in log.times]


def _breaks(log: Timeline) -> list[int]:
    gaps = map(sub, log.times[1:], log.times)
    return [position for position, gap in enumerate(gaps, 1) if gap > SESSION_GAP]


def _pauses(log: Timeline) -> list[int]:
    times = log.times
    return list(accumulate([times[at] - times[at - 1] for at in log.breaks], initial=0))


_PICKED = ("names", "users", "values", "counts", "user_counts", "days")
_COMPUTED: dict[str, Callable[[Timeline], Any]] = {
    "positions": _positions,
    "days": _days,
    "breaks": _breaks,
    "pauses": _pauses,
}


def visible(events: Any, as_of: int) -> list[EventRow]:
    """Keep the rows that had happened and were known before as_of, in order of time."""
    rows = sorted(events, key=itemgetter(1))
    happened = bisect_left(rows, as_of, key=itemgetter(1))
    return [row for row in rows[:happened] if row[4] is None or row[4] < as_of]
