"""The places where pql writes rows about entities: files below some folders, each recognised by what it holds.

A new kind of file with rows per entity needs no entry here if it is Parquet, CSV or JSON lines with the columns `entity` and
`as_of`, a CSV for an importer with a column of `IMPORTER_IDS`, or a SQLite file in `.pql/` whose tables have a column `entity`.
Everything else does: see `_KINDS`.
"""

from __future__ import annotations

import csv
import html
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pql_model.errors import DataError
from pql_model.privacy.formats import AS_OF, ENTITY, IMPORTER_IDS, Format, Match, ParquetRows, SqliteRows, TextRows
from pql_model.privacy.subject import Subject
from pql_model.time import DAY, now

STATE = ".pql"
_PAGE_HEAD = 4_000
_UNFINISHED = re.compile(r"\..+\.\d+-\d+\.part")
"""What a killed process leaves of a file that it was writing."""


@dataclass(frozen=True)
class WholeFile:
    """A file that is deleted if it names the subject, because pql writes it again."""

    path: Path
    holds: Callable[[Subject], bool]

    def users(self, subject: Subject) -> set[str]:
        return set()

    def count(self, subject: Subject) -> Match:
        return Match(rows=int(self.holds(subject)))

    def forget(self, subject: Subject, *, rows: bool) -> None:
        if rows:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Place:
    """A file, what it is to a reader, and how it is changed."""

    path: Path
    kind: str
    content: Format


def find_places(roots: Iterable[Path], sources: Collection[Path]) -> Iterator[Place]:
    """Find the files that hold rows about entities.

    Parameters
    ----------
    roots
        Folders, searched with all below them, and files. Links are not followed.
    sources
        The company's own tables, which are never touched.

    Raises
    ------
    DataError
        If a file cannot be read: it may hold what is to be forgotten.
    """
    own = {path.resolve() for path in sources}
    seen: set[Path] = set()
    for path in (file for root in roots for file in _files(root)):
        resolved = path.resolve()
        if resolved in own or resolved in seen:
            continue
        seen.add(resolved)
        try:
            place = _place(path)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise DataError(
                f"A file cannot be searched: {error}",
                received=path,
                remedy="delete it if it is damaged, or make it readable, and run the command again",
            ) from error
        if place is not None:
            yield place


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if _is_searched(Path(folder) / name))
        yield from (Path(folder) / name for name in sorted(files) if not (Path(folder) / name).is_symlink())


def _is_searched(folder: Path) -> bool:
    hidden = folder.name.startswith(".") and folder.name != STATE
    return not (hidden or folder.is_symlink() or folder.name == "node_modules" or (folder / "pyvenv.cfg").exists())


def _place(path: Path) -> Place | None:
    if _UNFINISHED.fullmatch(path.name):
        # a younger one may belong to a run in progress
        old = now() - path.stat().st_mtime_ns // 1000 > DAY
        return Place(path, "unfinished file", WholeFile(path, lambda _: True)) if old else None
    opener = _KINDS.get(path.suffix.lower())
    return opener(path) if opener is not None else None


def _parquet(path: Path) -> Place | None:
    if not {ENTITY, AS_OF} <= set(pq.read_schema(path).names):
        return None
    rows = ParquetRows(path)
    if path.parent.name == "backtest" and path.parent.parent.name == STATE:
        # the file is named by a digest of its content, and fitted again when it is missing
        return Place(
            path, "fold of an interrupted back-test", WholeFile(path, lambda subject: bool(rows.count(subject)))
        )
    return Place(path, "table", rows)


def _csv(path: Path) -> Place | None:
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        header = [name.removeprefix("\ufeff") for name in next(csv.reader(file), [])]
    if {ENTITY, AS_OF} <= set(header):
        return Place(path, "table", TextRows(path))
    is_for_importer = any(name.startswith("PQL") for name in header) and set(header) & set(IMPORTER_IDS)
    return Place(path, "file for an importer", TextRows(path)) if is_for_importer else None


def _json_lines(path: Path) -> Place | None:
    with path.open(encoding="utf-8", errors="replace") as file:
        line = file.readline()
    if not line.strip():
        return None
    try:
        first = json.loads(line)
    except ValueError:
        return None
    is_row = isinstance(first, dict) and {ENTITY, AS_OF} <= set(first)
    return Place(path, "table", TextRows(path)) if is_row else None


def _sqlite(path: Path) -> Place | None:
    return Place(path, "outbox", SqliteRows(path)) if path.parent.name == STATE else None


def _leads_page(path: Path) -> Place | None:
    with path.open(encoding="utf-8", errors="replace") as file:
        title = re.search(r"<title>.*: leads of .*</title>", file.read(_PAGE_HEAD))
    return Place(path, "leads page", WholeFile(path, lambda subject: _names(path, subject))) if title else None


def _names(path: Path, subject: Subject) -> bool:
    text = html.unescape(path.read_text(encoding="utf-8", errors="replace"))
    ids = "|".join(re.escape(name) for name in sorted(subject.entities | subject.users))
    return re.search(rf"(?<![\w-])(?:{ids})(?![\w-])", text) is not None


_KINDS: dict[str, Callable[[Path], Place | None]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".sqlite": _sqlite,
    ".html": _leads_page,
}
"""Ending of a file -> the place it is, or None if it holds no rows of pql."""
