"""A real `mlflow server` with a database and proxied artifacts, and other MLflow commands, for tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 240


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, **changes: str) -> dict[str, str]:
    """The variables of a child process that runs this tree as if it were installed, with its MLflow plugin."""
    site = home / "site"
    about = site / "pql_model-0.dist-info"
    if not about.exists():
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pql-model\nVersion: 0\n")
        plugin = "pql_model = pql_model.registry.project_experiment:ProjectExperiment"
        (about / "entry_points.txt").write_text(f"[mlflow.default_experiment_provider]\n{plugin}\n")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{site}{os.pathsep}{ROOT}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        **changes,
    }


@contextmanager
def running(arguments: list[str], health: str, log: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Run an MLflow command that serves, from its first healthy answer to the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=log.parent,
            start_new_session=True,  # its workers end with it
        )
        try:
            _wait(process, health, log)
            yield
        finally:
            os.killpg(process.pid, 15)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


def _wait(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(health, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise AssertionError(f"not healthy: {log.read_text(errors='replace')[-2000:]}")


@contextmanager
def mlflow_server(folder: Path, empty_store: Path) -> Iterator[str]:
    """Serve a new SQLite database and proxied artifacts on loopback; yields the tracking URI."""
    shutil.copy(empty_store, folder / "server.db")
    uri = f"http://127.0.0.1:{free_port()}"
    where = ["--host", "127.0.0.1", "--port", uri.rsplit(":", 1)[1], "--workers", "1"]
    stores = [
        "--backend-store-uri",
        f"sqlite:///{folder / 'server.db'}",
        "--artifacts-destination",
        str(folder / "art"),
    ]
    with running(["server", *where, *stores], f"{uri}/health", folder / "server.log", environment(folder)):
        yield uri


def mlflow_run(entry: str, home: Path, tracking_uri: str | None, **parameters: str) -> subprocess.CompletedProcess[str]:
    """`mlflow run <this repository> -e <entry> --env-manager local` in `home`."""
    changes = {"MLFLOW_TRACKING_URI": tracking_uri} if tracking_uri else {}
    words = [word for name, value in parameters.items() for word in ("-P", f"{name}={value}")]
    return subprocess.run(
        [sys.executable, "-m", "mlflow", "run", str(ROOT), "-e", entry, "--env-manager", "local", *words],
        env=environment(home, **changes),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=1200,
    )
