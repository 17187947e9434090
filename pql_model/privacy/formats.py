"""Remove rows from a file of one format: Parquet, CSV, JSON lines or SQLite. The other rows stay as they are.

Every file is replaced atomically, or changed in one transaction, so that a kill leaves the old or the new one.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pql_model.atomic import atomic_write
from pql_model.privacy.subject import ABOUT_CONTACT, PERSON_COLUMNS, Subject, users_in

ENTITY, AS_OF = "entity", "as_of"
IMPORTER_IDS = ("PQL account", "PQL_Entity_Id__c", "Id", "Email", "LastName", "Company")
"""Columns of the files for HubSpot's and Salesforce's importers that say which account or user a row is about."""
_SHORT_ID = 15
"""Length of a Salesforce id without the three characters that an importer's file adds."""
_BATCH = 20_000


@dataclass(frozen=True)
class Match:
    """What a file holds of a subject: its own rows, which are removed, and rows of others that are cleared of its users."""

    rows: int = 0
    cleared: int = 0

    def __bool__(self) -> bool:
        return self.rows + self.cleared > 0

    def __add__(self, other: Match) -> Match:
        return Match(self.rows + other.rows, self.cleared + other.cleared)


class Format(Protocol):
    """A file that holds one row per entity, or several."""

    def users(self, subject: Subject) -> set[str]:
        """List the users that the rows of the subject name."""

    def count(self, subject: Subject) -> Match:
        """Count what the file holds of a subject."""

    def forget(self, subject: Subject, *, rows: bool) -> None:
        """Clear the cells that name the users, and remove the subject's own rows if `rows`."""


@dataclass(frozen=True)
class ParquetRows:
    """A Parquet file, rewritten batch by batch with its schema, metadata and compression."""

    path: Path

    def users(self, subject: Subject) -> set[str]:
        return {
            user
            for batch in self._batches()
            for name in _people(batch.schema.names)
            for text in batch.filter(_is_own(batch, subject)).column(name).to_pylist()
            for user in users_in(text)
        }

    def count(self, subject: Subject) -> Match:
        return sum((_edited(batch, subject, True)[1] for batch in self._batches()), Match())

    def forget(self, subject: Subject, *, rows: bool) -> None:
        atomic_write(self.path, lambda at: self._write(at, subject, rows))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.path) as file:
            yield from file.iter_batches(_BATCH)

    def _write(self, at: Path, subject: Subject, rows: bool) -> None:
        with pq.ParquetFile(self.path) as file:
            groups = file.metadata.num_row_groups
            codec = file.metadata.row_group(0).column(0).compression if groups else "SNAPPY"
            with pq.ParquetWriter(at, file.schema_arrow, compression=codec) as writer:
                for batch in file.iter_batches(_BATCH):
                    writer.write_batch(_edited(batch, subject, rows)[0])


def _is_own(batch: pa.RecordBatch, subject: Subject) -> pa.Array:
    ids = batch.column(ENTITY).cast(pa.string())
    return pc.fill_null(pc.is_in(ids, pa.array(sorted(subject.entities), pa.string())), False)


def _edited(batch: pa.RecordBatch, subject: Subject, rows: bool) -> tuple[pa.RecordBatch, Match]:
    own = _is_own(batch, subject)
    removed, cleared = own.true_count, 0
    if rows:
        batch, own = batch.filter(pc.invert(own)), None
    if subject.users and _people(batch.schema.names):
        names = [name for name in batch.schema.names if name in (*PERSON_COLUMNS, *ABOUT_CONTACT)]
        old = batch.select(names).to_pylist()
        kept = own.to_pylist() if own is not None else [False] * len(old)
        new = [row if mine else subject.cleared_row(row) for row, mine in zip(old, kept, strict=True)]
        cleared = sum(a != b for a, b in zip(old, new, strict=True))
        for name in names if cleared else ():
            place = batch.schema.get_field_index(name)
            field = batch.schema.field(place)
            batch = batch.set_column(place, field, pa.array([row[name] for row in new], field.type))
    return batch, Match(removed, cleared)


@dataclass(frozen=True)
class TextRows:
    """A CSV or JSON lines file. The text of the rows that stay is not touched."""

    path: Path

    def users(self, subject: Subject) -> set[str]:
        return {user for record in self._records() if record.is_own(subject) for user in record.users()}

    def count(self, subject: Subject) -> Match:
        found = Match()
        for record in self._records():
            if record.is_own(subject):
                found += Match(rows=1)
            elif record.cleared(subject) != record.text:
                found += Match(cleared=1)
        return found

    def forget(self, subject: Subject, *, rows: bool) -> None:
        def write(at: Path) -> None:
            with at.open("w", encoding="utf-8", newline="") as file:
                for record in self._records():
                    if not record.is_own(subject):
                        file.write(record.cleared(subject))
                    elif not rows:
                        file.write(record.text)

        atomic_write(self.path, write)

    def _records(self) -> Iterator[_Record]:
        with self.path.open(encoding="utf-8", newline="") as file:
            yield from (_lines(file) if self.path.suffix == ".jsonl" else _csv_records(file))


@dataclass(frozen=True)
class _Record:
    """A row, with the text it was read from."""

    text: str
    values: dict[str, object]
    header: tuple[str, ...] = ()

    def is_own(self, subject: Subject) -> bool:
        """Whether the row is about the entity; a row for an importer also if it is about one of its users."""
        if ENTITY in self.values:
            return _cell(self.values[ENTITY]) in subject.entities
        ids = subject.entities | subject.users
        cells = [_cell(self.values[name]) for name in IMPORTER_IDS if name in self.values]
        return any(cell in ids or (len(cell) == _SHORT_ID + 3 and cell[:_SHORT_ID] in ids) for cell in cells)

    def users(self) -> Iterator[str]:
        for name in PERSON_COLUMNS:
            value = self.values.get(name)
            yield from users_in(value if isinstance(value, str) else json.dumps(value) if value else None)

    def cleared(self, subject: Subject) -> str:
        if subject.users.isdisjoint(self.users()):
            return self.text
        if not self.header:
            content = subject.without_users(self.values)
            return self.text if content == self.values else json.dumps(content, ensure_ascii=False) + "\n"
        cells = subject.cleared_row(self.values)
        if cells == self.values:
            return self.text
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n" if self.text.endswith("\r\n") else "\n").writerow(cells.values())
        return line.getvalue()


def _cell(value: object) -> str:
    """The text of a cell without the quote that keeps spreadsheets from reading it as a formula."""
    return str(value).removeprefix("'")


def _csv_records(file: Iterable[str]) -> Iterator[_Record]:
    read: list[str] = []

    def lines() -> Iterator[str]:
        for line in file:
            read.append(line)
            yield line

    header: tuple[str, ...] | None = None
    for row in csv.reader(lines()):
        text = "".join(read)
        read.clear()
        if header is None:
            header = tuple(name.removeprefix("\ufeff") for name in row)
            yield _Record(text, {})
        else:
            yield _Record(text, dict(zip(header, row, strict=False)), header)


def _lines(file: Iterable[str]) -> Iterator[_Record]:
    for line in file:
        content = json.loads(line) if line.strip() else {}
        yield _Record(line, content if isinstance(content, dict) else {})


@dataclass(frozen=True)
class SqliteRows:
    """All tables of a SQLite file that have a column `entity`; their JSON texts may name users."""

    path: Path

    def users(self, subject: Subject) -> set[str]:
        with closing(sqlite3.connect(self.path, timeout=60)) as con:
            return {
                user
                for table in _tables(con)
                for record in _own(con, table, subject)
                for text in record
                if isinstance(text, str) and text.startswith("{")
                for user in users_in(text)
            }

    def count(self, subject: Subject) -> Match:
        with closing(sqlite3.connect(self.path, timeout=60)) as con:
            rows = sum(len(_own(con, table, subject)) for table in _tables(con))
            return Match(rows, sum(1 for table in _tables(con) for _ in _to_clear(con, table, subject)))

    def forget(self, subject: Subject, *, rows: bool) -> None:
        with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as con:
            con.execute("PRAGMA secure_delete = ON")
            con.execute("BEGIN IMMEDIATE")
            for table in _tables(con):
                for texts in list(_to_clear(con, table, subject)):
                    for column, old, new in texts:
                        con.execute(f"UPDATE {_q(table)} SET {_q(column)} = ? WHERE {_q(column)} = ?", (new, old))  # noqa: S608
                if rows:
                    con.executemany(
                        f"DELETE FROM {_q(table)} WHERE {ENTITY} = ?",  # noqa: S608
                        [(entity,) for entity in sorted(subject.entities)],
                    )
            con.execute("COMMIT")
            con.execute("VACUUM")  # removed rows otherwise stay in the free pages of the file


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _tables(con: sqlite3.Connection) -> list[str]:
    names = [name for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [n for n in names if ENTITY in [column for _, column, *_ in con.execute(f"PRAGMA table_info({_q(n)})")]]


def _own(con: sqlite3.Connection, table: str, subject: Subject) -> list[tuple[object, ...]]:
    query = f"SELECT * FROM {_q(table)} WHERE {ENTITY} = ?"  # noqa: S608
    return [row for entity in subject.entities for row in con.execute(query, (entity,))]


def _to_clear(con: sqlite3.Connection, table: str, subject: Subject) -> Iterator[list[tuple[str, str, str | None]]]:
    """Column, text and cleared text of each row of others that names the users."""
    if not subject.users:
        return
    columns = [column for _, column, *_ in con.execute(f"PRAGMA table_info({_q(table)})")]
    for row in con.execute(f"SELECT * FROM {_q(table)}"):  # noqa: S608
        if str(row[columns.index(ENTITY)]) not in subject.entities:
            texts = [
                (column, text, subject.cleared(text))
                for column, text in zip(columns, row, strict=True)
                if isinstance(text, str) and text.startswith(("{", "[")) and subject.cleared(text) != text
            ]
            if texts:
                yield texts


def _people(names: Iterable[str]) -> list[str]:
    return [name for name in names if name in PERSON_COLUMNS]
