import os

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from small_model import MANIFEST, small_model, small_table
from worlds import product

from pql_model.errors import ModelNotFoundError, PqlError
from pql_model.model.estimate import Estimate
from pql_model.model.tune import Trial
from pql_model.registry.tracking import Record, Tracking

NAN = float("nan")


def record(folder, **changes):
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "card.md").write_text("card")
    given = {
        "params": {"num_leaves": 7, "seed": 7},
        "trials": [Trial(0, {"num_leaves": 7}, 0.71, "complete"), Trial(1, {"num_leaves": 3}, None, "pruned")],
        "metrics": {"roc_auc": Estimate(0.7, 0.6, 0.8), "brier": Estimate(0.1, NAN, NAN)},
        "numbers": {"activity_roc_auc": 0.6},
        "tags": {"verdict": "ready"},
        "files": {".": folder / "files"},
    }
    return Record(**{**given, **changes})


@pytest.fixture(scope="module")
def home(tmp_path_factory, with_store):
    return with_store(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def config(home):
    return product(home, [{"account": "a", "signed_up": "2026-01-01"}], [], [])


@pytest.fixture(scope="module")
def logged(config, home):
    return Tracking(config).log_training(small_model(), record(home))


@pytest.fixture(scope="module")
def client(home):
    return MlflowClient(f"sqlite:///{home / 'mlflow.db'}")


def test_without_a_model_none_is_found_and_the_error_says_what_to_do(tmp_path, with_store):
    config = product(with_store(tmp_path), [{"account": "a", "signed_up": "2026-01-01"}], [], [])
    tracking = Tracking(config)
    assert tracking.find("champion") is None
    assert tracking.find("1") is None
    with pytest.raises(
        ModelNotFoundError, match=r"There is no champion of the model `small-world`.*Do: train with `pql train`"
    ):
        tracking.get("champion")


def test_a_run_holds_parameters_metrics_with_their_interval_tags_and_files(logged, client):
    run = client.get_run(logged.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"num_leaves": "7", "seed": "7"}
    assert run.data.metrics == {
        "roc_auc": 0.7, "roc_auc_low": 0.6, "roc_auc_high": 0.8, "brier": 0.1, "activity_roc_auc": 0.6,
    }  # fmt: skip
    assert run.data.tags["verdict"] == "ready"
    assert [item.path for item in client.list_artifacts(logged.run_id)] == ["card.md"]


def test_every_trial_is_a_run_inside_the_run(logged, client):
    experiment = client.get_run(logged.run_id).info.experiment_id
    runs = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{logged.run_id}'")
    found = sorted((r.info.run_name, r.info.status, r.data.params, r.data.metrics) for r in runs)
    assert found == [
        ("trial 0", "FINISHED", {"num_leaves": "7"}, {"fold_roc_auc": 0.71}),
        ("trial 1", "KILLED", {"num_leaves": "3"}, {}),
    ]


def test_a_new_version_is_the_challenger_and_becomes_champion_when_promoted(logged, config, home):
    tracking = Tracking(config)
    assert tracking.get("challenger").version == logged.version == "1"
    tracking.promote("1")
    second = tracking.log_training(small_model(seed=2), record(home))
    assert (tracking.get("champion").version, tracking.get("challenger").version, second.version) == ("1", "2", "2")
    assert tracking.get("1").run_id == logged.run_id


def test_a_model_comes_back_bit_for_bit(logged, config):
    assert Tracking(config).get("1").model.ensemble.texts() == small_model().ensemble.texts()


def test_the_model_that_is_stored_holds_no_pickle(logged, home):
    stored = [path for path in (home / "mlruns" / "models").rglob("*") if path.is_file()]
    assert {path.suffix for path in stored} == {".txt", ".json", ".yaml", ".py", ""}  # "" is MLmodel
    assert not any(path.read_bytes().startswith(b"\x80") for path in stored)
    (about, *_) = (home / "mlruns" / "models").rglob("MLmodel")
    assert "model_code_path" in about.read_text()
    assert "python_model.pkl" not in about.read_text()


def test_the_environment_is_left_as_it_was(config, home, monkeypatch):
    before = {k: v for k, v in os.environ.items() if k.startswith("MLFLOW")}
    Tracking(config).get("1")
    assert {k: v for k, v in os.environ.items() if k.startswith("MLFLOW")} == before
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'other.db'}")
    Tracking(config, f"sqlite:///{home / 'mlflow.db'}").get("1")
    assert os.environ["MLFLOW_TRACKING_URI"] == mlflow.get_tracking_uri() == f"sqlite:///{home / 'other.db'}"


def test_a_run_that_breaks_while_it_logs_leaves_no_version(config, home, client, monkeypatch):
    def broken(self, model):
        raise OSError("disk full")

    before = len(client.search_model_versions("name = 'small-world'"))
    monkeypatch.setattr(Tracking, "_log_model", broken)
    with pytest.raises(OSError, match="disk full"):
        Tracking(config).log_training(small_model(), record(home))
    assert len(client.search_model_versions("name = 'small-world'")) == before
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_a_tracking_server_that_makes_no_sense_is_refused_in_words(config):
    with pytest.raises(
        PqlError, match=r"MLflow cannot be used: .*Received: nonsense://here. Do: check MLFLOW_TRACKING_URI"
    ):
        Tracking(config, "nonsense://here")


def test_the_stored_model_takes_missing_values_other_orders_and_what_conforms(logged, config, home):
    table = small_table(rows=20)[0].fillna({"trait.seats": 5})
    texts = MANIFEST.conform(table.astype({"trait.seats": "string", "Teammate+Invited.count.first_7d": "int64"}))
    blank = table.assign(**{"trait.size": None, "trait.seats": np.nan})
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    try:
        model = mlflow.pyfunc.load_model("models:/small-world/1")
        for given in (table, texts, blank, table[table.columns[::-1]]):
            expected = small_model().probability(given.reindex(columns=table.columns))
            np.testing.assert_allclose(model.predict(given)["probability"], expected, rtol=0, atol=1e-12)
    finally:
        mlflow.set_tracking_uri(None)
        os.environ.pop("MLFLOW_TRACKING_URI", None)
