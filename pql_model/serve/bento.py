"""The BentoML service: Bento runs the process, the health checks and the packing; the endpoints are those of `app`.

The endpoints are a Starlette application mounted into Bento: this gives one error body everywhere, limits on bodies, and
almost no overhead. Bento's own metrics are off, because they keep a time series for every path requested. Its telemetry is
off too, and so is tracing, unless OTEL_SDK_DISABLED is `false`.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

os.environ["BENTOML_DO_NOT_TRACK"] = "true"
os.environ.setdefault("OTEL_SDK_DISABLED", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import bentoml
from bentoml._internal.server.http import traffic
from bentoml._internal.utils.analytics import usage_stats

from pql_model.serve.app import LOG, Service
from pql_model.serve.settings import Settings, workers_in
from pql_model.serve.worker_metrics import share_metrics

_SWITCH_SECONDS = 0.001
"""How long a thread that works on a large body keeps the interpreter while a small request waits. A score asks for it a dozen
times, so the default of 5 ms is felt."""


def _log_to_stderr() -> None:
    """Write the JSON lines of the service to stderr unchanged."""
    if not LOG.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False


class _NoTimeout(traffic.TimeoutMiddleware):
    """Replaces Bento's deadline, which keeps a timer and the context of every request for a minute after the answer.

    At 200 requests a second the garbage collector would then stop the service for 0.1 s repeatedly. The deadlines of `app`
    remain.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


_log_to_stderr()
share_metrics(os.environ)
usage_stats.do_not_track.cache_clear()  # `bentoml serve` has asked before it imported this, and kept the answer
# Circus asks for the full name of this machine, which may go to a name server, and only shows it.
socket.getfqdn = lambda name="": name or socket.gethostname()
sys.setswitchinterval(_SWITCH_SECONDS)
traffic.TimeoutMiddleware = _NoTimeout  # type: ignore[misc]
_BUNDLED = Path(__file__).absolute().parents[2] / "models" / "bundle"
"""The bundle inside a Bento; PQL_BUNDLE overrides it."""
_service = Service(Settings.of_environment({"PQL_BUNDLE": str(_BUNDLED), **os.environ}))


@bentoml.asgi_app(_service.app(), path="/")
@bentoml.service(
    name="pql",
    workers=workers_in(os.environ),
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Pql:
    """Scores from one bundle."""

    def __is_ready__(self) -> bool:
        return bool(_service.reloader.engine.bundle.name)
