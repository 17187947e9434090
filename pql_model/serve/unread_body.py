"""Answers that are given before the body has arrived.

A caller who is still sending reads the answer only if the connection stays open until it has finished: closed earlier, it is
reset, and the answer with it. Left open without a limit, it may send for ever. So the answer is sent at once, and what still
arrives is read and dropped, up to a number of bytes and seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from pql_model.serve.admission import SMALL_BYTES

DRAIN_BYTES = 64_000_000
DRAIN_SECONDS = 5.0
_AT_ONCE_SECONDS = 0.002


class Incoming:
    """The messages of a request's body, and whether the last one has come.

    Parameters
    ----------
    receive
        The channel of the server.
    turn
        Awaited before each message of a large body.
    """

    def __init__(self, receive: Receive, turn: Callable[[], Awaitable[None]]) -> None:
        self._receive, self._turn = receive, turn
        self._size = 0
        self.complete = False

    async def __call__(self) -> Message:
        if self._size > SMALL_BYTES:
            await self._turn()
        message = await self._receive()
        self._size += len(message.get("body", b""))
        self.complete = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def drop(self, seconds: float, most: int) -> bool:
        """Read and drop what arrives within these limits, and return whether that was all."""
        dropped = 0
        try:
            async with asyncio.timeout(seconds):
                while not self.complete and dropped <= most:
                    dropped += len((await self()).get("body", b""))
        except TimeoutError:
            pass
        return self.complete


async def send_response(response: Response, scope: Scope, incoming: Incoming, send: Send) -> None:
    """Send a response, and drop what is left of the body."""
    if incoming.complete:
        await response(scope, incoming, send)
        return
    headers = {name.lower(): value for name, value in scope["headers"]}
    expects = b"expect" in headers  # it sends no body unless it is asked to, which reading would do
    has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip() != b"0"
    if not has_body or expects or await incoming.drop(_AT_ONCE_SECONDS, DRAIN_BYTES):
        if expects:
            response.headers["connection"] = "close"
        await response(scope, incoming, send)
        return
    response.headers["connection"] = "close"

    async def send_open(message: MutableMapping[str, Any]) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    await response(scope, incoming, send_open)
    await incoming.drop(DRAIN_SECONDS, DRAIN_BYTES)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
