import json
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from products import START, freemium_files, trial_files

from pql_model import time
from pql_model.config.load import load_config
from pql_model.errors import DataError, NotEnoughDataError
from pql_model.evaluation.backtest_schedule import read_cutoffs
from pql_model.progress import Silent, Stages
from pql_model.sources.duckdb_session import open_session
from pql_model.workflows import backtest as module
from pql_model.workflows.backtest import backtest

INTERVAL = {"value", "low", "high"}
FIRST, SECOND, END = "2025-04-21", "2025-05-21", "2025-07-31"  # days 110 and 140 of about 200


def trial(home, **config):
    home.mkdir(exist_ok=True)
    return trial_files(home, snapshots={"at_days": [3, 7]}, observed_until=END, **config)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    definition = {"all": [{"event": "login", "at_least": 6, "within": "first 7d"}]}
    return trial(tmp_path_factory.mktemp("backtest") / "small", definition=definition)


@pytest.fixture(scope="module")
def whole(small):
    return backtest(small, cutoffs=[FIRST, SECOND], trials=1)


@pytest.fixture(scope="module")
def payload(whole):
    return json.loads(json.dumps(whole.to_dict(), allow_nan=False))


class Counted:
    """Stands before `fit_model` and counts."""

    def __init__(self, monkeypatch):
        self.fits = 0
        real = module.fit_model

        def fit(*given, **named):
            self.fits += 1
            return real(*given, **named)

        monkeypatch.setattr(module, "fit_model", fit)


def lasting(found):
    """What must be the same in every run: all but seconds and where the files lie."""
    return {key: value for key, value in found.to_dict().items() if key not in ("seconds", "files")}


# ---------------------------------------------------------------- what is told


def test_the_json_has_every_field_of_the_contract(payload):
    assert {"folds", "pooled", "baselines", "skipped", "files", "seconds", "trials"} == set(payload)
    for part in (*payload["folds"], payload["pooled"]):
        assert all(set(part[name]) == INTERVAL for name in ("roc_auc", "average_precision", "lift_at_10pct"))
        assert type(part["precision_at_10"]) is float
        assert {"rows", "entities", "conversions", "base_rate", "calibration", "note"} <= set(part)
        assert 0.5 < part["roc_auc"]["value"] < 1
    for fold in payload["folds"]:
        assert {"scored_from", "scored_to", "train", "left_out", "features", "quarantined", "model_digest"} <= set(fold)
        assert {"rows", "entities", "conversions", "from", "to"} <= set(fold["train"])
        assert {"base_rate", "activity", "logistic_regression", "definition"} == set(fold["baselines"])
    assert set(payload["baselines"]["definition"]["rate"]) == INTERVAL
    assert set(payload["baselines"]["logistic_regression"]["roc_auc"]) == INTERVAL
    assert [(fold["cutoff"], fold["scored_from"], fold["scored_to"]) for fold in payload["folds"]] == [
        (FIRST, FIRST, SECOND),
        (SECOND, SECOND, "2025-06-20"),
    ]
    assert payload["pooled"]["rows"] == sum(fold["rows"] for fold in payload["folds"])
    assert payload["skipped"] == []


def test_the_figures_can_be_recomputed_from_the_predictions(payload):
    table = pd.read_parquet(payload["files"]["predictions"])
    assert {"cutoff", "entity", "as_of", "converted", "probability", "logistic_regression", "activity"} <= set(table)
    for fold in payload["folds"]:
        part = table[table["cutoff"] == pd.Timestamp(fold["cutoff"], tz="UTC")]
        assert len(part) == fold["rows"] > 40
        assert part["as_of"].between(fold["scored_from"], fold["scored_to"], inclusive="left").all()
        assert part["probability"].sum() == pytest.approx(fold["calibration"]["expected"], abs=0.006)
        assert part["converted"].sum() == fold["conversions"]
    metrics = pd.read_csv(payload["files"]["metrics"])
    assert set(metrics["cutoff"]) == {FIRST, SECOND, "pooled"}
    for name in ("folds", "config"):
        assert Path(payload["files"][name]).stat().st_size > 100


def test_the_scored_entities_agree_with_the_raw_files(small, payload):
    """By hand from the tables: landmarks in the period, not converted before, of nobody that was learnt from."""
    accounts, paid = (pd.read_parquet(small.parent / f"{name}.parquet") for name in ("accounts", "paid"))
    grid = accounts.merge(pd.DataFrame({"age": [3, 7]}), how="cross").merge(
        paid.rename(columns={"time": "paid"}), how="left"
    )
    grid["as_of"] = grid["created"] + pd.to_timedelta(grid["age"], unit="D")
    grid = grid[~(grid["paid"] < grid["as_of"])]
    final = grid["as_of"] + pd.Timedelta(days=14)
    first = pd.Timestamp(FIRST, tz="UTC")
    learnt, later = (
        grid[final <= first],
        grid[(grid["as_of"] >= first) & (grid["as_of"] < pd.Timestamp(SECOND, tz="UTC"))],
    )
    assert payload["folds"][0]["train"]["rows"] == len(learnt)
    assert payload["folds"][0]["rows"] == len(later) - later["account"].isin(learnt["account"]).sum()
    assert payload["folds"][0]["conversions"] == (later["paid"] < later["as_of"] + pd.Timedelta(days=14)).sum()


def test_no_intermediate_files_are_left(small, whole):
    assert list((small.parent / ".pql" / "backtest").iterdir()) == []
    assert [path.name for path in (small.parent / "runs").iterdir()] == [whole.folder.name]
    assert whole.folder.name.startswith("backtest-")


# ---------------------------------------------------------------- nothing from the future


def training_half(config, cutoff):
    """What the model of a cut-off learns from, without fitting it."""
    config = load_config(config)
    with open_session("1GB") as con:
        past = module._read_past(con, config, read_cutoffs(cutoff, None), Stages())
    task = module._fold_task(config, past, past.schedule.steps[0])
    known = ["entity", "as_of", "signed_up", "converted"]
    return task.frame[known].reset_index(drop=True), task.X, task.manifest, task.facts["quarantined"]


def same(first, second):
    return (
        first[0].equals(second[0])
        and first[1].shape == second[1].shape
        and np.array_equal(first[1], second[1], equal_nan=True)
        and first[2:] == second[2:]
    )


def alter_trial(home, cutoff, seed):
    """Change, delete and add whatever the tables say at or after the cut-off."""
    rng = np.random.default_rng(seed)
    accounts, events, paid = (pd.read_parquet(home / f"{name}.parquet") for name in ("accounts", "events", "paid"))
    cut = pd.Timestamp(cutoff, tz="UTC")
    late = events["time"] >= cut
    events = events[~late | (rng.random(len(events)) < 0.5)].copy()
    late = events["time"] >= cut
    events.loc[late, "action"] = rng.choice(["login", "upload", "wholly new 🚀"], late.sum())
    events.loc[late, "time"] += pd.to_timedelta(rng.integers(0, 5, late.sum()), unit="D")
    old = accounts["account"][accounts["created"] < cut]
    more = pd.DataFrame({"account": rng.choice(old, 300), "action": "came back", "time": cut})
    paid = pd.concat(
        [
            paid[paid["time"] < cut],
            pd.DataFrame(
                {
                    "account": rng.choice(accounts["account"], 60),
                    "time": cut + pd.to_timedelta(rng.integers(0, 40, 60), unit="D"),
                }
            ),
        ]
    )
    new = accounts["created"] >= cut
    accounts = accounts[~new | (rng.random(len(accounts)) < 0.6)].copy()
    accounts["seats"] = accounts["seats"].where(accounts["created"] < cut, "countless")
    pd.concat([events, more]).sample(frac=1, random_state=seed).to_parquet(home / "events.parquet", index=False)
    accounts.to_parquet(home / "accounts.parquet", index=False)  # the order of its rows says something, too
    paid.sample(frac=1, random_state=seed).to_parquet(home / "paid.parquet", index=False)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_at_or_after_the_cut_off_changes_the_training_rows(tmp_path, seed):
    columns = {"entity": "account", "signed_up": "created"}
    entities = {"table": "accounts.parquet", "columns": columns, "earlier": {"table": "earlier.parquet"}}
    config = trial(tmp_path, offer={"events": 3, "min_entities": 5}, entities=entities)
    accounts, paid = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("accounts", "paid"))
    later = accounts["account"].isin(paid["account"][paid["time"] >= FIRST])
    accounts["seats"] = accounts["seats"].mask(later, "99")  # a leak, as everybody knows who sees the whole
    accounts.to_parquet(tmp_path / "earlier.parquet", index=False)
    before = training_half(config, FIRST)
    assert before[3] == []
    alter_trial(tmp_path, FIRST, seed)
    assert same(training_half(config, FIRST), before)
    events = pd.read_parquet(tmp_path / "events.parquet")
    events.drop(events["time"].idxmin()).to_parquet(
        tmp_path / "events.parquet", index=False
    )  # an early one: this test can fail
    assert not same(training_half(config, FIRST), before)


def test_nothing_at_or_after_the_cut_off_changes_the_model(tmp_path, payload):
    definition = {"all": [{"event": "login", "at_least": 6, "within": "first 7d"}]}
    config = trial(tmp_path, definition=definition)
    alter_trial(tmp_path, FIRST, seed=9)
    again = backtest(config, cutoffs=FIRST, trials=1).to_dict()["folds"][0]
    assert again["model_digest"] == payload["folds"][0]["model_digest"]
    assert again["train"] == payload["folds"][0]["train"]
    assert again["roc_auc"] != payload["folds"][0]["roc_auc"]


def test_in_freemium_a_row_that_arrived_after_the_cut_off_is_not_visible(tmp_path):
    config, _ = freemium_files(tmp_path)
    text = config.read_text() + "observed_until: 2025-07-25\n"
    config.write_text(text)
    cutoff = "2025-05-01"
    before = training_half(config, cutoff)
    for path in sorted(tmp_path.glob("events_*.csv.gz")):
        rows = pd.read_csv(path)
        late = (rows["at"] >= cutoff) | (rows["arrived"] >= cutoff)
        assert (late & (rows["at"] < cutoff)).any()
        rows.loc[late, "what"] = rows.loc[late, "what"] + " again"
        rows.loc[late, "size_mb"] = 1e6
        rows[~late | (rows.index % 5 > 0)].to_csv(path, index=False)
    paid = pd.read_csv(tmp_path / "paid.csv")
    paid[paid["paid_at"] < cutoff].to_csv(tmp_path / "paid.csv", index=False)
    assert same(training_half(config, cutoff), before)


# ---------------------------------------------------------------- interrupted, stale, two at once


class BrokenOff(Silent):
    """A listener that ends the run when a stage begins."""

    def __init__(self, at):
        self.at = at

    def stage(self, name):
        if self.at in name:
            raise KeyboardInterrupt


def broken_off(config, monkeypatch):
    """Run until the second fold begins."""
    with monkeypatch.context() as patch:
        counted = Counted(patch)
        with pytest.raises(KeyboardInterrupt, match=r"^$"):
            backtest(config, cutoffs=[FIRST, SECOND], trials=1, listener=BrokenOff("2 of 2"))
    assert counted.fits == 1


def test_an_interrupted_run_resumes_with_its_finished_folds(tmp_path, monkeypatch, whole):
    definition = {"all": [{"event": "login", "at_least": 6, "within": "first 7d"}]}
    config = trial(tmp_path, definition=definition)
    broken_off(config, monkeypatch)
    assert len(list((tmp_path / ".pql" / "backtest").iterdir())) == 1
    assert not (tmp_path / "runs").exists()
    counted = Counted(monkeypatch)
    again = backtest(config, cutoffs=[FIRST, SECOND], trials=1)
    assert counted.fits == 1
    assert lasting(again) == lasting(whole)
    pd.testing.assert_frame_equal(again.predictions, whole.predictions)
    assert list((tmp_path / ".pql" / "backtest").iterdir()) == []


def test_a_finished_fold_of_other_data_or_settings_is_not_reused(tmp_path, monkeypatch, whole):
    config = trial(tmp_path)
    broken_off(config, monkeypatch)
    scored = whole.predictions.query("converted and not in_training")["entity"].iloc[0]
    paid = pd.read_parquet(tmp_path / "paid.parquet")
    paid[paid["account"] != int(scored)].to_parquet(
        tmp_path / "paid.parquet", index=False
    )  # an outcome to be judged by
    counted = Counted(monkeypatch)
    fewer = backtest(config, cutoffs=[FIRST, SECOND], trials=1)
    assert counted.fits == 2
    assert fewer.folds[0].figures.counts["conversions"] < whole.folds[0].figures.counts["conversions"]


def test_two_concurrent_back_tests_give_the_results_of_one(small, whole):
    result, failed = {}, []

    def run(name):
        try:
            result[name] = backtest(small, cutoffs=f"{SECOND},{FIRST}", trials=1)
        except Exception as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert lasting(result["a"]) == lasting(result["b"]) == lasting(whole)
    assert result["a"].folder != result["b"].folder
    assert list((small.parent / ".pql" / "backtest").iterdir()) == []


# ---------------------------------------------------------------- folds that cannot be what they should


def test_a_fold_without_conversions_has_a_note_and_a_history_without_is_skipped(tmp_path):
    config = trial(tmp_path)
    paid = pd.read_parquet(tmp_path / "paid.parquet")
    until = pd.Timestamp("2025-06-25", tz="UTC")
    paid[~paid["time"].between(pd.Timestamp(SECOND, tz="UTC"), until)].to_parquet(
        tmp_path / "paid.parquet", index=False
    )
    result = backtest(config, cutoffs=["2025-01-25", FIRST, SECOND, "2025-06-05"], trials=1).to_dict()
    assert [skip["cutoff"] for skip in result["skipped"]] == ["2025-01-25"]
    assert "conversions among" in result["skipped"][0]["reason"]
    assert [fold["cutoff"] for fold in result["folds"]] == [FIRST, SECOND, "2025-06-05"]
    silent = result["folds"][1]
    assert silent["conversions"] == 0
    assert silent["roc_auc"] == {"value": None, "low": None, "high": None}
    assert silent["note"].startswith("no conversions among")
    assert result["pooled"]["roc_auc"]["value"] > 0.5
    assert result["pooled"]["note"] is None


def test_a_fold_whose_fit_is_refused_is_skipped_and_all_of_them_are_an_error(small, monkeypatch, whole):
    real = module.fit_model

    def refused(frame, *given, **named):
        if refuse_all or len(frame) > whole.folds[0].facts["train"]["rows"]:
            raise NotEnoughDataError("Nothing tells one from another")
        return real(frame, *given, **named)

    monkeypatch.setattr(module, "fit_model", refused)
    refuse_all = False
    result = backtest(small, cutoffs=[FIRST, SECOND], trials=1).to_dict()
    assert result["skipped"] == [{"cutoff": SECOND, "reason": "Nothing tells one from another."}]
    assert [fold["cutoff"] for fold in result["folds"]] == [FIRST]
    refuse_all = True
    with pytest.raises(NotEnoughDataError, match=f"{FIRST}: Nothing tells one.*{SECOND}: Nothing tells one"):
        backtest(small, cutoffs=[FIRST, SECOND], trials=1)


def test_unusable_cut_offs_are_reported_together(small, monkeypatch):
    monkeypatch.setattr(time, "now", lambda: time.parse_instant("2026-06-01"))
    with pytest.raises(DataError, match=r"3 cut-offs cannot be used.*`yesterday` is neither.*too early.*in the future"):
        backtest(small, cutoffs=["yesterday", FIRST, "2020-01-01", "2027-01-01"])


# ---------------------------------------------------------------- freemium, and a step


def test_freemium_has_separate_figures_for_entities_that_were_in_no_training(tmp_path):
    config, _ = freemium_files(tmp_path, accounts=520)
    result = backtest(config, every="28d", trials=1).to_dict()
    assert len(result["folds"]) >= 2
    steps = [np.datetime64(fold["scored_to"]) - np.datetime64(fold["cutoff"]) for fold in result["folds"]]
    assert set(steps) == {np.timedelta64(28, "D")}
    assert all(fold["train"]["converting_entities"] >= 50 for fold in result["folds"])
    assert result["folds"][0]["scored_to"] == result["folds"][1]["cutoff"]
    assert np.datetime64(result["folds"][0]["cutoff"]) > START
    unseen = result["pooled"]["unseen_entities"]
    assert 0 < unseen["entities"] < result["pooled"]["entities"]
    assert all(fold["left_out"] == {} for fold in result["folds"])
