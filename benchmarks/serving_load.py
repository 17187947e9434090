"""Servers in processes of their own, and a client that costs little: HTTP/1.1 on raw sockets, one request a connection at a time."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

HERE = Path(__file__).resolve().parent
_HOST = "127.0.0.1"
_PATIENCE = 120.0


# ---------------------------------------------------------------- servers


@dataclass(frozen=True)
class Server:
    """A started server: its command with all children, and the port it answers on."""

    name: str
    port: int
    process: psutil.Popen
    log: Path

    def family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu_seconds(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.family())

    def rss_mb(self) -> dict[str, float]:
        """Of all processes, and of the one that works (it has used the processor most)."""
        family = self.family()
        worker = max(family, key=lambda process: sum(process.cpu_times()[:2]))
        sizes = {process.pid: process.memory_info().rss / 2**20 for process in family}
        return {"all": round(sum(sizes.values()), 2), "worker": round(sizes[worker.pid], 2), "processes": len(sizes)}

    def each_mb(self) -> list[tuple[str, float]]:
        """The end of each process's command, and its size."""
        return [
            (" ".join(process.cmdline())[-60:], round(process.memory_info().rss / 2**20, 1))
            for process in self.family()
        ]


def commands(
    bundle: Path, config: Path, name: str, version: str, port: int
) -> dict[str, tuple[list[str], dict[str, str], str]]:
    """Server -> command, environment, and the path that says that it is ready."""
    uvicorn = [
        sys.executable,
        "-m",
        "uvicorn",
        "--factory",
        "--host",
        _HOST,
        "--port",
        str(port),
        "--no-access-log",
        "--log-level",
        "warning",
        "--app-dir",
        str(HERE),
    ]
    served = {"PQL_BUNDLE": str(bundle), "OMP_NUM_THREADS": "1"}
    mlflow = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{config.parent / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "OMP_NUM_THREADS": "1",
    }
    return {
        "pql serve": (
            [sys.executable, "-m", "pql_model", "serve", "--bundle", str(bundle), "--port", str(port)],
            {},
            "/readyz",
        ),
        "ours without Bento": ([*uvicorn, "serving_apps:without_bento"], served, "/readyz"),
        "bare Starlette": ([*uvicorn, "serving_apps:bare"], served, "/readyz"),
        "mlflow models serve": (
            [
                sys.executable,
                "-m",
                "mlflow",
                "models",
                "serve",
                "-m",
                f"models:/{name}/{version}",
                "--env-manager",
                "local",
                "--workers",
                "1",
                "--host",
                _HOST,
                "--port",
                str(port),
            ],
            mlflow,
            "/ping",
        ),
        "probe": (
            [
                sys.executable,
                "-m",
                "bentoml",
                "serve",
                "serving_probe:Pql",
                "--working-dir",
                str(HERE),
                "--host",
                _HOST,
                "--port",
                str(port),
            ],
            {"PQL_BUNDLE": str(bundle)},
            "/readyz",
        ),
    }


@contextmanager
def serving(
    name: str, bundle: Path, config: Path, model: tuple[str, str], extra: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server of `commands` until it is not needed any more; it answers when this is entered.

    Parameters
    ----------
    model
        Name and version in the registry.
    more
        Added to its environment.
    """
    port = _free_port()
    command, environment, ready_path = commands(bundle, config, *model, port)[name]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PQL_")}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as out:
            process = psutil.Popen(
                command,
                env={**inherited, "PATH": path, "BENTOML_DO_NOT_TRACK": "true", **environment, **(extra or {})},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _await(f"http://{_HOST}:{port}{ready_path}", process, log)
            yield Server(name, port, process, log)
        finally:
            _end(process)


def _await(url: str, process: psutil.Popen, log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > until:
            sys.exit(f"No answer from {url}:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.02)


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _end(process: psutil.Popen) -> None:
    """The whole session that the command began, and nobody else."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signal_number)
            process.wait(timeout=15)
        except (ProcessLookupError, subprocess.TimeoutExpired, psutil.TimeoutExpired):
            continue
    process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((_HOST, 0))
        return int(free.getsockname()[1])


# ---------------------------------------------------------------- the client


@dataclass(frozen=True)
class Call:
    """A request as bytes, and which answers are right."""

    label: str
    wire: bytes
    right: tuple[int, ...] = (200,)

    @classmethod
    def of(
        cls, method: str, path: str, body: Any = None, label: str | None = None, right: tuple[int, ...] = (200,)
    ) -> Call:
        """With a body as JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: {_HOST}\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        return cls(label or path, head.encode() + content, right)


@dataclass
class Load:
    """What came of many calls: milliseconds by label, answers by label and status, and what it took."""

    ms: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: int = 0
    seconds: float = 0.0
    client_cpu: float = 0.0
    server_cpu: float = 0.0

    def add(self, call: Call, ms: float, status: int) -> None:
        self.ms.setdefault(call.label, []).append(ms)
        self.statuses[call.label, status] += 1
        self.wrong += status not in call.right

    def payload(self) -> dict[str, Any]:
        """Figures; `*_cpu` is in cores, status 0 is a connection that broke."""
        every = np.concatenate([np.array(ms) for ms in self.ms.values()])
        p50, p99, longest = np.percentile(every, [50, 99, 100])
        return {
            "requests": len(every),
            "per_second": round(len(every) / self.seconds, 1),
            "p50_ms": round(float(p50), 3),
            "p99_ms": round(float(p99), 3),
            "max_ms": round(float(longest), 2),
            "errors": self.wrong,
            "client_cpu": round(self.client_cpu / self.seconds, 3),
            "server_cpu": round(self.server_cpu / self.seconds, 3),
        }


class _Connection(asyncio.Protocol):
    """One request, one answer with a Content-Length, the next request."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"\r\ncontent-length:")
        length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) >= end + 4 + length and self._answer is not None and not self._answer.done():
            self._buffer = b""
            if b"\r\nconnection: close" in head and self.transport is not None:
                self.transport.close()
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(0)

    def ask(self, wire: bytes) -> asyncio.Future[int]:
        self._answer = asyncio.get_running_loop().create_future()
        if self.transport is None:
            self._answer.set_result(0)
        else:
            self.transport.write(wire)
        return self._answer


def load(
    server: Server,
    calls: Sequence[Call],
    clients: int,
    seconds: float,
    *,
    per_second: float | None = None,
    look: Callable[[float], None] | None = None,
) -> Load:
    """Send calls in turn for so many seconds.

    Parameters
    ----------
    per_second
        Sent by the clock, and where all clients are waiting, an answer's time counts from when it was due; default: each client sends as soon as it has
        its answer.
    look
        Called each second with the seconds since the beginning.
    """
    gc.collect()
    gc.disable()  # its pauses would be taken for the server's
    try:
        return asyncio.run(_load(server, calls, clients, seconds, per_second, look))
    finally:
        gc.enable()


async def _load(
    server: Server,
    calls: Sequence[Call],
    clients: int,
    seconds: float,
    per_second: float | None,
    look: Callable[[float], None] | None,
) -> Load:
    total, cpu, server_cpu = Load(), time.process_time(), server.cpu_seconds()
    began = time.perf_counter()
    turns = iter(range(10**12))

    async def client() -> None:
        connection: _Connection | None = None
        while time.perf_counter() - began < seconds:
            turn = next(turns)
            due_at = began + turn / per_second if per_second is not None else 0.0
            if due_at - began >= seconds:
                break
            if early := due_at > time.perf_counter():
                await asyncio.sleep(due_at - time.perf_counter())
            if connection is None or connection.transport is None:
                connection = await _connected(server.port)
            call = calls[turn % len(calls)]
            sent_at = time.perf_counter() if early or per_second is None else due_at
            status = await connection.ask(call.wire)
            total.add(call, 1000 * (time.perf_counter() - sent_at), status)
        if connection is not None and connection.transport is not None:
            connection.transport.close()

    async def looking() -> None:
        while look is not None:
            await asyncio.sleep(1.0)
            look(time.perf_counter() - began)

    watch = asyncio.create_task(looking())
    await asyncio.gather(*(client() for _ in range(clients)))
    watch.cancel()
    total.seconds = time.perf_counter() - began
    total.client_cpu, total.server_cpu = time.process_time() - cpu, server.cpu_seconds() - server_cpu
    return total


async def _connected(port: int) -> _Connection:
    try:
        return (await asyncio.get_running_loop().create_connection(_Connection, _HOST, port))[1]
    except OSError:
        await asyncio.sleep(0.1)
        return _Connection()  # answers 0: a broken connection is counted as one
