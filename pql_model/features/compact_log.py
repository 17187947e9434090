"""A compact copy of the log for the queries of `compile`: numbers in place of texts, and what every query looks back to.

Sorting and grouping by whole numbers takes half the time of sorting by texts, and columns that are the same in every row would
be sorted along for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.features.look_back import previous_times
from pql_model.features.spec import Feature
from pql_model.measures import ANY

Table = Any  # an Ibis table


@dataclass(frozen=True)
class CodedLog:
    """The log and the snapshots with whole numbers in place of entities, events and users, which sort and group faster.

    Attributes
    ----------
    events
        Name of an event -> its number, above 0.
    """

    log: Table
    snapshots: Table
    events: dict[str, int]

    @classmethod
    @contextmanager
    def of(cls, events: Table, snapshots: Table) -> Iterator[CodedLog]:
        """Number the texts. The numbers are kept in small tables of the engine until the end of the block."""
        with ExitStack() as stack:
            seen = snapshots.group_by("entity").agg(last=snapshots.as_of.max())
            numbered = {"entity": seen, **{key: events.select(key).distinct() for key in ("event", "user")}}
            number = {
                key: stack.enter_context(t.mutate(**{f"{key}_number": ibis.row_number().cast("int32") + 1}).cache())
                for key, t in numbered.items()
            }
            t = events.join(number["entity"], "entity")
            t = t.filter(t.time < t.last)  # no snapshot sees a later row
            t = t.join(number["event"], "event").left_join(number["user"], "user")
            others = [name for name in events.columns if name not in numbered]
            log = t.select(*others, **{key: t[f"{key}_number"] for key in numbered})
            rows = snapshots.join(number["entity"], "entity").drop("entity", "last").rename(entity="entity_number")
            names = number["event"].to_pyarrow().to_pydict()
            yield cls(log, rows, dict(zip(names["event"], names["event_number"], strict=True)))

    def bucket(self, bucket: int, buckets: int) -> tuple[Table, Table]:
        """The snapshots, and the log, of a part of the entities."""
        if buckets == 1:
            return self.snapshots, self.log
        rows, log = (table.filter(table.entity % buckets == bucket) for table in (self.snapshots, self.log))
        return rows, log


@dataclass(frozen=True)
class LogShape:
    """Which columns of a log differ from row to row; sorting the others along is half of the work.

    Attributes
    ----------
    late
        Whether rows may become known after they happened.
    counted
        Whether rows stand for several events or users.
    """

    late: bool
    counted: bool

    @classmethod
    def of(cls, events: Table) -> LogShape:
        counted = (events.n != 1.0) | events.users.notnull()
        found = events.agg(late=events.known_at.notnull().any(), counted=counted.any()).to_pyarrow().to_pylist()[0]
        return cls(bool(found["late"]), bool(found["counted"]))

    def of_interest(self, t: Table, features: Sequence[Feature]) -> Table:
        """Drop what is the same in every row, and the values that no feature reads."""
        values = {f"value_{f.value}" for f in features}
        unread = [name for name in t.columns if name.startswith("value_") and name not in values]
        same = [*([] if self.late else ["known_at"]), *([] if self.counted else ["n", "users"])]
        return t.drop(*unread, *same)

    def completed(self, t: Table) -> Table:
        """Add the columns again that are the same in every row."""
        known = {} if self.late else {"known_at": ibis.null("int64")}
        counts = {} if self.counted else {"n": ibis.literal(1.0), "users": ibis.null("float64")}
        return t.mutate(**known, **counts)


def looking_back(t: Table, features: Sequence[Feature], shape: LogShape) -> Table:
    """Add to the log what the queries look back to, once for all of them."""
    t = shape.of_interest(t, features)
    if shape.late:
        return t
    plain = [f for f in features if f.subject.plain]
    any_event, one_event = ({f.measure for f in plain if (f.event == ANY) == of_any} for of_any in (True, False))
    return t.mutate(
        **{
            f"{scope}_{name}": before
            for scope, within, of in (("any", [], any_event), ("event", ["event"], one_event))
            for name, before in previous_times(t, ["entity", *within], of, name="event").items()
        }
    )
