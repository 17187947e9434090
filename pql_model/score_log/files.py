"""The score log as a folder of parquet files: each written whole, none ever changed or overwritten."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pql_model.atomic import atomic_write
from pql_model.errors import DataError
from pql_model.score_log.schema import REPLAYED, SCHEMA
from pql_model.score_log.selection import LOOKED_AT
from pql_model.time import now, to_datetime

_AT_ONCE = 10_000
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def write_log(folder: Path, tables: Iterable[pa.Table]) -> Path:
    """Write tables as one more file of the log, whole or not at all.

    The name begins with the instant and ends with what no other process draws: several may write into one folder.
    """
    when = to_datetime(now())
    path = folder / _day_of(when) / f"{when.strftime('%H%M%S.%f')}-{uuid.uuid4().hex[:16]}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, lambda at: _write(at, tables))
    return path


def _write(path: Path, tables: Iterable[pa.Table]) -> None:
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)


def log_files(path: Path, since: int | None = None) -> list[LogFile]:
    """The files of a log, the oldest first: of a folder, or the one that is named.

    Parameters
    ----------
    since
        Leave out the days that ended before this instant: nothing is written down before it is scored.

    Raises
    ------
    DataError
        If there is none.
    """
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise DataError(
            "There is no score log here",
            received=path,
            allowed="a folder of parquet files, or one of them",
            remedy="set `score_log:` in the config, or PQL_SCORE_LOG for the service, and score",
        )
    first = _day_of(to_datetime(since)) if since is not None else ""
    return [LogFile(file) for file in files if file.parent.name >= first or not _DAY.fullmatch(file.parent.name)]


def _day_of(when: datetime) -> str:
    return when.strftime("%Y-%m-%d")


@dataclass(frozen=True)
class LogFile:
    """One file. Its methods raise a DataError that names it where it is damaged or not of a score log."""

    path: Path

    def look(self) -> pa.Table:
        with self._opened() as file:
            return file.read([*LOOKED_AT]).cast(pa.schema([REPLAYED.field(name) for name in LOOKED_AT]))

    def rows(self, places: np.ndarray) -> pa.Table:
        """A file may hold a million wide rows, of which a few are wanted."""
        begin, parts = 0, [REPLAYED.empty_table()]
        with self._opened() as file:
            for batch in file.iter_batches(_AT_ONCE, columns=REPLAYED.names):
                mine = places[(places >= begin) & (places < begin + len(batch))] - begin
                if len(mine):
                    parts.append(pa.Table.from_batches([batch]).take(mine).select(REPLAYED.names).cast(REPLAYED))
                begin += len(batch)
        return pa.concat_tables(parts)

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        try:
            with pq.ParquetFile(self.path) as file:
                self._refuse_foreign(file.schema_arrow.names)
                yield file
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"A file of the score log cannot be read: {error}",
                received=self.path,
                remedy="take it out of the folder; the other files are whole in themselves",
            ) from error

    def _refuse_foreign(self, columns: list[str]) -> None:
        missing = [name for name in REPLAYED.names if name not in columns]
        if missing:
            raise DataError(
                f"A file in the folder of the score log is of something else: it has no `{missing[0]}`",
                received=self.path,
                remedy="take it out of the folder",
            )
