"""What `pql sync` does when its target, its process or its neighbour fails: what is lost, what is repeated.

python benchmarks/sync_faults.py --kills 200
python benchmarks/sync_faults.py --leads 100000     # only: so many new leads at once, to each kind of target

Each fault meets a fresh product with leads that wait. The fault lasts for one sync, or kills it; then syncs follow until nothing is
pending. Counted is what a receiver outside of the process has received whole.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import importlib
import json
import multiprocessing
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "activate")]

from receiver import receiver  # noqa: E402
from sync_world import SECRET, World, make_world  # noqa: E402

workflow = importlib.import_module("pql_model.workflows.sync")
sync = workflow.sync

LEADS = 40
LATENCY = 0.02
"""Seconds until an answer, where very many leads are sent: that of a receiver in the same part of the world."""
_PROCESS = multiprocessing.get_context("fork")


@dataclass
class Row:
    """One line of the table."""

    fault: str
    tried: int = 0
    due: int = 0
    messages: int = 0
    lost: int = 0
    same_id: int = 0
    two_ids: int = 0

    def add(self, due: set[str], received: list[list[str]]) -> None:
        ids = defaultdict(set)
        for identifier, entity in received:
            ids[entity].add(identifier)
        self.tried += 1
        self.due += len(due)
        self.messages += len(received)
        self.lost += len(due - set(ids))
        self.same_id += sum(count - 1 for count in Counter(identifier for identifier, _ in received).values())
        self.two_ids += sum(len(found) > 1 for found in ids.values())


def later() -> str:
    """An HTTP date two seconds ahead."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)).strftime("%a, %d %b %Y %H:%M:%S GMT")


STEPS: dict[str, Callable[[], Any]] = {
    "hangs": lambda: "hang",
    "sends its header byte by byte": lambda: "drip",
    "redirects (302)": lambda: (302, {"location": "http://127.0.0.1:9/"}),
    "answers 413": lambda: 413,
    "answers 429 with a date": lambda: (429, {"retry-after": later()}),
    "answers 429 with one hour": lambda: (429, {"retry-after": "3600"}),
    "answers 500": lambda: 500,
    "closes without an answer": lambda: "close",
    "closes in the middle of a good answer": lambda: "cut",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--leads", type=int, default=0)
    options = parser.parse_args()
    os.environ["HOOK_SECRET"] = SECRET
    random.seed(7)
    # Nobody pays here. Without an engine that reads payments, more of the kills hit a sync while it sends.
    workflow.open_session, workflow.converted_entities = nullcontext, lambda *_: set()
    if options.leads:
        many(options.leads)
        return
    print("| fault | tried | leads due | messages received | lost | repeated, same id | sent under two ids |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for row in rows(options.kills, options.pairs):
        figures = (row.tried, row.due, row.messages, row.lost, row.same_id, row.two_ids)
        print(f"| {row.fault} | " + " | ".join(f"{figure:,}" for figure in figures) + " |", flush=True)


def rows(kills: int, pairs: int) -> Iterator[Row]:
    yield refused()
    yield bad_certificate()
    yield from (faulty(name, step) for name, step in STEPS.items())
    yield killed("kill -9 of `pql sync`, at a random instant", kills, also_score=False)
    yield killed("kill -9 of `pql score` and `pql sync`, at a random instant", kills, also_score=True)
    yield together(pairs)


@contextmanager
def product(url: str) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        yield aim(make_world(Path(folder), entities(LEADS)), url)


def aim(world: World, url: str) -> World:
    crm = {"name": "crm", "kind": "webhook", "url": url, "secret_env": "HOOK_SECRET", "timeout": "1s"}
    return world.targets(crm)


def entities(count: int, prefix: str = "e") -> list[str]:
    return [f"{prefix}{k:03d}" for k in range(count)]


def deliver(world: World, at_most: int = 20) -> None:
    """Sync until nothing is pending; what asked for a pause is given it."""
    for _ in range(at_most):
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
            (target,) = sync(world.config, send=True, replay_dead=True).targets
        if not target.outcome.pending:
            return
        time.sleep(0.3)
    raise SystemExit("something is pending for ever")


def faulty(name: str, step: Callable[[], Any]) -> Row:
    row = Row(name)
    with receiver() as hook, product(hook.url) as world:
        world.score(0, entities(LEADS))
        hook.always = step()
        sync(world.config, send=True)
        hook.always = 200
        if name.endswith("one hour"):
            release(world)
        deliver(world)
        row.add(set(entities(LEADS)), [[one.id, one.entity] for one in hook.received])
    return row


def release(world: World) -> None:
    """Let the hour pass that the target asked for."""
    from pql_model.activate.outbox import open_outbox

    assert sync(world.config, send=True).targets[0].outcome.sent == 0
    with open_outbox(world.home, "boards") as outbox:
        outbox.hold("crm", None)


def refused() -> Row:
    row = Row("refuses the connection")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with product(f"http://127.0.0.1:{port}/hook") as world:
        world.score(0, entities(LEADS))
        sync(world.config, send=True)
        with receiver(port=port) as hook:
            deliver(world)
            row.add(set(entities(LEADS)), [[one.id, one.entity] for one in hook.received])
    return row


def bad_certificate() -> Row:
    from test_http_sender import self_signed

    row = Row("has an invalid certificate")
    with receiver() as hook, product(hook.url) as world:
        with receiver(self_signed(world.home)) as untrusted:
            aim(world, untrusted.url).score(0, entities(LEADS))
            sync(world.config, send=True)
            assert untrusted.received == []
        deliver(aim(world, hook.url))
        row.add(set(entities(LEADS)), [[one.id, one.entity] for one in hook.received])
    return row


def killed(name: str, kills: int, also_score: bool) -> Row:
    """Kill processes again and again, on one product whose leads keep coming."""
    row = Row(name)
    with tempfile.TemporaryDirectory() as logs, listening(Path(logs) / "received.jsonl") as url, product(url) as world:
        world.score(0, [])
        due: set[str] = set()
        longest = duration(world)
        for turn in range(1, kills + 1):
            due |= set(entities(16, f"t{turn:03d}-"))
            if also_score:
                run_and_kill(partial(work, world, turn, sorted(due)), longest)
            else:
                world.score_qualifying(turn, sorted(due))
                run_and_kill(partial(sync, world.config, send=True), longest)
        world.score_qualifying(kills + 1, sorted(due))
        deliver(world)
        row.add(due, [json.loads(line) for line in (Path(logs) / "received.jsonl").read_text().splitlines()])
    row.tried = kills
    return row


def work(world: World, day: int, qualifying: list[str]) -> None:
    world.score_qualifying(day, qualifying)
    sync(world.config, send=True)


def duration(world: World) -> float:
    """Seconds that a sync takes in a process of its own, with some to spare."""
    started = time.perf_counter()
    run_and_kill(partial(sync, world.config, send=True), None)
    return 1.3 * (time.perf_counter() - started)


def run_and_kill(task: Callable[[], object], longest: float | None) -> None:
    """Run a task in a process of its own and kill it after a random time; without a time, wait for its end."""
    child = os.fork()
    if child == 0:
        try:
            task()
        finally:
            os._exit(0)
    if longest is not None:
        time.sleep(random.uniform(0.3 * longest, longest))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def together(count: int) -> Row:
    row = Row("two syncs at once")
    for _ in range(count):
        with (
            tempfile.TemporaryDirectory() as logs,
            listening(Path(logs) / "received.jsonl") as url,
            product(url) as world,
        ):
            world.score(0, entities(LEADS))
            both = [_PROCESS.Process(target=lambda w=world: sync(w.config, send=True)) for _ in range(2)]
            for process in both:
                process.start()
            for process in both:
                process.join()
            row.add(set(entities(LEADS)), [json.loads(line) for line in (Path(logs) / "received.jsonl").open()])
    return row


def many(count: int) -> None:
    """Bring very many new leads to each kind of target, each in a process of its own, and print seconds and memory."""
    leads = entities(count)
    print("| target | leads due | seconds | peak memory, MB | lost | repeated |")
    print("|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "received.jsonl"
        with listening(log, LATENCY) as url:
            world = make_world(Path(folder) / "product", leads)
            duckdb.connect(str(world.home / "w.duckdb")).close()
            world.targets(
                {"name": "file", "kind": "file", "path": "new.csv"},
                {"name": "salesforce", "kind": "salesforce", "path": "sf.csv"},
                {"name": "table", "kind": "table", "connection": "duckdb://w.duckdb", "table": "scores", "rows": "all"},
                {"name": "crm", "kind": "webhook", "url": url, "secret_env": "HOOK_SECRET"},
            )
            run_and_kill(partial(world.score, 0, dict.fromkeys(leads), contact='{"user": "ada@example.com"}'), None)
            received: dict[str, Callable[[], list[str]]] = {
                "csv file": lambda: first_cells(world.home / "new.csv", 0),
                "importer's file (Salesforce)": lambda: first_cells(world.home / "sf.csv", 4),
                "DuckDB table": lambda: in_table(world.home / "w.duckdb"),
                f"webhook, answers after {LATENCY * 1000:.0f} ms": lambda: [json.loads(line)[1] for line in log.open()],
            }
            for (name, read), target in zip(received.items(), ("file", "salesforce", "table", "crm"), strict=True):
                seconds, memory = measured(partial(sync, world.config, target=target, send=True))
                found = read()
                lost, repeated = len(set(leads) - set(found)), len(found) - len(set(found))
                print(f"| {name} | {count:,} | {seconds:,.1f} | {memory:,.0f} | {lost:,} | {repeated:,} |", flush=True)


def first_cells(path: Path, column: int) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row[column] for row in csv.reader(file)][1:]


def in_table(path: Path) -> list[str]:
    with duckdb.connect(str(path)) as con:
        return [entity for (entity,) in con.execute("SELECT entity FROM scores").fetchall()]


def measured(task: Callable[[], object]) -> tuple[float, float]:
    """Run a task in a process of its own; return its seconds and its peak memory in megabytes."""
    ours, theirs = _PROCESS.Pipe()

    def work() -> None:
        started = time.perf_counter()
        task()
        theirs.send((time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))

    process = _PROCESS.Process(target=work)
    process.start()
    process.join()
    seconds, memory = ours.recv()
    return seconds, memory


@contextmanager
def listening(log: Path, latency: float = 0.0) -> Iterator[str]:
    """Run a receiver in another process, so that ours has no threads when it forks."""
    ours, theirs = _PROCESS.Pipe()
    log.touch()
    process = _PROCESS.Process(target=_listen, args=(theirs, log, latency), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _listen(pipe: Any, log: Path, latency: float) -> None:
    with receiver() as hook:
        hook.log, hook.latency = log, latency
        pipe.send(hook.url)
        signal.pause()


if __name__ == "__main__":
    main()
