"""Traits that change: each row states all of them from its time on, and nothing is known before the first."""

from __future__ import annotations

import pytest
from staging import log, put, read_shop, shop

from pql_model.errors import DataError
from pql_model.features.table import feature_table
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources
from pql_model.time import parse_instant

HISTORY = {"table": "history.csv", "columns": {"entity": "account", "time": "changed"}, "traits": ["plan", "seats"]}
EVENTS = log("a,u,login,2026-01-10", "b,u,login,2026-01-31")
WHO = "account,signed_up,plan,size\na,2026-01-05,pro,big\nb,2026-01-06,pro,small\n"


def staged(home, *rows, **keys):
    put(home, "history.csv", "account,changed,plan,seats\n" + "".join(f"{row}\n" for row in rows))
    product = read_shop(home, EVENTS, WHO, history=HISTORY, **keys)
    [part] = product.sources.dated
    return part, product.sources


def as_of(home, *rows, at, **keys):
    """Entity -> (plan, seats) as of an instant."""
    put(home, "history.csv", "account,changed,plan,seats\n" + "".join(f"{row}\n" for row in rows))
    with open_session("1GB") as con:
        sources = read_sources(con, shop(home, EVENTS, WHO, **{"history": HISTORY, **keys}))
        snapshots = sources.entities.table.mutate(as_of=parse_instant(at))
        names = {trait: trait for trait in ("plan", "seats", "size")}
        table = feature_table(sources, con.create_table("seen", snapshots), [], names)
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        return {r["entity"]: (r["plan"], r["seats"]) for r in rows}


def test_a_trait_is_known_from_its_row_on_and_not_before_the_first(tmp_path):
    rows = ["a,2026-01-03,free,1", "a,2026-01-12,team,5", "b,2026-01-20,free,2"]

    assert as_of(tmp_path, *rows, at="2026-01-12") == {"a": ("free", "1"), "b": (None, None)}
    assert as_of(tmp_path, *rows, at="2026-01-12T00:00:00.000001") == {"a": ("team", "5"), "b": (None, None)}


def test_a_blank_cell_is_unknown_from_then_on(tmp_path):
    rows = ["a,2026-01-03,free,1", "a,2026-01-12,,5", "a,2026-01-14,team,"]

    assert as_of(tmp_path, *rows, at="2026-01-13")["a"] == (None, "5")
    assert as_of(tmp_path, *rows, at="2026-01-15")["a"] == ("team", None)


def test_the_present_value_of_the_entities_table_is_not_used_and_that_is_said(tmp_path):
    part, sources = staged(tmp_path, "a,2026-01-03,free,1")

    assert (sources.entities.traits, sources.traits) == (("size",), ("size", "plan", "seats"))
    assert "history.csv states plan over time: the values in accounts.csv are not used." in sources.warnings
    assert part.states_all


def test_rows_of_one_instant_give_one_value_in_any_order_and_are_counted(tmp_path):
    rows = ["a,2026-01-12,team,5", "a,2026-01-12,free,7", "a,2026-01-12,team,5", "a,2026-01-12,,"]

    assert as_of(tmp_path, *rows, at="2026-01-13")["a"] == as_of(tmp_path, *rows[::-1], at="2026-01-13")["a"]
    assert as_of(tmp_path, *rows, at="2026-01-13")["a"] == ("team", "7")
    part, _ = staged(tmp_path, *rows)
    assert part.set_aside == {"repeated": 1, "conflicting": 2}


def test_of_several_numbers_in_texts_the_largest_number_counts(tmp_path):
    rows = ["a,2026-01-12,team,9", "a,2026-01-12,team,10", "b,2026-01-12,team,many", "b,2026-01-12,free,2"]

    assert as_of(tmp_path, *rows, at="2026-01-13") == {"a": ("team", "10"), "b": ("team", "2")}


def test_numbers_with_marks_are_read_as_the_table_says_and_refused_where_it_says_nothing(tmp_path):
    rows = ['a,2026-01-12,team,"1.250,5"', 'b,2026-01-12,team,"980,5"']
    marks = {**HISTORY, "decimal": ",", "thousands": "."}

    assert as_of(tmp_path, *rows, at="2026-01-13", history=marks) == {"a": ("team", "1250.5"), "b": ("team", "980.5")}
    with pytest.raises(DataError, match=r"Column `seats` of history\.csv writes numbers with marks of its own"):
        as_of(tmp_path, *rows, at="2026-01-13")


def test_rows_that_cannot_be_used_are_counted_by_reason(tmp_path):
    rows = ["a,2026-01-03,free,1", ",2026-01-03,free,1", "a,soon,free,1", "x,2026-01-03,free,1", "a,2026-02-03,team,9"]
    part, sources = staged(tmp_path, *rows)

    counts = {"after_observed_until": 1, "no_entity": 1, "unknown_entity": 1, "unparsable_time": 1}
    assert part.set_aside == counts
    assert sources.more_set_aside == {"history": counts}
    assert sources.observed_until == parse_instant("2026-01-31")  # a change does not say how far the events reach


def test_rows_with_one_value_each_raise_the_question_of_blank_cells(tmp_path):
    part, _ = staged(tmp_path, *(f"a,2026-01-{day:02},free," for day in range(1, 21)))

    assert "20 of 20 rows of history.csv fill at most one of its 2 traits" in part.notes[0]


def test_a_missing_column_is_named(tmp_path):
    put(tmp_path, "history.csv", "account,changed,plan\na,2026-01-03,free\n")
    with pytest.raises(DataError, match=r"history\.csv has no column `seats`"):
        read_shop(tmp_path, EVENTS, WHO, history=HISTORY)


def test_a_dated_column_with_the_name_of_a_trait_that_changes_is_refused(tmp_path):
    put(tmp_path, "nps.csv", "account,day,plan\na,2026-01-03,9\n")
    nps = {"table": "nps.csv", "columns": {"entity": "account", "time": "day"}, "values": ["plan"]}
    with pytest.raises(DataError, match="has the name of a trait or of another dated column: plan"):
        staged(tmp_path, "a,2026-01-03,free,1", features=[nps])
