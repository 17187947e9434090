import json

import pandas as pd
import pytest
from products import trial_files

import pql_model
from pql_model.pipelines.check import check


@pytest.fixture(scope="module")
def told(trained):
    found = check(trained.folder.parent.parent / "pql.yaml")
    return json.loads(json.dumps(found.as_json(), allow_nan=False))


def test_the_json_has_every_field_of_the_contract(told):
    assert {"events", "entities", "conversions", "set_aside", "leakage", "observed_until"} <= set(told)
    assert all({"column", "reason", "auc", "action"} <= set(leak) for leak in told["leakage"])


def test_every_unusable_row_is_counted_by_its_reason(trained, told):
    truth = json.loads((trained.folder / "../../truth.json").read_text())
    assert told["set_aside"] == {reason: n for reason, n in truth["expected_set_aside"].items() if n}
    assert told["events"] == told["rows_read"] - sum(told["set_aside"].values())
    assert (told["entities"], told["conversions"]) == (1000, _payers(trained))


def _payers(trained):
    return pd.read_csv(trained.folder / "../../subscriptions.csv")["account_id"].nunique()


def test_the_leaks_are_those_that_were_planted(told):
    truth = {"trait.lifetime_logins", "trait.account_manager"}
    assert {leak["column"] for leak in told["leakage"] if leak["action"] == "quarantined"} == truth


def test_the_snapshots_and_features_are_those_of_the_training(trained, told):
    trained_json = trained.as_json()
    assert told["snapshots"] == trained_json["snapshots"]
    assert told["features"] == trained_json["features"]


def test_every_week_of_the_log_is_there(told):
    weeks = [week["week"] for week in told["weeks"]]
    assert len(weeks) > 50
    assert sum(week["events"] for week in told["weeks"]) == told["events"]


def test_nothing_is_written(tmp_path):
    path = trial_files(tmp_path)
    before = sorted(p.name for p in tmp_path.rglob("*"))
    pql_model.check(path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


def test_a_log_of_two_thousand_event_names_says_what_was_left_out(tmp_path):
    names = ["login", *(f"event {i}" for i in range(2000))]
    config = trial_files(tmp_path, names=names, each=40, offer={"events": 2, "min_entities": 5})
    told = check(config).as_json()
    counts = pd.read_parquet(tmp_path / "events.parquet")["action"].nunique()
    assert told["events_offered"].startswith(f"2 of {counts:,} event names offered to the model; left out: ")
    assert told["events_offered"].endswith("beyond the limit of `offer.events`")
    assert "done by too few entities" in told["events_offered"]
    assert counts > 1900
