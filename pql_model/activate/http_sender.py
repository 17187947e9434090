"""Messages over HTTP: several at a time, each tried again where the failure may pass, none redirected."""

from __future__ import annotations

import asyncio
import email.utils
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

import aiohttp
from anyio.from_thread import BlockingPortal, start_blocking_portal
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt

from pql_model import time

AT_ONCE = 8
"""Messages under way at the same time; as many are repeated, with the same ids, after a kill."""
ATTEMPTS = 3
PATIENCE_SECONDS = 30.0
"""A target that asks for a longer pause is left alone until the next run."""
_LONGEST_HOLD = time.DAY
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 10.0
_MAY_PASS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_ANSWER_BYTES = 2_000


@dataclass(frozen=True)
class Message:
    """What is posted. The headers are made for each attempt, as a signature holds its time."""

    id: str
    body: bytes
    headers: Callable[[int], Mapping[str, str]]


@dataclass(frozen=True)
class Answer:
    """How a message fared.

    Attributes
    ----------
    outcome
        `sent`; `refused`, which a repeat would not change; or `unavailable`, which may pass.
    reason
        What happened, for people; it holds no address.
    hold_until
        The instant before which the target does not want to be called; None where it did not say.
    """

    outcome: Literal["sent", "refused", "unavailable"]
    reason: str
    hold_until: int | None = None


class Sender:
    """Posts messages to one address."""

    def __init__(
        self, portal: BlockingPortal, session: aiohttp.ClientSession, url: str, timeout_seconds: float
    ) -> None:
        self._portal, self._session, self._url = portal, session, url
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    def post_all(self, messages: Sequence[Message]) -> list[Answer]:
        """Post messages at the same time and return how each fared."""
        return self._portal.call(self._gather, messages)

    async def _gather(self, messages: Sequence[Message]) -> list[Answer]:
        return list(await asyncio.gather(*(self._post(message) for message in messages)))

    async def _post(self, message: Message) -> Answer:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_pause,
            retry=retry_if_result(_is_worth_waiting),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome is not None else None,
        )
        answer: Answer = await retrying(self._attempt, message)
        return answer

    async def _attempt(self, message: Message) -> Answer:
        try:
            async with self._session.post(
                self._url,
                data=message.body,
                headers=message.headers(time.now()),
                allow_redirects=False,
                timeout=self._timeout,
            ) as response:
                text = await _beginning(response)
                return _answer(response.status, text, response.headers.get("Retry-After"))
        except TimeoutError:
            return Answer("unavailable", f"no complete answer within {self._timeout.total:g} seconds")
        except aiohttp.ClientConnectorCertificateError:
            return Answer("unavailable", "its certificate is not valid")
        except aiohttp.ClientError as error:
            return Answer("unavailable", f"the connection failed ({_words(error)})")


@contextmanager
def open_sender(url: str, timeout_seconds: float) -> Iterator[Sender]:
    """Open connections to an address for a block. Certificates are verified; proxies are those of the environment."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_session()) as session:
        yield Sender(portal, session, url, timeout_seconds)


@asynccontextmanager
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(
        connector=connector, trust_env=True, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield session


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """Read an answer to its end, or as much as is worth showing: a target cannot make us read on and on."""
    data = b""
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > _ANSWER_BYTES:
            break
    return data[:_ANSWER_BYTES].decode("utf-8", "replace")


def _answer(status: int, text: str, retry_after: str | None) -> Answer:
    words = f"HTTP {status}" + (f" {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else "")
    if 200 <= status < 300:
        return Answer("sent", words)
    if status >= 500 or status in _MAY_PASS:
        return Answer("unavailable", words, _hold(retry_after, time.now()))
    if 300 <= status < 400:
        return Answer("refused", f"{words}: redirects are not followed")
    shown = " ".join(text.split())[:200]
    return Answer("refused", f"{words}: {shown}" if shown else words)


def _hold(header: str | None, now: int) -> int | None:
    """Read `Retry-After`: seconds or a date. A date in the past, or nonsense, says nothing; more than a day is a day."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        until = now + min(int(text[:12]), 10**9) * time.SECOND
    else:
        try:
            until = time.to_instant(email.utils.parsedate_to_datetime(text))
        except (ValueError, TypeError, OverflowError):
            return None
    return min(until, now + _LONGEST_HOLD) if until > now else None


def still_held(until: int | None, now: int) -> bool:
    """Tell whether a target is still to be left alone. A pause longer than any we keep means that the clock was set back."""
    return until is not None and now < until <= now + _LONGEST_HOLD


def _is_worth_waiting(answer: Answer) -> bool:
    if answer.outcome != "unavailable":
        return False
    return answer.hold_until is None or answer.hold_until - time.now() <= PATIENCE_SECONDS * time.SECOND


def _pause(state: RetryCallState) -> float:
    """Exponential, with full jitter above the half, and never less than the target asked for."""
    longest = min(_FIRST_PAUSE_SECONDS * 2.0**state.attempt_number, _LONGEST_PAUSE_SECONDS)
    backoff = random.uniform(longest / 2, longest)  # noqa: S311  # no secret
    answer: Any = state.outcome.result() if state.outcome is not None else None
    asked = (answer.hold_until - time.now()) / time.SECOND if answer is not None and answer.hold_until else 0.0
    return max(backoff, asked)


def _words(error: Exception) -> str:
    """Name an error without the address that its text may hold."""
    inner = getattr(error, "os_error", None)
    return str(inner.strerror) if inner is not None and inner.strerror else type(error).__name__
