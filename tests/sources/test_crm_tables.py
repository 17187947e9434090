"""Tables that a CRM keeps: their ids, and leads that the product does not know."""

from __future__ import annotations

import pytest
from test_feedback import read

from pql_model.errors import DataError


def test_a_table_of_other_ids_stops_the_run(tmp_path):
    with pytest.raises(DataError, match=r"No entity of dispositions.csv is listed in accounts.csv"):
        read(tmp_path, "x1,2026-01-05,won,,\nx2,2026-01-05,won,,\n")


def test_leads_that_never_signed_up_are_no_reason_to_stop(tmp_path):
    text = "a,2026-01-05T01:00,won,,\n" + "".join(f"lead{i},2026-01-05,won,,\n" for i in range(9))

    feedback, rows = read(tmp_path, text, max_set_aside=0.5)

    assert (feedback.set_aside, len(rows)) == ({"unknown_entity": 9}, 1)


def test_ids_are_normalised_and_merged_as_in_other_tables(tmp_path):
    (tmp_path / "merges.csv").write_text("old,new\nx,b\n")
    aliases = {"table": "merges.csv", "columns": {"alias": "old", "user": "new"}}
    text = "X,2026-01-05T09:00,won,,\n B ,2026-01-06T09:00,won,,\n"

    feedback, rows = read(tmp_path, text, entity="user", aliases=aliases, normalise=["case"])

    assert [row[0] for row in rows] == ["b", "b"]
    assert feedback.set_aside == {}
