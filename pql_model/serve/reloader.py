"""The bundle in service: exchanged for a new one while requests run, and kept if the new one is no good."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path

from pql_model.errors import PqlError
from pql_model.serve.bundle import MANIFEST, load_bundle
from pql_model.serve.engine import ScoringEngine


class Reloader:
    """Holds the engine in force.

    Parameters
    ----------
    folder
        The bundle's.
    tell
        Called with the name of what happened (`reloaded`, `reload_failed`) and a sentence.

    Raises
    ------
    DataError
        If there is no sound bundle to begin with.
    """

    def __init__(self, folder: Path, tell: Callable[[str, str], None]) -> None:
        self._folder, self._tell = folder, tell
        self._stamp = self._stamped()
        self._engine = ScoringEngine(load_bundle(folder))
        self._one_at_a_time = threading.Lock()
        freeze_gc()

    @property
    def engine(self) -> ScoringEngine:
        """The engine in force. A request keeps the one it began with."""
        return self._engine

    def look(self) -> bool:
        """Exchange the engine if the folder holds another bundle; whether it did."""
        with self._one_at_a_time:
            stamp = self._stamped()
            if stamp is None or stamp == self._stamp:  # None: it is being replaced at this moment
                return False
            self._stamp = stamp
            try:
                bundle = load_bundle(self._folder)
                if bundle.digest == self._engine.bundle.digest:
                    return False
                self._engine = ScoringEngine(bundle)
            except (PqlError, LookupError, TypeError, ValueError) as error:
                self._tell("reload_failed", f"the old model stays in force: {error}")
                return False
            freeze_gc()
            self._tell("reloaded", f"{bundle.name} version {bundle.version}")
            return True

    def _stamped(self) -> list[tuple[str, int, int, int]] | None:
        """Of every file: a folder that is copied file by file is whole only with the last of them."""
        try:
            files = {path: path.stat() for path in sorted(self._folder.rglob("*"))}
        except OSError:
            return None
        if self._folder / MANIFEST not in files:
            return None
        return [(str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino) for path, stat in files.items()]


def freeze_gc() -> None:
    """What stays for good is taken out of the collector's sight: its full rounds would stop requests for 0.1 s."""
    gc.collect()
    gc.freeze()
