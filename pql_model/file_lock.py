"""A lock between processes and threads that the operating system releases when its holder dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_PAUSE_SECONDS = 0.1


@contextmanager
def file_lock(path: Path, waiting: Callable[[], object] | None = None) -> Iterator[bool]:
    """Hold the lock of this name for a block.

    Parameters
    ----------
    path : Path
        An empty file that stands for the lock; it is created if needed.
    waiting : callable, optional
        Called once if the lock is taken, before waiting for it. Without it the lock is tried once.

    Yields
    ------
    bool
        Whether the lock is held: always True when `waiting` is given.

    Raises
    ------
    OSError
        If the file cannot be created or locked.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "one.lock"
    >>> with file_lock(path) as first, file_lock(path) as second:
    ...     first, second
    (True, False)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if waiting is None:
            yield False
            return
        waiting()
        lock.acquire(poll_interval=_PAUSE_SECONDS)
    try:
        yield True
    finally:
        lock.release()
