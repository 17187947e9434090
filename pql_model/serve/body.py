"""The body of a request: what its headers may declare, and how it is read within the limits of size, time and memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from email.message import Message

from starlette.requests import Request

from pql_model.features.fields import shown
from pql_model.serve.admission import SMALL_BYTES, Admission, Held
from pql_model.serve.problem import ProblemError
from pql_model.serve.settings import Settings

JSON_TYPE = "application/json"


@contextlib.asynccontextmanager
async def body_of(
    request: Request, settings: Settings, admission: Admission, deadline: float
) -> AsyncIterator[tuple[bytearray, bool]]:
    """Read a body, and count its bytes for the block.

    Parameters
    ----------
    deadline
        When it must have arrived, on the clock of `time.perf_counter`.

    Yields
    ------
    bytearray, bool
        The body, and whether it is large.

    Raises
    ------
    ProblemError
        415 if it is not plain JSON, 413 if it is too large, 408 if it is too slow, 429 if there is no room for it.
    """
    refuse_other_types(request)
    declared = request.headers.get("content-length", "")
    length = int(declared) if declared.isascii() and declared.isdigit() else 0
    if length > settings.max_body:
        raise _too_large(settings.max_body)
    if length > SMALL_BYTES:
        admission.refuse_large(length)
    held = Held(admission)
    try:
        yield await _read(request, settings, admission, held, deadline), held.is_large
    finally:
        held.release()


async def _read(request: Request, settings: Settings, admission: Admission, held: Held, deadline: float) -> bytearray:
    body = bytearray()
    admission.in_flight -= 1  # a slow sender takes no place
    try:
        async with asyncio.timeout(max(0.0, deadline - time.perf_counter())):
            async for chunk in request.stream():
                body += chunk
                if len(body) > settings.max_body:
                    raise _too_large(settings.max_body)
                held.add(len(chunk))
    except TimeoutError as error:
        text, allowed = "The body did not arrive in time", f"{settings.deadline_seconds:g} seconds"
        raise ProblemError(408, "slow", text, allowed=allowed, headers={"connection": "close"}) from error
    finally:
        admission.in_flight += 1
    admission.refuse_overload()
    return body


def refuse_other_types(request: Request) -> None:
    """Refuse bodies that are declared as something other than JSON in UTF-8, or as compressed.

    A compressed body is refused unread: a few kilobytes of it may stand for gigabytes.

    Raises
    ------
    ProblemError
        415.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        text, headers = "The body is compressed", {"accept-encoding": "identity"}
        raise ProblemError(
            415, "encoding", text, received=shown(encoding), allowed="no content-encoding", headers=headers
        )
    declared = request.headers.get("content-type", "").strip()
    if declared in ("", JSON_TYPE):
        return
    message = Message()
    message["content-type"] = declared
    media, charset = message.get_content_type(), message.get_content_charset("utf-8")
    if media != JSON_TYPE and not (media.startswith("application/") and media.endswith("+json")):
        text = "The body is declared as something other than JSON"
        raise ProblemError(415, "content_type", text, received=shown(declared), allowed=f"content-type: {JSON_TYPE}")
    if charset not in ("utf-8", "utf8", "us-ascii"):
        text = "The body is declared in another encoding"
        raise ProblemError(415, "content_type", text, received=shown(charset), allowed="UTF-8")


def _too_large(limit: int) -> ProblemError:
    text = "The body is too large"
    return ProblemError(413, "too_large", text, allowed=f"{limit / 1e6:g} MB", headers={"connection": "close"})
