"""CSV and TSV files read as tables of text: no types guessed, every broken line counted."""

from __future__ import annotations

import csv
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
from pql_model.sources.encodings import refuse_other_encoding
from pql_model.sources.file_format import is_gzipped, open_bytes

Table = Any
Column = Any

MAX_LINE = 32 * 2**20
"""A longer line, in bytes, counts as broken."""
_MAX_FIELD_LINES = 200
"""A quoted field of more lines than this counts as a quote that is never closed."""
_STATED = re.compile(rb"^(?:\xef\xbb\xbf)?\"?sep=(.)\"?\r?\n$")
"""How Excel states the delimiter, in a line before the header."""
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Dialect:
    """What files must share to be read together."""

    delimiter: str
    header: tuple[str, ...]
    gzipped: bool
    skipped: int
    """Lines before the header."""


@dataclass(frozen=True)
class Unread:
    """Lines of text files that are not rows: broken ones, and those that are not UTF-8."""

    broken: int = 0
    not_utf8: int = 0

    def __add__(self, other: Unread) -> Unread:
        return Unread(self.broken + other.broken, self.not_utf8 + other.not_utf8)


def read_delimited(
    con: Connection, paths: Sequence[str], name: str
) -> tuple[dict[str, Column], Table, Unread, dict[str, list[str]]]:
    """Read files as one table of texts.

    Each file is read by its own header, so neither types nor the order of columns are guessed.

    Returns
    -------
    columns : dict
        Name in the files -> column of the table.
    table : Table
        All rows, every column a text.
    unread : Unread
        Lines that are not rows.
    lacking : dict
        Column -> the names of the files, of several, that do not have it.
    """
    groups: dict[Dialect, list[str]] = {}
    for path in paths:
        groups.setdefault(_dialect(path), []).append(path)
    names = list(dict.fromkeys(column for dialect in groups for column in dialect.header))
    parts, unread = [], Unread()
    for part, (dialect, files) in enumerate(groups.items()):
        positions = [names.index(column) for column in dialect.header]
        table, lines = _read_group(con, files, f"{name}_part{part}", dialect, [f"c{i}" for i in positions])
        unread += lines
        missing = {f"c{i}": ibis.null("string") for i in range(len(names)) if i not in positions}
        parts.append(table.mutate(**missing).select(*[f"c{i}" for i in range(len(names))]))
    table = parts[0] if len(parts) == 1 else ibis.union(*parts)
    lacking = {
        column: [Path(path).name for dialect, files in groups.items() if column not in dialect.header for path in files]
        for column in names
    }
    columns = {column: table[f"c{i}"] for i, column in enumerate(names)}
    return columns, table, unread, {column: files for column, files in lacking.items() if files}


# ---------------------------------------------------------------- the header


def delimiter_of(path: str) -> str:
    """Tell what separates the columns of a file."""
    return _dialect(path).delimiter


def _dialect(path: str) -> Dialect:
    line, skipped, stated = _header_line(path)
    unquoted = _QUOTED.sub("", line)
    plain = path.lower().removesuffix(".gz")
    delimiter = stated or ("\t" if plain.endswith(".tsv") else max(_DELIMITERS, key=unquoted.count))
    names = [column.strip() for column in next(csv.reader(io.StringIO(line), delimiter=delimiter))]
    header = tuple(column or f"column_{number}" for number, column in enumerate(names, start=1))
    repeated = sorted({column for column in header if header.count(column) > 1})
    if repeated:
        raise DataError(
            f"{Path(path).name} has several columns with the same name: {listed(repeated)}", remedy="rename them"
        )
    return Dialect(delimiter, header, is_gzipped(path), skipped)


def _header_line(path: str) -> tuple[str, int, str | None]:
    """Read the header, including the further lines of a quoted name, with the lines before it and the stated delimiter.

    It is read as bytes, because the rows may not be UTF-8.
    """
    skipped, delimiter = 0, None
    with open_bytes(path) as file:
        line = file.readline(MAX_LINE)
        if stated := _STATED.match(line):
            line, skipped, delimiter = file.readline(MAX_LINE), 1, stated[1].decode("latin-1")
        following = b""
        while line.startswith(b"#") or (skipped and line.isspace()):
            following = file.readline(MAX_LINE)
            if not _is_comment(line, following):
                break
            line, following, skipped = following, b"", skipped + 1
        if b"\r" in line.rstrip(b"\r\n"):  # lines end in \r alone
            line = line.split(b"\r")[0]
        while line.count(b'"') % 2 and len(line) < MAX_LINE and (more := following or file.readline(MAX_LINE)):
            line, following = line + more, b""
    name = Path(path).name
    if not line.strip():
        raise DataError(f"{name} is empty", remedy="use a file with a header line and rows")
    if len(line) >= MAX_LINE:
        raise DataError(f"The first line of {name} is too long for a header", allowed=f"{MAX_LINE:,} bytes")
    try:
        return line.decode("utf-8-sig"), skipped, delimiter
    except UnicodeDecodeError as error:
        refuse_other_encoding(name, [path], in_header=True)
        raise DataError(f"{name} is not UTF-8 text", received=f"{line[:40]!r}", remedy="save it as UTF-8") from error


def _is_comment(line: bytes, following: bytes) -> bool:
    """Whether a line before the header is a comment, as in exports of Google Analytics, or blank; `#,name` is a header."""
    counts = [(line.count(each), following.count(each)) for each in map(str.encode, _DELIMITERS)]
    return not any(count == same > 0 for count, same in counts)


# ---------------------------------------------------------------- the rows


def _read_group(
    con: Connection, files: list[str], name: str, dialect: Dialect, columns: list[str]
) -> tuple[Table, Unread]:
    r"""Read files of one dialect; return the table and the lines that are not rows.

    A quote that is never closed swallows the rows after it, and mixed line ends stop DuckDB's strict reader. Both
    are rare, so files are repaired line by line only where this happens. Some programs write a quote inside a text as
    `\"` and not as `""`; files are read so where that loses fewer lines.
    """
    read = _whole_scan(con, files, name, dialect, columns)
    if read is not None and not read[1].broken:
        return read
    if any(_has_escaped_quotes(path) for path in files):
        escaped = _whole_scan(con, files, f"{name}_escaped", dialect, columns, escape="\\")
        if escaped is not None and (read is None or escaped[1].broken < read[1].broken):
            return escaped
    if read is not None:
        return read
    with tempfile.TemporaryDirectory(prefix="pql-") as folder:
        repaired = [str(Path(folder) / f"{number}.csv") for number in range(len(files))]
        dropped = sum(_repair(path, to, dialect) for path, to in zip(files, repaired, strict=True))
        table = _scan(con, repaired, name, dialect, columns, gzipped=False)
    return table, rejected(con)[0] + Unread(dropped)


def _whole_scan(
    con: Connection, files: list[str], name: str, dialect: Dialect, columns: list[str], escape: str = '"'
) -> tuple[Table, Unread] | None:
    """Read files as they are; None if their header is not the first line, or a line swallows others."""
    if dialect.skipped:
        return None
    try:
        table = _scan(con, files, name, dialect, columns, dialect.gzipped, escape)
        unread, swallowed = rejected(con)
    except duckdb.InvalidInputException:
        return None
    return None if swallowed else (table, unread)


def _has_escaped_quotes(path: str) -> bool:
    before = b""
    with open_bytes(path) as file:
        while chunk := file.read(2**20):
            if b'\\"' in before + chunk:
                return True
            before = chunk[-1:]
    return False


def _scan(
    con: Connection,
    files: list[str],
    name: str,
    dialect: Dialect,
    columns: list[str],
    gzipped: bool,
    escape: str = '"',
) -> Table:
    view = con.read_csv(
        files,
        table_name=f"{name}_view",
        columns=dict.fromkeys(columns, "VARCHAR"),
        header=True,
        auto_detect=False,
        delim=dialect.delimiter,
        quote='"',
        escape=escape,
        store_rejects=True,
        strict_mode=True,
        compression="gzip" if gzipped else "none",
        max_line_size=MAX_LINE,
        buffer_size=buffer_for(files),
    )
    return con.create_table(name, view, overwrite=True)


def buffer_for(paths: Sequence[str]) -> int:
    """Size of a read buffer that holds the longest line; DuckDB silently drops a longer one."""
    return 2 * max([MAX_LINE, *(_longest_line(path) for path in paths)])


def _longest_line(path: str) -> int:
    if Path(path).stat().st_size < (MAX_LINE // 1100 if is_gzipped(path) else MAX_LINE):
        return 0  # gzip compresses 1,032-fold at most
    longest = current = 0
    with open_bytes(path) as file:
        while chunk := file.read(2**20):
            pieces = chunk.split(b"\n")
            current += len(pieces[0])
            if len(pieces) > 1:
                longest = max([longest, current, *map(len, pieces[1:-1])])
                current = len(pieces[-1])
    return max(longest, current)


def rejected(con: Connection) -> tuple[Unread, bool]:
    """Count the lines that the last scan rejected, and tell whether one of them swallowed others.

    One line can have several errors.
    """
    lines, not_utf8, swallowed = con.raw_sql(
        "select count(distinct (file_id, line)), count(distinct (file_id, line)) filter (error_type = 'INVALID ENCODING'), "
        "bool_or(contains(rtrim(csv_line, chr(10) || chr(13)), chr(10))) "
        "from reject_errors where scan_id = (select max(scan_id) from reject_errors)"
    ).fetchone()
    con.raw_sql("delete from reject_errors")
    con.raw_sql("delete from reject_scans")
    return Unread(int(lines) - int(not_utf8), int(not_utf8)), bool(swallowed)


# ---------------------------------------------------------------- repairing


def _repair(path: str, to: str, dialect: Dialect) -> int:
    """Copy a file from its header on, with uniform line ends and without lines whose quote is never closed.

    Returns
    -------
    int
        Lines that were dropped.
    """
    dropped = 0
    with (
        io.TextIOWrapper(open_bytes(path), encoding="utf-8", errors="surrogateescape", newline=None) as source,
        open(to, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as target,
    ):
        for _ in range(dialect.skipped):
            source.readline()
        for record in _records(source, dialect):
            if record is None:
                dropped += 1
            else:
                target.write(record)
    return dropped


def _records(source: IO[str], dialect: Dialect) -> Iterator[str | None]:
    """Yield the records of a file; None for a line with a quote that no record closes."""
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
    """Count the lines ahead that belong to the record starting with `line`; None if it never ends."""
    for number in range(_MAX_FIELD_LINES):
        if number == len(ahead):
            if not (more := source.readline()):
                return None
            ahead.append(more)
        if ahead[number].count('"') % 2 and _is_record(line + "".join(list(ahead)[: number + 1]), dialect):
            return number + 1
    return None


def _is_record(text: str, dialect: Dialect) -> bool:
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=dialect.delimiter, strict=True))
    except csv.Error:
        return False
    return len(rows) == 1 and len(rows[0]) == len(dialect.header)
