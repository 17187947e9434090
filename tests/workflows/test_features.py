import json

import numpy as np
import pandas as pd
import pytest

import pql_model
from pql_model.errors import DataError


@pytest.fixture(scope="module")
def config(trained):
    return trained.folder.parent.parent / "pql.yaml"


@pytest.fixture(scope="module")
def written(config, tmp_path_factory):
    return pql_model.write_features(config, output=tmp_path_factory.mktemp("features") / "f.parquet")


def test_training_snapshots_have_labels_split_and_model_columns(trained, written):
    table = pd.read_parquet(written.output)
    prepared = trained.prepared
    assert list(table.columns) == ["entity", "as_of", "converted", "split", *prepared.manifest.names]
    assert np.array_equal(table["split"] == "train", prepared.split.train)
    assert np.array_equal(table["split"] == "test", prepared.split.test)
    assert np.array_equal(table["converted"], prepared.converted)
    assert str(table["as_of"].dtype).startswith("datetime64[us, UTC")
    X = prepared.manifest.matrix(table)
    assert np.array_equal(X, prepared.manifest.matrix(prepared.table), equal_nan=True)
    assert written.to_dict()["hash"] == trained.registered.model.manifest.hash


def test_the_manifest_describes_each_column(written):
    about = json.loads(written.manifest_path.read_text(encoding="utf-8"))
    columns = {column["name"]: column for column in about["columns"]}
    assert (about["hash"], about["rows"], about["as_of"]) == (written.manifest.hash, len(written.table), None)
    first = columns["any.days_since_last.ever"]
    assert (first["kind"], first["unit"], first["words"]) == ("feature", "days", "days since the last event")
    assert columns["trait.company_size"]["kind"] == "category"
    assert columns["trait.company_size"]["categories"]


def test_at_an_instant_the_table_has_every_entity_at_risk_with_the_same_columns(config, written, tmp_path):
    now = pql_model.write_features(config, output=tmp_path / "now.csv", as_of="2025-11-20")
    scored = pql_model.score(config, as_of="2025-11-20", model="1", output=tmp_path / "s.parquet").rows
    table = pd.read_csv(tmp_path / "now.csv", dtype={"entity": str})
    assert list(table.columns) == ["entity", "as_of", *written.manifest.names]
    assert sorted(table["entity"]) == sorted(scored["entity"])
    assert now.to_dict()["as_of"] == "2025-11-20"


def test_a_file_that_is_not_a_feature_table_is_not_overwritten(config, tmp_path):
    (tmp_path / "events.csv").write_text("mine")
    with pytest.raises(DataError, match="exists and was not written by `pql features`"):
        pql_model.write_features(config, output=tmp_path / "events.csv")
    with pytest.raises(DataError, match="Features are written as parquet or csv"):
        pql_model.write_features(config, output=tmp_path / "f.json")
    assert (tmp_path / "events.csv").read_text() == "mine"
