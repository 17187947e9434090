"""The score log as a folder of parquet files: each is written atomically and never changed."""

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
from pql_model.score_log.log_schema import INDEX_SCHEMA, REPLAY_SCHEMA, SCHEMA
from pql_model.time import now, to_datetime

_BATCH_ROWS = 10_000
_LEVEL = 9
"""Of zstd. A tenth smaller than its default; higher levels take much longer for little."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def write_log(folder: Path, tables: Iterable[pa.Table]) -> Path:
    """Write tables as a new file of the log, atomically.

    The name starts with the time and ends with a random part, so that several processes may write into one folder.
    """
    when = to_datetime(now())
    path = folder / _day_of(when) / f"{when.strftime('%H%M%S.%f')}-{uuid.uuid4().hex[:16]}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, lambda at: _write(at, tables))
    return path


def _write(path: Path, tables: Iterable[pa.Table]) -> None:
    with pq.ParquetWriter(path, SCHEMA, compression="zstd", compression_level=_LEVEL) as writer:
        for table in tables:
            writer.write_table(table)


def log_files(path: Path, since: int | None = None) -> list[LogFile]:
    """List the files of a log, oldest first.

    Parameters
    ----------
    path
        A folder, or one file.
    since
        Leave out folders of days that ended before this instant: a row is never written before it is scored.

    Raises
    ------
    DataError
        If there are none.
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
    """One file of the log. Its methods raise a DataError that names a file which is damaged or not of a score log."""

    path: Path

    def index(self) -> pa.Table:
        """Read `INDEX_SCHEMA` of all rows."""
        with self._opened() as file:
            return file.read(INDEX_SCHEMA.names).cast(INDEX_SCHEMA)

    def rows(self, positions: np.ndarray) -> pa.Table:
        """Read `REPLAY_SCHEMA` of the rows at ascending positions, batch by batch: a file may hold a million wide rows."""
        begin, parts = 0, [REPLAY_SCHEMA.empty_table()]
        with self._opened() as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=REPLAY_SCHEMA.names):
                in_batch = positions[(positions >= begin) & (positions < begin + len(batch))] - begin
                if len(in_batch):
                    rows = pa.Table.from_batches([batch]).take(in_batch)
                    parts.append(rows.select(REPLAY_SCHEMA.names).cast(REPLAY_SCHEMA))
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
                remedy="remove it from the folder; the other files are complete by themselves",
            ) from error

    def _refuse_foreign(self, columns: list[str]) -> None:
        missing = [name for name in REPLAY_SCHEMA.names if name not in columns]
        if missing:
            raise DataError(
                f"A file in the folder of the score log is not part of it: it has no column `{missing[0]}`",
                received=self.path,
                remedy="remove it from the folder",
            )
