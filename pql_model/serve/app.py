"""The service as a Starlette application.

Every request passes `Service._guard`: API key, size, deadline, overload, one error body, and one log line without what was
sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pql_model.errors import InputError, PqlError
from pql_model.features.fields import shown
from pql_model.serve.admission import Admission, deadline_passed
from pql_model.serve.api_keys import ApiKeys
from pql_model.serve.body import body_of
from pql_model.serve.engine import Answer
from pql_model.serve.landing_page import landing_page
from pql_model.serve.leads_page import PAGE_HEADERS, read_leads
from pql_model.serve.lookup import Lookup
from pql_model.serve.metrics import TYPE, Metrics, method_label
from pql_model.serve.openapi import openapi
from pql_model.serve.problem import ProblemError, json_response
from pql_model.serve.reloader import Reloader, freeze_gc
from pql_model.serve.settings import Settings
from pql_model.serve.strict_json import parse
from pql_model.serve.unread_body import Incoming, send_response
from pql_model.time import iso, now

if TYPE_CHECKING:
    from pql_model.serve.score_log_writer import ScoreLogWriter

LOG = logging.getLogger("pql.serve")
REFRESH_SECONDS = 1.0
"""How often the bundle, the keys and the scores are checked for changes."""
_BYTES_PER_VALUE, _FEWEST_VALUES = 10, 10_000
"""Room for each value of the largest body; the shortest event takes 11 bytes for each of its values."""
ENDPOINTS = {
    "/": ("GET", "_landing_page"),
    "/score": ("POST", "_score"),
    "/score_batch": ("POST", "_score_batch"),
    "/lookup": ("POST", "_lookup"),
    "/model": ("GET", "_model"),
    "/criteria": ("GET", "_criteria"),
    "/report": ("GET", "_report"),
    "/leads": ("GET", "_leads"),
    "/openapi.json": ("GET", "_openapi"),
    "/metrics": ("GET", "_metrics"),
}
"""Path -> method, and the handler of `Service`."""
PUBLIC = ("/", "/openapi.json")
"""Paths that need no API key: they describe the service and show no customer data."""

_KEY_HELP = "Authorization: Bearer KEY, or X-API-Key: KEY"
_KEY_PARAMETERS = {"key", "api_key", "apikey", "x_api_key", "token", "access_token", "authorization"}
"""Query parameters in which a caller might send a key."""
_TRACE_FRAMES = 20
"""Innermost frames of an internal error that are logged."""

T = TypeVar("T")
Handler = Callable[[Request, float], Awaitable[Response]]


class Service:
    """The endpoints over one bundle.

    Parameters
    ----------
    settings
        Settings of the service.
    clock
        Returns the present instant, microseconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], int] = now) -> None:
        self.settings, self._clock = settings, clock
        self.metrics = Metrics(tuple(ENDPOINTS))
        self.keys = ApiKeys(settings.keys, settings.keys_file)
        self.reloader = Reloader(settings.bundle, self._on_reload)
        self.lookup = Lookup(settings.scores)
        self.log = self._score_log(settings.score_log) if settings.score_log is not None else None
        self.metrics.model(self.reloader.engine)
        self.admission = Admission(settings.max_in_flight, settings.max_pending)
        self._parse = partial(parse, max_values=max(_FEWEST_VALUES, settings.max_body // _BYTES_PER_VALUE))
        self._failed: dict[str, str] = {}

    def app(self) -> Starlette:
        """Build the application; it reloads bundle, keys and scores while it runs."""
        routes = [Route(path, self._guard(path, getattr(self, name))) for path, (_, name) in ENDPOINTS.items()]
        routes.append(Route("/{path:path}", self._guard("other", self._unknown_path)))
        return Starlette(routes=routes, lifespan=self._lifespan)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        freeze_gc()  # again, with the objects that the server has made
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
            self.admission.close()
            if self.log is not None:
                await run_in_threadpool(self.log.close)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await run_in_threadpool(self.refresh)
            except Exception as error:  # noqa: BLE001 (one failure must not end the refreshing)
                _log_internal_error(error)

    def refresh(self) -> None:
        """Reload bundle, keys and scores that have changed on disk, and write the score log if it is due."""
        if self.reloader.reload():
            self.metrics.model(self.reloader.engine)
        for name, reload in (("keys", self.keys.reload), ("scores", self.lookup.reload)):
            try:
                if reload():
                    _log("reloaded", part=name)
                self._failed.pop(name, None)
            except PqlError as error:
                if self._failed.get(name) != str(error):  # log it once, not at every refresh
                    _log("reload_failed", part=name, why=str(error))
                self._failed[name] = str(error)
        if self.log is not None:  # last, so that a failing log does not block the rest
            self.log.flush_if_due()

    def _on_reload(self, result: str, text: str) -> None:
        self.metrics.reloaded(result)
        _log(result, part="bundle", words=text)

    def _score_log(self, folder: Path) -> ScoreLogWriter:
        from pql_model.serve.score_log_writer import ScoreLogWriter  # imports pyarrow

        return ScoreLogWriter(folder, self.metrics.logged, lambda what, why: _log(what, part="score_log", why=why))

    # ------------------------------------------------------------ around every request

    def _guard(self, path: str, handler: Handler) -> _Endpoint:
        async def respond(request: Request) -> Response:
            began = time.perf_counter()
            slots = 0 if path == "/metrics" else 1  # metrics matter most under overload
            self.admission.in_flight += slots
            self.metrics.in_flight.inc()
            try:
                if slots:
                    self.admission.refuse_overload()
                await asyncio.sleep(0)  # count all requests that arrived together before processing any of them
                response = await self._dispatch(path, handler, request, began)
            except ProblemError as problem:
                response = problem.response()
            except ClientDisconnect:
                response = ProblemError(499, "gone", "The caller closed the connection").response()
            except PqlError as error:
                response = ProblemError.of(error).response()
            except Exception as error:  # noqa: BLE001 (the edge of the service: anything else is a bug)
                _log_internal_error(error)
                response = ProblemError(500, "fault", "Internal error of the service; it has been logged").response()
            finally:
                self.admission.in_flight -= slots
                self.metrics.in_flight.dec()
            seconds = time.perf_counter() - began
            method = method_label(request.method)
            self.metrics.answered(path, method, response.status_code, seconds)
            _log("request", path=path, method=method, status=response.status_code, ms=round(1000 * seconds, 2))
            return response

        return _Endpoint(respond, self.admission)

    async def _dispatch(self, path: str, handler: Handler, request: Request, began: float) -> Response:
        self._check_key(path, request)
        allowed, _ = ENDPOINTS.get(path, (request.method, ""))
        if request.method != allowed:
            text, headers = f"{path} accepts {allowed} only", {"allow": allowed}
            raise ProblemError(405, "method", text, received=request.method, allowed=allowed, headers=headers)
        return await handler(request, began + self.settings.deadline_seconds)

    def _check_key(self, path: str, request: Request) -> None:
        if not self.keys.needed or path in PUBLIC:
            return
        if _KEY_PARAMETERS & {name.lower().replace("-", "_") for name in request.query_params}:
            text = "An API key in the URL ends up in logs; send it in a header"
            raise ProblemError(400, "key_in_address", text, allowed=_KEY_HELP)
        key = request.headers.get("x-api-key")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if key is None and scheme.lower() == "bearer":
            key = token.strip()
        if not self.keys.allow(key):
            text = "The API key is wrong" if key else "An API key is required"
            raise ProblemError(401, "key", text, allowed=_KEY_HELP, headers={"www-authenticate": "Bearer"})

    # ------------------------------------------------------------ endpoints

    async def _score(self, request: Request, deadline: float) -> Response:
        def scored(body: bytearray) -> tuple[Answer, Response]:
            raw = self._parse(body)
            self._refuse_late(deadline)
            answer = self._score_one(raw)
            return answer, json_response(answer.payload)

        async with body_of(request, self.settings, self.admission, deadline) as (body, large):
            answer, response = await self._in_thread(partial(scored, body), large, deadline) if large else scored(body)
        self._write_to_log([answer])
        return response

    async def _score_batch(self, request: Request, deadline: float) -> Response:
        def scored(body: bytearray) -> tuple[list[Answer], Response]:
            entities = self._entities(self._parse(body), "body", 'a list, or {"entities": [...]}')
            answers, payload = self._score_many(entities, deadline)
            return answers, json_response(payload)

        async with body_of(request, self.settings, self.admission, deadline) as (body, large):
            answers, response = await self._in_thread(partial(scored, body), large, deadline)
        self._write_to_log(answers)
        return response

    async def _in_thread(self, work: Callable[[], T], large: bool, deadline: float) -> T:
        seconds = self.settings.deadline_seconds
        return await self.admission.run(work, large=large, deadline=deadline, seconds=seconds)

    def _score_many(self, entities: list[Any], deadline: float) -> tuple[list[Answer], dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        answers: list[Answer] = []
        for raw in entities:
            self._refuse_late(deadline, f" after {len(rows)} of {len(entities)} entities were scored")
            try:
                answers.append(self._score_one(raw))
                rows.append(answers[-1].payload)
            except InputError as error:
                rows.append(ProblemError.of(error).to_dict())
        return answers, {"rows": rows, "errors": sum("error" in row for row in rows)}

    def _refuse_late(self, deadline: float, after: str = " before the entity was scored") -> None:
        if time.perf_counter() > deadline:
            raise deadline_passed(f"The deadline passed{after}", self.settings.deadline_seconds)

    def _score_one(self, raw: Any) -> Answer:
        answer = self.reloader.engine.score(raw, self._clock())
        self.metrics.scored(answer)
        return answer

    def _write_to_log(self, answers: Sequence[Answer]) -> None:
        """Log the answers that are sent, and only those."""
        if self.log is not None:
            self.log.add(answers)

    async def _lookup(self, request: Request, deadline: float) -> Response:
        async with body_of(request, self.settings, self.admission, deadline) as (body, large):
            raw = await self._in_thread(partial(self._parse, body), large, deadline) if large else self._parse(body)
        names = self._entities(raw, "entities", '{"entities": ["a", "b"]}: a list of texts')
        for k, name in enumerate(names):
            if not isinstance(name, str):
                raise InputError(f"entities[{k}]", received=shown(name), allowed="a text")
        if not self.lookup.ready:
            text, allowed = "There are no batch scores to look up", "a file of `pql score`, named in PQL_SCORES"
            raise ProblemError(404, "no_scores", text, allowed=allowed)
        return json_response(self.lookup.find(names, self.reloader.engine.scope.rules.id_forms))

    def _entities(self, raw: Any, field: str, allowed: str) -> list[Any]:
        """Read a list of limited length, bare or as `{"entities": [...]}`."""
        entities = raw.get("entities") if isinstance(raw, dict) and set(raw) == {"entities"} else raw
        if not isinstance(entities, list):
            raise InputError(field, received=shown(raw), allowed=allowed)
        if not 1 <= len(entities) <= self.settings.max_batch:
            raise InputError(field, received=f"{len(entities)} entities", allowed=f"1 to {self.settings.max_batch}")
        return entities

    async def _model(self, _: Request, __: float) -> Response:
        bundle = self.reloader.engine.bundle
        columns = [{"name": c.name, "kind": c.kind, "words": c.text} for c in bundle.model.manifest.columns]
        return json_response({**bundle.about, "metrics": bundle.metrics, "features": columns})

    async def _criteria(self, _: Request, __: float) -> Response:
        return json_response(self.reloader.engine.bundle.criteria)

    async def _report(self, _: Request, __: float) -> Response:
        return HTMLResponse(self.reloader.engine.bundle.report, headers={"x-content-type-options": "nosniff"})

    async def _leads(self, _: Request, __: float) -> Response:
        text = await run_in_threadpool(read_leads, self.settings.leads)
        return HTMLResponse(text, headers=PAGE_HEADERS)

    async def _openapi(self, _: Request, __: float) -> Response:
        return json_response(openapi(self.reloader.engine.bundle, self.settings.max_batch))

    async def _metrics(self, _: Request, __: float) -> Response:
        return Response(self.metrics.text(), media_type=TYPE)

    async def _landing_page(self, _: Request, __: float) -> Response:
        text, policy = landing_page(self.reloader.engine.bundle)
        headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        }
        return HTMLResponse(text, headers=headers)

    async def _unknown_path(self, _: Request, __: float) -> Response:
        raise ProblemError(404, "unknown_path", "Unknown path", allowed=", ".join(sorted(ENDPOINTS)))


class _Endpoint:
    """An ASGI application, which Starlette routes for every method; a plain function would need a list of methods."""

    def __init__(self, respond: Callable[[Request], Awaitable[Response]], admission: Admission) -> None:
        self._respond, self._admission = respond, admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        incoming = Incoming(receive, self._admission.turn)
        response = await self._respond(Request(scope, incoming))
        await send_response(response, scope, incoming, send)


def _log(what: str, level: int = logging.INFO, **details: Any) -> None:
    """Log one line of JSON without anything that was sent."""
    if LOG.isEnabledFor(level):
        LOG.log(level, json.dumps({"at": iso(now()), "what": what, **details}, ensure_ascii=False))


def _log_internal_error(error: Exception) -> None:
    """Log type and location; the message may contain what was sent."""
    trace = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
    _log("fault", logging.ERROR, error=type(error).__name__, trace=trace[-_TRACE_FRAMES:])
