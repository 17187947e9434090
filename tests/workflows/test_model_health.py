"""What the ledger says of a model: which rows judge it, and on which past it rests."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pql_model.config.load import load_config
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.time import DAY
from pql_model.workflows import model_health
from pql_model.workflows.model_health import labelled_snapshots

THEN = SimpleNamespace(registered=SimpleNamespace(version="3"), new_from=0)
SOURCES = SimpleNamespace(entities=SimpleNamespace(table=None))


def rows(*parts: tuple[str, bool]) -> pd.DataFrame:
    return pd.DataFrame(parts, columns=["model_version", "final"])


@pytest.mark.parametrize(
    ("ledger", "whose", "count"),
    [
        (rows(("3", True), ("3", False), ("2", True)), "version 3", 2),
        (rows(("3", False), ("2", True), ("10", True)), "versions 2 to 10", 3),
        (rows(("3", False), ("2", False)), "version 3", 1),
        (rows(("2", True)), "version 2", 1),
        (rows(), "version 3", 0),
    ],
)
def test_earlier_versions_are_judged_only_while_the_model_has_no_final_rows(monkeypatch, ledger, whose, count):
    monkeypatch.setattr(model_health, "due_rows", lambda *_: ledger)
    found, words = model_health._unseen_rows(None, None, SOURCES, THEN)  # type: ignore[arg-type]
    assert (len(found), words) == (count, whose)


def test_the_past_has_the_time_to_each_conversion(trained):
    config = load_config(trained.folder.parent.parent / "pql.yaml")
    with open_session() as con:
        frame = labelled_snapshots(con, config, read_sources(con, config))
    delay = frame["delay"].to_numpy(float)

    np.testing.assert_array_equal(~np.isnan(delay), frame["converted"].to_numpy(bool))
    assert (delay[~np.isnan(delay)] >= 0).all()
    assert (delay[~np.isnan(delay)] < 30 * DAY).all()


def test_a_product_without_a_final_outcome_has_no_past(trained):
    config = load_config(trained.folder.parent.parent / "pql.yaml")
    early = config.model_copy(update={"horizon": type(config.horizon)(900 * DAY)})
    with open_session() as con:
        assert labelled_snapshots(con, early, read_sources(con, early)).empty
