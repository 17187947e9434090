"""Shared trainings are what a training of one's own would be."""

import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from products import trial_files
from shared_training import SharedFolder

from pql_model.config.load import load_config
from pql_model.registry.tracking import Tracking


@dataclass(frozen=True)
class Result:
    folder: Path
    texts: tuple[str, ...]


class Trainings:
    """Stands for `train`: leaves a run with an artifact, and counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, config, **options):
        self.calls += 1
        home = config.parent
        client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
        experiment = client.create_experiment("demo", artifact_location=str(home / "mlruns"))
        run = client.create_run(experiment)
        (home / "made.txt").write_text(f"in {home}\n")
        client.log_artifact(run.info.run_id, str(home / "made.txt"))
        return Result(home / "runs", (str(home / "made.txt"), "another text"))


@pytest.fixture
def shared(tmp_path, shared_folder, monkeypatch):
    folder = SharedFolder(tmp_path / "shared")
    monkeypatch.setattr(folder, "empty_store", shared_folder.empty_store)
    return folder


def home_of(folder, text="data"):
    folder.mkdir()
    (folder / "data.csv").write_text(text)
    (folder / "pql.yaml").write_text("name: demo\n")
    return folder / "pql.yaml"


def test_the_same_data_and_arguments_are_trained_once(shared, tmp_path):
    train = Trainings()
    for name in ("a", "b"):
        shared.train(train, home_of(tmp_path / name), trials=1)
    assert train.calls == 1
    shared.train(train, home_of(tmp_path / "c"), trials=2)
    shared.train(train, home_of(tmp_path / "d", text="other data"), trials=1)
    assert train.calls == 3


def test_a_training_with_an_object_among_its_arguments_is_not_shared(shared, tmp_path, with_store):
    train = Trainings()
    for name in ("a", "b"):
        with_store(tmp_path / name).joinpath("pql.yaml").touch()
        shared.train(train, tmp_path / name / "pql.yaml", learner=object())
    assert train.calls == 2


def test_every_path_of_a_copy_is_in_the_requested_folder(shared, tmp_path):
    results = [shared.train(Trainings(), home_of(tmp_path / name)) for name in ("a", "b")]
    for name, result in zip(("a", "b"), results, strict=True):
        home = tmp_path / name
        assert result == Result(home / "runs", (str(home / "made.txt"), "another text"))
        assert (home / "made.txt").read_text() == f"in {home}\n"
        client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
        [run] = client.search_runs([client.get_experiment_by_name("demo").experiment_id])
        assert run.info.artifact_uri.startswith(str(home / "mlruns"))
        assert [item.path for item in client.list_artifacts(run.info.run_id)] == ["made.txt"]


def test_a_training_that_fails_is_tried_again_by_the_next_caller(shared, tmp_path):
    def fails(config, **options):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        shared.train(fails, home_of(tmp_path / "a"))
    train = Trainings()
    shared.train(train, home_of(tmp_path / "b"))
    assert train.calls == 1


def test_a_copied_model_is_the_trained_one_and_may_be_changed(train_once, with_store, tmp_path):
    configs = [trial_files(with_store(tmp_path / name)) for name in ("a", "b")]
    first, second = (train_once(config, trials=1, promote="force") for config in configs)
    assert first.registered.model.predictor.save() == second.registered.model.predictor.save()
    assert pickle.dumps(first.registered.model.facts) == pickle.dumps(second.registered.model.facts)
    assert second.folder == tmp_path / "b" / "runs" / second.registered.run_id
    trackings = [Tracking(load_config(config)) for config in configs]
    loaded = trackings[1].load("champion").model
    assert loaded.predictor.save() == first.registered.model.predictor.save()
    trackings[1].client.delete_registered_model("small-trial")
    assert trackings[0].champion() == "1"
