"""The score log in a database, as a place that holds rows about entities."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.compute as pc

from pql_model.privacy.formats import ENTITY, Match
from pql_model.privacy.subject import PERSON_COLUMNS, Subject, users_in
from pql_model.score_log.database_table import LogTable


@dataclass(frozen=True)
class LogRows:
    """A table of scored rows. Rows and cells are changed in the database, in one transaction each."""

    table: LogTable

    def users(self, subject: Subject) -> set[str]:
        people = self._people()
        if not people:
            return set()
        rows = self.table.read([ENTITY, *people]).to_pylist()
        own = [row for row in rows if row[ENTITY] in subject.entities]
        return {user for row in own for name in people for user in users_in(row[name])}

    def count(self, subject: Subject) -> Match:
        if ENTITY not in self.table.columns():
            return Match()
        entities = self.table.read([ENTITY])[ENTITY].to_pylist()
        rows = sum(entity in subject.entities for entity in entities)
        return Match(rows, sum(len(texts) for texts in self._changes(subject).values()))

    def forget(self, subject: Subject, *, rows: bool) -> None:
        for name, texts in self._changes(subject).items():
            self.table.replace(name, texts)
        if rows:
            self.table.delete(ENTITY, sorted(subject.entities))

    def _people(self) -> list[str]:
        return [name for name in self.table.columns() if name in PERSON_COLUMNS]

    def _changes(self, subject: Subject) -> dict[str, dict[str, str | None]]:
        """Column -> text -> cleared text."""
        changes: dict[str, dict[str, str | None]] = {}
        for name in self._people():
            texts = pc.unique(self.table.read([name])[name]).to_pylist()
            changes[name] = {text: new for text in texts if text and (new := subject.cleared(text)) != text}
        return changes
