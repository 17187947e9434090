"""The Bento: packed without a network, served from where it was packed, ours on every page."""

from __future__ import annotations

import json
import os
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

ROOT = Path(__file__).resolve().parents[2]
BENTO = [sys.executable, "-m", "bentoml"]
NOT_NEEDED = ("duckdb", "ibis", "matplotlib", "mlflow", "optuna", "shap", "sqlglot", "typer", "yaml")


def environment(**overrides: str) -> dict[str, str]:
    """No package of this folder, no bundle of somebody else, no network."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" and not name.startswith("PQL_")}
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return {**kept, **nowhere, "NO_PROXY": "127.0.0.1", "BENTOML_DO_NOT_TRACK": "true", **overrides}


@pytest.fixture(scope="module")
def home(bundle, tmp_path_factory):
    """BentoML's folder with the Bento in it, built from a copy of what `bentofile.yaml` packs."""
    context, home = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("bentoml")
    shutil.copy(ROOT / "bentofile.yaml", context)
    shutil.copytree(ROOT / "pql_model", context / "pql_model", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(bundle.path, context / "models" / "bundle")
    process = subprocess.run(
        [*BENTO, "build", "-o", "tag"],
        cwd=context,
        env=environment(BENTOML_HOME=str(home)),
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
            env=environment(BENTOML_HOME=str(home)),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield until_ready(f"http://127.0.0.1:{port}", server, log)
    finally:
        server.terminate()
        server.wait(timeout=20)


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
    manifest = next(home.rglob("BUNDLE.json"))
    before, text = get(address, "/model").json()["version"], manifest.read_text()
    manifest.write_text(text.replace(f'"version": "{before}"', '"version": "99"'))
    for _ in range(60):
        if get(address, "/model").json()["version"] == "99":
            break
        time.sleep(0.1)
    now = get(address, "/model").json()["version"]
    manifest.write_text(text)

    assert (before, now) == ("1", "99")


def test_the_bento_has_the_requirements_of_the_package():
    packed = yaml.safe_load((ROOT / "bentofile.yaml").read_text(encoding="utf-8"))["python"]["packages"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert set(packed) < set(project["dependencies"])
    assert not [requirement for requirement in packed if requirement.startswith(NOT_NEEDED)]


def test_the_service_imports_neither_the_registry_nor_the_warehouse(bundle):
    code = (
        "import sys; from pathlib import Path; from pql_model.serve.app import Service; from pql_model.serve.settings import Settings; "
        f"Service(Settings(bundle=Path({str(bundle.path)!r}))).app(); print(*(n for n in {NOT_NEEDED!r} if n in sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert (process.returncode, process.stdout.split()) == (0, []), process.stderr
