import os

import mlflow
import pytest

from pql_model.errors import PqlError
from pql_model.registry import connection as module
from pql_model.registry.tracking import Tracking


def test_the_environment_is_left_as_it_was(logged, config, home, monkeypatch):
    before = {k: v for k, v in os.environ.items() if k.startswith("MLFLOW")}
    Tracking(config).load("1")
    assert {k: v for k, v in os.environ.items() if k.startswith("MLFLOW")} == before
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'other.db'}")
    Tracking(config, f"sqlite:///{home / 'mlflow.db'}").load("1")
    assert os.environ["MLFLOW_TRACKING_URI"] == mlflow.get_tracking_uri() == f"sqlite:///{home / 'other.db'}"


def test_the_store_is_created_completely_or_not_at_all(tmp_path, monkeypatch):
    class Killed:
        def __init__(self, uri, _):
            self.path = uri.removeprefix("sqlite:///")

        def search_experiments(self):
            with open(self.path, "w") as half:
                half.write("half a database")
            raise OSError("killed")

    monkeypatch.setattr(module, "MlflowClient", Killed)
    with pytest.raises(OSError, match="killed"):
        module.make_store(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert [path.name for path in tmp_path.iterdir()] == [".pql"]


def test_an_experiment_that_another_training_makes_at_the_same_moment_is_used(config, monkeypatch):
    tracking = Tracking(config)
    real, asked = tracking.client.get_experiment_by_name, []

    def not_yet(name):
        asked.append(name)
        return None if len(asked) == 1 else real(name)

    monkeypatch.setattr(tracking.client, "get_experiment_by_name", not_yet)
    assert tracking._experiment_id(config.home) == tracking.experiment_id


def test_an_invalid_tracking_uri_is_refused_with_an_explanation(config):
    with pytest.raises(
        PqlError, match=r"MLflow cannot be used: .*Received: nonsense://here. Fix: check MLFLOW_TRACKING_URI"
    ):
        Tracking(config, "nonsense://here")
