"""The score log of the service: answers gather in memory, a thread beside the requests writes them to a folder."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model.errors import DataError
from pql_model.score_log.files import write_log
from pql_model.score_log.schema import log_table
from pql_model.serve.engine import Answer
from pql_model.time import parse_instant, to_datetime

EVERY_SECONDS = 10.0
"""So many seconds of answers are in no file yet; a process that is killed with them takes them along."""
A_FILE, MOST = 1_000, 10_000
"""Rows that are written before their time, and in one file; rows that wait for a disk that fails, some 4 KB each."""
_JSON, _TIMES = ("reasons", "criteria_met", "nearest_missing"), ("as_of", "scored_at")


class ScoreLogWriter:
    """Writes down what was answered.

    A disk that fails stops nobody: the rows wait and are tried again, and beyond `MOST` of them the new ones are lost.

    Parameters
    ----------
    folder
        Where the files go.
    count
        Called with `written` or `lost` and a number of rows.
    tell
        Called with what happened (`score_log_failed`, `score_log_works_again`) and why, once each time.

    Raises
    ------
    DataError
        If there can be no such folder.
    """

    def __init__(self, folder: Path, count: Callable[[str, int], None], tell: Callable[[str, str], None]) -> None:
        self._folder, self._count, self._tell = folder, count, tell
        self._waiting: list[Answer] = []
        self._lock, self._one_at_a_time = threading.Lock(), threading.Lock()
        self._failing = False
        self._next = time.monotonic() + EVERY_SECONDS
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"The score log cannot be written here: {error}",
                received=f"PQL_SCORE_LOG={folder}",
                allowed="a folder that can be written to",
            ) from error

    def add(self, answers: Sequence[Answer]) -> None:
        """Take down answers; nothing is written here."""
        with self._lock:
            room = max(0, MOST - len(self._waiting))
            self._waiting += answers[:room]
        if len(answers) > room:
            self._count("lost", len(answers) - room)

    def look(self) -> None:
        """Write what waits, if it is time or if it is much."""
        if len(self._waiting) >= A_FILE or time.monotonic() >= self._next:
            self.flush()

    def flush(self) -> None:
        """Write what waits now, as far as the disk lets us. A row leaves memory once its file is whole."""
        with self._one_at_a_time:
            self._next = time.monotonic() + EVERY_SECONDS
            left = len(self._waiting)  # what comes meanwhile waits for the next time: no file of a few rows
            while left > 0:
                some = self._waiting[: min(left, A_FILE)]
                try:
                    write_log(self._folder, [_table(some)])
                except OSError as error:
                    self._say(True, f"{error}; {len(self._waiting)} rows wait")
                    return
                with self._lock:
                    del self._waiting[: len(some)]
                left -= len(some)
                self._count("written", len(some))
                self._say(False, str(self._folder))

    def close(self) -> None:
        """Write the last rows; those that cannot be written are lost."""
        self.flush()
        with self._lock:
            left, self._waiting = len(self._waiting), []
        if left:
            self._count("lost", left)
            self._tell("score_log_lost", f"{left} rows")

    def _say(self, failing: bool, why: str) -> None:
        if failing != self._failing:
            self._tell("score_log_failed" if failing else "score_log_works_again", why)
        self._failing = failing


def _table(answers: Sequence[Answer]) -> Any:
    rows = pd.DataFrame([_plain(answer.row) for answer in answers])
    return log_table(rows, [a.inputs for a in answers], "service", [a.model_name for a in answers])


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """As the batch has it: lists and objects as JSON, times as times."""
    texts = {name: json.dumps(row[name], ensure_ascii=False) for name in _JSON if row[name] is not None}
    times = {name: to_datetime(parse_instant(row[name])) for name in _TIMES if row[name] is not None}
    return {**row, **texts, **times}
