"""Replaces the bundle in service with a new one while requests run, and keeps the old one if the new one is invalid."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path

from pql_model.errors import PqlError
from pql_model.serve.bundle import MANIFEST, load_bundle
from pql_model.serve.engine import ScoringEngine


class Reloader:
    """Loads the bundle of a folder, and reloads it when it changes.

    Parameters
    ----------
    folder
        Folder of the bundle.
    notify
        Called with an event (`reloaded`, `reload_failed`) and a sentence.

    Raises
    ------
    DataError
        If the folder does not hold a valid bundle at the start.
    """

    def __init__(self, folder: Path, notify: Callable[[str, str], None]) -> None:
        self._folder, self._notify = folder, notify
        self._stamp = self._file_stamps()
        self._engine = ScoringEngine(load_bundle(folder))
        self._lock = threading.Lock()
        freeze_gc()

    @property
    def engine(self) -> ScoringEngine:
        """The current engine. A request keeps the one it started with."""
        return self._engine

    def reload(self) -> bool:
        """Replace the engine if the folder holds another bundle, and return whether it did."""
        with self._lock:
            stamp = self._file_stamps()
            if stamp is None or stamp == self._stamp:  # None: the bundle is being replaced right now
                return False
            self._stamp = stamp
            try:
                bundle = load_bundle(self._folder)
                if bundle.digest == self._engine.bundle.digest:
                    return False
                self._engine = ScoringEngine(bundle)
            except (PqlError, LookupError, TypeError, ValueError) as error:
                self._notify("reload_failed", f"the previous model stays in service: {error}")
                return False
            freeze_gc()
            self._notify("reloaded", f"{bundle.name} version {bundle.version}")
            return True

    def _file_stamps(self) -> list[tuple[str, int, int, int]] | None:
        """Stamp every file: a folder that is copied file by file is complete only with the last one."""
        try:
            files = {path: path.stat() for path in sorted(self._folder.rglob("*"))}
        except OSError:
            return None
        if self._folder / MANIFEST not in files:
            return None
        return [(str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino) for path, stat in files.items()]


def freeze_gc() -> None:
    """Exclude long-lived objects from garbage collection, whose full collections would stop requests for 0.1 s."""
    gc.collect()
    gc.freeze()
