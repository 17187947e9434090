"""Wild bodies for the service, for as long as you like: what is not a score or a refusal in words is shown and kept.

    python benchmarks/fuzz.py --minutes 5
    python benchmarks/fuzz.py --minutes 5 --guided    # led by coverage; needs `pip install atheris`

Each body goes through the application as it would over HTTP. What it scores is also evaluated by the oracle of the features,
which must give the same numbers. Bodies that show a fault are written to the folder of `--keep`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pql_model
from pql_model.features import fields, incoming, online, timeline
from pql_model.features.incoming import read_entity
from pql_model.features.oracle import Event, evaluate
from pql_model.features.rounding import rounded
from pql_model.serve import engine, strict_json
from pql_model.serve.app import Service
from pql_model.serve.openapi import example_request
from pql_model.serve.settings import Settings
from pql_model.serve.strict_json import parse
from pql_model.time import DAY, iso, parse_instant

NOW = parse_instant("2026-03-01T12:00:00Z")
SLOWEST = 1.0
ORACLE_EACH = 5
"""Every so many scored bodies the oracle is asked, which is slow."""
TOKENS = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-1e300",
    b"1e301",
    b"9" * 400,
    b"-0",
    b"5e-324",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b'" "',
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\u0000"',
    b'"9999-12-31"',
    b'"1970-01-01"',
    b'"1899-12-31"',
    b'"2026-02-30"',
    b"\xff",
    b"\x00",
    b'"2026-01-05T24:00"',
    b'"2026-01-05T00:00:00.0000001+14:00"',
    b'"entity":"b",',
    b"[" * 40,
    b"]" * 40,
    b'{"a":' * 40,
    b"\\",
    b'"',
    b",",
    b":",
    '"🎉"'.encode(),
    b'"any"',
    b'"googlebot"',
    b'"' + b"x" * 1500 + b'"',
)
WILD = (
    None,
    True,
    0,
    -1,
    2.5,
    1e300,
    -1e300,
    1e301,
    10**400,
    math.nan,
    math.inf,
    "",
    " ",
    "null",
    "🎉",
    "\ud800",
    "x" * 1500,
    "any",
    "9999-12-31",
    "2025-12-31",
    "1970-01-01",
    [],
    {},
    [[]],
    {"": {}},
    "2026-01-05T00:00:00.000001Z",
)


class Judge:
    """Puts bodies to the service and says what is wrong with what comes back."""

    def __init__(self, folder: Path) -> None:
        self.service = Service(Settings(bundle=folder), clock=lambda: NOW)
        self.app, self.loop = self.service.app(), asyncio.new_event_loop()
        self.engine = self.service.reloader.engine
        self.example = json.dumps(example_request(self.engine.bundle)).encode()
        self.usual = self._ask("/score", self.example)
        self.became: Counter[str] = Counter()
        self.slowest = 0.0

    def fault(self, path: str, body: bytes) -> str | None:
        """What is wrong, in a few words; None where nothing is."""
        began = time.perf_counter()
        status, answer = self._ask(path, body)
        self.slowest = max(self.slowest, seconds := time.perf_counter() - began)
        self.became[f"{path} {status}"] += 1
        if seconds > SLOWEST:
            return f"took {seconds:.1f} seconds"
        if status not in (200, 400, 413, 422):
            return f"status {status}"
        try:
            payload = json.loads(answer.decode("utf-8"), parse_constant=_no_json)
        except ValueError as error:
            return f"an answer that is no JSON: {error}"
        if status != 200:
            error = payload.get("error", {})
            return (
                None if error.get("code") and error.get("message") and error.get("field") else "an error without words"
            )
        rows = [row for row in payload.get("rows", [payload]) if "error" not in row]
        if not all(0 < row["probability"] < 1 for row in rows):
            return "no probability"
        if path == "/score" and self.became[f"{path} {status}"] % ORACLE_EACH == 0:
            return self._against_the_oracle(parse(body))
        return None

    def unchanged(self) -> bool:
        """Whether the usual request still has its usual answer."""
        return self._ask("/score", self.example) == self.usual

    def _against_the_oracle(self, raw: Any) -> str | None:
        if "features" in raw:
            return None
        incoming = read_entity(raw, self.engine.scope.rules, NOW)
        log = [Event(e.event, e.time, e.user, e.known_at, e.n, e.users, e.values or {}) for e in incoming.events]
        sizes = [replace(e, values={name: abs(value) for name, value in e.values.items()}) for e in log]
        received = self.engine._online.compute(incoming.events, incoming.signed_up, incoming.as_of)
        for feature, number in zip(self.engine._features, received, strict=True):
            expected = evaluate(feature, log, incoming.signed_up, incoming.as_of)
            if feature.measure == "sum" and expected is not None:
                expected = rounded(expected, evaluate(feature, sizes, incoming.signed_up, incoming.as_of) or 0.0)
            if not (math.isnan(number) if expected is None else number == expected):
                return f"{feature.name} is {number}, the oracle says {expected}"
        return None

    def _ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        messages: list[Any] = []
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [],
            "scheme": "http",
            "root_path": "",
            "server": ("pql", 80),
            "client": ("nobody", 1),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        self.loop.run_until_complete(self.app(scope, receive, send))
        return messages[0]["status"], b"".join(part.get("body", b"") for part in messages[1:])


def _no_json(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


# ---------------------------------------------------------------- making bodies


class Maker:
    """Bodies from sound to broken."""

    def __init__(self, judge: Judge, seed: int) -> None:
        self.dice = random.Random(seed)
        self.judge = judge
        self.names = [*sorted(judge.engine.scope.rules.known_events)[:4], "🎉 new"]
        self.values = sorted(judge.engine.scope.rules.known_values or ())

    def body(self) -> tuple[str, bytes]:
        entity = self.spoilt(self.entity()) if self.dice.random() < 0.5 else self.entity()
        path, raw = (
            ("/score", entity) if self.dice.random() < 0.8 else ("/score_batch", [entity, self.entity(), entity])
        )
        body = json.dumps(raw, ensure_ascii=self.dice.random() < 0.9).encode("utf-8", "surrogatepass")
        return path, self.mutated(body) if self.dice.random() < 0.35 else body

    def entity(self) -> dict[str, Any]:
        """A sound request with events on the edges of its windows."""
        signed_up = parse_instant("2026-01-01") + self.dice.choice((0, 1, DAY - 1, 9 * 3_600_000_000))
        as_of = signed_up + self.dice.choice((7, 14)) * DAY + self.dice.choice((0, 0, 1, DAY // 3))
        edges = [signed_up, as_of, *(signed_up + n * DAY for n in (1, 7, 14)), *(as_of - n * DAY for n in (1, 7, 14))]
        return {
            "entity": self.dice.choice(("acme", "o'brien & søn 🦊", "12.0")),
            "signed_up": iso(signed_up),
            "as_of": iso(as_of),
            "traits": {"company_size": self.dice.choice(("1-10", None, "unseen", 3, True)), "?": "x"},
            "events": [self.event(edges) for _ in range(self.dice.choice((0, 1, 3, 12)))],
        }

    def event(self, edges: list[int]) -> dict[str, Any]:
        dice = self.dice
        time_ = dice.choice(edges) + dice.choice((-1, 0, 0, 1, 1_800_000_000, 1_800_000_001))
        payload: dict[str, Any] = {"event": dice.choice(self.names), "time": iso(time_)}
        amounts = (0, -0.0, 0.1, 0.2, -0.3, 1e300, -1e300, 1e15, -1e15, 5e-324, True, 10**17)
        optional = {
            "user": dice.choice(("u1", "u2", None, "googlebot")),
            "id": dice.choice(("i1", "i2", None)),
            "n": dice.choice((1, 3, 0.1, 1e300)),
            "known_at": dice.choice((None, iso(dice.choice(edges)))),
            "users": dice.choice((0, 2, None)),
            "values": {name: dice.choice(amounts) for name in self.values},
        }
        return payload | {key: value for key, value in optional.items() if dice.random() < 0.4}

    def spoilt(self, raw: Any) -> Any:
        """Something in it replaced by anything, left out, or added."""
        dice = self.dice
        if not isinstance(raw, dict | list) or not raw or dice.random() < 0.2:
            return dice.choice(WILD)
        key = dice.choice(list(raw) if isinstance(raw, dict) else range(len(raw)))
        if isinstance(raw, dict) and dice.random() < 0.15:
            return {name: value for name, value in raw.items() if name != key}
        if isinstance(raw, dict) and dice.random() < 0.15:
            return raw | {dice.choice(("x", "", "\ud800", "Time", "features")): dice.choice(WILD)}
        spoilt = raw.copy()
        spoilt[key] = self.spoilt(raw[key])
        return spoilt

    def mutated(self, body: bytes) -> bytes:
        """Bytes changed, left out, doubled, or a token put among them."""
        dice = self.dice
        for _ in range(dice.choice((1, 1, 2, 5))):
            at, to = sorted((dice.randrange(len(body) + 1), dice.randrange(len(body) + 1)))
            body = dice.choice(
                [
                    body[:at] + dice.choice(TOKENS) + body[at:],
                    body[:at] + dice.choice(TOKENS) + body[at + dice.randrange(12) :],
                    body[:at] + body[at + dice.randrange(1, 9) :],
                    body[:at] + bytes([dice.randrange(256)]) + body[at + 1 :],
                    body[:to] + body[at:to] + body[to:],
                ]
            )
        return body


# ---------------------------------------------------------------- running


def unguided(judge: Judge, seconds: float, seed: int, fault: Callable[[str, bytes], None]) -> int:
    maker, until, requests = Maker(judge, seed), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        fault(*maker.body())
        requests += 1
    return requests


def guided(judge: Judge, seconds: float, seed: int, fault: Callable[[str, bytes], None], corpus: Path) -> None:
    """Led by what of the reading code a body reaches. The process ends with it, and with the fuzzer's own figures."""
    import atheris

    for module in (strict_json, incoming, fields, online, timeline, engine):
        for function in _functions(module):
            atheris.instrument_func(function)
    maker = Maker(judge, seed)
    for number in range(200):
        (corpus / str(number)).write_bytes(maker.body()[1])
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={seconds:.0f}",
            f"-seed={seed}",
            "-max_len=4096",
            "-print_final_stats=1",
            str(corpus),
        ],
        lambda body: fault("/score", body),
    )
    atheris.Fuzz()


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for holder in (module, *(thing for thing in vars(module).values() if isinstance(thing, type))):
        for thing in vars(holder).values():
            if isinstance(thing, FunctionType) and thing.__module__ == module.__name__:
                yield thing


def _bundle(path: Path | None, folder: Path) -> Path:
    if path is not None:
        return path
    config = pql_model.make_demo(folder / "demo", accounts=800) / "pql.yaml"
    pql_model.train(config, trials=2, promote="force")
    return pql_model.export(config, output=folder / "bundle").bundle.path


def main(arguments: list[str]) -> None:
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("--minutes", type=float, default=5.0)
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--bundle", type=Path, help="of `pql export`; default: one of the demo, made now")
    reader.add_argument("--keep", type=Path, default=Path("fuzz-faults"), help="where bodies go that show a fault")
    reader.add_argument("--guided", action="store_true", help="led by coverage, with atheris")
    args = reader.parse_args(arguments)
    faults: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(_bundle(args.bundle, Path(folder)))

        def fault(path: str, body: bytes) -> None:
            what = judge.fault(path, body)
            if what is not None:
                if not faults[what]:
                    args.keep.mkdir(exist_ok=True)
                    (args.keep / hashlib.sha256(body).hexdigest()[:16]).write_bytes(body)
                    print(f"{path}: {what}: {body[:300]!r}", flush=True)
                faults[what] += 1

        if args.guided:
            guided(judge, args.minutes * 60, args.seed, fault, Path(tempfile.mkdtemp(dir=folder)))
        requests = unguided(judge, args.minutes * 60, args.seed, fault)
        unchanged = judge.unchanged()
    print(f"{requests:,} bodies: {dict(sorted(judge.became.items()))}; the slowest took {1000 * judge.slowest:.0f} ms")
    print(f"Faults: {dict(faults) or 'none'}. The usual request still has its answer: {unchanged}.")
    if faults or not unchanged:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
