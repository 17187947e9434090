"""Progress of long work: stages with their seconds, told to whoever listens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Listener(Protocol):
    """What a progress display must understand."""

    def stage(self, name: str) -> None:
        """A stage begins."""

    def share(self, done: float, note: str = "") -> None:
        """The running stage is `done` (0 to 1)."""

    def say(self, sentence: str) -> None:
        """Something worth reading now."""


class Silent:
    """Nobody listens."""

    def stage(self, name: str) -> None:
        pass

    def share(self, done: float, note: str = "") -> None:
        pass

    def say(self, sentence: str) -> None:
        pass


class Stages:
    """Times the stages of a run.

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
