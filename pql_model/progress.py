"""Progress of long runs: timed stages, reported to a listener."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Listener(Protocol):
    """Interface of a progress display."""

    def stage(self, name: str) -> None:
        """Begin a stage."""

    def share(self, done: float, note: str = "") -> None:
        """Report the share of the current stage that is done, 0 to 1."""

    def say(self, sentence: str) -> None:
        """Show a message."""


class Silent:
    """A listener that ignores everything."""

    def stage(self, name: str) -> None:
        pass

    def share(self, done: float, note: str = "") -> None:
        pass

    def say(self, sentence: str) -> None:
        pass


def tuning_progress(listener: Listener) -> Callable[[int, int, float], None]:
    """Report finished trials to a listener, with the best score so far."""
    return lambda finished, planned, best: listener.share(finished / planned, f"ROC-AUC {best:.3f} on folds")


class Stages:
    """Time the stages of a run.

    >>> stages = Stages()
    >>> with stages("read"):
    ...     pass
    >>> list(stages.seconds)
    ['read']
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self.listener: Listener = listener if listener is not None else Silent()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Run a stage."""
        self.listener.stage(name)
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - started, 3)
