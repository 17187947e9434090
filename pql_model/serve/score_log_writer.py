"""The score log of the service: answers are buffered in memory, and a background thread writes them to a folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model.decide.rows import table_row
from pql_model.errors import DataError
from pql_model.score_log.files import write_log
from pql_model.score_log.log_schema import log_table
from pql_model.serve.engine import Answer

FLUSH_SECONDS = 10.0
"""Interval between two files; a process that is killed loses the answers since the last one."""
ROWS_PER_FILE, MAX_WAITING = 1_000, 10_000
"""Rows that trigger a file, and rows that are buffered while the disk fails (about 4 KB each)."""


class ScoreLogWriter:
    """Writes the answers of the service to the score log.

    A failing disk does not stop the service: rows are buffered and retried, and beyond `MAX_WAITING` new ones are lost.

    Parameters
    ----------
    folder
        Folder of the log.
    count
        Called with `written` or `lost` and a number of rows.
    notify
        Called once with an event (`score_log_failed`, `score_log_works_again`) and its reason.

    Raises
    ------
    DataError
        If the folder cannot be created.
    """

    def __init__(self, folder: Path, count: Callable[[str, int], None], notify: Callable[[str, str], None]) -> None:
        self._folder, self._count, self._notify = folder, count, notify
        self._waiting: list[Answer] = []
        self._lock, self._flush_lock = threading.Lock(), threading.Lock()
        self._failing = False
        self._next_flush = time.monotonic() + FLUSH_SECONDS
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"The score log cannot be written here: {error}",
                received=f"PQL_SCORE_LOG={folder}",
                allowed="a writable folder",
            ) from error

    def add(self, answers: Sequence[Answer]) -> None:
        """Buffer answers; nothing is written here."""
        with self._lock:
            room = max(0, MAX_WAITING - len(self._waiting))
            self._waiting += answers[:room]
        if len(answers) > room:
            self._count("lost", len(answers) - room)

    def flush_if_due(self) -> None:
        """Write the buffered answers if enough time has passed or enough rows wait."""
        if len(self._waiting) >= ROWS_PER_FILE or time.monotonic() >= self._next_flush:
            self.flush()

    def flush(self) -> None:
        """Write the buffered answers. A row leaves the buffer once its file is complete."""
        with self._flush_lock:
            self._next_flush = time.monotonic() + FLUSH_SECONDS
            remaining = len(self._waiting)  # answers that arrive meanwhile wait for the next flush: no tiny files
            while remaining > 0:
                answers = self._waiting[: min(remaining, ROWS_PER_FILE)]
                try:
                    write_log(self._folder, [_table(answers)])
                except OSError as error:
                    self._report(True, f"{error}; {len(self._waiting)} rows wait")
                    return
                with self._lock:
                    del self._waiting[: len(answers)]
                remaining -= len(answers)
                self._count("written", len(answers))
                self._report(False, str(self._folder))

    def close(self) -> None:
        """Write the remaining answers; those that cannot be written are lost."""
        self.flush()
        with self._lock:
            unwritten, self._waiting = len(self._waiting), []
        if unwritten:
            self._count("lost", unwritten)
            self._notify("score_log_lost", f"{unwritten} rows")

    def _report(self, failing: bool, why: str) -> None:
        if failing != self._failing:
            self._notify("score_log_failed" if failing else "score_log_works_again", why)
        self._failing = failing


def _table(answers: Sequence[Answer]) -> Any:
    rows = pd.DataFrame([table_row(answer.row) for answer in answers])
    return log_table(rows, [a.inputs for a in answers], "service", [a.model_name for a in answers])
