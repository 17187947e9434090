"""The Bento with an ear on its garbage collector, for `bentoml serve serving_probe:Pql`.

Each collection of the oldest generation, and any other of more than 5 ms, becomes a line in the file that PQL_PROBE names.
"""

from __future__ import annotations

import gc
import json
import os
import time

from pql_model.serve.bento import Pql

__all__ = ["Pql"]

_began = 0.0


def _heard(phase: str, info: dict[str, int]) -> None:
    global _began
    if phase == "start":
        _began = time.perf_counter()
        return
    ms = 1000 * (time.perf_counter() - _began)
    if info["generation"] == 2 or ms > 5:
        payload = {
            "pid": os.getpid(),
            "at": time.time(),
            "ms": round(ms, 2),
            **info,
            "seen": len(gc.get_objects()),
            "frozen": gc.get_freeze_count(),
        }
        with open(os.environ["PQL_PROBE"], "a", encoding="utf-8") as file:
            file.write(json.dumps(payload) + "\n")


gc.callbacks.append(_heard)
