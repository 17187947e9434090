import json
import os
import subprocess
import sys

from pql_model.serve import worker_metrics
from pql_model.serve.worker_metrics import share_metrics, shared_registry

WORKER = """
import os, sys
from pql_model.serve.metrics import Metrics
metrics = Metrics(("/score",))
for _ in range(int(sys.argv[1])):
    metrics.answered("/score", "POST", 200, 0.003)
metrics.in_flight.inc()
print(metrics.text().decode() if sys.argv[2] == "say" else "")
if sys.argv[2] == "die":
    os._exit(9)
"""


def test_workers_count_as_one_and_the_dead_answer_nothing(tmp_path):
    def worker(count, end):
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        command = [sys.executable, "-c", WORKER, str(count), end]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120).stdout

    worker(3, "die")
    lines = worker(4, "say").splitlines()

    assert 'pql_requests_total{endpoint="/score",method="POST",status="200"} 7.0' in lines
    assert 'pql_request_seconds_count{endpoint="/score"} 7.0' in lines
    assert "pql_requests_in_flight 1.0" in lines


def test_one_process_names_the_folder_that_the_workers_use(tmp_path, monkeypatch):
    removed = []
    monkeypatch.setattr(worker_metrics.atexit, "register", lambda *args, **_: removed.append(args[1]))
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    share_metrics(environment)
    folder = environment["PQL_METRICS_FOLDER"]
    assert environment["PROMETHEUS_MULTIPROC_DIR"] == str(tmp_path)  # it answers nothing itself
    share_metrics(environment)

    assert (environment["PROMETHEUS_MULTIPROC_DIR"], removed, os.path.isdir(folder)) == (folder, [folder], True)
    os.rmdir(folder)


def test_a_process_alone_shares_nothing():
    assert shared_registry({}) is None
    assert json.dumps(os.environ.get("PQL_METRICS_FOLDER")) == "null"
