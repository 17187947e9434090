"""One at a time: a lock between processes and threads that the operating system takes back when its holder dies."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

_PAUSE_SECONDS = 0.1


@contextmanager
def file_lock(path: Path, waiting: Callable[[], object] | None = None) -> Iterator[bool]:
    """Hold the lock of this name for a block.

    Parameters
    ----------
    path
        An empty file that stands for the lock; it is made if need be and stays. SQLite locks it, so this works
        wherever Python does, and a killed holder holds nothing.
    waiting
        Called once if another holds it; then we wait. Without it there is no waiting.

    Yields
    ------
    bool
        Whether the lock is ours: always, unless there is no waiting.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "one.lock"
    >>> with held(path) as ours, held(path) as also_ours:
    ...     ours, also_ours
    (True, False)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        ours = _taken(connection)
        if not ours and waiting is not None:
            waiting()
            while not (ours := _taken(connection)):
                time.sleep(_PAUSE_SECONDS)
        yield ours


def _taken(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
