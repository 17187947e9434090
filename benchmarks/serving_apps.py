"""What the service is compared with, for `uvicorn --factory`: as little around the engine as can be, and ours without Bento."""

from __future__ import annotations

import gc
import json
import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pql_model.serve.app import Service
from pql_model.serve.bundle import load_bundle
from pql_model.serve.engine import ScoringEngine
from pql_model.serve.settings import Settings
from pql_model.time import now


async def _ready(_: Request) -> Response:
    return PlainTextResponse("ready")


def bare() -> Starlette:
    """json.loads, Engine.score, json.dumps: no keys, limits, strict parser, metrics, errors, log."""
    engine = ScoringEngine(load_bundle(os.environ["PQL_BUNDLE"]))

    async def score(request: Request) -> Response:
        answer = engine.score(json.loads(await request.body()), now())
        return Response(json.dumps(answer.payload, ensure_ascii=False).encode(), media_type="application/json")

    app = Starlette(routes=[Route("/score", score, methods=["POST"]), Route("/readyz", _ready)])
    gc.collect()
    gc.freeze()
    return app


def without_bento() -> Starlette:
    """The whole service, its log left out, on uvicorn alone: what is left of the gap is Bento's."""
    app = Service(Settings.of_environment()).app()
    app.router.routes.insert(0, Route("/readyz", _ready))
    return app
