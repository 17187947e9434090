from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from products import trial_files

from pql_model.config.load import load_config
from pql_model.evaluation.backtest_metrics import FoldMetrics
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.statistics.estimate import Estimate
from pql_model.workflows import backtest_files
from pql_model.workflows.backtest_files import FinishedFold, FoldStore, FoldTask, fold_key, tidy


@pytest.fixture
def fold():
    rows = pd.DataFrame({"cutoff": [1], "entity": ["a 🚀"], "converted": [True], "probability": [1 / 3]})
    return FinishedFold(rows, {"cutoff": "2025-01-01", "left_out": {}, "train": {"rows": 2, "from": None}})


def test_a_fold_reads_back_as_it_was_written(tmp_path, fold):
    store = FoldStore(tmp_path)
    store.keep("abc", fold)
    missing = store.find("abc")
    pd.testing.assert_frame_equal(missing.rows, fold.rows)
    assert missing.facts == fold.facts
    assert store.find("abd") is None


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"not a table at all"])
def test_an_unreadable_fold_is_treated_as_missing(tmp_path, fold, damage):
    store = FoldStore(tmp_path)
    store.keep("abc", fold)
    (store.folder / "abc.parquet").write_bytes(damage)
    assert store.find("abc") is None
    fold.rows.to_parquet(store.folder / "abc.parquet")  # a table, but without its facts
    assert store.find("abc") is None


def test_removing_a_fold_twice_is_accepted(tmp_path, fold):
    store = FoldStore(tmp_path)
    store.keep("abc", fold)
    store.forget(["abc", "never"])
    assert store.find("abc") is None
    assert store.folder.is_dir()


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return load_config(trial_files(tmp_path_factory.mktemp("key"), accounts=5))


def task():
    frame = pd.DataFrame({"entity": ["a", "b"], "as_of": [1, 2], "converted": [True, False]})
    frame["signed_up"] = pd.array([0, None], "Int64")
    rows = pd.DataFrame({"cutoff": 9, "entity": ["c"], "as_of": [9], "converted": [False], "activity": [3.0]})
    manifest = Manifest((ModelColumn("trait.size", "category", ("large", "small")),))
    return FoldTask(frame, np.array([[0.0], [1.0]]), manifest, rows, np.array([[np.nan]]), {"scored_to": "1970-01-05"})


def test_the_same_fold_has_the_same_key(config):
    assert fold_key(config, 3, task()) == fold_key(config, 3, task())


@pytest.mark.parametrize(
    "changed",
    [
        {"frame": task().frame.assign(converted=[True, True])},
        {"frame": task().frame.assign(entity=["a", "c"])},
        {"frame": task().frame.assign(as_of=[1, 3])},
        {"frame": task().frame.assign(signed_up=pd.array([1, None], "Int64"))},
        {"X": np.array([[0.0], [0.0]])},
        {"manifest": Manifest((ModelColumn("trait.size", "category", ("large", "tiny")),))},
        {"rows": task().rows.assign(entity=["d"])},
        {"rows": task().rows.assign(converted=[True])},
        {"rows": task().rows.assign(activity=[4.0])},
        {"rows": task().rows.assign(meets_definition=[True])},
        {"X_rows": np.array([[0.0]])},
        {"facts": {"scored_to": "1970-01-06"}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_any_difference_in_data_gives_another_key(config, changed):
    assert fold_key(config, 3, replace(task(), **changed)) != fold_key(config, 3, task())


def test_another_config_budget_or_library_version_gives_another_key(config, monkeypatch):
    keys = {
        fold_key(config, 3, task()),
        fold_key(config, 4, task()),
        fold_key(config.model_copy(update={"seed": 8}), 3, task()),
    }
    monkeypatch.setattr(backtest_files, "version", lambda name: "0.0.1")
    keys.add(fold_key(config, 3, task()))
    monkeypatch.setattr(backtest_files, "files", lambda package: config.home)  # other modules
    keys.add(fold_key(config, 3, task()))
    assert len(keys) == 5


def test_the_tidy_table_has_a_line_for_each_figure():
    metrics = {"roc_auc": Estimate(0.7, 0.6, 0.8)}
    figures = FoldMetrics({"rows": 4}, metrics, 2.5, Estimate(3.0, 1.0, 4.0), {"activity": metrics})
    table = tidy({"2025-01-01": figures})
    assert table.to_dict("list") == {
        "cutoff": ["2025-01-01"] * 4,
        "of": ["model", "activity", "model", "model"],
        "metric": ["roc_auc", "roc_auc", "expected_conversions", "observed_conversions"],
        "value": [0.7, 0.7, 2.5, 3.0],
        "low": [0.6, 0.6, pytest.approx(float("nan"), nan_ok=True), 1.0],
        "high": [0.8, 0.8, pytest.approx(float("nan"), nan_ok=True), 4.0],
    }
