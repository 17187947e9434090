import json
import os
from pathlib import Path

import mlflow
import pytest
import yaml
from records import add, record
from small_model import small_model

from pql_model.registry.runs import PLACE
from pql_model.registry.tracking import Tracking


def test_a_run_has_parameters_metrics_with_intervals_tags_and_files(logged, client):
    run = client.get_run(logged.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"model/num_leaves": "7", "tuning/trials": "2"}
    assert run.data.metrics == {
        "test/roc_auc": 0.7,
        "interval/roc_auc_low": 0.6,
        "interval/roc_auc_high": 0.8,
        "test/brier": 0.1,
        "baseline activity/roc_auc": 0.6,
        "data/features": 5.0,
    }
    assert run.data.tags["verdict"] == "ready"
    assert [item.path for item in client.list_artifacts(logged.run_id)] == ["card.md"]


def test_a_run_has_a_readable_name_and_description(logged, client):
    run = client.get_run(logged.run_id)
    assert run.info.run_name == "2026-01-01 00:00 ready"
    assert run.data.tags["mlflow.note.content"] == "On later accounts the model holds."


def test_the_data_are_an_input_of_the_run_without_their_rows(logged, client):
    (used,) = client.get_run(logged.run_id).inputs.dataset_inputs
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]
    assert (used.dataset.name, used.dataset.digest) == ("small-world training", "0123456789abcdef")
    assert json.loads(used.dataset.profile)["num_rows"] == 50
    assert "a0001" not in used.dataset.schema + used.dataset.profile + used.dataset.source


def test_the_logged_model_has_the_metrics_of_its_run(logged, client):
    run = client.get_run(logged.run_id)
    (output,) = run.outputs.model_outputs
    metrics = {metric.key: metric.value for metric in client.get_logged_model(output.model_id).metrics}
    assert metrics == run.data.metrics


def test_every_trial_is_a_run_inside_the_run(logged, client):
    experiment = client.get_run(logged.run_id).info.experiment_id
    runs = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{logged.run_id}'")
    result = sorted((r.info.run_name, r.info.status, r.data.params, r.data.metrics) for r in runs)
    assert result == [
        ("trial 0", "FINISHED", {"model/num_leaves": "7"}, {"fold/roc_auc": 0.71}),
        ("trial 1", "KILLED", {"model/num_leaves": "3"}, {}),
    ]


def project_run(tracking, monkeypatch, name, experiment="0"):
    """A run as `mlflow run` opens one before it starts our command."""
    run = tracking.client.create_run(experiment, run_name=name).info.run_id
    tracking.client.log_param(run, "trials", "30")
    monkeypatch.setenv("MLFLOW_RUN_ID", run)
    return run


@pytest.mark.parametrize(
    ("name", "after"), [(None, "2026-01-01 00:00 ready"), ("nightly", "nightly")], ids=["generated", "own"]
)
def test_a_run_opened_by_mlflow_run_is_continued(fresh, tmp_path, monkeypatch, name, after):
    run_id = project_run(fresh, monkeypatch, name, fresh.experiment_id)
    logged = fresh.log(small_model(), record(tmp_path))
    assert logged.run_id == run_id
    run = fresh.client.get_run(run_id)
    assert (run.info.run_name, run.info.status) == (after, "FINISHED")
    assert run.data.params == {"trials": "30", "model/num_leaves": "7", "tuning/trials": "2"}


def test_trials_go_to_the_experiment_of_their_run(fresh, tmp_path, monkeypatch):
    """The user may have named another experiment."""
    other = fresh.client.create_experiment("other", artifact_location=(tmp_path / "other").as_uri())
    run_id = project_run(fresh, monkeypatch, None, other)
    fresh.log(small_model(), record(tmp_path))
    assert fresh.client.search_runs([fresh.experiment_id]) == []
    runs = fresh.client.search_runs([other])
    assert {run.data.tags.get("mlflow.parentRunId") for run in runs} == {None, run_id}


def test_an_active_run_of_the_caller_becomes_the_parent(fresh, tmp_path):
    with fresh.session(), mlflow.start_run(experiment_id=fresh.experiment_id) as outer:
        logged = fresh.log(small_model(), record(tmp_path, trials=[]))
    assert fresh.client.get_run(logged.run_id).data.tags["mlflow.parentRunId"] == outer.info.run_id


def test_no_entry_point_parameter_is_also_logged_by_the_run(logged, client):
    project = yaml.safe_load((Path(__file__).parents[2] / "MLproject").read_text())
    parameters = {name for entry in project["entry_points"].values() for name in entry.get("parameters", {})}
    assert parameters
    assert all("/" in name for name in client.get_run(logged.run_id).data.params)
    assert not any("/" in name for name in parameters)


def test_a_run_that_breaks_while_it_logs_leaves_no_version(config, home, client, monkeypatch):
    def broken(*_):
        raise OSError("disk full")

    before = len(client.search_model_versions("name = 'small-world'"))
    monkeypatch.setattr(Tracking, "_log_model", broken)
    with pytest.raises(OSError, match="disk full"):
        add(Tracking(config), home)
    assert len(client.search_model_versions("name = 'small-world'")) == before
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_runs_that_a_killed_process_left_running_are_closed_by_the_next_and_others_are_not(fresh, tmp_path):
    place = {PLACE: fresh.place}
    dead, elsewhere, by_hand = (
        fresh.client.create_run(fresh.experiment_id, tags=tags).info.run_id
        for tags in (place, {PLACE: "another folder"}, {})
    )
    logged = fresh.log(small_model(), record(tmp_path))
    status = {run.info.run_id: run.info.status for run in fresh.client.search_runs([fresh.experiment_id])}
    assert (status[dead], status[elsewhere], status[by_hand]) == ("KILLED", "RUNNING", "RUNNING")
    assert status[logged.run_id] == "FINISHED"
    assert fresh.versions() == []  # logged, not registered


def test_looks_of_the_monitor_are_points_of_one_run_and_a_repeated_look_adds_none(logged, config, client):
    tracking = Tracking(config)
    day = 86_400_000_000
    first = tracking.log_monitoring(
        20_000 * day, {"monitor/roc_auc": 0.7, "monitor/lift": float("nan")}, {"advice": "keep"}
    )
    again = tracking.log_monitoring(20_000 * day, {"monitor/roc_auc": 0.7}, {"advice": "keep"})
    later = tracking.log_monitoring(20_007 * day, {"monitor/roc_auc": 0.6}, {"advice": "retrain"})
    run = client.get_run(first)

    assert first == again == later != logged.run_id
    assert [(p.step, p.value) for p in client.get_metric_history(first, "monitor/roc_auc")] == [
        (20_000, 0.7),
        (20_007, 0.6),
    ]
    assert run.data.tags["advice"] == "retrain"
    assert run.info.status == "FINISHED"
    assert "monitor/lift" not in run.data.metrics
    assert run.info.experiment_id == client.get_run(logged.run_id).info.experiment_id
