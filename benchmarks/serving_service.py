"""The service under load: beside other servers, for a long time, at its start, and what its garbage collector does."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from serving_load import Call, Load, Server, load, serving
from serving_models import Product

from pql_model.serve.bundle import Bundle, load_bundle, write_bundle
from pql_model.serve.engine import ScoringEngine
from pql_model.serve.settings import Settings

SERVERS = ("pql serve", "ours without Bento", "bare Starlette", "mlflow models serve")
CLIENTS = (1, 16)
CROWDS = (64, 400, 800)
EVENTS = 300
DISTINCT = 100
"""Different requests, sent in turn."""
BAD = (
    (b"", 400),
    (b"{", 400),
    (b'{"entity": NaN}', 400),
    (b'{"entity": "a", "entity": "b"}', 400),
    (b"[" * 100_000, 400),
    (b"[]", 422),
    (b'{"entity": "a", "events": [{"event": "x", "time": "soon"}]}', 422),
    (b'{"entity": "a", "events": [], "evnts": []}', 422),
)
"""Bodies that are no request, and the status that says so."""


def _served(product: Product, name: str, **extra: str) -> Any:
    about = product.bundle.about
    return serving(name, product.path, product.config, (str(about["name"]), str(about["version"])), extra)


def score_calls(product: Product, events: int = EVENTS) -> list[Call]:
    return [Call.of("POST", "/score", raw) for raw in product.requests(events, DISTINCT)]


def mlflow_calls(product: Product) -> list[Call]:
    """Finished rows of the feature table, in the form that MLflow calls quickest."""
    data = product.prepared()
    table = data.table[data.split.test].head(DISTINCT)
    texts = {c.name for c in product.bundle.model.manifest.columns if c.kind == "category"} | {"entity"}
    texts |= {name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])}
    rows = [[_cell(value, name in texts) for name, value in row.items()] for row in table.to_dict("records")]
    columns = list(table.columns)
    return [Call.of("POST", "/invocations", {"dataframe_split": {"columns": columns, "data": [row]}}) for row in rows]


def _cell(value: Any, text: bool) -> Any:
    if pd.isna(value):
        return None
    return str(value) if text else value.item() if isinstance(value, np.generic) else value


# ---------------------------------------------------------------- side by side


def side_by_side(product: Product, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Every server at once, loaded in turn: what else the machine does hits all alike. One record a server and clients."""
    ours = score_calls(product)
    calls = {name: mlflow_calls(product) if name.startswith("mlflow") else ours for name in SERVERS}
    loads: dict[tuple[str, int], list[Load]] = {(name, clients): [] for name in SERVERS for clients in CLIENTS}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(_served(product, name)) for name in SERVERS}
        for name, server in servers.items():
            load(server, calls[name], 2, min(2.0, seconds))
        for turn in range(rounds):
            for name in (*SERVERS[turn % len(SERVERS) :], *SERVERS[: turn % len(SERVERS)]):
                for clients in CLIENTS:
                    loads[name, clients].append(load(servers[name], calls[name], clients, seconds))
        sizes = {name: server.rss_mb() for name, server in servers.items()}
    return [_side(loads, name, clients, sizes[name]) for name in SERVERS for clients in CLIENTS]


def _side(
    all_loads: dict[tuple[str, int], list[Load]], name: str, clients: int, rss: dict[str, float]
) -> dict[str, Any]:
    loads = all_loads[name, clients]
    rates = [load.payload()["per_second"] for load in loads]
    against = {
        rival: [
            rate / load.payload()["per_second"] for rate, load in zip(rates, all_loads[rival, clients], strict=True)
        ]
        for rival in ("bare Starlette", "mlflow models serve")
    }
    summary = {**together(loads).payload(), "per_second": float(np.median(rates))}
    return {
        "server": name,
        "clients": clients,
        "rounds": len(loads),
        **summary,
        "lowest_per_second": min(rates),
        "highest_per_second": max(rates),
        "rss_mb": rss,
        "ratio_to": {
            rival: [round(float(f(r)), 3) for f in (np.median, np.min, np.max)] for rival, r in against.items()
        },
    }


def together(loads: Sequence[Load]) -> Load:
    """The loads as one."""
    total = Load()
    for part in loads:
        for label, ms in part.ms.items():
            total.ms.setdefault(label, []).extend(ms)
        total.statuses.update(part.statuses)
        total.wrong += part.wrong
        total.seconds += part.seconds
        total.client_cpu += part.client_cpu
        total.server_cpu += part.server_cpu
    return total


# ---------------------------------------------------------------- for a long time


def mixed_calls(product: Product) -> list[Call]:
    """Of 20 calls: 14 scores, 1 that is bad, 1 batch of 5, 3 look-ups of 10, 1 question about the model; shuffled."""
    raws = product.requests(EVENTS, DISTINCT)
    known_entities = (
        pd.read_parquet(product.scores, columns=["entity"])["entity"].astype(str).tolist()
        if product.scores.exists()
        else []
    )
    names = [[*known_entities[k : k + 9], "nobody"] for k in range(0, max(1, len(known_entities)), 9)]
    calls = []
    for k in range(DISTINCT):
        calls += [Call.of("POST", "/score", raws[(14 * k + i) % DISTINCT]) for i in range(14)]
        body, status = BAD[k % len(BAD)]
        calls.append(Call.of("POST", "/score", body, label="bad /score", right=(status,)))
        calls.append(Call.of("POST", "/score_batch", [raws[(k + i) % DISTINCT] for i in range(5)]))
        calls += [Call.of("POST", "/lookup", {"entities": names[(3 * k + i) % len(names)]}) for i in range(3)]
        calls.append(Call.of("GET", "/model"))
    return [calls[i] for i in np.random.default_rng(7).permutation(len(calls))]


def soak(product: Product, minutes: float, share: float = 0.8, clients: int = 16) -> dict[str, Any]:
    """At a share of the mix's own throughput for so many minutes; a new bundle after half of them."""
    calls, seconds = mixed_calls(product), 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copytree(product.path, Path(folder) / "bundle"))
        bundle = load_bundle(path)
        about = (str(bundle.about["name"]), bundle.version)
        with serving("pql serve", path, product.config, about, {"PQL_SCORES": str(product.scores)}) as server:
            fastest = load(server, calls, clients, min(20.0, seconds / 4)).payload()
            rate = share * fastest["per_second"]
            watch = _Watch(server, bundle, seconds)
            result = load(server, calls, clients, seconds, per_second=rate, look=watch.look)
            version = json.loads(_get(server, "/model"))["version"]
    return {
        "minutes": minutes,
        "clients": clients,
        "fastest": fastest,
        "asked_per_second": round(rate, 1),
        **result.payload(),
        "by_call": {
            label: {
                "requests": len(ms),
                "p50_ms": round(float(np.percentile(ms, 50)), 2),
                "p99_ms": round(float(np.percentile(ms, 99)), 2),
                "max_ms": round(max(ms), 1),
            }
            for label, ms in result.ms.items()
        },
        "statuses": {f"{label} {status}": n for (label, status), n in sorted(result.statuses.items())},
        "errors_5xx": sum(n for (_, status), n in result.statuses.items() if status >= 500 or not status),
        "reloaded_to": version,
        "rss": watch.sizes,
        "rss_slope": watch.slopes(),
    }


class _Watch:
    """Looks at the memory and exchanges the bundle after half the time."""

    def __init__(self, server: Server, bundle: Bundle, seconds: float) -> None:
        self.server, self.bundle, self.half = server, bundle, seconds / 2
        self.every = min(10.0, seconds / 12)
        self.sizes: list[dict[str, float]] = []
        self.exchanged = False

    def look(self, elapsed: float) -> None:
        if elapsed >= len(self.sizes) * self.every:
            self.sizes.append({"second": round(elapsed, 1), **self.server.rss_mb()})
        if elapsed >= self.half and not self.exchanged:
            b, self.exchanged = self.bundle, True
            write_bundle(b.path, b.model, {**b.about, "version": f"{b.version}-again"}, b.criteria, b.metrics, b.report)

    def slopes(self) -> dict[str, float | None]:
        """MB an hour of the process that works, before and after the exchange; the first third of each is its warming up."""
        before = [s for s in self.sizes if self.half / 3 <= s["second"] < self.half]
        after = [s for s in self.sizes if s["second"] >= self.half * 4 / 3]
        return {"before": slope(before), "after": slope(after)}


def slope(sizes: Sequence[dict[str, float]]) -> float | None:
    """MB an hour by least squares; None of fewer than three.

    >>> slope([{"second": 0, "worker": 100}, {"second": 1800, "worker": 101}, {"second": 3600, "worker": 102}])
    2.0
    """
    if len(sizes) < 3:
        return None
    line = np.polyfit([s["second"] for s in sizes], [s["worker"] for s in sizes], 1)
    return round(3600 * float(line[0]), 2)


# ---------------------------------------------------------------- start


def start_up(product: Product, repetitions: int) -> dict[str, Any]:
    """From the command to the first answer."""
    first, sizes, ready_seconds = score_calls(product)[:1], [], []
    for _ in range(repetitions):
        began = time.perf_counter()
        with _served(product, "pql serve") as server:
            ready_seconds.append(time.perf_counter() - began)
            answered = load(server, first, 1, 0.01)
            if answered.wrong:
                raise SystemExit(f"the first answer is wrong: {answered.statuses}")
            sizes.append({**server.rss_mb(), "each": server.each_mb()})
    loading = []
    for _ in range(repetitions + 1):
        began = time.perf_counter()
        ScoringEngine(load_bundle(product.path))
        loading.append(time.perf_counter() - began)
    files = [file for file in product.path.rglob("*") if file.is_file()]
    return {
        "repetitions": repetitions,
        "ready_seconds": [round(s, 2) for s in ready_seconds],
        "rss_mb": sizes,
        "bundle_kb": round(sum(file.stat().st_size for file in files) / 1024),
        "bundle_files": len(files),
        "load_seconds": round(float(np.median(loading[1:])), 3),
        "load_seconds_first": round(loading[0], 3),
    }


# ---------------------------------------------------------------- too many at once


def overload(product: Product, seconds: float) -> list[dict[str, Any]]:
    """More callers than can be answered, who ask again at once, with the limit on requests in flight and without one."""
    calls = [replace(call, right=(200, 429)) for call in score_calls(product)]
    results = []
    with (
        _served(product, "pql serve") as usual,
        _served(product, "pql serve", PQL_MAX_IN_FLIGHT="1000000") as open_to_all,
    ):
        for server, limit in ((usual, Settings.max_in_flight), (open_to_all, None)):
            load(server, calls, 2, min(2.0, seconds))
            for clients in CROWDS:
                result = load(server, calls, clients, seconds)
                scored_count = result.statuses["/score", 200]
                results.append(
                    {
                        "limit": limit,
                        "clients": clients,
                        **result.payload(),
                        "scored_per_second": round(scored_count / result.seconds, 1),
                    }
                )
    return results


# ---------------------------------------------------------------- the garbage collector


def collections(product: Product, seconds: float, clients: int = 16) -> dict[str, Any]:
    """What the collector of the working process does under full load: full rounds, and others of more than 5 ms.

    To count what it sees takes as long as a round of it: latencies are not measured here.
    """
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "heard"
        with _served(product, "probe", PQL_PROBE=str(record)) as server:
            began = time.time()
            result = load(server, score_calls(product), clients, seconds)
        lines = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    under = [line for line in lines if line["at"] >= began]
    payload = {
        "requests": sum(result.statuses.values()),
        "errors": result.wrong,
        "seconds": round(result.seconds, 1),
        "clients": clients,
    }
    return {**payload, "before_load": _rounds(lines, under), "under_load": under}


def _rounds(lines: list[dict[str, Any]], under: list[dict[str, Any]]) -> dict[str, float]:
    before = [line["ms"] for line in lines if line not in under]
    return {"rounds": len(before), "longest_ms": max(before, default=0.0)}


def _get(server: Server, path: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{server.port}{path}", timeout=10) as answer:
        return bytes(answer.read())
