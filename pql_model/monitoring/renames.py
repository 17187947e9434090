"""Events that go by another name: one falls away as another begins, at the same rate and among the same entities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from pql_model.monitoring.finding import Finding
from pql_model.monitoring.volume import EventChange
from pql_model.sources.duckdb_session import fetch_row
from pql_model.time import DAY, iso

Table = Any

NEAR_DAYS = 4
"""The new name begins at most this many days from the end of the old one."""
SAME_RATE = 1.5
"""Largest factor between the new rate and that of the old name, beyond chance."""
FALLEN = 0.5
"""Below this share of its expectation an event may be on its way to another name, as versions are rolled out."""
LOOK_BACK = 28 * DAY
_FEWEST = 20
_IMPOSSIBLE = 1e6


@dataclass(frozen=True)
class Overlap:
    """Entities active before and after a change, by whether they did the old event before.

    Attributes
    ----------
    old, old_new
        Those that did, and of them those that do the new one now.
    others, others_new
        The same of those that did not.
    """

    old: int
    old_new: int
    others: int
    others_new: int

    @property
    def contradicts(self) -> bool:
        """Whether those that did the old event do the new one less often than the others.

        >>> Overlap(40, 5, 60, 30).contradicts, Overlap(40, 30, 60, 10).contradicts, Overlap(5, 0, 60, 60).contradicts
        (True, False, False)
        """
        if min(self.old, self.others) < _FEWEST:
            return False
        return self.old_new / self.old < 0.8 * self.others_new / self.others


@dataclass(frozen=True)
class Rename:
    """An event and its new name."""

    old: EventChange
    new: EventChange


def find_renames(changes: Sequence[EventChange], log: Table, first_day: int) -> list[Rename]:
    """Pair events that fell away with events that began.

    Where several change at the same time, the pairs are those of the most alike rates and names.

    Parameters
    ----------
    log
        entity, event, time of the visible log.
    first_day
        Day of column 0 of the changes.
    """
    gone = [c for c in changes if c.what == "stopped" or (c.what == "fell" and c.ratio <= FALLEN)]
    begun = [c for c in changes if c.what == "started"]
    if not gone or not begun:
        return []
    cost = np.array([[distance(old, new) for new in begun] for old in gone])
    pairs = [
        Rename(gone[i], begun[j]) for i, j in zip(*linear_sum_assignment(cost), strict=True) if cost[i, j] < _IMPOSSIBLE
    ]
    return [
        pair
        for pair in pairs
        if not overlap(log, pair.old.name, pair.new.name, (first_day + pair.old.start) * DAY).contradicts
    ]


def distance(old: EventChange, new: EventChange) -> float:
    """How unlike a renaming two changes are; a million where they cannot be one.

    >>> stopped = EventChange("Board Created", "stopped", 100, 0, 200.0, 20, True)
    >>> same = EventChange("board_created", "started", 100, 190.0, 0.0, 20, True)
    >>> other = EventChange("board_deleted", "started", 100, 40.0, 0.0, 20, True)
    >>> round(distance(stopped, same), 2), distance(stopped, other)
    (0.05, 1000000.0)
    """
    missing = old.expected - old.after
    if abs(old.start - new.start) > NEAR_DAYS or missing <= 0 or not new.after:
        return _IMPOSSIBLE
    away = abs(np.log(new.after / new.days) - np.log(missing / old.days))
    chance = 3 * np.sqrt(2 / new.after + 2 / missing)  # counts with twice the variance of a Poisson
    if away > np.log(SAME_RATE) + chance:
        return _IMPOSSIBLE
    return float(away + 0.5 * (1 - alike(old.name, new.name)))


def alike(old: str, new: str) -> float:
    """How alike two names are without regard to spelling, between 0 and 1.

    >>> alike("Teammate Invited", "teammate_invited"), alike("login", "xyz")
    (1.0, 0.0)
    """
    before, after = ("".join(letter for letter in name.casefold() if letter.isalnum()) for name in (old, new))
    return SequenceMatcher(None, before, after).ratio()


def overlap(log: Table, old: str, new: str, since: int) -> Overlap:
    """Count the entities that were active within four weeks before and after an instant."""
    near = log.filter((log.time >= since - LOOK_BACK) & (log.time < since + LOOK_BACK))
    before = near.time < since
    each = near.group_by("entity").agg(
        active_before=before.any(),
        active_after=(~before).any(),
        old=(before & (near.event == old)).any(),
        new=(~before & (near.event == new)).any(),
    )
    each = each.filter(each.active_before & each.active_after)
    row = fetch_row(
        each.agg(
            old=each.count(where=each.old),
            old_new=each.count(where=each.old & each.new),
            others=each.count(where=~each.old),
            others_new=each.count(where=~each.old & each.new),
        )
    )
    return Overlap(**{name: int(value) for name, value in row.items()})


def rename_findings(renames: Iterable[Rename], first_day: int) -> list[Finding]:
    """Phrase renamed events; the figure is the new name."""
    findings = []
    for rename in renames:
        old, new = rename.old, rename.new
        since = (first_day + min(old.start, new.start)) * DAY
        before, now = (old.expected - old.after) / old.days, new.after / new.days
        words = (
            f"`{old.name}` seems to be called `{new.name}` since {iso(since)}: {now:,.1f} active entities a day do the new "
            f"event, where {before:,.1f} a day are missing from the old one."
        )
        findings.append(Finding("event_renamed", old.name, since, new.name, old.name, words, "act"))
    return findings
