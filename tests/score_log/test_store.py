import sqlite3
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import postgres
import pyarrow as pa
import pytest
from worlds import product

from pql_model.errors import DataError
from pql_model.score_log.database_table import LogTable
from pql_model.score_log.log_schema import REPLAY_SCHEMA, SCHEMA, decode_columns, log_table
from pql_model.score_log.store import RowSelection, append_scores, log_batches, log_paths, read_scores
from pql_model.time import parse_instant, to_datetime

AT = to_datetime(parse_instant("2026-01-05T15:30:00.25Z"))


def table(*entities):
    rows = pd.DataFrame(
        {
            "entity": entities,
            "as_of": AT,
            "probability": 1 / 3,
            "is_pql": True,
            "feature_set": "fs",
            "reasons": "[]",
            "newly_qualified": pd.array([None] * len(entities), "boolean"),
            "scored_at": AT,
            "suppressed": pd.array([None] * len(entities), "string"),
            "model_version": "1",
        }
    )
    return log_table(rows, [np.array([0.1 + 0.2, np.nan])] * len(rows), "score", ["boards"] * len(rows))


def replayed(*entities):
    return table(*entities).select(REPLAY_SCHEMA.names)


def config_of(home, **keys):
    return product(home, [{"account": "a", "signed_up": "2026-01-01"}], [], [], **keys)


def test_without_a_log_nothing_is_written_or_computed(tmp_path):
    def tables():
        raise AssertionError
        yield

    assert append_scores(config_of(tmp_path, score_log=False), tables()) is None


def test_each_run_adds_a_file_to_the_folder_beside_the_config(tmp_path):
    config = config_of(tmp_path, score_log="logs/scores")
    first, second = append_scores(config, [table("a")]), append_scores(config, [table("b"), table("c")])
    assert first.startswith(str(tmp_path / "logs" / "scores"))
    location, rows, matching = read_scores(config, None, RowSelection())
    assert (location, rows["entity"].to_pylist(), matching) == (str(tmp_path / "logs" / "scores"), ["a", "b", "c"], 3)
    assert read_scores(config, second, RowSelection(entity="c"))[1].equals(replayed("c"))


@pytest.fixture(params=["duckdb", "sqlite", "postgres"])
def connection(request, tmp_path):
    if request.param == "postgres":
        with postgres.server() as con:
            yield f"postgres://pql@/postgres?host={con.info.host}"
        return
    duckdb.connect(str(tmp_path / "shop.duckdb")).close()
    sqlite3.connect(tmp_path / "shop.db").execute("create table t (a)")
    yield {"duckdb": "duckdb://shop.duckdb", "sqlite": "sqlite:///shop.db"}[request.param]


def test_round_trip_through_a_table_of_the_connection(connection, tmp_path):
    config = config_of(tmp_path, connection=connection, score_log={"table": "pql_scores"})
    assert append_scores(config, [table("b"), table("0012")]) == "table pql_scores"
    assert append_scores(config, [table("a")]) == "table pql_scores"
    location, rows, matching = read_scores(config, None, RowSelection(since=parse_instant("2026-01-05")))
    assert (location, matching) == ("table pql_scores", 3)
    assert rows.equals(replayed("0012", "a", "b"))
    assert read_scores(config, None, RowSelection(entity="0012"))[1].equals(replayed("0012"))
    whole = LogTable(str(config.connection), config.home, "pql_scores", ("entity",)).read(SCHEMA.names)
    assert decode_columns(whole).equals(table("0012", "a", "b"))
    assert read_scores(config, None, RowSelection(until=parse_instant("2026-01-05")))[2] == 0


def test_an_unwritable_log_is_an_error_with_a_fix(tmp_path):
    (tmp_path / "file").write_text("")
    for score_log in ("file/log", {"table": "pql_scores"}):
        config = config_of(tmp_path, connection="sqlite:///nowhere.db", score_log=score_log)
        with pytest.raises(DataError, match=r"The scores were written, the score log was not: .* score again"):
            append_scores(config, [table("a")])


def test_reading_without_a_log_is_an_error(tmp_path):
    with pytest.raises(
        DataError,
        match=r"This config has no score log: `score_log: false`. Allowed: a folder .* remove `score_log: false`",
    ):
        read_scores(config_of(tmp_path, score_log=False), None, RowSelection())
    with pytest.raises(DataError, match=r"There is no score log here. Received: .*score_log. .* and score"):
        read_scores(config_of(tmp_path), None, RowSelection())


def test_every_score_is_logged_beside_the_config_unless_it_says_otherwise(tmp_path):
    config = config_of(tmp_path)

    assert log_paths(config) == []
    path = append_scores(config, [table("a", "b")])
    assert Path(path).is_relative_to(tmp_path / "score_log")
    assert log_paths(config) == [Path(path)]


def test_a_log_in_a_database_is_read_part_by_part(tmp_path):
    config = config_of(tmp_path, connection="sqlite:///shop.db", score_log={"table": "pql_scores"})
    sqlite3.connect(tmp_path / "shop.db").close()
    assert list(log_batches(config, ["entity"], ["entity"])) == []  # nothing was scored yet

    append_scores(config, [table("a"), table("b")])

    parts = list(log_batches(config, ["entity", "as_of", "is_pql", "of_a_later_version"], ["entity"]))
    rows = pa.concat_tables(parts)
    assert rows.column_names == ["entity", "as_of", "is_pql"]
    assert sorted(rows["entity"].to_pylist()) == ["a", "b"]
    assert rows.schema.field("as_of").type == SCHEMA.field("as_of").type
    with pytest.raises(DataError, match=r"The table `pql_scores` is not a score log: it lacks other"):
        list(log_batches(config, ["other"], ["other"]))
