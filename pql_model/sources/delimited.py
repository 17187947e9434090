"""csv and tsv files to tables of text: nothing guessed, every line that is no row counted."""

from __future__ import annotations

import csv
import gzip
import io
import re
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import duckdb
import ibis

from pql_model.errors import DataError, listed
from pql_model.sources.duckdb_session import Connection

Table = Any
Column = Any

MAX_LINE = 32 * 2**20
"""A longer line is no row."""
_MAX_FIELD_LINES = 200
"""A quoted field of more lines than this is taken for a quote that never ends."""
_QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Dialect:
    """What files must share to be read in one go."""

    delimiter: str
    header: tuple[str, ...]
    zipped: bool


def is_zipped(path: str) -> bool:
    return path.lower().endswith(".gz")


def read_delimited(con: Connection, paths: Sequence[str], name: str) -> tuple[dict[str, Column], Table, int]:
    """All files as one table of texts: its columns by their name in the files, the table, the broken lines.

    Each file is read by its own header, so that neither types nor the order of columns are guessed.
    """
    groups: dict[Dialect, list[str]] = {}
    for path in paths:
        groups.setdefault(_dialect(path), []).append(path)
    every = list(dict.fromkeys(column for dialect in groups for column in dialect.header))
    parts, broken = [], 0
    for part, (dialect, files) in enumerate(groups.items()):
        places = [every.index(column) for column in dialect.header]
        table, lines = _read_whole(con, files, f"{name}_part{part}", dialect, [f"c{place}" for place in places])
        broken += lines
        missing = {f"c{i}": ibis.null("string") for i in range(len(every)) if i not in places}
        parts.append(table.mutate(**missing).select(*[f"c{i}" for i in range(len(every))]))
    table = parts[0] if len(parts) == 1 else ibis.union(*parts)
    return {column: table[f"c{i}"] for i, column in enumerate(every)}, table, broken


# ---------------------------------------------------------------- the header


def _dialect(path: str) -> Dialect:
    written = _first_line(path)
    bare = _QUOTED.sub("", written)
    plain = path.lower().removesuffix(".gz")
    delimiter = "\t" if plain.endswith(".tsv") else max(",;\t|", key=bare.count)
    names = [column.strip() for column in next(csv.reader(io.StringIO(written), delimiter=delimiter))]
    header = tuple(column or f"column_{place}" for place, column in enumerate(names, start=1))
    repeated = sorted({column for column in header if header.count(column) > 1})
    if repeated:
        raise DataError(f"{Path(path).name} has columns of the same name: {listed(repeated)}", remedy="rename them")
    return Dialect(delimiter, header, is_zipped(path))


def _first_line(path: str) -> str:
    """The header, with the further lines of a quoted name. Read as bytes: what follows may be no UTF-8."""
    with _opened(path) as file:
        line = file.readline(MAX_LINE)
        if b"\r" in line.rstrip(b"\r\n"):  # lines end in \r alone
            line = line.split(b"\r")[0]
        while line.count(b'"') % 2 and len(line) < MAX_LINE and (more := file.readline(MAX_LINE)):
            line += more
    name = Path(path).name
    if not line.strip():
        raise DataError(f"{name} is empty", remedy="give a file with a header line and rows")
    if len(line) >= MAX_LINE:
        raise DataError(f"The first line of {name} is too long for a header", allowed=f"{MAX_LINE:,} bytes")
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 text", received=f"{line[:40]!r}", remedy="save it as UTF-8") from error


def _opened(path: str) -> IO[bytes]:
    return gzip.open(path) if is_zipped(path) else open(path, "rb")  # type: ignore[return-value]


# ---------------------------------------------------------------- the rows


def _read_whole(
    con: Connection, files: list[str], name: str, dialect: Dialect, columns: list[str]
) -> tuple[Table, int]:
    """The rows, and the lines that are none.

    A quote that never ends swallows the rows after it, and mixed line ends stop DuckDB's strict reader; both
    are rare, so the files are only mended line by line where it happens.
    """
    try:
        table = _scan(con, files, name, dialect, columns, dialect.zipped)
        broken, swallowed = rejected(con)
    except duckdb.InvalidInputException:
        swallowed = True
    if not swallowed:
        return table, broken
    with tempfile.TemporaryDirectory(prefix="pql-") as folder:
        mended = [str(Path(folder) / f"{place}.csv") for place in range(len(files))]
        dropped = sum(_mend(path, to, dialect) for path, to in zip(files, mended, strict=True))
        table = _scan(con, mended, name, dialect, columns, zipped=False)
    return table, dropped + rejected(con)[0]


def _scan(con: Connection, files: list[str], name: str, dialect: Dialect, columns: list[str], zipped: bool) -> Table:
    view = con.read_csv(
        files,
        table_name=f"{name}_view",
        columns=dict.fromkeys(columns, "VARCHAR"),
        header=True,
        auto_detect=False,
        delim=dialect.delimiter,
        quote='"',
        escape='"',
        store_rejects=True,
        strict_mode=True,
        compression="gzip" if zipped else "none",
        max_line_size=MAX_LINE,
        buffer_size=buffer_for(files),
    )
    return con.create_table(name, view, overwrite=True)


def buffer_for(paths: Sequence[str]) -> int:
    """A read buffer that holds the longest line: DuckDB drops a longer one without a word."""
    return 2 * max([MAX_LINE, *(_longest_line(path) for path in paths)])


def _longest_line(path: str) -> int:
    zipped = is_zipped(path)
    if Path(path).stat().st_size < (MAX_LINE // 1100 if zipped else MAX_LINE):
        return 0  # gzip shrinks 1,032-fold at most
    longest = current = 0
    with _opened(path) as file:
        while chunk := file.read(2**20):
            pieces = chunk.split(b"\n")
            current += len(pieces[0])
            if len(pieces) > 1:
                longest = max([longest, current, *map(len, pieces[1:-1])])
                current = len(pieces[-1])
    return max(longest, current)


def rejected(con: Connection) -> tuple[int, bool]:
    """Lines the last scan could not read (one line can have several errors), and whether one swallowed others."""
    found = con.raw_sql(
        "select count(distinct (file_id, line)), bool_or(contains(rtrim(csv_line, chr(10) || chr(13)), chr(10))) "
        "from reject_errors where scan_id = (select max(scan_id) from reject_errors)"
    ).fetchone()
    con.raw_sql("delete from reject_errors")
    con.raw_sql("delete from reject_scans")
    return int(found[0]), bool(found[1])


# ---------------------------------------------------------------- mending


def _mend(path: str, to: str, dialect: Dialect) -> int:
    """Copy a file with one kind of line end and without lines whose quote never ends. Returns how many those are."""
    dropped = 0
    with (
        io.TextIOWrapper(_opened(path), encoding="utf-8", errors="surrogateescape", newline=None) as source,
        open(to, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as target,
    ):
        for record in _records(source, dialect):
            if record is None:
                dropped += 1
            else:
                target.write(record)
    return dropped


def _records(source: IO[str], dialect: Dialect) -> Iterator[str | None]:
    """The records of a file; None for a line that opens a quote which no record closes."""
    ahead: deque[str] = deque()
    while True:
        line = ahead.popleft() if ahead else source.readline()
        if not line:
            return
        if line.count('"') % 2 == 0:
            yield line
            continue
        length = _record_length(line, ahead, source, dialect)
        yield None if length is None else line + "".join(ahead.popleft() for _ in range(length))


def _record_length(line: str, ahead: deque[str], source: IO[str], dialect: Dialect) -> int | None:
    """How many of the lines ahead belong to a record that starts with `line`."""
    for place in range(_MAX_FIELD_LINES):
        if place == len(ahead):
            if not (more := source.readline()):
                return None
            ahead.append(more)
        if ahead[place].count('"') % 2 and _is_record(line + "".join(list(ahead)[: place + 1]), dialect):
            return place + 1
    return None


def _is_record(written: str, dialect: Dialect) -> bool:
    try:
        rows = list(csv.reader(io.StringIO(written), delimiter=dialect.delimiter, strict=True))
    except csv.Error:
        return False
    return len(rows) == 1 and len(rows[0]) == len(dialect.header)
