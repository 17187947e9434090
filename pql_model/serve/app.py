"""The service as a Starlette application: what comes in is bounded, checked and answered; nothing else happens here.

Every request passes `_guarded`: key, size, deadline, overload, one error body, one line of log without what was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pql_model.errors import InputError, PqlError
from pql_model.features.fields import shown
from pql_model.serve.api_keys import ApiKeys
from pql_model.serve.engine import Answer
from pql_model.serve.landing_page import page
from pql_model.serve.lookup import Lookup
from pql_model.serve.metrics import TYPE, Metrics, method_label
from pql_model.serve.openapi import openapi
from pql_model.serve.problem import ProblemError, json_response
from pql_model.serve.reloader import Reloader, freeze_gc
from pql_model.serve.settings import Settings
from pql_model.serve.strict_json import parse
from pql_model.time import iso, now

if TYPE_CHECKING:
    from pql_model.serve.score_log_writer import ScoreLogWriter

LOG = logging.getLogger("pql.serve")
LOOK_SECONDS = 1.0
"""How often the bundle, the keys and the scores are looked at."""
SMALL = 100_000
"""Bytes. A body up to here is worked on at once; a longer one in a thread, so that nobody waits for it."""
METHODS = {
    "/": "GET",
    "/score": "POST",
    "/score_batch": "POST",
    "/lookup": "POST",
    "/model": "GET",
    "/criteria": "GET",
    "/report": "GET",
    "/openapi.json": "GET",
    "/metrics": "GET",
}
OPEN = ("/", "/openapi.json")
"""Without a key: they say what this is, and nothing of anybody."""

_KEYS = {"key", "api_key", "apikey", "x_api_key", "token", "access_token", "authorization"}
"""What a key might be called by who puts it into the address."""

_FRAMES = 20
"""Innermost calls that are logged of a fault."""

Handler = Callable[[Request, float], Awaitable[Response]]


class Service:
    """The endpoints over one bundle.

    Parameters
    ----------
    settings
        See `Settings`.
    clock
        The present instant, microseconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], int] = now) -> None:
        self.settings, self._clock = settings, clock
        self.metrics = Metrics(tuple(METHODS))
        self.keys = ApiKeys(settings.keys, settings.keys_file)
        self.holder = Reloader(settings.bundle, self._reloaded)
        self.lookup = Lookup(settings.scores)
        self.log = self._score_log(settings.score_log) if settings.score_log is not None else None
        self.metrics.model(self.holder.engine)
        self._in_flight, self._arriving = 0, 0
        self._failed: dict[str, str] = {}

    def app(self) -> Starlette:
        """The application; it looks for a new bundle, keys and scores while it runs."""
        handlers: dict[str, Handler] = {
            "/": self._page,
            "/score": self._score,
            "/score_batch": self._batch,
            "/lookup": self._lookup,
            "/model": self._model,
            "/criteria": self._criteria,
            "/report": self._report,
            "/openapi.json": self._openapi,
            "/metrics": self._metrics,
        }
        routes = [Route(path, _Endpoint(self._guarded(path, handler))) for path, handler in handlers.items()]
        routes.append(Route("/{path:path}", _Endpoint(self._guarded("other", self._nowhere))))
        return Starlette(routes=routes, lifespan=self._running)

    @contextlib.asynccontextmanager
    async def _running(self, _: Starlette) -> AsyncIterator[None]:
        freeze_gc()  # with what the server has made since the engine was
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
            if self.log is not None:
                await run_in_threadpool(self.log.close)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await run_in_threadpool(self.look)
            except Exception as error:  # noqa: BLE001 (it must go on looking, whatever one look comes upon)
                _log_fault(error)

    def look(self) -> None:
        """Take over what has changed on disk: bundle, keys, scores; write the score log."""
        if self.holder.look():
            self.metrics.model(self.holder.engine)
        for name, taken in (("keys", self.keys.reload), ("scores", self.lookup.reload)):
            try:
                if taken():
                    _log("reloaded", part=name)
                self._failed.pop(name, None)
            except PqlError as error:
                if self._failed.get(name) != str(error):  # once, and not at every look
                    _log("reload_failed", part=name, why=str(error))
                self._failed[name] = str(error)
        if self.log is not None:  # last: what goes wrong there keeps no key and no bundle out
            self.log.look()

    def _reloaded(self, result: str, words: str) -> None:
        self.metrics.reloaded(result)
        _log(result, part="bundle", words=words)

    def _score_log(self, folder: Path) -> ScoreLogWriter:
        from pql_model.serve.score_log_writer import ScoreLogWriter  # loads what writes parquet

        return ScoreLogWriter(folder, self.metrics.logged, lambda what, why: _log(what, part="score_log", why=why))

    # ------------------------------------------------------------ around every request

    def _guarded(self, path: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            began = time.perf_counter()
            place = 0 if path == "/metrics" else 1  # under overload they are wanted most
            self._in_flight += place
            self.metrics.in_flight.inc()
            try:
                if place:
                    self._refuse_overload()
                await asyncio.sleep(0)  # who has come at the same moment is counted before anything is worked on
                response = await self._answer(path, handler, request, began)
            except ProblemError as problem:
                response = problem.response()
            except ClientDisconnect:
                response = ProblemError(499, "gone", "The caller has gone").response()
            except PqlError as error:
                response = ProblemError.of(error).response()
            except Exception as error:  # noqa: BLE001 (the edge of the service: whatever is left is a fault of ours)
                _log_fault(error)
                response = ProblemError(500, "fault", "This is a fault of the service; it has been logged").response()
            finally:
                self._in_flight -= place
                self.metrics.in_flight.dec()
            seconds = time.perf_counter() - began
            method = method_label(request.method)
            self.metrics.answered(path, method, response.status_code, seconds)
            _log("request", path=path, method=method, status=response.status_code, ms=round(1000 * seconds, 2))
            return response

        return answer

    async def _answer(self, path: str, handler: Handler, request: Request, began: float) -> Response:
        self._check_key(path, request)
        allowed = METHODS.get(path)
        if allowed is not None and request.method != allowed:
            raise ProblemError(
                405,
                "method",
                f"{path} takes {allowed}",
                received=request.method,
                allowed=allowed,
                headers={"allow": allowed},
            )
        return await handler(request, began + self.settings.deadline_seconds)

    def _refuse_overload(self) -> None:
        most = self.settings.max_in_flight
        if self._in_flight > most or self._arriving > most * self.settings.max_body:
            raise ProblemError(
                429, "overloaded", "There are too many requests at once; come again", headers={"retry-after": "1"}
            )

    def _check_key(self, path: str, request: Request) -> None:
        if not self.keys.needed or path in OPEN:
            return
        if _KEYS & {name.lower().replace("-", "_") for name in request.query_params}:
            raise ProblemError(
                400,
                "key_in_address",
                "A key in the address ends up in logs; send it as a header",
                allowed="Authorization: Bearer KEY, or X-API-Key: KEY",
            )
        given = request.headers.get("x-api-key")
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if given is None and scheme.lower() == "bearer":
            given = rest.strip()
        if not self.keys.allow(given):
            what = "The key is wrong" if given else "A key is needed"
            raise ProblemError(
                401,
                "key",
                what,
                allowed="Authorization: Bearer KEY, or X-API-Key: KEY",
                headers={"www-authenticate": "Bearer"},
            )

    async def _body(self, request: Request, deadline: float) -> bytes:
        """The body, within size and deadline."""
        most = self.settings.max_body
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > most:
            raise _too_large(most)
        body = bytearray()
        self._in_flight -= 1  # who is slow to send takes nobody's place
        try:
            async with asyncio.timeout(max(0.0, deadline - time.perf_counter())):
                async for chunk in request.stream():
                    body += chunk
                    self._arriving += len(chunk)
                    if len(body) > most:
                        raise _too_large(most)
                    self._refuse_overload()
        except TimeoutError as error:
            raise ProblemError(
                408,
                "slow",
                "The body did not arrive in time",
                allowed=f"{self.settings.deadline_seconds:g} seconds",
                headers={"connection": "close"},
            ) from error
        finally:
            self._in_flight += 1
            self._arriving -= len(body)
        self._refuse_overload()
        return bytes(body)

    # ------------------------------------------------------------ endpoints

    async def _score(self, request: Request, deadline: float) -> Response:
        body = await self._body(request, deadline)
        answer = await _worked(body, lambda body: self._scored(parse(body)))
        self._taken_down([answer])
        return json_response(answer.payload)

    async def _batch(self, request: Request, deadline: float) -> Response:
        raw = await _worked(await self._body(request, deadline), parse)
        rows = raw.get("entities") if isinstance(raw, dict) and set(raw) == {"entities"} else raw
        if not isinstance(rows, list):
            raise InputError("body", received=shown(raw), allowed='a list, or {"entities": [...]}')
        if not 1 <= len(rows) <= self.settings.max_batch:
            raise InputError("body", received=f"{len(rows)} entities", allowed=f"1 to {self.settings.max_batch}")
        return json_response(await run_in_threadpool(self._many, rows, deadline))

    def _many(self, rows: list[Any], deadline: float) -> dict[str, Any]:
        payload: list[dict[str, Any]] = []
        answers: list[Answer] = []
        for raw in rows:
            if time.perf_counter() > deadline:
                raise ProblemError(
                    503,
                    "deadline",
                    f"{len(payload)} of {len(rows)} entities were scored when the time was over",
                    allowed=f"{self.settings.deadline_seconds:g} seconds; send fewer at once",
                )
            try:
                answers.append(self._scored(raw))
                payload.append(answers[-1].payload)
            except InputError as error:
                payload.append(ProblemError.of(error).to_dict())
        self._taken_down(answers)
        return {"rows": payload, "errors": sum("error" in row for row in payload)}

    def _scored(self, raw: Any) -> Answer:
        answer = self.holder.engine.score(raw, self._clock())
        self.metrics.scored(answer)
        return answer

    def _taken_down(self, answers: Sequence[Answer]) -> None:
        """What is sent, and only that, is in the score log."""
        if self.log is not None:
            self.log.add(answers)

    async def _lookup(self, request: Request, deadline: float) -> Response:
        raw = await _worked(await self._body(request, deadline), parse)
        names = raw.get("entities") if isinstance(raw, dict) and set(raw) == {"entities"} else raw
        if not isinstance(names, list):
            raise InputError("entities", received=shown(raw), allowed='{"entities": ["a", "b"]}: a list of texts')
        strange = next((k for k, name in enumerate(names) if not isinstance(name, str)), None)
        if strange is not None:
            raise InputError(f"entities[{strange}]", received=shown(names[strange]), allowed="a text")
        if not 1 <= len(names) <= self.settings.max_batch:
            raise InputError("entities", received=f"{len(names)} entities", allowed=f"1 to {self.settings.max_batch}")
        if not self.lookup.ready:
            raise ProblemError(
                404,
                "no_scores",
                "There are no batch scores to look up",
                allowed="a file of `pql score`, named in PQL_SCORES",
            )
        return json_response(self.lookup.find(names))

    async def _model(self, _: Request, __: float) -> Response:
        bundle = self.holder.engine.bundle
        columns = [{"name": c.name, "kind": c.kind, "words": c.text} for c in bundle.model.manifest.columns]
        return json_response({**bundle.about, "metrics": bundle.metrics, "features": columns})

    async def _criteria(self, _: Request, __: float) -> Response:
        return json_response(self.holder.engine.bundle.criteria)

    async def _report(self, _: Request, __: float) -> Response:
        return HTMLResponse(self.holder.engine.bundle.report, headers={"x-content-type-options": "nosniff"})

    async def _openapi(self, _: Request, __: float) -> Response:
        return json_response(openapi(self.holder.engine.bundle, self.settings.max_batch))

    async def _metrics(self, _: Request, __: float) -> Response:
        return Response(self.metrics.text(), media_type=TYPE)

    async def _page(self, _: Request, __: float) -> Response:
        text, policy = page(self.holder.engine.bundle)
        headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        }
        return HTMLResponse(text, headers=headers)

    async def _nowhere(self, _: Request, __: float) -> Response:
        raise ProblemError(404, "unknown_path", "There is nothing at this address", allowed=", ".join(sorted(METHODS)))


class _Endpoint:
    """Takes every method, also those that nobody has heard of: a plain function would be asked for a list of them."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)


async def _worked(body: bytes, work: Callable[[bytes], Any]) -> Any:
    return work(body) if len(body) <= SMALL else await run_in_threadpool(work, body)


def _too_large(most: int) -> ProblemError:
    """The connection stays open: closed on a caller who is still sending, it would be reset before the answer is read."""
    return ProblemError(413, "too_large", "The body is too large", allowed=f"{most / 1e6:g} MB")


def _log(what: str, level: int = logging.INFO, **about: Any) -> None:
    """One line of JSON; nothing that was sent stands in it."""
    if LOG.isEnabledFor(level):
        LOG.log(level, json.dumps({"at": iso(now()), "what": what, **about}, ensure_ascii=False))


def _log_fault(error: Exception) -> None:
    """What it was and where; not its message, which may hold what was sent."""
    trace = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
    _log("fault", logging.ERROR, error=type(error).__name__, trace=trace[-_FRAMES:])
