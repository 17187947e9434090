"""What a file is: its format by the ending of its name, whether it is gzipped, and whether its content agrees."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO

from pql_model.errors import DataError

_KINDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}
ALLOWED = "csv, tsv, json lines (each also .gz), parquet, or a glob of them"
_GZIP = b"\x1f\x8b"
_OTHERS = {
    b"PAR1": ("a Parquet file", "give its name the ending .parquet"),
    b"PK\x03\x04": ("a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook", "save the sheet as CSV"),
    b"SQLite format 3": ("a SQLite database", "name it under `connection: sqlite:///...`"),
    b"\x28\xb5\x2f\xfd": ("compressed with Zstandard", "unpack it, or compress it with gzip"),
    b"BZh": ("compressed with bzip2", "unpack it, or compress it with gzip"),
}
"""First bytes of a file that is not text -> what it is, and what to do about it."""


def file_kind(path: str) -> str | None:
    """Tell the format of a file or glob, `csv`, `parquet` or `json`; None for a database table."""
    plain = path.lower().removesuffix(".gz")
    return next((kind for ending, kind in _KINDS.items() if plain.endswith(ending)), None)


def is_gzipped(path: str) -> bool:
    """Whether a file is compressed with gzip, whatever its name says."""
    with open(path, "rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def open_bytes(path: str) -> IO[bytes]:
    """Open a file for reading, unpacked."""
    return gzip.open(path) if is_gzipped(path) else open(path, "rb")  # type: ignore[return-value]


def refuse_other_format(path: str, kind: str | None) -> None:
    """Refuse a file whose content is of another format than its name says.

    Raises
    ------
    DataError
        With what the file is.
    """
    with open(path, "rb") as file:
        start = file.read(16)
    for mark, (what, remedy) in _OTHERS.items():
        if start.startswith(mark) and (kind != "parquet" or mark != b"PAR1"):
            raise DataError(f"{Path(path).name} is {what}", received=path, remedy=remedy)
