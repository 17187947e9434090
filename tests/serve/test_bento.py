"""The Bento: packed without a network, served from where it was packed, ours on every page."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import httpx
import pytest
import yaml
from calls import relabel
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
BENTO = [sys.executable, "-m", "bentoml"]
LOOK_UPS = """
import os, sys
def note(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"):
        with open(os.environ["LOOK_UPS"], "a") as file:
            print(event, arguments[0], file=file)
sys.addaudithook(note)
"""
"""A `sitecustomize` that writes down every name that a process looks up."""
NOT_NEEDED = ("duckdb", "ibis", "matplotlib", "mlflow", "optuna", "shap", "sqlglot", "typer", "yaml")


def environment(**overrides: str) -> dict[str, str]:
    """No package of this folder, no bundle of somebody else, no network, and no wish about telemetry."""
    unwanted = ("PYTHONPATH", "BENTOML_DO_NOT_TRACK", "PROMETHEUS_MULTIPROC_DIR")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted and not name.startswith("PQL_")}
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return {**kept, **nowhere, "NO_PROXY": "127.0.0.1", **overrides}


def watched(home, **overrides):
    """Also write down the names that are looked up; http_proxy is unset, because a proxy's name would be looked up instead."""
    (home / "hook").mkdir(exist_ok=True)
    (home / "hook" / "sitecustomize.py").write_text(LOOK_UPS)
    plain = {name: value for name, value in environment().items() if not name.lower().endswith("_proxy")}
    hook = {"BENTOML_HOME": str(home), "PYTHONPATH": str(home / "hook"), "LOOK_UPS": str(home / "look-ups")}
    return {**plain, **hook, **overrides}


@pytest.fixture(scope="module")
def home(bundle, tmp_path_factory):
    """BentoML's folder with the Bento in it, built from a copy of what `bentofile.yaml` packs."""
    context, home = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("bentoml")
    for name in ("bentofile.yaml", "service-requirements.txt"):
        shutil.copy(ROOT / name, context)
    shutil.copytree(ROOT / "pql_model", context / "pql_model", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(bundle.path, context / "models" / "bundle")
    process = subprocess.run(
        [*BENTO, "build", "-o", "tag"],
        cwd=context,
        env=watched(home),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    shutil.rmtree(context)
    return home


@pytest.fixture(scope="module")
def address(home):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = home / "serve.log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [*BENTO, "serve", "pql:latest", "--host", "127.0.0.1", "--port", str(port)],
            cwd=home,
            env=watched(home, PQL_WORKERS="2"),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield until_ready(f"http://127.0.0.1:{port}", server, log)
    finally:
        server.terminate()
        server.wait(timeout=20)
    names = {line.split()[1] for line in (home / "look-ups").read_text().splitlines()}
    assert names == {"127.0.0.1"}, "from the packing to the exit, no name is looked up"


def until_ready(address, server, log):
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        try:
            if httpx.get(f"{address}/readyz", trust_env=False).status_code == 200:
                return address
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def get(address, path):
    return httpx.get(address + path, trust_env=False)


@pytest.mark.bento
def test_answers_are_those_of_the_engine(address, engine, entity):
    answer = httpx.post(f"{address}/score", json=entity, trust_env=False)
    wrong = httpx.post(f"{address}/score", content=b"{", trust_env=False)

    row = engine.score(entity, time.time_ns() // 1000).row
    assert answer.status_code == 200
    assert {k: v for k, v in answer.json().items() if k in row and k != "scored_at"} == {
        k: v for k, v in row.items() if k != "scored_at"
    }
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "not_json")


@pytest.mark.bento
def test_the_refusal_of_a_large_body_can_be_read(address):
    """To its end a caller sends before it reads: a connection that is closed on it would only be reset."""
    answer = httpx.post(f"{address}/score", content=b"a" * 30_000_000, trust_env=False)

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.bento
def test_health_checks_are_bentos_and_metrics_are_those_of_the_app(address):
    assert [get(address, path).status_code for path in ("/livez", "/readyz", "/healthz")] == [200] * 3
    metrics = get(address, "/metrics").text
    assert "pql_model_info{" in metrics
    assert "bentoml" not in metrics


@pytest.mark.bento
def test_each_worker_shows_the_metrics_of_all(address):
    unknown = 'pql_requests_total{endpoint="other",method="GET",status="404"}'

    def counts():
        texts = [get(address, "/metrics").text for _ in range(8)]
        assert all("pid=" not in text for text in texts)
        return {float(line.split()[-1]) for text in texts for line in text.splitlines() if line.startswith(unknown)}

    before = counts() or {0.0}
    for _ in range(20):  # each on a connection of its own, so that both workers answer some
        assert get(address, "/unheard-of").status_code == 404
    assert (len(before), counts()) == (1, {max(before) + 20})


def test_the_container_is_told_not_to_track():
    envs = {env["name"]: env["value"] for env in yaml.safe_load((ROOT / "bentofile.yaml").read_text())["envs"]}
    assert envs == {"BENTOML_DO_NOT_TRACK": "true", "OTEL_SDK_DISABLED": "true"}


@pytest.mark.bento
def test_no_page_loads_a_tracker(address):
    assert "nimbus-boards" in get(address, "/").text
    for path in ("/", "/report", "/docs.json", "/schema.json", "/static_content/index.html", "/nowhere"):
        text = get(address, path).text.lower()
        assert not any(word in text for word in ("googletagmanager", "google-analytics", "segment.com", "bentoml.com"))
    assert get(address, "/docs.json").status_code == 404


@pytest.mark.bento
def test_methods_and_logs_are_handled_by_the_app(address, home, entity):
    brew = httpx.request("BREW", f"{address}/score", trust_env=False)
    assert (brew.status_code, brew.json()["error"]["code"]) == (405, "method")
    httpx.post(f"{address}/score?who=mallory", json={**entity, "entity": "Ms Personal"}, trust_env=False)

    log = (home / "serve.log").read_text()
    assert any(json.loads(line)["what"] == "request" for line in log.splitlines() if line.startswith("{"))
    assert not any(word in log for word in ("Ms Personal", "mallory", "Warning"))


@pytest.mark.bento
def test_a_new_bundle_is_reloaded_under_bento(address, home):
    """Bento runs what the application does in the background."""
    folder = next(home.rglob("BUNDLE.json")).parent
    before = get(address, "/model").json()["version"]
    relabel(folder, "99")
    for _ in range(60):
        versions = {get(address, "/model").json()["version"] for _ in range(8)}
        if versions == {"99"}:  # of both workers
            break
        time.sleep(0.1)
    [now] = versions
    relabel(folder, before)

    assert (before, now) == ("1", "99")


def test_the_bento_pins_everything_it_installs():
    pinned = pins(ROOT / "service-requirements.txt")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = {
        normal(requirement.name): requirement.specifier for requirement in map(Requirement, project["dependencies"])
    }
    constraints = pins(ROOT / "constraints.txt")

    assert {name: constraints[name] for name in pinned} == pinned
    assert {"lightgbm", "numpy", "pandas", "pyarrow", "starlette"} <= pinned.keys()
    assert all(bounds[name].contains(version) for name, version in pinned.items() if name in bounds)
    assert not [name for name in pinned if name.startswith(NOT_NEEDED)]
    needed = set().union(*(needed_by(name) for name in (*pinned, "bentoml"))) - {"bentoml"}
    assert needed <= pinned.keys(), "add these lines of constraints.txt to service-requirements.txt"


def pins(path):
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return {
        normal(name.partition("[")[0]): version for name, _, version in (line.partition("==") for line in lines if line)
    }


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def needed_by(name):
    """Of the installed packages; those that only an extra needs are left out."""
    requirements = map(Requirement, importlib.metadata.requires(name) or ())
    return {normal(r.name) for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})}


def test_the_service_imports_neither_the_registry_nor_the_warehouse(bundle):
    code = (
        "import sys; from pathlib import Path; from pql_model.serve.app import Service; from pql_model.serve.settings import Settings; "
        f"Service(Settings(bundle=Path({str(bundle.path)!r}))).app(); print(*(n for n in {NOT_NEEDED!r} if n in sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert (process.returncode, process.stdout.split()) == (0, []), process.stderr
