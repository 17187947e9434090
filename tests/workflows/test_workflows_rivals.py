"""Baselines on realised rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pql_model.config.load import load_config
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.workflows.rivals import rival_scores


@pytest.fixture(scope="module")
def scores(trained):
    prepared = trained.prepared
    frame = prepared.snapshots.frame
    test = frame[prepared.split.test].reset_index(drop=True)
    rows = test[["entity", "as_of"]].iloc[::-1].reset_index(drop=True).assign(meets_in_force=True)
    learnt = frame[prepared.split.train][["entity", "as_of", "converted"]]
    config = load_config(trained.folder.parent.parent / "pql.yaml")
    with open_session() as con:
        found = rival_scores(con, config, read_sources(con, config), trained.registered.model, rows, learnt)
    return rows, found


def test_the_baselines_are_those_of_the_training_in_the_order_of_the_rows(trained, scores):
    rows, found = scores
    table = trained.prepared.table[trained.prepared.split.test]
    keys = pd.MultiIndex.from_frame(rows[["entity", "as_of"]])
    expected = table.set_index(["entity", "as_of"])["any.count.ever"].reindex(keys).to_numpy()

    assert set(found) == {"activity", "logistic_regression", "definition"}
    np.testing.assert_array_equal(found["activity"], expected)


def test_the_logistic_regression_is_a_probability_and_ranks(trained, scores):
    rows, found = scores
    frame = trained.prepared.snapshots.frame.set_index(["entity", "as_of"])["converted"]
    converted = frame.reindex(pd.MultiIndex.from_frame(rows[["entity", "as_of"]])).to_numpy(bool)
    logistic = found["logistic_regression"]

    assert ((logistic >= 0) & (logistic <= 1)).all()
    assert logistic[converted].mean() > logistic[~converted].mean()
