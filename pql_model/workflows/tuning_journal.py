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
    """A journal, named by a digest of data and config and by the number of trials."""

    path: Path

    @classmethod
    def of(cls, home: Path, digest: str, trials: int) -> TuningJournal:
        return cls(home / ".pql" / "tuning" / f"{digest}-{trials}.journal")

    @property
    def _lock(self) -> Path:
        return self.path.with_suffix(".lock")

    @contextmanager
    def open(self, listener: Listener) -> Iterator[Path]:
        """Hold the journal's lock: two trainings at once would see each other's trials and choose differently."""
        with file_lock(
            self._lock, lambda: listener.say("Another training of the same data is tuning; waiting for it.")
        ):
            # Optuna's own lock, in case its holder was killed: Optuna would wait half a minute for it.
            self.path.with_name(f"{self.path.name}.lock").unlink(missing_ok=True)
            yield self.path

    def forget(self) -> None:
        """Remove the journal, unless another training is using it and will remove it."""
        with file_lock(self._lock) as acquired:
            if acquired:
                self.path.unlink(missing_ok=True)
