"""Where the score log of a product is: a folder of files, or a table of its connection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pql_model.config.schema import Config
from pql_model.errors import DataError
from pql_model.score_log.files import log_files, write_log
from pql_model.score_log.schema import REPLAYED, flattened, restored
from pql_model.score_log.selection import LOOKED_AT, Part, Wanted, choose
from pql_model.score_log.table import LogTable

_ORDER = ("scored_at", "entity", "inputs_digest")


def append_scores(config: Config, tables: Iterable[pa.Table]) -> str | None:
    """Add scores to the log of a config and say where; None where it has none.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    if config.score_log is None:
        return None
    try:
        if config.score_log.table is not None:
            _table(config, config.score_log.table).append(flattened(table) for table in tables)
            return f"table {config.score_log.table}"
        return str(write_log(_folder(config), tables))
    except (OSError, DataError) as error:
        raise DataError(
            f"The scores were written, the score log was not: {error}",
            remedy="mend that and score again: the answer is the same, and it is logged then",
        ) from error


def read_scores(config: Config, log: str | Path | None, wanted: Wanted) -> tuple[str, pa.Table, int]:
    """Where the log is, its wanted rows, and how many are meant in all.

    Parameters
    ----------
    log
        A folder, or one file of it; default: that of the config.

    Raises
    ------
    DataError
        If there is none, or it cannot be read.
    """
    where, parts = _parts(config, log, wanted.since)
    return (where, *choose(parts, wanted))


def _parts(config: Config, log: str | Path | None, since: int | None) -> tuple[str, list[Part]]:
    if log is None and config.score_log is not None and config.score_log.table is not None:
        return f"table {config.score_log.table}", [_InTable(_table(config, config.score_log.table))]
    if log is None and config.score_log is None:
        raise DataError(
            "This config has no score log",
            allowed="a folder of parquet files, or one of them",
            remedy="name it: `pql replay FOLDER`, or set `score_log: score_log/` in the config",
        )
    path = Path(log) if log is not None else _folder(config)
    return str(path), [*log_files(path, since)]


def _folder(config: Config) -> Path:
    return config.home / str(config.score_log.folder if config.score_log is not None else "")


def _table(config: Config, name: str) -> LogTable:
    return LogTable(str(config.connection), config.home, name, _ORDER)


@dataclass(frozen=True)
class _InTable:
    """The log in a table: where a list is a text, and in SQLite a time as well."""

    table: LogTable

    def look(self) -> pa.Table:
        return restored(self.table.read(LOOKED_AT))

    def rows(self, places: np.ndarray) -> pa.Table:
        return restored(self.table.read(REPLAYED.names, places.tolist()))
