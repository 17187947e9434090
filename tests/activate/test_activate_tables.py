import duckdb
import ibis
import pytest
from postgres import server
from sync_world import scored_row

from pql_model.activate import tables
from pql_model.activate.tables import upsert_rows
from pql_model.errors import DataError


def rows(*entities, **values):
    return [scored_row(entity, **values) for entity in entities]


@pytest.fixture(scope="module")
def postgres_url():
    with server() as con:
        yield f"postgres:///postgres?user=pql&host={con.info.host}"


@pytest.fixture(params=["duckdb", "postgres"])
def place(request, tmp_path):
    """A database: its URL, and a function that gives the rows of a query."""
    if request.param == "duckdb":
        duckdb.connect(str(tmp_path / "w.duckdb")).close()

        def ask(query):
            with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
                return con.execute(query).fetchall()

        yield "duckdb://w.duckdb", ask
        return
    url = request.getfixturevalue("postgres_url")
    con = ibis.connect(url)

    def ask(query):
        with con.con.cursor() as cursor, con.con.transaction():
            cursor.execute(query)
            return cursor.fetchall() if cursor.description else []

    ask("CREATE SCHEMA IF NOT EXISTS crm")
    ask("DROP TABLE IF EXISTS pql_scores, crm.leads")
    yield url, ask
    con.disconnect()


def test_one_row_per_entity_is_inserted_updated_and_removed(place, tmp_path):
    url, ask = place
    assert upsert_rows(url, tmp_path, "pql_scores", rows("a", "b", "Łódź 'x'"), mirror=True) == 3
    assert upsert_rows(url, tmp_path, "pql_scores", rows("b", "c", probability=0.5), mirror=True) == 2
    assert sorted(ask("SELECT entity, probability, is_pql FROM pql_scores")) == [("b", 0.5, True), ("c", 0.5, True)]


def test_a_list_of_new_leads_removes_nobody(place, tmp_path):
    url, ask = place
    upsert_rows(url, tmp_path, "pql_scores", rows("a"), mirror=False)
    upsert_rows(url, tmp_path, "pql_scores", rows("b"), mirror=False)
    upsert_rows(url, tmp_path, "pql_scores", [], mirror=False)
    assert sorted(ask("SELECT entity FROM pql_scores")) == [("a",), ("b",)]


def test_an_empty_list_empties_a_table_that_mirrors_it(place, tmp_path):
    url, ask = place
    upsert_rows(url, tmp_path, "pql_scores", rows("a"), mirror=True)
    assert upsert_rows(url, tmp_path, "pql_scores", [], mirror=True) == 0
    assert ask("SELECT count(*) FROM pql_scores") == [(0,)]


def test_the_same_rows_twice_change_nothing(place, tmp_path):
    url, ask = place
    for _ in range(2):
        upsert_rows(url, tmp_path, "pql_scores", rows("a", "b"), mirror=True)
    assert ask("SELECT count(*), count(DISTINCT entity) FROM pql_scores") == [(2, 2)]


def test_a_failure_in_the_middle_leaves_the_old_rows(place, tmp_path, monkeypatch):
    url, ask = place
    upsert_rows(url, tmp_path, "pql_scores", rows("a", "b"), mirror=True)

    def fails(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(tables, "_remove_others", fails)
    with pytest.raises(DataError, match="could not be written and is unchanged"):
        upsert_rows(url, tmp_path, "pql_scores", rows("b", "c", probability=0.9), mirror=True)
    assert sorted(ask("SELECT entity, probability FROM pql_scores")) == [("a", 0.3), ("b", 0.3)]


def test_columns_that_a_table_lacks_are_added(place, tmp_path):
    url, ask = place
    ask("CREATE TABLE pql_scores (entity text, owner text)")
    ask("INSERT INTO pql_scores VALUES ('a', 'ada')")
    upsert_rows(url, tmp_path, "pql_scores", rows("a", "b"), mirror=False)
    assert sorted(ask("SELECT entity, owner, probability FROM pql_scores")) == [("a", "ada", 0.3), ("b", None, 0.3)]


def test_another_table_is_refused(place, tmp_path):
    url, ask = place
    ask("CREATE TABLE pql_scores (customer text)")
    with pytest.raises(DataError, match="is not a table of scores: it has no column `entity`"):
        upsert_rows(url, tmp_path, "pql_scores", rows("a"), mirror=True)


def test_a_schema_may_be_named(place, tmp_path):
    url, ask = place
    ask("CREATE SCHEMA IF NOT EXISTS crm")
    upsert_rows(url, tmp_path, "crm.leads", rows("a"), mirror=True)
    upsert_rows(url, tmp_path, "crm.leads", rows("b"), mirror=True)
    assert ask("SELECT entity FROM crm.leads") == [("b",)]


def test_an_unreachable_database_is_said_without_its_password(tmp_path):
    url = "postgres://pql:s3cr3t@127.0.0.1:1/none"
    with pytest.raises(DataError, match="could not be written and is unchanged") as raised:
        upsert_rows(url, tmp_path, "pql_scores", rows("a"), mirror=True)
    assert "s3cr3t" not in str(raised.value)
