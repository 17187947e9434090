"""A tracking server that is down, hangs, or refuses: a sentence, exit code 2, and nothing half-registered."""

import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
from mlflow_server import free_port
from products import trial_files
from records import add, config_in, record
from small_model import small_model

from pql_model.cli.app import main
from pql_model.config.load import load_config
from pql_model.errors import PqlError
from pql_model.registry.tracking import Tracking
from pql_model.workflows.train import train

DENIED = '{"error_code": "PERMISSION_DENIED", "message": "Permission denied"}'


@contextmanager
def answering(status, body=DENIED):
    """A server that gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815 (the name that http.server calls)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hanging():
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_is_down_is_reported_quickly(tmp_path):
    began = time.monotonic()
    with pytest.raises(PqlError, match=r"The MLflow server does not answer. .*Fix: check MLFLOW_TRACKING_URI"):
        Tracking(config_in(tmp_path), f"http://127.0.0.1:{free_port()}")
    assert time.monotonic() - began < 60


def test_a_server_that_hangs_is_given_up_after_the_configured_timeout(tmp_path, hanging, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    began = time.monotonic()
    with pytest.raises(PqlError, match=r"The MLflow server does not answer. Received: http://127"):
        Tracking(config_in(tmp_path), hanging)
    assert time.monotonic() - began < 9  # without these settings: twice ten seconds


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_refuses_is_reported_with_the_variables_to_set(tmp_path, status):
    with (
        answering(status, "<html>no</html>") as uri,
        pytest.raises(PqlError, match=r"refuses access.*Fix: set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME"),
    ):
        Tracking(config_in(tmp_path), uri)


def test_something_that_is_not_mlflow_is_reported(tmp_path):
    with answering(200, "<html>hello</html>") as uri, pytest.raises(PqlError, match="MLflow cannot be used"):
        Tracking(config_in(tmp_path), uri)


def test_the_password_in_a_uri_is_not_shown(tmp_path):
    with answering(403) as uri, pytest.raises(PqlError, match="refuses access") as refused:
        Tracking(config_in(tmp_path), uri.replace("http://", "http://ann:secret@"))
    assert "secret" not in str(refused.value)
    assert "ann:***@" in str(refused.value)


@pytest.mark.parametrize("command", ["train", "score", "models"])
def test_a_command_ends_with_a_sentence_and_exit_code_2(tmp_path, monkeypatch, capsys, command):
    config = trial_files(tmp_path)
    with answering(403) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(SystemExit, match="2"):
            main([command, "--config", str(config)])
    printed = " ".join(capsys.readouterr().err.split())
    assert "refuses access" in printed
    assert "Fix: set MLFLOW_TRACKING_TOKEN" in printed
    assert not (tmp_path / "runs").exists()


def test_a_deleted_experiment_is_reported_with_the_command_that_restores_it(fresh, tmp_path):
    fresh.client.delete_experiment(fresh.experiment_id)
    with pytest.raises(PqlError, match=r"was deleted.*Fix: restore it with `mlflow experiments restore"):
        Tracking(load_config(tmp_path / "pql.yaml"))


# ---------------------------------------------------------------- a server that fails during the training


def test_a_server_that_goes_away_while_a_run_is_logged_leaves_no_version(tmp_path, with_store, monkeypatch):
    def gone(*_, **__):
        raise requests.ConnectionError("gone")

    config = trial_files(with_store(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(mlflow, "log_artifacts", gone)
        with pytest.raises(PqlError, match=r"The MLflow server does not answer.*Fix: .*run the command again"):
            train(config, trials=1, promote="force")
    tracking = Tracking(load_config(config))
    assert tracking.versions() == []
    (run,) = tracking.client.search_runs([tracking.experiment_id])
    assert run.info.status == "FAILED"
    assert list((tmp_path / "runs").iterdir()) == []
    assert len(list((tmp_path / ".pql" / "tuning").glob("*.journal"))) == 1  # tuning need not be done again


@pytest.mark.parametrize("step", ["create_registered_model", "create_model_version"])
def test_a_registry_that_refuses_gets_no_version_and_the_next_try_makes_version_1(fresh, tmp_path, monkeypatch, step):
    def denied(*_, **__):
        raise MlflowException("read-only", error_code=PERMISSION_DENIED)

    logged = fresh.log(small_model(), record(tmp_path, trials=[]))
    with monkeypatch.context() as patch:
        patch.setattr(fresh.client, step, denied)
        with pytest.raises(PqlError, match=r"refuses access: .*read-only.* the registered model `small-world`"):
            fresh.register(logged, {})
    assert (fresh.versions(), fresh.champion(), fresh.load_if_registered("challenger")) == ([], None, None)
    assert fresh.register(logged, {}).version == "1"


def test_an_unreadable_registry_is_not_taken_for_an_empty_one(fresh, tmp_path, monkeypatch):
    """Else a training would find no champion and promote itself."""

    def denied(*_, **__):
        raise MlflowException("no", error_code=PERMISSION_DENIED)

    add(fresh, tmp_path)
    monkeypatch.setattr(fresh.client, "get_model_version_by_alias", denied)
    with pytest.raises(PqlError, match="refuses access"):
        fresh.load_if_registered("challenger")


# ---------------------------------------------------------------- a folder that cannot be written


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    config = config_in(tmp_path)
    (tmp_path / ".pql").write_text("a file where a folder is needed")
    with pytest.raises(PqlError, match=r"cannot be written: .*Fix: "):
        Tracking(config)
