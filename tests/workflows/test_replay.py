import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pql_model import time
from pql_model.config.load import load_config
from pql_model.errors import DataError, NotEnoughDataError
from pql_model.model.calibrate import Calibration
from pql_model.registry.tracking import Tracking
from pql_model.score_log.files import log_files, write_log
from pql_model.score_log.log_schema import SCHEMA, inputs_digest, log_rows
from pql_model.serve.bundle import Bundle
from pql_model.serve.engine import ScoringEngine
from pql_model.serve.request_builder import entity_requests
from pql_model.serve.score_log_writer import ScoreLogWriter
from pql_model.snapshots.grid import scoring_grid
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.workflows.replay import replay
from pql_model.workflows.score import score

AS_OF = "2025-11-20T06:07:08.123456Z"


@pytest.fixture(scope="module")
def home(trained, tmp_path_factory):
    """The demo with a score log of one run; nothing in it is changed."""
    folder = tmp_path_factory.mktemp("replay") / "demo"
    home = Path(shutil.copytree(trained.folder.parent.parent, folder, ignore=shutil.ignore_patterns("score_log")))
    score(home / "pql.yaml", as_of=AS_OF, model="1")
    return home


@pytest.fixture(scope="module")
def logged(home):
    [file] = log_files(home / "score_log")
    return pq.read_table(file.path)


@pytest.fixture
def copied(home, tmp_path):
    """A copy whose data a test may change."""
    return Path(shutil.copytree(home, tmp_path / "demo", ignore=shutil.ignore_patterns("mlruns", "runs")))


def changed(table, tmp_path, **cells):
    """A log of these rows with other cells."""
    for name, cell in cells.items():
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.array([cell] * len(table), SCHEMA.field(name).type))
    write_log(tmp_path / "changed", [table])
    return tmp_path / "changed"


def nonzero(result):
    return {result: count for result, count in result.to_dict()["results"].items() if count}


def test_the_log_has_the_written_rows_with_as_of_in_microseconds(home, logged):
    written = pd.read_parquet(home / "scores.parquet")
    assert logged["entity"].to_pylist() == written["entity"].tolist()
    assert logged["probability"].to_pylist() == written["probability"].tolist()
    assert {row.as_of for row in log_rows(logged)} == {time.parse_instant(AS_OF)}
    assert set(logged["source"].to_pylist()) == {"score"}
    assert len(logged) > 10


def test_scores_are_reproduced_by_the_logged_version_which_is_loaded_once(home, logged, monkeypatch):
    """Not by the champion, which may be another version by then."""
    versions, find = [], Tracking.load_if_registered
    monkeypatch.setattr(
        Tracking, "load_if_registered", lambda self, version="champion": versions.append(version) or find(self, version)
    )
    result = replay(home / "pql.yaml")
    assert versions == ["1"]
    payload = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert result.same
    assert nonzero(result) == {"same": len(logged)}
    assert (payload["rows"], payload["rows_in_log"], payload["examples"]) == (len(logged), len(logged), [])
    assert (payload["sources"], payload["model_versions"]) == ({"score": len(logged)}, {"1": len(logged)})
    assert payload["log"] == str(home / "score_log")


def test_an_empty_selection_and_an_invalid_time_are_refused(home, tmp_path):
    with pytest.raises(NotEnoughDataError, match="No row of the score log matches"):
        replay(home / "pql.yaml", since="2100-01-01")
    with pytest.raises(NotEnoughDataError, match="No row of the score log matches"):
        replay(home / "pql.yaml", until="2020-01-01")
    with pytest.raises(DataError, match=r"`since` is not a time. Received: soon"):
        replay(home / "pql.yaml", since="soon")
    with pytest.raises(DataError, match="There is no score log here"):
        replay(home / "pql.yaml", tmp_path / "nowhere")


# ---------------------------------------------------------------- changed data


def test_changes_in_the_data_are_reported_per_row(copied, logged):
    edited, gone, paid, late = sorted(logged["entity"].to_pylist())[:4]
    accounts = pd.read_csv(copied / "accounts.csv", dtype=str, keep_default_na=False)
    before = accounts.loc[accounts["account_id"] == edited, "company_size"].item()
    now = "1-10" if before != "1-10" else "11-50"
    accounts.loc[accounts["account_id"] == edited, "company_size"] = now
    accounts[accounts["account_id"] != gone].to_csv(copied / "accounts.csv", index=False)
    paying = pd.read_csv(copied / "subscriptions.csv", dtype=str)
    more = pd.DataFrame([{**paying.iloc[0], "account_id": paid, "paid_at": "2025-11-19T00:00:00Z"}])
    pd.concat([paying, more]).to_csv(copied / "subscriptions.csv", index=False)
    events = pd.read_parquet(copied / "events.parquet")
    days = events["occurred"].astype(str).str[:10]
    own = events[(events["account_id"] == late) & (events["user_id"] == f"{late}/u1") & (days < "2025-11-20")]
    mine = own.head(1).assign(event_id="came late")
    pd.concat([events, mine]).to_parquet(copied / "events.parquet")

    result = replay(copied / "pql.yaml")

    assert nonzero(result) == {"same": len(logged) - 4, "inputs_changed": 2, "not_in_data": 2}
    by_entity = {row.row.entity: row for row in result.rows}
    assert (by_entity[gone].result, by_entity[gone].text) == ("not_in_data", "accounts.csv has no such entity")
    assert (by_entity[paid].result, by_entity[paid].text) == ("not_in_data", "it had converted before")
    assert (by_entity[edited].result, by_entity[edited].text) == ("inputs_changed", f"company_size: {before} -> {now}")
    [change] = by_entity[edited].changes
    assert (change.column, change.before, change.now) == ("trait.company_size", before, now)
    counts = [change for change in by_entity[late].changes if ".count." in change.column]
    assert counts
    assert all(change.now == change.before + 1 for change in counts)
    assert by_entity[late].text.endswith(f"; {len(by_entity[late].changes) - 1} more")
    assert {example["entity"] for example in result.to_dict()["examples"]} == {edited, gone, paid, late}


def test_a_removed_trait_is_a_change_of_inputs(copied):
    accounts = pd.read_csv(copied / "accounts.csv", dtype=str, keep_default_na=False)
    accounts.drop(columns="company_size").to_csv(copied / "accounts.csv", index=False)
    result = replay(copied / "pql.yaml", rows=5)
    assert nonzero(result) == {"inputs_changed": 5}
    assert all(row.text.endswith("-> missing") for row in result.rows)


def test_an_instant_after_the_end_of_the_data_is_reported_as_such(copied, logged):
    with (copied / "pql.yaml").open("a") as file:
        file.write("observed_until: 2025-11-10\n")
    active = next(row.entity for row in log_rows(logged) if row.usage > 0)
    [outcome] = replay(copied / "pql.yaml", entity=active).rows
    assert (outcome.row.entity, outcome.result) == (active, "not_in_data")
    assert outcome.text == "the data end before, at 2025-11-10"
    assert outcome.changes


def test_an_entity_that_is_too_old_for_the_model_is_reported_as_such(home, logged, tmp_path):
    result = replay(
        home / "pql.yaml",
        changed(logged.slice(0, 1), tmp_path, as_of=time.to_datetime(time.parse_instant("2026-02-01"))),
    )
    assert [(row.result, row.text) for row in result.rows] == [
        ("not_in_data", "it was older than any age the model covers")
    ]


# ---------------------------------------------------------------- changed models and logs


@pytest.mark.parametrize(
    ("name", "cell", "text"),
    [
        ("probability", 0.123, "different probability from the same inputs"),
        ("reasons", "[]", "different reasons from the same inputs"),
    ],
)
def test_a_number_that_the_model_does_not_reproduce_is_reported(home, logged, tmp_path, name, cell, text):
    result = replay(home / "pql.yaml", changed(logged.slice(0, 2), tmp_path, **{name: cell}))
    assert [(row.result, row.text) for row in result.rows] == [("model_changed", text)] * 2


def test_inputs_that_do_not_match_their_digest_are_reported(home, logged, tmp_path):
    result = replay(home / "pql.yaml", changed(logged.slice(0, 1), tmp_path, inputs_digest="0" * 64))
    assert nonzero(result) == {"altered": 1}


@pytest.mark.parametrize(
    ("name", "cell", "text"),
    [
        ("model_version", "99", "the registry has no version 99"),
        ("model_version", "champion", "the registry has no version champion"),
        ("model_name", "other", "scored by the model `other`, but the config is for `nimbus-boards`"),
    ],
)
def test_an_unavailable_model_is_reported(home, logged, tmp_path, name, cell, text):
    result = replay(home / "pql.yaml", changed(logged.slice(0, 1), tmp_path, **{name: cell}))
    assert [(row.result, row.text) for row in result.rows] == [("no_model", text)]


def test_a_version_that_reads_other_columns_is_another_model(home, logged, tmp_path):
    [row] = log_rows(logged.slice(0, 1))
    other = changed(
        logged.slice(0, 1), tmp_path, feature_set="f" * 16, inputs_digest=inputs_digest("f" * 16, row.inputs)
    )
    [outcome] = replay(home / "pql.yaml", other).rows
    assert outcome.result == "no_model"
    assert "reads other columns" in outcome.text


def test_a_model_with_unreadable_files_is_unavailable(home, logged, monkeypatch):
    def broken(self, version):
        raise DataError("The files of version 1 cannot be read")

    monkeypatch.setattr(Tracking, "load_if_registered", broken)
    result = replay(home / "pql.yaml", rows=2)
    assert [(row.result, row.text) for row in result.rows] == [
        ("no_model", "The files of version 1 cannot be read")
    ] * 2


def test_a_version_that_was_replaced_under_the_same_number_is_detected(home, monkeypatch):
    original = Tracking.load_if_registered

    def find(self, version="champion"):
        actual = original(self, version)
        raw = actual.model.calibration.to_dict()
        other = Calibration.from_dict({**raw, "intercept": raw["intercept"] + 0.01})
        return replace(actual, model=replace(actual.model, calibration=other))

    monkeypatch.setattr(Tracking, "load_if_registered", find)
    result = replay(home / "pql.yaml", rows=3)
    assert nonzero(result) == {"model_changed": 3}
    assert all(row.text.startswith("different probability") for row in result.rows)


# ---------------------------------------------------------------- rows of the service


@pytest.fixture(scope="module")
def served(home, tmp_path_factory):
    """The log of a service that scored, from raw events, all entities of the batch."""
    config = load_config(home / "pql.yaml")
    model = Tracking(config).load("1").model
    engine = ScoringEngine(Bundle(Path(), {"name": config.name, "version": "1"}, model, {}, {}, "", ""))
    with open_session() as con:
        sources = read_sources(con, config)
        grid = con.create_table("grid", scoring_grid(config, sources, time.parse_instant(AS_OF)))
        requests = list(entity_requests(sources, grid.filter(grid.reason.isnull())))
    # Some at further instants: of one entity there may be many.
    requests += [{**requests[k], "as_of": f"2025-11-20T06:07:09.{k}Z"} for k in range(5)]
    folder = tmp_path_factory.mktemp("served")
    log = ScoreLogWriter(folder, lambda *_: None, lambda *_: None)
    log.add([engine.score(request, time.now()) for request in requests])
    features = dict.fromkeys(engine._position)
    log.add([engine.score({"entity": "by hand", "features": features}, time.now())])
    log.close()
    return folder


def test_the_same_account_has_the_same_digest_in_batch_and_service(logged, served):
    [file] = log_files(served)
    theirs = {row.entity: row for row in log_rows(pq.read_table(file.path)) if row.as_of == time.parse_instant(AS_OF)}
    ours = {row.entity: row for row in log_rows(logged)}
    assert theirs.keys() == ours.keys()
    for entity, row in ours.items():
        assert theirs[entity].inputs_digest == row.inputs_digest
        assert theirs[entity].reasons == row.reasons
    assert len({row.inputs_digest for row in ours.values()}) > 10


def test_served_scores_are_reproduced_including_those_of_finished_features(home, logged, served):
    result = replay(home / "pql.yaml", served)
    assert nonzero(result) == {"same": len(logged) + 5 + 1}
    payload = result.to_dict()
    assert (payload["without_as_of"], payload["sources"]) == (1, {"service": len(logged) + 6})
    assert len({row.row.as_of for row in result.rows}) == 1 + 5 + 1
