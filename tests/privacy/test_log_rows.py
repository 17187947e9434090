"""The score log in a database loses the rows of one entity, and the users of it in other rows."""

import json

import duckdb
import pyarrow as pa
import pytest

from pql_model.privacy.formats import Match
from pql_model.privacy.log_rows import LogRows
from pql_model.privacy.subject import Subject
from pql_model.score_log.database_table import LogTable

ANN, EVE = (json.dumps({"user": user}) for user in ("ann", "eve"))
SUBJECT = Subject(frozenset({"a'1"}), frozenset({"ann"}))


@pytest.fixture
def table(tmp_path):
    duckdb.connect(str(tmp_path / "shop.duckdb")).close()
    return LogTable("duckdb://shop.duckdb", tmp_path, "scores", ("entity",))


def test_rows_are_removed_and_cells_cleared(table):
    table.append([pa.table({"entity": ["a'1", "b", "c", "c"], "contact": [ANN, ANN, EVE, ANN]})])
    rows = LogRows(table)

    assert rows.users(SUBJECT) == {"ann"}
    assert rows.count(SUBJECT).rows == 1
    rows.forget(SUBJECT, rows=True)
    left = table.read(["entity", "contact"]).to_pylist()
    assert sorted((row["entity"], row["contact"] or "") for row in left) == [("b", ""), ("c", ""), ("c", EVE)]
    assert not rows.count(SUBJECT)


def test_the_next_contact_takes_the_place_and_rows_of_others_are_counted(table):
    both, bob = json.dumps([{"user": "ann"}, {"user": "bob"}]), json.dumps({"user": "bob"})
    contacts = [both, both, both, json.dumps([{"user": "ann"}]), None]
    table.append(
        [pa.table({"entity": ["a'1", "b", "b", "c", "d"], "contact": [ANN, ANN, ANN, ANN, EVE], "contacts": contacts})]
    )
    rows = LogRows(table)

    assert rows.count(SUBJECT) == Match(rows=1, cleared=3)
    rows.forget(SUBJECT, rows=False)
    left = {
        (r["entity"], r["contact"], r["contacts"]) for r in table.read(["entity", "contact", "contacts"]).to_pylist()
    }
    # its own row still says who its users are, for a second run after a kill
    assert left == {("a'1", ANN, both), ("b", bob, f"[{bob}]"), ("c", None, None), ("d", EVE, None)}
    assert rows.count(SUBJECT) == Match(rows=1)


def test_a_log_without_contacts_or_without_a_table_holds_nothing_more(table):
    rows = LogRows(table)
    assert (rows.count(SUBJECT), rows.users(SUBJECT)) == (Match(), set())
    table.append([pa.table({"entity": ["a'1"], "p": [0.5]})])
    assert rows.count(SUBJECT) == Match(rows=1)
    rows.forget(SUBJECT, rows=False)
    assert rows.count(SUBJECT) == Match(rows=1)
