import json
import os
from dataclasses import replace

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from products import freemium_files, trial_files, weekly_counts
from sklearn.metrics import roc_auc_score

from pql_model.config.load import load_config
from pql_model.model.verdict import Verdict
from pql_model.pipelines.train import _compare, train
from pql_model.registry.tracking import Tracking

INTERVAL = {"value", "low", "high"}


@pytest.fixture(scope="module")
def told(trained):
    return json.loads(json.dumps(trained.as_json(), allow_nan=False))


@pytest.fixture(scope="module")
def client(trained):
    return MlflowClient(f"sqlite:///{trained.folder.parent.parent / 'mlflow.db'}")


def test_the_json_has_every_field_of_the_contract(told):
    assert {
        "run_id", "model", "verdict", "snapshots", "test", "baselines", "leakage", "promotion", "features", "seconds",
        "files",
    } <= set(told)  # fmt: skip
    assert set(told["model"]) == {"name", "version", "alias"}
    assert told["verdict"] in ("ready", "weak", "no_signal", "too_few_conversions")
    for part in ("train", "test"):
        assert {"rows", "entities", "conversions", "from", "to"} <= set(told["snapshots"][part])
    assert all(isinstance(count, int) for count in told["snapshots"]["left_out"].values())
    metrics = ("roc_auc", "average_precision", "brier", "log_loss", "calibration_error", "lift_at_10pct")
    assert all(set(told["test"][name]) == INTERVAL for name in metrics)
    assert isinstance(told["test"]["base_rate"], float)
    for name in ("activity", "logistic_regression", "definition"):
        assert set(told["baselines"][name]["roc_auc"]) == INTERVAL
    assert all({"column", "reason", "auc", "action"} <= set(leak) for leak in told["leakage"])
    assert (type(told["promotion"]["promoted"]), type(told["promotion"]["reason"])) == (bool, str)
    assert told["features"] > 50
    assert {"read", "features", "tune and fit"} <= set(told["seconds"])
    assert os.path.isfile(told["files"]["test_predictions"])


def test_the_planted_leaks_are_quarantined_and_never_reach_the_model(trained, told):
    assert {leak["column"] for leak in told["leakage"]} == {"trait.lifetime_logins", "trait.account_manager"}
    names = trained.registered.model.manifest.names
    assert not [name for name in names if "lifetime_logins" in name or "account_manager" in name]
    assert 0.5 < told["test"]["roc_auc"]["value"] < 0.85


def test_the_predictions_have_every_test_row_and_the_metric_can_be_repeated(trained, told):
    table = pd.read_parquet(told["files"]["test_predictions"])
    assert list(table.columns) == ["entity", "as_of", "converted", "probability"]
    later = trained.prepared.snapshots.frame[trained.prepared.split.test]
    assert table["entity"].tolist() == later["entity"].tolist()
    assert table["as_of"].dt.as_unit("us").astype("int64").tolist() == later["as_of"].tolist()
    assert table["converted"].tolist() == later["converted"].tolist()
    assert len(table) == told["snapshots"]["test"]["rows"]
    auc = roc_auc_score(table["converted"], table["probability"])
    assert auc == pytest.approx(told["test"]["roc_auc"]["value"], abs=1e-6)
    assert table["converted"].mean() == pytest.approx(told["test"]["base_rate"], abs=1e-6)


def test_training_and_test_hold_different_entities_and_the_horizon_lies_between(trained):
    frame, split = trained.prepared.snapshots.frame, trained.prepared.split
    assert not set(frame["entity"][split.train]) & set(frame["entity"][split.test])
    horizon = 30 * 86_400_000_000
    assert frame["as_of"][split.train].max() + horizon <= frame["as_of"][split.test].min()


def test_the_run_holds_everything_a_reader_needs(trained, told, client):
    run = client.get_run(told["run_id"])
    assert run.info.status == "FINISHED"
    assert {"num_leaves", "learning_rate", "averaged", "trials", "folds", "seed"} <= set(run.data.params)
    for end in ("", "_low", "_high"):
        assert f"roc_auc{end}" in run.data.metrics
    assert run.data.metrics["roc_auc"] == pytest.approx(told["test"]["roc_auc"]["value"], abs=1e-6)
    assert run.data.metrics["activity_roc_auc"] > 0.4
    assert {"verdict", "promotion", "data_digest", "feature_set"} <= set(run.data.tags)
    files = {item.path for item in client.list_artifacts(told["run_id"])}
    assert files >= {
        "config.yaml", "features.json", "leakage.json", "model_card.md", "test_predictions.parquet", "calibration.png",
        "tradeoff.png", "importance.png", "behaviours.csv", "months.csv", "reliability.csv",
    }  # fmt: skip
    assert files == {path.name for path in trained.folder.iterdir()}
    trials = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{told['run_id']}'")
    assert len(trials) == 2


def test_nothing_half_made_is_left_and_the_environment_is_as_it_was(trained):
    home = trained.folder.parent.parent
    assert [path.name for path in (home / "runs").iterdir() if path.name.startswith(".")] == []
    assert not list(home.rglob("*.journal"))
    assert not list(home.rglob("*.part"))
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_the_same_data_again_give_the_same_model_bit_for_bit_which_is_not_promoted(trained, retrained):
    first, second = trained.registered, retrained.registered
    assert (first.version, second.version) == ("1", "2")
    assert second.model.ensemble.texts() == first.model.ensemble.texts()
    assert second.model.calibration == first.model.calibration
    assert second.model.manifest == first.model.manifest
    assert trained.promotion.promoted
    assert not retrained.promotion.promoted
    assert "ROC-AUC differs by +0.000 (likely +0.000 to +0.000)" in retrained.promotion.reason
    assert (trained.as_json()["model"]["alias"], retrained.as_json()["model"]["alias"]) == ("champion", "challenger")
    tracking = Tracking(load_config(trained.folder / "../../pql.yaml"))
    assert (tracking.get("champion").version, tracking.get("challenger").version) == ("1", "2")


@pytest.mark.parametrize(
    ("facts", "gone", "why"),
    [
        ({"horizon": "60d"}, [], "the champion answers another question"),
        ({"labels_until": 2}, [], "the champion has learnt from part of this test period"),
        ({}, ["trait.region"], "the champion's columns ['trait.region'] are gone"),
    ],
)
def test_a_champion_that_cannot_be_compared_stays_with_the_reason(trained, facts, gone, why):
    ours = replace(
        trained.registered.model, facts={**trained.registered.model.facts, "test_start": 1, "labels_until": 0}
    )
    champion = replace(trained.registered, model=replace(ours, facts={**ours.facts, **facts}))
    table = trained.prepared.table[trained.prepared.split.test].drop(columns=gone)
    later = trained.prepared.snapshots.frame[trained.prepared.split.test]
    found = _compare(champion, ours, table, later, Verdict("ready", "", ""), "auto", 7)
    assert not found.promoted
    assert found.reason.startswith("not promoted: ")
    assert why in found.reason


# ---------------------------------------------------------------- a small trial: interrupted, forced


@pytest.fixture(scope="module")
def small(tmp_path_factory, with_store):
    return trial_files(with_store(tmp_path_factory.mktemp("small")))


def test_a_run_that_breaks_while_it_logs_leaves_nothing_and_can_be_run_again(small, monkeypatch):
    def broken(self, model):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Tracking, "_log_model", broken)
        with pytest.raises(OSError, match="disk full"):
            train(small, trials=1)
    tracking = Tracking(load_config(small))
    assert tracking.find("1") is None
    assert tracking.find("challenger") is None
    assert list((small.parent / "runs").iterdir()) == []
    assert len(list((small.parent / ".pql" / "tuning").glob("*.journal"))) == 1  # tuning need not be done again

    forced = train(small, trials=1, promote="force")
    assert [path.name for path in (small.parent / "runs").iterdir()] == [forced.registered.run_id]
    assert forced.promotion.promoted
    assert tracking.get("champion").version == "1"
    _plain_mlflow_scores_number_traits(small.parent, forced)


def _plain_mlflow_scores_number_traits(home, result):
    """Numbers written as texts: the feature table must hold numbers all the same."""
    table = result.prepared.table[result.prepared.split.test]
    assert "trait.seats" in result.registered.model.manifest.names
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    try:
        found = mlflow.pyfunc.load_model("models:/small-trial@champion").predict(table)
    finally:
        mlflow.set_tracking_uri(None)
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    expected = pd.read_parquet(result.folder / "test_predictions.parquet")["probability"]
    np.testing.assert_allclose(found["probability"], expected, rtol=0, atol=1e-12)


# ---------------------------------------------------------------- other shapes


@pytest.fixture(scope="module")
def freemium(tmp_path_factory, with_store):
    config, rows = freemium_files(with_store(tmp_path_factory.mktemp("freemium")))
    return config, rows, train(config, trials=1, promote="force")


def test_freemium_from_several_gz_files_late_rows_values_and_json_lines(freemium):
    _, rows, result = freemium
    told = result.as_json()
    assert result.prepared.sources.events.rows_read == rows
    assert told["test"]["roc_auc"]["value"] > 0.6
    assert set(told["unseen_entities"]["roc_auc"]) == INTERVAL  # beside all later rows
    names = result.registered.model.manifest.names
    assert "file+uploaded.sum.megabytes.last_28d" in names
    assert "trait.size" in names
    assert told["snapshots"]["left_out"]["immature"] > 0


def test_the_order_of_the_rows_in_the_files_changes_nothing(freemium, tmp_path, with_store):
    config, _, result = freemium
    home = with_store(tmp_path)
    for path in sorted(config.parent.iterdir()):
        if path.suffix == ".jsonl":
            (home / path.name).write_text("".join(path.read_text().splitlines(keepends=True)[::-1]))
        elif path.name.endswith((".csv", ".csv.gz")) and path.is_file():
            pd.read_csv(path, dtype=str).sample(frac=1, random_state=3).to_csv(home / path.name, index=False)
    (home / "pql.yaml").write_text(config.read_text())
    again = train(home / "pql.yaml", trials=1, promote="never")
    assert again.registered.model.ensemble.texts() == result.registered.model.ensemble.texts()
    assert again.registered.model.calibration == result.registered.model.calibration
    assert again.registered.model.manifest == result.registered.model.manifest


def test_a_weekly_table_that_is_already_counted_and_without_sign_ups(tmp_path, with_store):
    result = train(weekly_counts(with_store(tmp_path)), trials=1, promote="never")
    told = result.as_json()
    assert told["model"] == {"name": "weekly-portals", "version": "1", "alias": "challenger"}
    assert told["promotion"] == {"promoted": False, "reason": "not promoted: promotion was switched off"}
    names = result.registered.model.manifest.names
    assert {"email_sent.count.last_28d", "email_sent.distinct_users.last_28d", "trait.country"} <= set(names)
    assert not [name for name in names if "signup" in name or ".first_" in name]
    assert told["test"]["roc_auc"]["value"] > 0.55
