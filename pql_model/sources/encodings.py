"""Text files in other encodings than UTF-8: converted where the config names the encoding, refused by name otherwise."""

from __future__ import annotations

import codecs
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pql_model.errors import DataError
from pql_model.sources.file_format import open_bytes

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 2**20
_SINGLE_BYTE = ("cp1252", "latin-1")
"""Tried in this order; the second accepts any byte."""
MOST_DAMAGED = 0.001
"""One line, or up to this share of lines that are not UTF-8, are damage: they are set aside and counted."""


class EncodingError(DataError):
    """A file has another encoding than the config says. The error carries the encoding that fits."""

    encoding: str = ""


@contextmanager
def in_utf8(source: str, paths: Sequence[str], encoding: str | None) -> Iterator[list[str]]:
    """Yield paths of the same files in UTF-8; copies of those that are not, in a folder that is removed afterwards.

    Parameters
    ----------
    source : str
        The table's name in the config, for errors.
    paths : sequence of str
        The files; some may be gzipped, and their copies are not.
    encoding : str, optional
        The encoding of the files that are not UTF-8. A byte order mark takes precedence.

    Raises
    ------
    DataError
        If a file is not text in this encoding.
    """
    if encoding is None:
        yield list(paths)
        return
    with tempfile.TemporaryDirectory(prefix="pql-") as folder:
        copies = []
        for number, path in enumerate(paths):
            if _is_utf8(path):
                copies.append(path)
                continue
            copy = Path(folder) / str(number) / Path(path).name
            copy.parent.mkdir()
            _convert(source, path, copy, _mark(path) or encoding)
            copies.append(str(copy))
        yield copies


def refuse_other_encoding(source: str, paths: Sequence[str], in_header: bool = False) -> None:
    """Refuse the first file with more than a few lines that are not UTF-8, naming the encoding that fits.

    Parameters
    ----------
    source : str
        The table's name in the config.
    paths : sequence of str
        Its files.
    in_header : bool
        Whether the header itself is not UTF-8, which no share of lines excuses.

    Raises
    ------
    DataError
        With an example, the encoding that fits, and the key that names it.
    """
    for path in paths:
        mark = _mark(path)
        if mark is not None and mark != "utf-8-sig":
            raise _refusal(source, path, f"a byte order mark of {mark.upper()}", mark)
        text = _examine(path)
        if not in_header and text.damaged <= max(1, MOST_DAMAGED * text.lines):
            continue
        shown = f"{text.damaged:,} of {text.lines:,} lines, the first is line {text.first_damaged:,}: {text.example}"
        if text.in_utf8 * 10 > text.damaged:
            raise DataError(
                f"{_named(source, path)} changes its encoding: {text.in_utf8:,} lines are UTF-8 and others are not",
                received=shown,
                allowed="one encoding per file",
                remedy="export the file again as UTF-8, or split it and set `encoding:` for the part that is not",
            )
        raise _refusal(source, path, shown, text.fitting)


@dataclass
class _Text:
    lines: int = 0
    damaged: int = 0
    in_utf8: int = 0  # lines with letters beyond ASCII that are valid UTF-8
    first_damaged: int = 0
    example: str = ""
    fitting: str = "cp1252"


def _examine(path: str) -> _Text:
    text = _Text()
    with open_bytes(path) as file:
        for line in file:
            text.lines += 1
            if line.isascii():
                continue
            try:
                line.decode("utf-8")
                text.in_utf8 += 1
            except UnicodeDecodeError as error:
                text.damaged += 1
                if not _fits(line, text.fitting):
                    text.fitting = "latin-1"
                if not text.first_damaged:
                    text.first_damaged = text.lines
                    around = line[max(0, error.start - 20) : error.start + 20]
                    text.example = f"`{around.decode(text.fitting).strip()}` if it is {text.fitting}"
    return text


def _fits(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _refusal(source: str, path: str, received: str, encoding: str) -> EncodingError:
    error = EncodingError(
        f"{_named(source, path)} is not UTF-8 text",
        received=received,
        allowed="UTF-8, or the encoding that the table names",
        remedy=f"set `encoding: {encoding}` for this table, if its letters then look right, or save it as UTF-8",
    )
    error.encoding = encoding
    return error


def _named(source: str, path: str) -> str:
    name = Path(path).name
    return name if Path(source).name == name else f"{name} of {source}"


def _mark(path: str) -> str | None:
    """The encoding that a byte order mark names."""
    with open_bytes(path) as file:
        start = file.read(4)
    return next((encoding for mark, encoding in _BOMS if start.startswith(mark)), None)


def _is_utf8(path: str) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with open_bytes(path) as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _convert(source: str, path: str, copy: Path, encoding: str) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_bytes(path) as file, copy.open("wb") as target:
        try:
            while chunk := file.read(_CHUNK):
                target.write(decoder.decode(chunk).encode("utf-8"))
            target.write(decoder.decode(b"", final=True).encode("utf-8"))
        except UnicodeError as error:
            raise DataError(
                f"{_named(source, path)} is not text in the encoding `{encoding}`",
                received=str(error),
                remedy="correct `encoding:` of this table, or export the file again as UTF-8",
            ) from error
