import json
import os

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from products import freemium_files, trial_files, weekly_counts
from sklearn.metrics import roc_auc_score

from pql_model.config.load import load_config
from pql_model.errors import DataError
from pql_model.evaluation.gate import Incomparable
from pql_model.registry.tracking import Tracking
from pql_model.workflows.train import _against, _champion_manifest, train

INTERVAL = {"value", "low", "high"}


@pytest.fixture(scope="module")
def payload(trained):
    return json.loads(json.dumps(trained.to_dict(), allow_nan=False))


@pytest.fixture(scope="module")
def client(trained):
    return MlflowClient(f"sqlite:///{trained.folder.parent.parent / 'mlflow.db'}")


def test_the_json_has_every_field_of_the_contract(payload):
    assert {
        "run_id",
        "model",
        "verdict",
        "snapshots",
        "test",
        "baselines",
        "leakage",
        "promotion",
        "features",
        "seconds",
        "files",
    } <= set(payload)
    assert set(payload["model"]) == {"name", "version", "alias"}
    assert payload["verdict"] in ("ready", "weak", "no_signal", "too_few_conversions")
    for part in ("train", "test"):
        assert {"rows", "entities", "conversions", "from", "to"} <= set(payload["snapshots"][part])
    assert all(isinstance(count, int) for count in payload["snapshots"]["left_out"].values())
    metrics = ("roc_auc", "average_precision", "brier", "log_loss", "calibration_error", "lift_at_10pct")
    assert all(set(payload["test"][name]) == INTERVAL for name in metrics)
    assert isinstance(payload["test"]["base_rate"], float)
    for name in ("activity", "logistic_regression", "definition"):
        assert set(payload["baselines"][name]["roc_auc"]) == INTERVAL
    assert all({"column", "reason", "auc", "action"} <= set(leak) for leak in payload["leakage"])
    assert (type(payload["promotion"]["promoted"]), type(payload["promotion"]["reason"])) == (bool, str)
    assert payload["features"] > 50
    assert payload["folds"] == {"kind": "expanding", "used": 4, "left_out": []}
    assert {"read", "features", "tune and fit"} <= set(payload["seconds"])
    assert os.path.isfile(payload["files"]["test_predictions"])


def test_the_json_has_verdict_would_change_and_calibration(trained, payload):
    assert payload["verdict_would_change"] == trained.verdict.would_change
    assert payload["supported"] is None  # the model can be used
    calibration = payload["calibration"]
    assert {"method", "sentence", "months", "base_rate", "raw", "corrected", "better"} <= set(calibration)
    assert sum(month["rows"] for month in calibration["months"]) == payload["snapshots"]["test"]["rows"]
    assert calibration["raw"]["observed"] == payload["snapshots"]["test"]["conversions"]
    assert calibration["raw"]["log_loss"] == payload["test"]["log_loss"]
    predictions = pd.read_parquet(payload["files"]["test_predictions"])  # what is served is the raw probability
    assert calibration["raw"]["expected"] == pytest.approx(predictions["probability"].sum(), abs=0.01)
    by_month = calibration["base_rate"]["by_month"]
    assert sum(month["rows"] for month in by_month) == len(trained.prepared.snapshots.frame)


def test_the_planted_leaks_are_quarantined_and_never_reach_the_model(trained, payload):
    assert {leak["column"] for leak in payload["leakage"]} == {"trait.lifetime_logins", "trait.account_manager"}
    names = trained.registered.model.manifest.names
    assert not [name for name in names if "lifetime_logins" in name or "account_manager" in name]
    assert 0.5 < payload["test"]["roc_auc"]["value"] < 0.85


def test_the_predictions_have_every_test_row_and_the_metric_can_be_repeated(trained, payload):
    table = pd.read_parquet(payload["files"]["test_predictions"])
    assert list(table.columns) == ["entity", "as_of", "converted", "probability"]
    later = trained.prepared.snapshots.frame[trained.prepared.split.test]
    assert table["entity"].tolist() == later["entity"].tolist()
    assert table["as_of"].dt.as_unit("us").astype("int64").tolist() == later["as_of"].tolist()
    assert table["converted"].tolist() == later["converted"].tolist()
    assert len(table) == payload["snapshots"]["test"]["rows"]
    auc = roc_auc_score(table["converted"], table["probability"])
    assert auc == pytest.approx(payload["test"]["roc_auc"]["value"], abs=1e-6)
    assert table["converted"].mean() == pytest.approx(payload["test"]["base_rate"], abs=1e-6)


def test_training_and_test_have_different_entities_a_horizon_apart(trained):
    frame, split = trained.prepared.snapshots.frame, trained.prepared.split
    assert not set(frame["entity"][split.train]) & set(frame["entity"][split.test])
    horizon = 30 * 86_400_000_000
    assert frame["as_of"][split.train].max() + horizon <= frame["as_of"][split.test].min()


def test_the_run_has_everything_a_reader_needs(trained, payload, client):
    run = client.get_run(payload["run_id"])
    assert run.info.status == "FINISHED"
    model = {f"model/{name}" for name in ("num_leaves", "learning_rate", "averaged")}
    assert model | {"tuning/trials", "tuning/folds", "tuning/seed"} <= set(run.data.params)
    result = payload["test"]["roc_auc"]
    assert run.data.metrics["test/roc_auc"] == pytest.approx(result["value"], abs=1e-6)
    for end in ("low", "high"):
        assert run.data.metrics[f"interval/roc_auc_{end}"] == pytest.approx(result[end], abs=1e-6)
    assert run.data.metrics["auc/test"] == run.data.metrics["test/roc_auc"]
    assert run.data.metrics["baseline activity/roc_auc"] > 0.4
    assert {"verdict", "gate", "features"} <= set(run.data.tags)
    assert run.data.tags["mlflow.note.content"] == trained.verdict.sentence
    assert "forced" not in run.data.tags
    files = {item.path for item in client.list_artifacts(payload["run_id"])}
    assert files >= {
        "config.yaml",
        "features.json",
        "leakage.json",
        "model_card.md",
        "test_predictions.parquet",
        "calibration.png",
        "tradeoff.png",
        "importance.png",
        "promotion.json",
        "behaviours.csv",
        "months.csv",
        "reliability.csv",
        "expected_observed.png",
        "expected_vs_observed.json",
    }
    assert files == {path.name for path in trained.folder.iterdir()}
    trials = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{payload['run_id']}'")
    assert len(trials) == 2


def test_no_partial_files_are_left_and_the_environment_is_unchanged(trained):
    home = trained.folder.parent.parent
    assert [path.name for path in (home / "runs").iterdir() if path.name.startswith(".")] == []
    assert not list(home.rglob("*.journal"))
    assert not list(home.rglob("*.part"))
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_the_same_data_give_a_bit_identical_model_that_is_not_promoted(trained, retrained):
    first, second = trained.registered, retrained.registered
    assert (first.version, second.version) == ("1", "2")
    assert second.model.predictor.save() == first.model.predictor.save()
    assert second.model.calibration == first.model.calibration
    assert second.model.manifest == first.model.manifest
    assert trained.promotion.promoted
    assert not retrained.promotion.promoted
    assert "ROC-AUC differs by +0.000 (+0.000 to +0.000)" in retrained.promotion.reason
    written = json.loads((retrained.folder / "promotion.json").read_text())
    assert written == retrained.to_dict()["promotion"]
    assert written["comparison"]["champion"] == "1"
    assert retrained.promotion.reason[1:] in (retrained.folder / "model_card.md").read_text()
    assert (trained.to_dict()["model"]["alias"], retrained.to_dict()["model"]["alias"]) == ("champion", "challenger")
    tracking = Tracking(load_config(trained.folder / "../../pql.yaml"))
    assert (tracking.load("champion").version, tracking.load("challenger").version) == ("1", "2")


def test_an_unreadable_champion_does_not_stop_a_training_and_is_named_by_the_gate(trained):
    class Broken:
        def load_if_registered(self, alias):
            raise DataError("its files are gone")

    assert _champion_manifest(Broken()) is None
    result = _against(Broken(), trained.registered.model, None, None, 7)
    assert result == Incomparable("the champion cannot be compared with. its files are gone.")


# ---------------------------------------------------------------- a small trial: interrupted, forced


@pytest.fixture(scope="module")
def small(tmp_path_factory, with_store):
    return trial_files(with_store(tmp_path_factory.mktemp("small")))


@pytest.mark.slow
def test_a_run_that_breaks_while_it_logs_leaves_nothing_and_can_be_run_again(small, monkeypatch):
    def broken(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Tracking, "_log_model", broken)
        with pytest.raises(OSError, match="disk full"):
            train(small, trials=1)
    tracking = Tracking(load_config(small))
    assert tracking.load_if_registered("1") is None
    assert tracking.load_if_registered("challenger") is None
    assert list((small.parent / "runs").iterdir()) == []
    assert len(list((small.parent / ".pql" / "tuning").glob("*.journal"))) == 1  # tuning need not be done again

    forced = train(small, trials=1, promote="force")
    assert [path.name for path in (small.parent / "runs").iterdir()] == [forced.registered.run_id]
    assert forced.promotion.promoted
    assert tracking.load("champion").version == "1"
    (version,) = tracking.versions()
    assert (version.forced, version.promotion) == (True, forced.promotion.reason)
    tags = tracking.client.get_run(forced.registered.run_id).data.tags
    assert (tags["verdict"], tags["gate"]) == (forced.verdict.name, "forced")
    assert tags["mlflow.note.content"] == forced.verdict.sentence
    assert version.promotion == f"promoted by force; gate decision: {forced.promotion.gate.text}"
    _plain_mlflow_scores_number_traits(small.parent, forced)


def _plain_mlflow_scores_number_traits(home, result):
    """Numbers written as texts: the feature table must hold numbers all the same."""
    table = result.prepared.table[result.prepared.split.test]
    assert "trait.seats" in result.registered.model.manifest.names
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    try:
        actual = mlflow.pyfunc.load_model("models:/small-trial@champion").predict(table)
    finally:
        mlflow.set_tracking_uri(None)
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    expected = pd.read_parquet(result.folder / "test_predictions.parquet")["probability"]
    np.testing.assert_allclose(actual["probability"], expected, rtol=0, atol=1e-12)


def test_a_decreasing_monotone_constraint_is_respected(tmp_path, with_store):
    config = trial_files(
        with_store(tmp_path), monotone={"login": "decreasing", "login.days_since_last.ever": "increasing"}
    )
    result = train(config, trials=1, promote="never")
    model = result.registered.model
    table = result.prepared.table[result.prepared.split.test]
    held = [name for name in model.manifest.names if name.startswith("login.") and "days_since_last" not in name]
    assert held
    before = model.margin(table)
    for name in held:
        assert (model.margin(table.assign(**{name: table[name] + 3})) <= before + 1e-12).all()


# ---------------------------------------------------------------- other shapes


@pytest.fixture(scope="module")
def freemium(tmp_path_factory, with_store):
    config, rows = freemium_files(with_store(tmp_path_factory.mktemp("freemium")))
    return config, rows, train(config, trials=1, promote="force")


@pytest.mark.slow
def test_freemium_from_several_gz_files_late_rows_values_and_json_lines(freemium):
    _, rows, result = freemium
    payload = result.to_dict()
    assert result.prepared.sources.events.rows_read == rows
    assert payload["test"]["roc_auc"]["value"] > 0.6
    assert set(payload["unseen_entities"]["roc_auc"]) == INTERVAL  # beside all later rows
    names = result.registered.model.manifest.names
    assert "file+uploaded.sum.megabytes.last_28d" in names
    assert "trait.size" in names
    assert payload["snapshots"]["left_out"]["immature"] > 0


@pytest.mark.slow
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
    assert again.registered.model.predictor.save() == result.registered.model.predictor.save()
    assert again.registered.model.calibration == result.registered.model.calibration
    assert again.registered.model.manifest == result.registered.model.manifest


@pytest.mark.slow
def test_a_weekly_table_that_is_already_counted_and_without_sign_ups(tmp_path, with_store):
    result = train(weekly_counts(with_store(tmp_path)), trials=1, promote="never")
    payload = result.to_dict()
    assert payload["model"] == {"name": "weekly-portals", "version": "1", "alias": "challenger"}
    assert not payload["promotion"]["promoted"]
    assert payload["promotion"]["reason"].startswith("not promoted: promotion was switched off; gate decision: ")
    assert payload["promotion"]["mode"] == "never"
    names = result.registered.model.manifest.names
    assert {"email_sent.count.last_28d", "email_sent.distinct_users.last_28d", "trait.country"} <= set(names)
    assert not [name for name in names if "signup" in name or ".first_" in name]
    assert payload["test"]["roc_auc"]["value"] > 0.55


# ---------------------------------------------------------------- too few conversions


def test_a_dozen_conversions_give_a_verdict_with_the_base_rate_and_single_behaviours(tmp_path, with_store):
    result = train(trial_files(with_store(tmp_path), accounts=45), trials=1)
    payload = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert (payload["verdict"], payload["promotion"]["promoted"]) == ("too_few_conversions", False)
    assert "More conversions: at the current pace" in payload["verdict_would_change"]
    supported = payload["supported"]
    assert supported["base_rate"]["looks"] == len(result.prepared.snapshots.frame)
    assert 5 <= supported["base_rate"]["conversions"] <= 20
    assert {behaviour["event"] for behaviour in supported["behaviours"]} <= {"login", "upload"}
    assert json.loads((result.folder / "supported.json").read_text()) == supported
    assert "## What the data do support" in (result.folder / "model_card.md").read_text()
