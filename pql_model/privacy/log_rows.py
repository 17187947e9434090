"""The score log in a database, as a place that holds rows about entities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pql_model.privacy.formats import ENTITY, Match
from pql_model.privacy.subject import PERSON_COLUMNS, Subject, users_in
from pql_model.score_log.database_table import LogTable


@dataclass(frozen=True)
class LogRows:
    """A table of scored rows. They are removed and cleared in the database, in one transaction each."""

    table: LogTable

    def users(self, subject: Subject) -> set[str]:
        people = self._people()
        if not people:
            return set()
        rows = self.table.read([ENTITY, *people])
        own = rows.filter(_is_one_of(rows[ENTITY], subject.entities)).to_pylist()
        return {user for row in own for name in people for user in users_in(row[name])}

    def count(self, subject: Subject) -> Match:
        if ENTITY not in self.table.columns():
            return Match()
        rows = pc.sum(_is_one_of(self.table.read([ENTITY])[ENTITY], subject.entities)).as_py() or 0
        return Match(rows, sum(count for _, _, count in self._changes(subject)))

    def forget(self, subject: Subject, *, rows: bool) -> None:
        changes = [(old, new) for old, new, _ in self._changes(subject)]
        self.table.replace(changes, ENTITY, sorted(subject.entities))
        if rows:
            self.table.delete(ENTITY, sorted(subject.entities))

    def _people(self) -> list[str]:
        return [name for name in self.table.columns() if name in PERSON_COLUMNS]

    def _changes(self, subject: Subject) -> Iterator[tuple[dict[str, Any], dict[str, Any], int]]:
        """Cells that name the users, what they become, and in how many rows of others they stand."""
        people = self._people()
        if not people or not subject.users:
            return
        rows = self.table.read([ENTITY, *people])
        others = rows.filter(pc.invert(_is_one_of(rows[ENTITY], subject.entities)))
        for group in others.group_by(people).aggregate([([], "count_all")]).to_pylist():
            count = group.pop("count_all")
            new = subject.cleared_row(group)
            if new != group:
                yield group, new, count


def _is_one_of(column: pa.ChunkedArray, values: frozenset[str]) -> pa.ChunkedArray:
    return pc.fill_null(pc.is_in(column, pa.array(sorted(values), column.type)), False)
