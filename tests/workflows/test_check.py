import json

import pandas as pd
import pytest
import yaml
from products import trial_files

import pql_model
from pql_model.workflows.check import check


@pytest.fixture(scope="module")
def payload(trained):
    result = check(trained.folder.parent.parent / "pql.yaml")
    return json.loads(json.dumps(result.to_dict(), allow_nan=False))


def test_the_json_has_every_field_of_the_contract(payload):
    assert {"events", "entities", "conversions", "set_aside", "leakage", "observed_until"} <= set(payload)
    assert all({"column", "reason", "auc", "action"} <= set(leak) for leak in payload["leakage"])


def test_every_unusable_row_is_counted_by_its_reason(trained, payload):
    truth = json.loads((trained.folder / "../../truth.json").read_text())
    assert payload["set_aside"] == {reason: n for reason, n in truth["expected_set_aside"].items() if n}
    assert payload["events"] == payload["rows_read"] - sum(payload["set_aside"].values())
    assert (payload["entities"], payload["conversions"]) == (1200, _payers(trained))


def _payers(trained):
    return pd.read_csv(trained.folder / "../../subscriptions.csv")["account_id"].nunique()


def test_the_planted_leaks_are_found(payload):
    truth = {"trait.lifetime_logins", "trait.account_manager"}
    assert {leak["column"] for leak in payload["leakage"] if leak["action"] == "quarantined"} == truth


def test_the_snapshots_and_features_are_those_of_the_training(trained, payload):
    trained_json = trained.to_dict()
    assert payload["snapshots"] == trained_json["snapshots"]
    assert payload["features"] == trained_json["features"]


def test_every_week_of_the_log_is_listed(payload):
    weeks = [week["week"] for week in payload["weeks"]]
    assert len(weeks) > 50
    assert sum(week["events"] for week in payload["weeks"]) == payload["events"]


def test_nothing_is_written(tmp_path):
    path = trial_files(tmp_path)
    before = sorted(p.name for p in tmp_path.rglob("*"))
    pql_model.check(path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


def test_event_names_beyond_the_limit_are_counted(tmp_path):
    names = ["login", *(f"event {i}" for i in range(2000))]
    config = trial_files(tmp_path, names=names, each=40, offer={"events": 2, "min_entities": 5})
    payload = check(config).to_dict()
    counts = pd.read_parquet(tmp_path / "events.parquet")["action"].nunique()
    assert payload["events_offered"].startswith(f"2 of {counts:,} event names offered to the model; left out: ")
    assert payload["events_offered"].endswith("beyond the limit of `offer.events`")
    assert "done by too few entities" in payload["events_offered"]
    assert counts > 1900


def test_a_history_that_is_too_short_still_has_its_counts_and_its_leaks(tmp_path):
    path = trial_files(tmp_path, horizon="150d")
    accounts, paid = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("accounts", "paid"))
    stage = accounts["account"].isin(paid["account"]).map({True: "won", False: "open"})
    accounts.assign(stage=stage).to_parquet(tmp_path / "accounts.parquet")
    payload = json.loads(json.dumps(check(path).to_dict(), allow_nan=False))
    assert (payload["entities"], payload["events"], payload["snapshots"]) == (240, 12 * 240, None)
    assert payload["conversions"] == len(paid)
    assert [leak["column"] for leak in payload["leakage"]] == ["trait.stage"]
    assert len(payload["weeks"]) > 3
    assert "history is too short" in payload["error"]["message"]
    assert payload["error"]["remedy"]


def test_without_conversions_there_are_counts_and_no_audit(tmp_path):
    path = trial_files(tmp_path)
    paid = pd.read_parquet(tmp_path / "paid.parquet")
    paid.head(0).to_parquet(tmp_path / "paid.parquet")
    payload = check(path).to_dict()
    assert (payload["events"], payload["entities"], payload["conversions"], payload["leakage"]) == (
        12 * 240,
        240,
        0,
        [],
    )
    assert payload["error"]["message"].startswith("There are no conversions: paid.parquet has 0 rows")


def test_trainable_data_have_no_error(payload):
    assert "error" not in payload


def planted(home):
    """A checkout minutes before each payment, a report that only customers get, and a stage that moved."""
    path = trial_files(home, accounts=480)
    accounts, log, paid = (pd.read_parquet(home / f"{name}.parquet") for name in ("accounts", "events", "paid"))
    minutes = pd.Timedelta(minutes=1)
    before = paid.assign(action="checkout started", time=paid["time"] - 3 * minutes)
    tried = log.groupby("account").head(1).sample(60, random_state=1).assign(action="checkout started")
    after = paid.assign(action="invoice read", time=paid["time"] + 2000 * minutes)
    pd.concat([log, before, tried, after]).to_parquet(home / "events.parquet")
    accounts.sort_values("account", key=lambda a: ~a.isin(paid["account"])).to_parquet(home / "accounts.parquet")
    accounts["seats"] = accounts["seats"].where(~accounts["account"].isin(paid["account"].head(70)), "0")
    accounts.to_parquet(home / "then.parquet")
    raw = yaml.safe_load(path.read_text())
    raw["entities"]["earlier"] = {"table": "then.parquet"}
    path.write_text(yaml.safe_dump(raw))
    return path


def test_leaks_beyond_the_feature_table_are_found(tmp_path):
    payload = check(planted(tmp_path)).to_dict()
    assert {leak["column"]: (leak["kind"], leak["action"]) for leak in payload["leakage"]} == {
        "(row order)": ("row_order", "named"),
        "trait.seats": ("changes_between_extracts", "quarantined"),
        "checkout started": ("act_of_buying", "quarantined"),
        "invoice read": ("after_conversion", "named"),
    }


def test_an_event_is_allowed_by_its_name(tmp_path):
    path = planted(tmp_path)
    guilty = check(path)
    path.write_text(path.read_text() + "allow: [checkout started, seats]\n")
    allowed = check(path)
    assert {f.action for f in allowed.findings} == {"allowed", "named"}
    gone = set(allowed.prepared.manifest.names) - set(guilty.prepared.manifest.names)
    assert {name.split(".")[0] for name in gone} == {"checkout+started", "trait"}


def test_feedback_and_stages_are_counted_beside_the_other_tables(tmp_path):
    (tmp_path / "d.csv").write_text(
        "account,at,status\n1,2025-01-03T10:00,won\n1,2025-01-03T10:00,huh\nzz,2025-01-03,won\n"
    )
    (tmp_path / "s.csv").write_text("account,at,stage\n1,2025-01-03,MQL\n1,soon,MQL\n")
    columns = {"entity": "account", "time": "at"}
    path = trial_files(
        tmp_path,
        accounts=5,
        feedback={"table": "d.csv", "columns": {**columns, "disposition": "status"}, "means": {"won": ["won"]}},
        stages={"table": "s.csv", "columns": {**columns, "stage": "stage"}},
    )

    payload = check(path).to_dict()

    assert payload["set_aside_by_table"]["feedback"] == {"unknown_entity": 1, "unknown_disposition": 1}
    assert payload["set_aside_by_table"]["stages"] == {"unparsable_time": 1}
    assert any("does not list these dispositions of d.csv" in warning for warning in payload["warnings"])
