"""A cell with a list of ids belongs to each of them, once, in whatever form the export wrote the list."""

from __future__ import annotations

import pyarrow as pa
import pytest
from staging import log, read_shop

from pql_model.sources.duckdb_session import open_session
from pql_model.sources.id_lists import ids, with_each_id


def ids_of(cells):
    """For each cell, the ids its row is given to."""
    with open_session("1GB") as con:
        raw = con.create_table("raw", pa.table({"row": range(len(cells)), "cell": cells}))
        staged = con.create_table("staged", raw.select("row", entity=ids(raw.cell)))
        rows = with_each_id(con, staged, "staged", "entity").to_pyarrow().to_pylist()
    assert {row["row"] for row in rows} == set(range(len(cells)))  # no row is lost
    return [sorted((r["entity"] for r in rows if r["row"] == place), key=str) for place in range(len(cells))]


CELLS = {
    '["a", "b"]': ["a", "b"],
    "['a', 'b, c']": ["a", "b, c"],  # as pandas writes a list to CSV
    ' ["a"] ': ["a"],
    '["a", "a", null, "b"]': ["a", "b"],
    '[12, 12.0, "12"]': ["12"],
    "[9007199254740993]": ["9007199254740993"],
    '["a\\"b", "[c]"]': ["[c]", 'a"b'],
    "[]": [None],
    "[null]": [None],
    '["", "null"]': [None],
    "a": ["a"],
    "[a]": ["[a]"],  # not a list of texts in any notation: an id in brackets
    '["a"': ['["a"'],
    "12.0": ["12"],
}


def test_texts_of_lists_are_read_and_other_texts_are_single_ids():
    assert dict(zip(CELLS, ids_of(list(CELLS)), strict=True)) == CELLS


def test_a_missing_cell_among_lists_stays_missing():
    assert ids_of(['["a","b"]', None]) == [["a", "b"], [None]]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (pa.array([["a", "b", "a"], [], None, ["c", None], [None]]), [["a", "b"], [None], [None], ["c"], [None]]),
        (pa.array([[1, 2], [3]]), [["1", "2"], ["3"]]),
        (pa.array([[1.0, 2.5], [1.0, 1.0]]), [["1", "2.5"], ["1"]]),
    ],
    ids=["texts", "whole numbers", "numbers"],
)
def test_arrays_are_read_as_lists(cells, expected):
    assert ids_of(cells) == expected


def test_an_event_of_several_accounts_counts_for_each(tmp_path):
    cells = ['"[""a"", ""b""]"', '"[""c""]"', "a", "[]", "[]", '"[""b"", ""x""]"']
    product = read_shop(tmp_path, log(*(f"{cell},u,login,2026-01-10" for cell in cells)))

    assert [event["entity"] for event in product.events] == ["a", "a", "b", "b", "c"]
    assert product.set_aside == {"no_entity": 2, "unknown_entity": 1}
    assert (product.sources.events.rows_read, product.sources.events.rows_added) == (6, 2)
    assert len(product.events) + sum(product.set_aside.values()) == 6 + 2


@pytest.mark.parametrize("column", ["account", "groups.company"])
def test_lists_in_parquet_are_read_also_inside_a_struct(tmp_path, column):
    lists = [["a", "b"], ["c"], ["a", "a"], [], None]
    cells = lists if column == "account" else [{"company": cell} for cell in lists]
    rest = {"person": ["u"] * 5, "action": ["login"] * 5, "at": ["2026-01-10"] * 5}
    columns = {"entity": column, "user": "person", "event": "action", "time": "at"}
    product = read_shop(tmp_path, {column.split(".")[0]: cells, **rest}, log={"columns": columns})

    assert [event["entity"] for event in product.events] == ["a", "a", "b", "c"]
    assert product.set_aside == {"no_entity": 2}


def test_an_id_may_repeat_for_another_entity_of_a_list(tmp_path):
    rows = ['"[""a"",""b""]",u,login,2026-01-10,1', '"[""b""]",u,login,2026-01-10,1', "a,u,login,2026-01-10,2"]
    columns = {"entity": "account", "user": "person", "event": "action", "time": "at", "id": "id"}
    product = read_shop(tmp_path, log(*rows, header="account,person,action,at,id\n"), log={"columns": columns})

    assert [event["entity"] for event in product.events] == ["a", "a", "b"]
    assert product.set_aside == {"duplicate_id": 1}


def test_conversions_and_entities_may_hold_lists(tmp_path):
    accounts = 'account,signed_up\n"[""a""]",2026-01-05\nb,2026-01-06\n'
    paid = 'account,paid_at,mrr\n"[""a"",""b""]",2026-01-20,100\n'
    product = read_shop(tmp_path, log("a,u,login,2026-01-10"), accounts, paid)

    assert [row["entity"] for row in product.entities] == ["a", "b"]
    assert [row["entity"] for row in product.conversions] == ["a", "b"]
