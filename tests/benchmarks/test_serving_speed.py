"""The benchmark of the service: its requests, its client, how it takes a score apart, and its tables."""

from __future__ import annotations

import importlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

import pql_model
from pql_model.decide.decider import Decider
from pql_model.decide.rows import decided_rows
from pql_model.model.booster import Params
from pql_model.serve.engine import ScoringEngine
from pql_model.time import now, parse_instant

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def parts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        names = ("serving", "serving_inside", "serving_load", "serving_models", "serving_service", "serving_tables")
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})


@pytest.fixture(scope="module")
def product(parts, trained, tmp_path_factory):
    """The demo of the session, as the benchmark keeps it."""
    home, folder = tmp_path_factory.mktemp("serving"), trained.folder.parent.parent
    for file in folder.iterdir():
        (home / file.name).symlink_to(file)
    found = parts.serving_models.Product("demo", home)
    pql_model.export(folder / "pql.yaml", output=found.path, model="1")
    parts.serving_models._write_pool(found)
    return found


def test_a_request_has_as_many_events_as_asked_for_within_the_life_of_a_real_entity(product):
    first, second = product.requests(300, 2)
    begin, end = parse_instant(first["signed_up"]), parse_instant(first["as_of"])
    own = {event.get("user") for event in product.pool[0]["events"]}
    assert [len(raw["events"]) for raw in (first, second)] == [300, 300]
    assert all(begin <= parse_instant(event["time"]) < end for event in first["events"])
    assert {event.get("user") for event in first["events"]} <= own | {None, "somebody"}
    assert product.requests(300, 2) == [first, second]
    assert not ScoringEngine(product.bundle).score(first, now()).unknown_events


def test_a_trained_product_is_not_trained_again(parts, product):
    home = product.home
    found = parts.serving_models.product(home.name, home.parent)
    assert (found.home, found.bundle.version) == (home, "1")


def test_the_trees_of_the_champion_are_counted(parts, product):
    counts = parts.serving._prepare(product, True, None)
    assert counts["trees"] >= counts["boosters"] > 0
    assert counts["columns"] == len(product.bundle.model.manifest.columns)


def test_every_part_of_a_score_takes_time(parts, product):
    found = parts.serving_inside.one_entity(product, 30, 10)
    assert set(found["parts_ms"]) == {*parts.serving_inside.ONE, "rest"}
    assert all(ms > 0 for ms in found["parts_ms"].values())


def test_every_part_of_a_scored_table_takes_time(parts, product, trained):
    model = product.bundle.model
    decider = Decider.of_facts(model.facts)
    with parts.serving_inside.timed(parts.serving_inside.MANY) as spent:
        decided_rows(model, trained.prepared.table.head(20), decider)
    assert all(seconds > 0 for seconds in spent.values())


FOREST, STUMPS = Params(num_leaves=7), Params(num_leaves=2, extra_trees=False)
FOUND, OTHER = Params(num_leaves=20, averaged=2), Params(num_leaves=3, averaged=2)


@pytest.mark.parametrize(
    ("leaves", "boosters", "expected"),
    [
        (None, None, [(7, 3), (2, 3), (20, 2), (3, 2)]),
        (4, None, [(4, 3), (2, 3), (4, 2), (3, 2)]),
        (None, 1, [(20, 1)]),
        (8, 3, [(8, 1), (7, 1), (3, 1)]),
        (None, 5, [(20, 2), (7, 1), (3, 1), (2, 1)]),
        (None, 50, [(7, 3), (2, 3), (20, 2), (3, 2)]),
    ],
)
def test_fewer_boosters_are_the_best_found_then_a_prior_in_turn(parts, leaves, boosters, expected):
    found = parts.serving_inside.Smaller(leaves, boosters).of([FOREST, STUMPS, FOUND, OTHER])
    assert [(s.num_leaves, s.averaged) for s in found] == expected


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        payload = json.dumps({"got": len(body)}).encode() * 3000  # comes in several pieces
        self.send_response({"/broken": 500, "/bad": 422}.get(self.path, 200))
        self.send_header("content-length", str(len(payload)))
        if self.path == "/closes":
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield SimpleNamespace(port=listening.server_port, cpu_seconds=lambda: 0.0)
        listening.shutdown()
        thread.join()


def test_the_client_counts_what_is_right_and_what_is_not(parts, server):
    call = parts.serving_load.Call.of
    calls = [
        call("POST", "/x", {"a": 1}),
        call("POST", "/broken", b""),
        call("POST", "/closes", b"x"),
        call("POST", "/bad", b"{", right=(422,)),
    ]
    found = parts.serving_load.load(server, calls, 2, 0.3)
    of = {label: (status, n) for (label, status), n in found.statuses.items()}
    assert {label: status for label, (status, _) in of.items()} == {
        "/x": 200,
        "/broken": 500,
        "/closes": 200,
        "/bad": 422,
    }
    assert found.wrong == of["/broken"][1] > 0
    assert found.payload()["requests"] == sum(n for _, n in of.values())


def test_by_the_clock_the_client_sends_so_many_a_second_and_no_more(parts, server):
    calls = [parts.serving_load.Call.of("POST", "/x")]
    assert sum(parts.serving_load.load(server, calls, 4, 0.5, per_second=60).statuses.values()) == 30


def test_a_server_that_is_gone_is_an_error_of_every_call(parts):
    gone = SimpleNamespace(port=parts.serving_load._free_port(), cpu_seconds=lambda: 0.0)
    found = parts.serving_load.load(gone, [parts.serving_load.Call.of("GET", "/x")], 1, 0.25)
    assert set(found.statuses) == {("/x", 0)}
    assert found.wrong == sum(found.statuses.values())


def test_memory_that_grows_by_a_megabyte_in_half_an_hour_grows_by_two_an_hour(parts):
    sizes = [{"second": 900.0 * k, "worker": 100 + 0.5 * k} for k in range(4)]
    assert parts.serving_service.slope(sizes) == pytest.approx(2.0)
    assert parts.serving_service.slope(sizes[:2]) is None


@pytest.mark.slow
@pytest.mark.slow
def test_what_it_is_compared_with_does_the_same_work(parts, product):
    service, load = parts.serving_service, parts.serving_load.load
    good = service.score_calls(product, 30)[:5]
    bad = [parts.serving_load.Call.of("POST", "/score", body, right=(status,)) for body, status in service.BAD]
    with service._served(product, "bare Starlette") as bare, service._served(product, "ours without Bento") as ours:
        assert load(bare, good, 2, 0.3).wrong == 0
        assert load(ours, [*good, *bad], 2, 0.5).wrong == 0
        assert service._get(ours, "/readyz") == service._get(bare, "/readyz") == b"ready"


def test_the_table_of_http_has_the_ratios_with_their_range(parts):
    one = {
        "server": "pql serve",
        "clients": 16,
        "per_second": 400.0,
        "lowest_per_second": 390.0,
        "highest_per_second": 410.4,
        "p50_ms": 38.04,
        "p99_ms": 51.0,
        "max_ms": 120.4,
        "errors": 0,
        "server_cpu": 0.98,
        "client_cpu": 0.051,
        "rss_mb": {"all": 786.0},
        "ratio_to": {"bare Starlette": [0.85, 0.8, 0.9], "mlflow models serve": [12, 11, 13]},
    }
    found = parts.serving_tables.of("http", {"load_average_before": 0.1, "demo": [one]})
    assert found.splitlines()[2:] == [
        "| demo | pql serve | 16 | 400 (390-410) | 38.0 | 51.0 | 120 | 0 | 0.85 (0.80-0.90) | 12.00 (11.00-13.00) | 0.98 | 0.05 | 786 |"
    ]


def test_every_part_has_its_table(parts):
    assert set(parts.serving.PARTS) == set(parts.serving_tables._TABLES)
    for part, found in parts.serving.read().items():
        assert parts.serving_tables.of(part, found).count("\n") >= 2
