"""Append scores to the score log of a config and read a selection of its rows: in a folder of files, or in a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pql_model.config.schema import Config
from pql_model.errors import DataError
from pql_model.score_log.database_table import LogTable
from pql_model.score_log.files import log_files, write_log
from pql_model.score_log.log_schema import INDEX_SCHEMA, REPLAY_SCHEMA, decode_columns, encode_lists

_ORDER = ("scored_at", "entity", "inputs_digest")


def append_scores(config: Config, tables: Iterable[pa.Table]) -> str | None:
    """Add scores to the log of a config.

    Returns
    -------
    str or None
        Where they are; None if the config has no score log.

    Raises
    ------
    DataError
        If the log cannot be written.
    """
    if not config.score_log.enabled:
        return None
    try:
        if config.score_log.table is not None:
            parts = (encode_lists(table) for table in tables)
            _table(config, config.score_log.table).append(parts, REPLAY_SCHEMA.names)
            return f"table {config.score_log.table}"
        return str(write_log(_folder(config), tables))
    except (OSError, DataError) as error:
        raise DataError(
            f"The scores were written, the score log was not: {error}",
            remedy="correct that and score again: the run gives the same scores and logs them",
        ) from error


@dataclass(frozen=True)
class RowSelection:
    """Rows of one entity (None: of all), scored in [since, until); at most `limit`, spread evenly over all of them."""

    entity: str | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 1000

    def positions(self, index: pa.Table) -> np.ndarray:
        """Find the rows that match, whatever the limit."""
        scored_at = index["scored_at"].cast(pa.int64()).to_numpy()
        matches = np.ones(len(index), bool)
        if self.entity is not None:
            matches &= pc.equal(index["entity"], self.entity).to_numpy()
        if self.since is not None:
            matches &= scored_at >= self.since
        if self.until is not None:
            matches &= scored_at < self.until
        return np.flatnonzero(matches)


class LogPart(Protocol):
    """A file or a table of the log: its narrow index is read first, and of the wide rows only those selected."""

    def index(self) -> pa.Table:
        """Read `INDEX_SCHEMA` of all rows."""

    def rows(self, positions: np.ndarray) -> pa.Table:
        """Read `REPLAY_SCHEMA` of the rows at ascending positions."""


def read_scores(config: Config, log: str | Path | None, selection: RowSelection) -> tuple[str, pa.Table, int]:
    """Read the selected rows of a log.

    Parameters
    ----------
    log
        A folder, or one file of it; default: the log of the config.

    Returns
    -------
    tuple
        Location of the log, the selected rows, and how many match without the limit.

    Raises
    ------
    DataError
        If there is no log, or it cannot be read.
    """
    location, parts = _parts(config, log, selection.since)
    return (location, *select_rows(parts, selection))


def select_rows(parts: Sequence[LogPart], selection: RowSelection) -> tuple[pa.Table, int]:
    """Read the selected rows, in the order of the parts, and count all that match."""
    matches = [selection.positions(part.index()) for part in parts]
    positions = np.concatenate([np.empty(0, np.int64), *matches])
    part_of = np.repeat(np.arange(len(parts)), [len(matched) for matched in matches])
    sample = _spread(len(positions), selection.limit)
    tables = [parts[k].rows(positions[sample[part_of[sample] == k]]) for k in np.unique(part_of[sample])]
    return pa.concat_tables([REPLAY_SCHEMA.empty_table(), *tables]), len(positions)


def _spread(rows: int, limit: int) -> np.ndarray:
    """Positions spread evenly over all rows, including the first and the last."""
    return np.unique(np.linspace(0, rows - 1, min(rows, limit)).round().astype(np.int64))


def _parts(config: Config, log: str | Path | None, since: int | None) -> tuple[str, list[LogPart]]:
    if log is None and config.score_log.enabled and config.score_log.table is not None:
        return f"table {config.score_log.table}", [_TablePart(_table(config, config.score_log.table))]
    if log is None and not config.score_log.enabled:
        raise DataError(
            "This config has no score log: `score_log: false`",
            allowed="a folder of parquet files, or one of them",
            remedy="name it: `pql replay FOLDER`, or remove `score_log: false` from the config",
        )
    path = Path(log) if log is not None else _folder(config)
    return str(path), [*log_files(path, since)]


def log_folder(config: Config) -> Path | None:
    """Return the folder of the log of a config; None if it has none."""
    return _folder(config) if config.score_log.enabled and config.score_log.folder is not None else None


def log_table_of(config: Config) -> LogTable | None:
    """Return the table of the log of a config; None if it has none."""
    if not config.score_log.enabled or config.score_log.table is None:
        return None
    return _table(config, config.score_log.table)


def log_paths(config: Config) -> list[Path]:
    """List the files of the log of a config, oldest first; empty where nothing was logged yet."""
    folder = log_folder(config)
    return sorted(folder.rglob("*.parquet")) if folder is not None and folder.is_dir() else []


def log_batches(config: Config, columns: Sequence[str], needed: Sequence[str]) -> Iterator[pa.Table]:
    """Read columns of the log of a config that is a table, part by part; nothing where there is no such table yet.

    Parameters
    ----------
    columns
        Those to read. Of these the table may lack all but the `needed`.

    Raises
    ------
    DataError
        If the database cannot be used, or the table lacks a needed column.
    """
    table = log_table_of(config)
    present = table.columns() if table is not None else []
    if table is not None and present:
        for part in table.batches([name for name in columns if name in present or name in needed]):
            yield decode_columns(part)


def _folder(config: Config) -> Path:
    return config.home / str(config.score_log.folder)


def _table(config: Config, name: str) -> LogTable:
    return LogTable(str(config.connection), config.home, name, _ORDER)


@dataclass(frozen=True)
class _TablePart:
    table: LogTable

    def index(self) -> pa.Table:
        return decode_columns(self.table.read(INDEX_SCHEMA.names))

    def rows(self, positions: np.ndarray) -> pa.Table:
        return decode_columns(self.table.read(REPLAY_SCHEMA.names, positions.tolist()))
