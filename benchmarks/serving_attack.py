"""A small request beside bodies that are made to be expensive: its latency, and the memory of the service."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from serving_load import Call, Server, _connected, serving

MEGABYTES = 10
ATTACKERS = 12
_EVENT = b'{"event":"a","time":"2026-01-01"}'
_SIZE = MEGABYTES * 1_000_000 - 200


def _filled(unit: bytes, before: bytes = b"[", after: bytes = b"]") -> bytes:
    """A list of ten megabytes, one unit repeated."""
    return before + b",".join([unit] * (_SIZE // (len(unit) + 1))) + after


def bodies() -> dict[str, tuple[str, bytes, dict[str, str]]]:
    """Attack -> path, body and headers."""
    entity = (
        b'{"entity":"a","signed_up":"2026-01-01","as_of":"2026-01-08","events":[' + b",".join([_EVENT] * 400) + b"]}"
    )
    opened = b'{"entity":"a","signed_up":"2026-01-01","as_of":"2026-01-08","events":['
    return {
        "empty objects": ("/score_batch", _filled(b"{}"), {}),
        "empty objects, /score": ("/score", _filled(b"{}", opened, b"]}"), {}),
        "numbers": ("/score", _filled(b"1", opened, b"]}"), {}),
        "texts": ("/score", _filled(b'"a"', opened, b"]}"), {}),
        "one-key objects": ("/score_batch", _filled(b'{"a":[]}'), {}),
        "emoji": ("/lookup", _filled('"😀"'.encode()), {}),
        "brackets in a text": ("/score", b'{"entity":"' + b"[" * _SIZE + b'"}', {}),
        "one event more than allowed": ("/score", opened + b",".join([_EVENT] * 50_001) + b"]}", {}),
        "a batch of small events": ("/score_batch", _filled(entity), {}),
        "gzip bomb": (
            "/score",
            gzip.compress(b"[" + b"{}," * 30_000_000),
            {"content-encoding": "gzip"},
        ),
    }


def wire(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json",
        f"content-length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def attack(
    bundle: Path, config: Path, about: tuple[str, str], small: dict[str, Any], seconds: float, names: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Each attack on a fresh service, by twelve senders, beside one small request every 20 ms."""
    results = []
    for name, (path, body, headers) in {"none": ("", b"", {}), **bodies()}.items():
        if names and name not in names:
            continue
        with serving("pql serve", bundle, config, about) as server:
            call = Call.of("POST", "/score", small)
            asyncio.run(_small_requests(server.port, call, 1.0))
            before = _peak_mb(server)
            with ProcessPoolExecutor(1) as attackers:  # of their own, so that what they cost is not measured as latency
                sent = attackers.submit(_attack, server.port, wire(path, body, headers), seconds) if body else None
                ms, right = asyncio.run(_small_requests(server.port, call, seconds))
                statuses, longest = sent.result() if sent is not None else (Counter(), 0.0)
            p50, p95, slowest = np.percentile(ms, [50, 95, 100])
            results.append(
                {
                    "attack": name,
                    "small_requests": len(ms),
                    "small_p50_ms": round(float(p50), 1),
                    "small_p95_ms": round(float(p95), 1),
                    "small_max_ms": round(float(slowest), 1),
                    "small_not_200": len(ms) - right,
                    "statuses": {str(status): count for status, count in sorted(statuses.items())},
                    "attack_longest_s": round(longest, 1),
                    "peak_mb_before": before,
                    "peak_mb": _peak_mb(server),
                }
            )
            print(json.dumps(results[-1]), flush=True)
    return results


async def _small_requests(port: int, call: Call, seconds: float) -> tuple[list[float], int]:
    """Milliseconds of each, and how many were answered with 200."""
    until, ms, right = time.perf_counter() + seconds, [], 0
    connection = await _connected(port)
    while time.perf_counter() < until:
        if connection.transport is None:
            connection = await _connected(port)
        began = time.perf_counter()
        right += await connection.ask(call.wire) == 200
        ms.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(0.02)
    if connection.transport is not None:
        connection.transport.close()
    return ms, right


def _attack(port: int, wire: bytes, seconds: float) -> tuple[Counter[int], float]:
    """Statuses of the expensive requests, and seconds of the slowest answer."""
    return asyncio.run(_senders(port, wire, seconds))


async def _senders(port: int, wire: bytes, seconds: float) -> tuple[Counter[int], float]:
    until, statuses, longest = time.perf_counter() + seconds, Counter[int](), [0.0]

    async def sender() -> None:
        while time.perf_counter() < until:
            connection = await _connected(port)
            began = time.perf_counter()
            statuses[await connection.ask(wire)] += 1
            longest.append(time.perf_counter() - began)
            if connection.transport is not None:
                connection.transport.close()
            await asyncio.sleep(0.05)

    await asyncio.gather(*(sender() for _ in range(ATTACKERS)))
    return statuses, max(longest)


def _peak_mb(server: Server) -> float:
    """The largest resident size so far of the process that works."""
    worker = max(server.family(), key=lambda process: sum(process.cpu_times()[:2]))
    status = Path(f"/proc/{worker.pid}/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return round(int(line.split()[1]) / 1024, 0)
