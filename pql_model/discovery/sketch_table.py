"""Sketches of files for `pql init`."""

from __future__ import annotations

from pathlib import Path

from pql_model.discovery.number_marks import Marks, find_marks, to_plain
from pql_model.discovery.sketch import ColumnSketch, TableSketch, kind_of, looks_like_times
from pql_model.sources.column_profile import ColumnProfile, profile_columns
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.encodings import EncodingError
from pql_model.sources.files import read_raw

_SAMPLES = 200


def sketch_table(con: Connection, table: str, home: Path, name: str) -> TableSketch:
    """Sketch a file or glob: its columns, their values over all rows, and its number of rows.

    Objects inside JSON, in files of any format, become columns with dotted names.

    Parameters
    ----------
    con : Connection
        A session that keeps the order of rows.
    table : str
        A file or a glob.
    home : Path
        The folder that relative paths start from.
    name : str
        The name of the staged table.

    Raises
    ------
    DataError
        If the file is missing or cannot be read.
    """
    try:
        raw, encoding = read_raw(con, table, home, name=name), None
    except EncodingError as error:
        raw, encoding = read_raw(con, table, home, name=name, encoding=error.encoding), error.encoding
    profile = profile_columns(con, raw, f"{name}_texts")
    marks = find_marks({c.name: c.values for c in profile.columns if not looks_like_times(c.values, c.name)})
    columns = tuple(_column(column, profile.rows, marks) for column in profile.columns)
    return TableSketch(table, columns, profile.rows, marks, profile.repeats, encoding)


def _column(profile: ColumnProfile, rows: int, marks: Marks) -> ColumnSketch:
    present = [cell for cell in profile.cells if cell is not None]
    samples = tuple(present[:: max(1, len(present) // _SAMPLES)][:_SAMPLES]) or tuple(list(profile.values)[:_SAMPLES])
    plain = [to_plain(sample, marks) for sample in samples] if profile.name in marks.columns else samples
    return ColumnSketch(
        profile.name,
        samples,
        len(profile.values) * 16**profile.zeros,
        profile.rows / max(rows, 1),
        kind_of(plain, profile.name),
        profile.cells,
        profile.values,
        profile.zeros,
        profile.is_lossy,
    )
