"""Which rows of a score log are read: first only who and when of all, then what replaying needs of those that are meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pql_model.score_log.schema import REPLAYED

LOOKED_AT = ("entity", "scored_at")


class Part(Protocol):
    """A file or a table of the log."""

    def look(self) -> pa.Table:
        """The columns `LOOKED_AT` of all rows, typed as in `REPLAYED`."""

    def rows(self, places: np.ndarray) -> pa.Table:
        """The columns `REPLAYED` of the rows at rising places."""


@dataclass(frozen=True)
class Wanted:
    """Rows of one entity, scored in [since, until); so many of them, spread over all."""

    entity: str | None = None
    since: int | None = None
    until: int | None = None
    rows: int = 1000

    def places(self, looked_at: pa.Table) -> np.ndarray:
        """Which rows are meant."""
        scored = looked_at["scored_at"].cast(pa.int64()).to_numpy()
        meant = np.ones(len(looked_at), bool)
        if self.entity is not None:
            meant &= pc.equal(looked_at["entity"], self.entity).to_numpy()
        if self.since is not None:
            meant &= scored >= self.since
        if self.until is not None:
            meant &= scored < self.until
        return np.flatnonzero(meant)


def choose(parts: Sequence[Part], wanted: Wanted) -> tuple[pa.Table, int]:
    """The wanted rows, in the order of the parts, and how many are meant in all."""
    found = [wanted.places(part.look()) for part in parts]
    every = np.concatenate([np.empty(0, np.int64), *found])
    whose = np.repeat(np.arange(len(parts)), [len(places) for places in found])
    some = _spread(len(every), wanted.rows)
    tables = [parts[k].rows(every[some[whose[some] == k]]) for k in np.unique(whose[some])]
    return pa.concat_tables([REPLAYED.empty_table(), *tables]), len(every)


def _spread(rows: int, most: int) -> np.ndarray:
    """At most so many places, evenly over all, the first and the last among them."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).round().astype(np.int64))
