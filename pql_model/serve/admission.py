"""How much the service takes on at once: requests, bytes of bodies, and large bodies in work.

Everything here is checked before a body is parsed, because parsing is what costs memory: up to 30 times the size of the body.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pql_model.serve.problem import ProblemError

SMALL_BYTES = 100_000
"""A body up to this size is processed at once; larger ones wait for each other."""
_TURN_SECONDS = 0.002
"""Pause between two reads of large bodies, of all connections together, in which small requests are answered."""
_GRACE_SECONDS = 0.5
"""Work that looks at the deadline itself can say how far it came, so it is given a moment more."""
_BATCHES = 4
"""Batches in small bodies that are scored at the same time."""

T = TypeVar("T")


class Admission:
    """Counts what is held, and refuses what is too much.

    Small and large bodies are counted apart, so that large ones never take the room of small ones.

    Parameters
    ----------
    max_in_flight
        Requests at once. One whose body is still arriving counts by its bytes only.
    max_pending
        Bytes of bodies that are held at once, of small and of large ones each.
    """

    def __init__(self, max_in_flight: int, max_pending: int) -> None:
        self.in_flight = 0
        self.small_bytes = self.large_bytes = 0
        self._max_in_flight, self._max_pending = max_in_flight, max_pending
        self._next_turn = 0.0
        self._open()

    def _open(self) -> None:
        self._large = ThreadPoolExecutor(1, "pql-large")
        self._batches = ThreadPoolExecutor(_BATCHES, "pql-batch")

    def refuse_overload(self) -> None:
        """Refuse the current request if there are too many.

        Raises
        ------
        ProblemError
            429.
        """
        if self.in_flight > self._max_in_flight or self.small_bytes > self._max_pending:
            raise _overloaded("Too many requests at once; retry")

    def refuse_large(self, coming: int = 0) -> None:
        """Refuse a large body if those that are held leave no room for it.

        Raises
        ------
        ProblemError
            429.
        """
        if self.large_bytes + coming > self._max_pending:
            raise _overloaded("Too many large bodies at once; retry, or send smaller ones")

    async def turn(self) -> None:
        """Wait for the turn to read more of a large body. What is not read waits at the sender."""
        now = time.perf_counter()
        self._next_turn = max(now, self._next_turn) + _TURN_SECONDS
        await asyncio.sleep(self._next_turn - now)

    async def run(self, work: Callable[[], T], *, large: bool, deadline: float, seconds: float) -> T:
        """Run work in a thread: what is large one at a time.

        Parameters
        ----------
        deadline, seconds
            When to stop waiting for it, on the clock of `time.perf_counter`; the time limit that the error names. Work that
            has not begun by then never does. What has begun ends by itself, and its result is dropped.

        Raises
        ------
        ProblemError
            503, at the deadline.
        """
        future = asyncio.get_running_loop().run_in_executor(self._large if large else self._batches, work)
        try:
            return await asyncio.wait_for(future, max(0.0, deadline + _GRACE_SECONDS - time.perf_counter()))
        except TimeoutError as error:
            raise deadline_passed("The deadline passed before the request was answered", seconds) from error

    def close(self) -> None:
        """Drop the work that waits, as nobody will read its result. An application may be started again afterwards."""
        for executor in (self._large, self._batches):
            executor.shutdown(wait=False, cancel_futures=True)
        self._open()


class Held:
    """The bytes of one body, counted from its arrival until it is released."""

    def __init__(self, admission: Admission) -> None:
        self._admission, self.size = admission, 0

    @property
    def is_large(self) -> bool:
        return self.size > SMALL_BYTES

    def add(self, count: int) -> None:
        """Count further bytes.

        Raises
        ------
        ProblemError
            429, if bodies of this kind hold too much.
        """
        self._move(self.size + count)
        self._admission.refuse_overload()
        if self.is_large:
            self._admission.refuse_large()

    def release(self) -> None:
        self._move(0)

    def _move(self, size: int) -> None:
        admission = self._admission
        for bytes_, sign in ((self.size, -1), (size, 1)):
            if bytes_ > SMALL_BYTES:
                admission.large_bytes += sign * bytes_
            else:
                admission.small_bytes += sign * bytes_
        self.size = size


def deadline_passed(text: str, seconds: float) -> ProblemError:
    """The error of a request that takes too long."""
    allowed = f"{seconds:g} seconds; send fewer entities or events at once"
    return ProblemError(503, "deadline", text, allowed=allowed, headers={"retry-after": "1"})


def _overloaded(text: str) -> ProblemError:
    return ProblemError(429, "overloaded", text, headers={"retry-after": "1"})
