from dataclasses import replace

import pandas as pd
import pytest

from pql_model.config.load import load_config
from pql_model.registry.tracking import Tracking
from pql_model.workflows.training_record import gate_tag, training_record


@pytest.fixture(scope="module")
def entry(trained):
    config = load_config(trained.folder.parent.parent / "pql.yaml")
    of = (trained.prepared, trained.fit, trained.evaluation, trained.verdict, trained.promotion)
    return training_record(trained.folder, config, *of, digest="0123456789abcdef")


def test_the_run_name_has_the_verdict_and_the_time(entry, trained):
    figures, time = entry.run_name.split(", ")
    assert figures == f"{trained.verdict.name} {trained.evaluation.test['roc_auc'].value:.2f}"
    assert pd.Timestamp(time) <= pd.Timestamp.now(tz="UTC").tz_localize(None)


def test_the_description_is_the_sentence_of_the_verdict(entry, trained):
    assert entry.description == trained.verdict.sentence


def test_tags_are_short_enough_to_be_read_in_a_table(entry, trained):
    assert entry.tags == {
        "verdict": trained.verdict.name,
        "gate": "passed",
        "features": trained.registered.model.manifest.hash,
    }
    assert all(len(value) <= 16 for value in entry.tags.values())


def test_the_datasets_are_the_rows_of_training_and_test(entry, trained):
    sizes = {context: len(data.rows) for context, data in entry.datasets.items()}
    snapshots = trained.to_dict()["snapshots"]
    assert sizes == {"training": snapshots["train"]["rows"], "testing": snapshots["test"]["rows"]}
    assert entry.metrics["data"]["train_rows"] == sizes["training"]
    assert entry.metrics["data"]["test_conversions"] == snapshots["test"]["conversions"]


def test_the_number_of_trials_is_the_number_completed(entry, trained):
    assert entry.params["tuning"]["trials"] == len(trained.fit.tuned.trials) == len(entry.trials)


def test_the_record_reaches_mlflow(entry, trained):
    tracking = Tracking(load_config(trained.folder.parent.parent / "pql.yaml"))
    run = tracking.client.get_run(trained.registered.run_id)
    assert run.data.metrics["test/roc_auc"] == pytest.approx(trained.evaluation.test["roc_auc"].value)
    assert run.data.metrics["interval/roc_auc_low"] == pytest.approx(trained.evaluation.test["roc_auc"].low)
    assert {used.tags[0].value for used in run.inputs.dataset_inputs} == {"training", "testing"}


def test_the_gate_tag_names_the_decision(trained):
    words = {
        gate_tag(replace(trained.promotion, mode=mode, promoted=promoted))
        for mode, promoted in [("auto", True), ("auto", False), ("never", False), ("force", True)]
    }
    assert words == {"passed", "failed", "switched off", "forced"}
