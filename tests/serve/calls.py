"""Requests to the application in this process: no port, no client that has its own opinion of what may be sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pql_model.serve.app import Service
from pql_model.serve.bundle import DIGEST, MANIFEST, digest_of
from pql_model.serve.settings import Settings
from pql_model.time import parse_instant

NOW = parse_instant("2026-03-01T12:00:00Z")


def service_of(folder: Path, **settings: Any) -> Service:
    return Service(Settings(bundle=folder, **settings), clock=lambda: NOW)


@dataclass
class Caller:
    """Calls one service, one request after the other."""

    service: Service

    def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        return self.together([(method, path, request)])[0]

    def post(self, path: str, body: Any, **request: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self("POST", path, content=content, **request)

    def together(self, requests: Sequence[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        async def run() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.service.app())
            async with httpx.AsyncClient(transport=transport, base_url="http://pql") as client:
                return list(await asyncio.gather(*(client.request(m, p, **r) for m, p, r in requests)))

        return asyncio.run(run())

    def raw(self, path: str, receive: Callable[[], Any], method: str = "POST") -> tuple[int, dict[str, Any]]:
        """Status and body of a request whose body comes from `receive`."""
        sent: list[dict[str, Any]] = []
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [],
            "scheme": "http",
            "root_path": "",
            "server": ("pql", 80),
            "client": ("nobody", 1),
        }

        async def send(message: Any) -> None:
            sent.append(dict(message))

        asyncio.run(self.service.app()(scope, receive, send))  # type: ignore[arg-type]
        return sent[0]["status"], json.loads(b"".join(part["body"] for part in sent[1:]))


def relabel(folder: Path, version: str) -> None:
    """Give a bundle another version, with the right digest."""
    about = json.loads((folder / MANIFEST).read_text())
    about = {**{name: value for name, value in about.items() if name != DIGEST}, "version": version}
    (folder / MANIFEST).write_text(json.dumps({**about, DIGEST: digest_of(about)}))


def file_of(folder: Path, name: str) -> Path:
    """Find a file of the bundle's version in force."""
    [path] = [
        folder / path for path in json.loads((folder / MANIFEST).read_text())["sha256"] if path.endswith(f"/{name}")
    ]
    return path


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def refused(
    answer: httpx.Response, status: int, code: str | None = None, field: str | None = None, words: str = ""
) -> dict[str, Any]:
    """The one body of errors."""
    payload = answer.json()
    assert set(payload) == {"error"}
    error: dict[str, Any] = payload["error"]
    assert set(error) <= {"code", "message", "field", "received", "allowed"}
    assert answer.status_code == status, error
    assert answer.headers["content-type"] == "application/json"
    assert code is None or error["code"] == code
    assert error.get("field") == field
    assert words in error["message"]
    return error
