"""Metrics of several worker processes as one: the multiprocess mode of the Prometheus client, in a folder of this service.

BentoML names one folder for all services of a user and empties it whenever one of them starts.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

_OURS, _CLIENTS = "PQL_METRICS_FOLDER", "PROMETHEUS_MULTIPROC_DIR"
_GAUGE_OF_PROCESS = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


def share_metrics(environment: MutableMapping[str, str]) -> None:
    """Give the workers of this service a folder for their metrics.

    The process that starts the workers makes it, removes it when it ends, and names it in the environment they inherit.
    """
    folder = environment.get(_OURS)
    if folder is None:
        folder = environment[_OURS] = tempfile.mkdtemp(prefix="pql-metrics-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    else:
        environment[_CLIENTS] = folder


def shared_registry(environment: MutableMapping[str, str]) -> CollectorRegistry | None:
    """Build a registry of what all workers have counted; None for a process that counts alone."""
    folder = environment.get(_CLIENTS)
    if folder is None or not Path(folder).is_dir():
        return None
    for path in Path(folder).glob("gauge_live*_*.db"):
        of_process = _GAUGE_OF_PROCESS.fullmatch(path.name)
        if of_process is not None and not _is_alive(int(of_process[1])):
            path.unlink(missing_ok=True)  # a worker that was killed answers nothing any more
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    return registry


def _is_alive(process: int) -> bool:
    if os.name == "nt":  # there, the signal would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
