"""The file that remembers the trials of one tuning problem, so that a killed training resumes; one training at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pql_model.file_lock import file_lock
from pql_model.progress import Listener


@dataclass(frozen=True)
class TuningJournal:
    """A journal by the digest of what is tuned: the same data, config and number of trials have the same one."""

    path: Path

    @classmethod
    def of(cls, home: Path, digest: str, trials: int) -> TuningJournal:
        return cls(home / ".pql" / "tuning" / f"{digest}-{trials}.journal")

    @property
    def _lock(self) -> Path:
        return self.path.with_suffix(".lock")

    @contextmanager
    def open(self, listener: Listener) -> Iterator[Path]:
        """Nobody else tunes on it meanwhile: two at once would see each other's trials and choose differently."""
        with file_lock(
            self._lock, lambda: listener.say("Another training of the same data is tuning; waiting for it.")
        ):
            # Optuna's own lock, should its holder have been killed: Optuna would wait half a minute for it.
            self.path.with_name(f"{self.path.name}.lock").unlink(missing_ok=True)
            yield self.path

    def forget(self) -> None:
        """Remove it, unless another training has taken it up meanwhile: that one will."""
        with file_lock(self._lock) as acquired:
            if acquired:
                self.path.unlink(missing_ok=True)
