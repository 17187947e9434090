"""The BentoML service: process model, health and packing are Bento's, every endpoint is ours.

The endpoints are a Starlette application mounted into Bento, which keeps one error body everywhere, reads bodies within
their limits, and adds next to nothing to an answer. Bento's own metrics are off, because they keep a series for every path
that anybody asks for, and so are its telemetry, and tracing, unless OTEL_SDK_DISABLED is set to `false`.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

os.environ["BENTOML_DO_NOT_TRACK"] = "true"
os.environ.setdefault("OTEL_SDK_DISABLED", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import bentoml
from bentoml._internal.server.http import traffic

from pql_model.serve.app import LOG, Service
from pql_model.serve.settings import Settings


def _log_to_stderr() -> None:
    """Lines of JSON as they are."""
    if not LOG.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False


class _Untimed(traffic.TimeoutMiddleware):
    """In place of Bento's own deadline, which keeps a timer and the context of every request for a minute after the answer.

    At 200 requests a second that is enough for the garbage collector to stop the service for 0.1 s again and again. Our own
    deadlines stay.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


_log_to_stderr()
traffic.TimeoutMiddleware = _Untimed  # type: ignore[misc]
_BUNDLED = Path(__file__).absolute().parents[2] / "models" / "bundle"
"""Where a Bento has its bundle, wherever it is unpacked; PQL_BUNDLE names another."""
_service = Service(Settings.of_environment({"PQL_BUNDLE": str(_BUNDLED), **os.environ}))


@bentoml.asgi_app(_service.app(), path="/")
@bentoml.service(
    name="pql",
    workers=1,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Pql:
    """Scores from one bundle."""

    def __is_ready__(self) -> bool:
        return bool(_service.holder.engine.bundle.name)
