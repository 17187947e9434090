"""Trainings that are killed where it hurts most, and trainings that meet: real processes, real kills."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from products import trial_files

from pql_model.config.load import load_config
from pql_model.registry.tracking import Tracking
from pql_model.workflows.rollback import rollback
from pql_model.workflows.train import train

TRIALS = 3
POINTS = {
    "tuning": "after the second trial",
    "logging": "the run is open in MLflow, the model is not there yet",
    "logged": "the run is finished, nothing is registered",
    "registered": "there is a version, but no alias",
    "champion": "it is the champion, but the history does not know",
}

DRIVER = """
import json, os, signal, sys
from mlflow.tracking import MlflowClient
from pql_model.config.load import load_config
from pql_model.workflows import train as pipeline
from pql_model.progress import Silent
from pql_model.registry.tracking import Tracking

config, trials, points = sys.argv[1], int(sys.argv[2]), sys.argv[3:]


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


class AfterTheSecondTrial(Silent):
    running = ""

    def stage(self, name):
        self.running = name

    def share(self, done, note=""):
        if self.running == "tune and fit" and done >= 2 / trials:
            die()


def train(point):
    patches = {
        "logging": (Tracking, "_log_model", die),
        "logged": (Tracking, "register", die),
        "registered": (MlflowClient, "set_registered_model_alias", die),
        "champion": (MlflowClient, "set_registered_model_tag", die),
    }
    if point in patches:
        setattr(*patches[point])
    listener = AfterTheSecondTrial() if point == "tuning" else None
    pipeline.train(config, trials=trials, promote="force", listener=listener)


def state():
    home, tracking = load_config(config).home, Tracking(load_config(config))
    runs = tracking.client.search_runs([tracking.experiment_id])
    versions = tracking.versions()
    told = {
        "versions": {v.version: list(v.aliases) for v in versions},
        "loaded": [tracking.load(v.version).version for v in versions],
        "promotion": {v.version: v.promotion for v in versions},
        "folders": sorted("draft" if f.name.startswith(".train-") else f.name for f in (home / "runs").glob("*")),
        "of_version": [v.run_id for v in versions],
        "status": [r.info.status for r in runs if "mlflow.parentRunId" not in r.data.tags],
        "journals": len(list(home.rglob("*.journal"))),
        "aliases": tracking._aliases(),
    }
    print(json.dumps(told), flush=True)


for point in points:
    for step in (lambda: train(point), state):
        child = os.fork()
        if child == 0:
            step()
            os._exit(0)
        ended = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(ended) == (step is not state), (point, ended)
"""
"""Forks a child for each point, which trains until it is killed there, and another that looks at what is left."""


@pytest.fixture(scope="module")
def killed(tmp_path_factory, with_store):
    """What each kill left, the training after them all, and one more."""
    config = trial_files(with_store(tmp_path_factory.mktemp("killed")))
    process = subprocess.run(
        [sys.executable, "-c", DRIVER, str(config), str(TRIALS), *POINTS], capture_output=True, text=True, timeout=600
    )
    assert process.returncode == 0, process.stderr[-3000:]
    left = dict(zip(POINTS, map(json.loads, process.stdout.splitlines()), strict=True))
    resumed = train(config, trials=TRIALS, promote="force")
    return config, left, resumed, train(config, trials=TRIALS, promote="never")


kill = pytest.mark.kill


@kill
@pytest.mark.parametrize("point", ["tuning", "logging", "logged"])
def test_a_training_killed_before_registering_leaves_no_version(killed, point):
    _, left, _, _ = killed
    assert (left[point]["versions"], left[point]["aliases"]) == ({}, {})
    assert left[point]["journals"] == 1  # tuning need not be done again


@kill
def test_a_training_killed_after_registering_leaves_a_complete_version(killed):
    _, left, _, _ = killed
    assert left["registered"]["versions"] == {"1": []}
    assert left["champion"]["versions"] == {"1": [], "2": ["challenger", "champion"]}
    for point, number in (("registered", 1), ("champion", 2)):
        assert len(left[point]["loaded"]) == number  # every version can be loaded
        assert set(left[point]["of_version"]) <= set(left[point]["folders"])


@kill
def test_a_version_whose_promotion_was_interrupted_is_marked(killed):
    _, left, _, _ = killed
    assert left["registered"]["promotion"]["1"].startswith(
        "not promoted: its training was interrupted before that (promoted"
    )


@kill
def test_the_next_training_closes_the_run_and_removes_the_draft(killed):
    _, left, _, _ = killed
    assert (left["logging"]["folders"], left["logging"]["status"]) == (["draft"], ["RUNNING"])
    assert "draft" not in left["logged"]["folders"]
    assert sorted(left["logged"]["status"]) == ["FINISHED", "KILLED"]
    assert "RUNNING" not in left["champion"]["status"]


@kill
def test_the_next_training_resumes_and_gives_the_result_of_an_uninterrupted_one(killed):
    config, _, resumed, unbroken = killed
    assert (resumed.registered.version, unbroken.registered.version) == ("3", "4")
    assert resumed.registered.model.predictor.save() == unbroken.registered.model.predictor.save()
    assert resumed.registered.model.calibration == unbroken.registered.model.calibration
    assert len(resumed.fit.tuned.trials) == len(unbroken.fit.tuned.trials) == TRIALS
    home = config.parent
    assert list((home / "runs").glob(".*")) == []
    assert not list(home.rglob("*.journal"))
    tracking = Tracking(load_config(config))
    runs = tracking.client.search_runs([tracking.experiment_id])
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}


@kill
def test_rollback_restores_a_champion_that_is_missing_from_the_history(killed):
    config, _, _, _ = killed
    assert rollback(config).text == "Version 2 of small-trial is champion again instead of version 3."


# ---------------------------------------------------------------- two at once

TRAIN = "import json, sys, pql_model; print(json.dumps(pql_model.train(sys.argv[1], trials=2).to_dict()))"


@kill
def test_two_concurrent_first_trainings_both_complete(tmp_path):
    config = trial_files(tmp_path, accounts=600)  # no `mlflow.db` yet: both will want to make it
    both = [
        subprocess.Popen(
            [sys.executable, "-c", TRAIN, str(config)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], [err[-2000:] for _, err in ended]
    first, second = sorted((json.loads(out) for out, _ in ended), key=lambda payload: payload["model"]["version"])
    assert (first["model"]["version"], second["model"]["version"]) == ("1", "2")

    tracking = Tracking(load_config(config))
    one, two = (tracking.load(version).model for version in ("1", "2"))
    assert one.predictor.save() == two.predictor.save()
    assert one.calibration == two.calibration
    assert tracking._aliases()["challenger"] == "2"
    assert first["promotion"]["promoted"]
    assert second["promotion"]["comparison"]["champion"] == "1"  # there was no champion when it began
    assert not second["promotion"]["promoted"]
    assert tracking.champion() == "1"
    for payload in (first, second):
        assert all(Path(file).exists() for file in payload["files"].values())
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted([first["run_id"], second["run_id"]])
    assert not list(tmp_path.rglob("*.journal"))
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    statuses = [run.info.status for run in client.search_runs([tracking.experiment_id])]
    assert "RUNNING" not in statuses
    assert statuses.count("FAILED") == 0


@pytest.mark.parametrize("step", ["register", "promote"])
def test_a_training_that_fails_while_it_registers_can_be_run_again(step, tmp_path, with_store, monkeypatch):
    config = trial_files(with_store(tmp_path))

    def broken(*_, **__):
        raise OSError("the server is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Tracking, step, broken)
        with pytest.raises(OSError, match="the server is gone"):
            train(config, trials=1, promote="force")
    again = train(config, trials=1, promote="force")
    tracking = Tracking(load_config(config))
    assert tracking.champion() == again.registered.version == {"register": "1", "promote": "2"}[step]
    assert [path.name for path in (tmp_path / "runs").glob(".*")] == []
