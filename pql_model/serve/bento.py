"""The BentoML service: process model, health and packing are Bento's, every endpoint is ours.

The endpoints are a Starlette application mounted into Bento, which keeps one error body everywhere, reads bodies within
their limits, and adds next to nothing to an answer. Bento's own metrics are off, because they keep a series for every path
that anybody asks for, and so is its telemetry.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

os.environ["BENTOML_DO_NOT_TRACK"] = "true"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import bentoml

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


_log_to_stderr()
_BUNDLED = Path(__file__).absolute().parents[2] / "models" / "bundle"
"""Where a Bento has its bundle, wherever it is unpacked; PQL_BUNDLE names another."""
_service = Service(Settings.of_environment({"PQL_BUNDLE": str(_BUNDLED), **os.environ}))


@bentoml.asgi_app(_service.app(), path="/")
@bentoml.service(
    name="pql",
    workers=1,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    traffic={"timeout": 60},
)
class Pql:
    """Scores from one bundle."""

    def __is_ready__(self) -> bool:
        return bool(_service.holder.engine.bundle.name)
