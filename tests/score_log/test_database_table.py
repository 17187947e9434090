import datetime as dt
import sqlite3
from dataclasses import replace

import duckdb
import postgres
import pyarrow as pa
import pytest

from pql_model.errors import DataError
from pql_model.score_log.database_table import LogTable

AT = dt.datetime(2026, 1, 1, 1, 2, 3, 456789, tzinfo=dt.UTC)
ROWS = pa.table(
    {
        "entity": ["0012", "b🙂"],
        "at": pa.array([AT, AT - dt.timedelta(days=1)], pa.timestamp("us", "UTC")),
        "p": [0.1 + 0.2, 1 / 3],
        "ok": pa.array([True, None]),
        "told": pa.array([None, None], pa.string()),
    }
)


@pytest.fixture(scope="module")
def server():
    with postgres.server() as con:
        con.execute("CREATE SCHEMA logs")
        yield f"postgres://pql@/postgres?host={con.info.host}"


@pytest.fixture(params=["duckdb", "sqlite", "postgres", "schema"])
def log(request, tmp_path):
    """An empty database of each kind; the last one with a table in a schema."""
    duckdb.connect(str(tmp_path / "shop.duckdb")).close()
    sqlite3.connect(tmp_path / "shop.db").execute("create table t (a)")
    urls = {"duckdb": "duckdb://shop.duckdb", "sqlite": "sqlite:///shop.db"}
    url = urls.get(request.param) or request.getfixturevalue("server")
    return LogTable(url, tmp_path, "logs.scores" if request.param == "schema" else "scores", ("at", "entity"))


def test_rows_are_read_back_in_order_without_loss(log):
    log.append([ROWS.slice(0, 1)])
    log.append([ROWS.slice(1, 1), ROWS])
    read = log.read(ROWS.column_names)
    assert read["entity"].to_pylist() == ["b🙂", "b🙂", "0012", "0012"]
    assert read["p"].to_pylist() == [1 / 3, 1 / 3, 0.1 + 0.2, 0.1 + 0.2]
    assert [None if ok is None else bool(ok) for ok in read["ok"].to_pylist()] == [None, None, True, True]
    assert read["told"].to_pylist() == [None] * 4
    times = [dt.datetime.fromisoformat(at) if isinstance(at, str) else at for at in read["at"].to_pylist()]
    assert times[2:] == [AT, AT]
    assert log.read(["entity"], [0, 3])["entity"].to_pylist() == ["b🙂", "0012"]
    assert log.read(["entity"], []).num_rows == 0


def test_columns_of_a_newer_version_are_added(log):
    log = replace(log, name=f"{log.name}_3")
    log.append([ROWS.select(["entity", "at"]).slice(0, 1)])
    log.append([ROWS.slice(1, 1)], ["entity", "at"])
    rows = sorted(zip(*(log.read([name])[name].to_pylist() for name in ("entity", "p")), strict=True))
    assert rows == [("0012", None), ("b🙂", 1 / 3)] or rows == [("0012", 0.1 + 0.2), ("b🙂", None)]


@pytest.fixture
def lite(tmp_path):
    sqlite3.connect(tmp_path / "shop.db").execute("create table other (entity text, at text)")
    return lambda name, url="sqlite:///shop.db": LogTable(url, tmp_path, name, ("at",))


def test_many_positions_are_read_in_several_queries(lite, monkeypatch):
    monkeypatch.setattr("pql_model.score_log.database_table._POSITIONS_PER_QUERY", 2)
    log = lite("scores")
    log.append([ROWS] * 3)
    assert log.read(["entity"], [0, 2, 3, 4, 5])["entity"].to_pylist() == ["b🙂"] * 2 + ["0012"] * 3


def test_a_foreign_table_is_neither_written_nor_read(lite):
    with pytest.raises(
        DataError, match=r"The table `other` is not a score log: it lacks p, ok, told. Received: entity, at"
    ):
        lite("other").append([ROWS])
    with pytest.raises(DataError, match=r"`other` is not a score log: it lacks p"):
        lite("other").read(["entity", "p"])


def test_a_missing_table_is_an_error(lite):
    with pytest.raises(
        DataError, match=r"no such table: there is no score log yet. Received: scores. Fix: score first"
    ):
        lite("scores").read(["entity"])


def test_an_unusable_database_is_reported_without_its_password(lite):
    with pytest.raises(DataError, match=r"There is no database .*shap\.db"):
        lite("scores", "sqlite:///shap.db").append([ROWS])
    with pytest.raises(DataError, match=r"cannot be used in the connection: .*nosuch://me:\*\*\*@host/db") as caught:
        lite("scores", "nosuch://me:secret@host/db").append([ROWS])
    assert "secret" not in str(caught.value)


def test_a_locked_database_is_reported(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "shop.duckdb"
    duckdb.connect(str(path)).close()
    code = f"import duckdb, time; c = duckdb.connect({str(path)!r}); print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DataError, match=r"The score log cannot be used in the connection: .*lock"):
            LogTable("duckdb://shop.duckdb", tmp_path, "scores", ("at",)).append([ROWS])
    finally:
        holder.kill()
        holder.wait()


def test_rows_are_deleted_and_texts_replaced_on_every_engine(log):
    log = replace(log, name=f"{log.name}_2")
    assert log.columns() == []
    table = pa.table({"entity": ["o'x", "b🙂", "c"], "at": ["1", "2", "3"], "told": ["Zoë's", "Zoë's", None]})
    log.append([table])
    assert log.columns() == ["entity", "at", "told"]
    log.replace(
        [({"told": "Zoë's"}, {"told": None}), ({"told": None, "at": "3"}, {"told": "x", "at": "3"})], "entity", ["b🙂"]
    )
    assert log.read(["told"])["told"].to_pylist() == [None, "Zoë's", "x"]
    log.delete("entity", ["o'x", "absent"])

    assert log.read(["entity", "told"]).to_pylist() == [
        {"entity": "b🙂", "told": "Zoë's"},
        {"entity": "c", "told": "x"},
    ]
