"""`mlflow run` with each entry point of `MLproject`, on data with few conversions, against three kinds of store."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from mlflow.tracking import MlflowClient
from mlflow_server import ROOT, environment, mlflow_run, mlflow_server
from products import trial_files

from pql_model.config.load import load_config
from pql_model.registry.project_experiment import PROJECT, config_path
from pql_model.registry.tracking import Tracking

ENTRIES = {
    "check": ("beside", {}),
    "score": ("beside", {"output": "scores.parquet", "model": "challenger"}),
    "backtest": ("database", {"every": "60d", "trials": "2"}),
    "report": ("database", {"output": "report.html"}),
    "daily": ("server", {"output": "daily.csv"}),
    "monitor": ("database", {"output": "monitor.html"}),
    "weekly": ("server", {"trials": "2", "output": "weekly.html"}),
}
"""Every other entry point, on one of the stores after a training there."""


@pytest.mark.parametrize(
    ("words", "config"),
    [
        (["mlflow", "run", str(ROOT)], "pql.yaml"),
        (["/usr/bin/mlflow", "run", "-e", "train", str(ROOT), "-P", "config=a/b.yaml", "-P", "trials=3"], "a/b.yaml"),
        (["/site-packages/mlflow/__main__.py", "run", str(ROOT)], "pql.yaml"),
        (["mlflow", "run", str(ROOT), "-Pconfig=/data/pql.yaml"], "/data/pql.yaml"),
    ],
)
def test_the_config_of_an_mlflow_run_is_found(words, config):
    assert config_path(words) == ROOT / config


@pytest.mark.parametrize(
    "words",
    [
        ["mlflow"],
        ["mlflow", "run", "."],
        ["mlflow", "server", str(ROOT)],
        ["pql", "run", str(ROOT)],
        ["mlflow", "run", "https://example.com/other"],
    ],
)
def test_other_commands_are_left_alone(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MLproject").write_text("name: something else\n")
    assert config_path(words) is None


def test_the_project_file_is_recognised_by_its_first_line():
    assert (ROOT / "MLproject").read_text().splitlines()[0] == PROJECT


# ---------------------------------------------------------------- `mlflow run` itself


@pytest.fixture(scope="module")
def server(tmp_path_factory, shared_folder):
    with mlflow_server(tmp_path_factory.mktemp("server"), shared_folder.empty_store()) as uri:
        yield uri


@pytest.fixture(scope="module")
def train_in(tmp_path_factory, with_store, server):
    """Kind of store -> home, tracking URI, and the finished `mlflow run -e train`; each is trained once."""
    done = {}

    def run(kind):
        if kind not in done:
            home = with_store(tmp_path_factory.mktemp(kind))
            config = trial_files(home, accounts=420 if kind == "database" else 240)  # a backtest needs more
            uri = {"beside": None, "database": f"sqlite:///{home / 'other.db'}", "server": server}[kind]
            if kind == "database":
                (home / "mlflow.db").rename(home / "other.db")
            result = mlflow_run("train", home, uri, config=str(config), promote="force")
            done[kind] = home, uri or f"sqlite:///{home / 'mlflow.db'}", result
        return done[kind]

    return run


slow = pytest.mark.slow


@slow
@pytest.mark.parametrize("kind", ["beside", "database", "server"])
def test_mlflow_run_trains_in_one_experiment_with_its_trials_and_nothing_in_default(train_in, kind):
    home, uri, done = train_in(kind)
    assert done.returncode == 0, done.stderr[-3000:]
    tracking = Tracking(load_config(home / "pql.yaml"), uri)
    registered = tracking.load("champion")
    client = MlflowClient(uri, uri)
    assert client.search_runs([client.get_experiment_by_name("Default").experiment_id]) == []
    runs = client.search_runs([tracking.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    trials = [run for run in runs if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id} == {registered.run_id}
    assert (parent.info.status, parent.data.params["trials"]) == ("FINISHED", "30")  # asked for
    assert parent.data.params["tuning/trials"] == str(len(trials)) != "30"  # few conversions afford fewer
    assert parent.data.tags["mlflow.project.entryPoint"] == "train"


@slow
@pytest.mark.parametrize("entry", list(ENTRIES))
def test_every_other_entry_point_runs(train_in, entry):
    kind, parameters = ENTRIES[entry]
    home, uri, _ = train_in(kind)
    paths = {n: str(home / v) if n == "output" else v for n, v in parameters.items()}
    done = mlflow_run(entry, home, uri, config=str(home / "pql.yaml"), **paths)
    assert done.returncode == 0, done.stderr[-3000:]
    if "output" in paths:
        assert Path(paths["output"]).stat().st_size > 0
    if entry == "score":
        assert set(pd.read_parquet(paths["output"])["model_version"]) <= {"1"}
    client = MlflowClient(uri, uri)
    assert client.search_runs(["0"]) == []


def test_every_entry_point_is_tested():
    project = yaml.safe_load((ROOT / "MLproject").read_text())
    assert set(project["entry_points"]) == {"train", *ENTRIES}


@slow
def test_a_broken_config_ends_with_its_sentence(tmp_path, with_store):
    home = with_store(tmp_path)
    (home / "pql.yaml").write_text("name: x\n")
    done = mlflow_run("check", home, None, config=str(home / "pql.yaml"))
    assert done.returncode != 0
    assert "pql.yaml has" in done.stderr
    assert environment(home)["PYTHONPATH"].startswith(str(home))
