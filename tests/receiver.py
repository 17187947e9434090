"""A receiver of webhooks that misbehaves as told, and remembers what it received."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request that arrived whole."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def entity(self) -> str:
        return json.loads(self.body)["data"]["entity"]


@dataclass
class Receiver:
    """Answers with the next of `script`, and with 200 once it is used up.

    A step is a status, a status with headers, or one of `hang`, `close`, `cut` (closes in the middle of a good answer),
    `drip` (sends its header byte by byte, for ever). With a `log`, the id and entity of each request are appended to it.
    Each answer takes `latency` seconds.
    """

    url: str = ""
    script: list[Any] = field(default_factory=list)
    always: Any = 200
    received: list[Received] = field(default_factory=list)
    log: Path | None = None
    latency: float = 0.0
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_step(self) -> Any:
        with self.lock:
            return self.script.pop(0) if self.script else self.always

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.received]

    @property
    def entities(self) -> list[str]:
        return [one.entity for one in self.received]


@contextmanager
def receiver(certificate: tuple[Path, Path] | None = None, port: int = 0) -> Iterator[Receiver]:
    """Run a receiver on a port of this machine, by default a free one; with a certificate and its key, over TLS."""
    state = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(state))
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    state.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()


def _handler(state: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # its header and body are two writes, the second of which waited 40 ms

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with state.lock:
                headers = {name.lower(): value for name, value in self.headers.items()}
                one = Received(self.path, headers, body)
                state.received.append(one)
                if state.log is not None:
                    with state.log.open("a") as file:
                        file.write(f"{json.dumps([one.id, one.entity])}\n")
            time.sleep(state.latency)
            step = state.next_step()
            if step in ("hang", "close", "cut", "drip"):
                self.close_connection = True
                self._misbehave(step)
                return
            status, headers = step if isinstance(step, tuple) else (step, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            body = b"" if status == 204 else b"ok"
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _misbehave(self, step: str) -> None:
            if step == "hang":
                state.released.wait(30)
            elif step == "cut":
                self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            elif step == "drip":
                while not state.released.wait(0.05):
                    try:
                        self.wfile.write(b"H")
                    except OSError:
                        return

        def log_message(self, *args: Any) -> None:
            pass

    return Handler
