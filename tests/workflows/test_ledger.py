"""The ledger of a trained product: from its log, its feedback, its outbox and what the champion would have said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pql_model import time
from pql_model.activate.outbox import open_outbox
from pql_model.config.load import load_config
from pql_model.errors import DataError
from pql_model.model.artifact import FittedModel
from pql_model.registry.tracking import Tracking
from pql_model.workflows.ledger import write_ledger
from pql_model.workflows.score import score

HOUR = 3_600_000_000
FEEDBACK = """
feedback:
  table: dispositions.csv
  columns: {entity: account, time: at, disposition: status}
  means: {contacted: [demo], won: [won]}
stages: {table: stages.csv, columns: {entity: account, time: at, stage: stage}}
"""


@pytest.fixture(scope="module")
def home(trained, tmp_path_factory):
    """The demo without a log."""
    folder = tmp_path_factory.mktemp("ledger") / "demo"
    left = shutil.ignore_patterns("score_log", ".pql")
    return Path(shutil.copytree(trained.folder.parent.parent, folder, ignore=left))


@pytest.fixture(scope="module")
def champion(home):
    tracking = Tracking(load_config(home / "pql.yaml"))
    return tracking.load(tracking.champion() or "1").model


@pytest.fixture(scope="module")
def replayed(home):
    return pd.read_parquet(write_ledger(home / "pql.yaml", output=home / "replayed.parquet").output)


def micros(column):
    return column.astype("datetime64[us, UTC]").astype("int64")


def test_without_a_log_the_tested_model_speaks_of_its_test_period(home, trained, champion, replayed):
    own_from = champion.learnt_until if champion.tested is not None else None
    predictions = pd.read_parquet(trained.folder / "test_predictions.parquet")
    rows = replayed.assign(as_of=micros(replayed["as_of"]))
    if predictions["as_of"].dtype.kind == "M":
        predictions["as_of"] = micros(predictions["as_of"].dt.tz_convert("UTC"))
    both = rows.merge(predictions, on=["entity", "as_of"], suffixes=("", "_of_test"))

    assert set(rows["source"]) == {"replayed"}
    assert rows["as_of"].min() >= champion.facts["test_start"]
    assert len(both) == len(predictions)
    before = both if own_from is None else both[both["as_of"] < own_from]
    assert len(before)
    assert (before["probability"] - before["probability_of_test"]).abs().max() < 1e-12
    assert (both["converted"].astype(bool) == both["converted_of_test"].astype(bool)).all()
    assert rows["newly_qualified"].isna().all()
    assert not rows.duplicated(["entity", "as_of", "model_version"]).any()


def test_logged_scores_feedback_and_deliveries_stand_beside_each_other(home, replayed, tmp_path, monkeypatch):
    learnt_until = time.parse_instant("2025-11-15")  # in truth all of the demo: nobody signs up in its last weeks
    monkeypatch.setattr(FittedModel, "learnt_until", property(lambda _: learnt_until))
    folder = Path(shutil.copytree(home, tmp_path / "demo"))
    config = folder / "pql.yaml"
    for _ in range(2):  # a run that is repeated is logged twice
        scored = score(config, model="1", as_of="2025-11-20")
    score(config, model="1", as_of="2025-11-10")
    entity, other = scored.rows["entity"][0], scored.rows["entity"][1]
    as_of = scored.as_of
    later, earlier = time.iso(as_of + HOUR), time.iso(as_of - HOUR)
    config.write_text(config.read_text() + FEEDBACK)
    (folder / "dispositions.csv").write_text(
        f"account,at,status\n{entity},{later},demo\n{entity},{earlier},won\nnobody,{later},won\n"
    )
    (folder / "stages.csv").write_text(f"account,at,stage\n{other},{earlier},MQL\n")
    with open_outbox(folder, load_config(config).name) as outbox:
        outbox.mark("crm", [(entity, as_of)], "sent", None, as_of + 2 * HOUR)

    result = write_ledger(config)

    payload = json.loads(json.dumps(result.to_dict()))
    rows = pd.read_parquet(result.output)
    logged = rows[rows["source"] == "score"]
    assert len(logged) == len(scored.rows) == payload["by_source"]["score"]
    assert payload["set_aside"]["repeated"] == len(scored.rows)
    assert payload["set_aside"]["learnt_from"] > 0
    assert logged["final"].all()
    [first] = logged[logged["entity"] == entity].to_dict("records")
    assert [first["contacted_at"].value // 1000, first["sent_at"].value // 1000] == [as_of + HOUR, as_of + 2 * HOUR]
    assert pd.isna(first["won_at"])
    assert any("1 unknown_entity" in warning for warning in payload["warnings"])
    # the run of an honest model covers the day before it and the week after; the rest is replayed as before
    again, instants = rows[rows["source"] == "replayed"], micros(replayed["as_of"])
    covered = (instants >= as_of - time.DAY) & (instants < as_of + 7 * time.DAY)
    assert set(zip(again["entity"], micros(again["as_of"]), strict=True)) >= set(
        zip(replayed["entity"][~covered], instants[~covered], strict=True)
    )
    assert not ((micros(again["as_of"]) >= as_of - time.DAY) & (micros(again["as_of"]) < as_of + 7 * time.DAY)).any()


def test_the_ledger_of_an_earlier_instant_knows_less(home, replayed):
    middle = replayed["as_of"].sort_values().iloc[len(replayed) // 2]

    result = write_ledger(home / "pql.yaml", output=home / "earlier.parquet", as_of=middle)

    rows = pd.read_parquet(result.output)
    assert len(rows) < len(replayed)
    assert rows["as_of"].max() <= middle
    assert rows["converted_at"].dropna().max() < middle
    assert (rows["final"] == (rows["as_of"] + pd.Timedelta(days=30) <= middle)).all()


def test_without_a_log_and_without_replay_the_ledger_is_empty(home, tmp_path):
    result = write_ledger(home / "pql.yaml", output=tmp_path / "l.parquet", replay=False).to_dict()

    assert (result["rows"], result["by_source"], result["set_aside"]) == (0, {}, {})


def test_another_kind_of_file_is_refused(home):
    with pytest.raises(DataError, match=r"The ledger is written as parquet. Received: l.csv"):
        write_ledger(home / "pql.yaml", output="l.csv")
