"""`where:` selects rows before anything else is read, and says what a column holds where it selects none."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from staging import put, rows_of_raw

from pql_model.config.row_filter import RowFilter
from pql_model.errors import DataError
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.files import read_raw
from pql_model.sources.row_filter import select_rows

CHARGES = """id,status,live,amount,created,note
1,Paid,true,49.00,2026-01-05,
2,Paid,TRUE,0,2026-01-31,x
3,Failed,true,49,2026-02-01T09:00:00Z,NaN
4, Paid ,false,99.5,,y
5,,1,,2026-03-01,x
6,paid,t,many,soon,
"""


def selected(home, where, table="charges.csv", content=CHARGES):
    """The ids that a `where:` selects, the rows left out, and the warnings."""
    if content is not None:
        put(home, table, content)
    filters = {name: RowFilter.model_validate(given) for name, given in where.items()}
    with open_session("1GB") as con:
        raw = select_rows(read_raw(con, table, home), filters, "conversions.where")
        rows = rows_of_raw(raw)
    return sorted(str(row["id"]) for row in rows), raw.left_out, raw.warnings


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ({}, "123456"),
        ({"status": ["Paid"]}, "124"),
        ({"status": "Paid"}, "124"),
        ({"status": ["Paid", "Failed"]}, "1234"),
        ({"live": [True]}, "123"),
        ({"live": ["True"]}, "123"),
        ({"id": [2.0, "03", 3]}, "23"),
        ({"amount": [49]}, "13"),
        ({"amount": {"at_least": 49}}, "134"),
        ({"amount": {"above": 49}}, "4"),
        ({"amount": {"above": 0, "below": 99.5}}, "13"),
        ({"amount": {"at_most": 0}}, "2"),
        ({"amount": {"at_most": 0, "missing": True}}, "25"),
        ({"created": {"at_least": "2026-01-31"}}, "235"),
        ({"created": {"above": "2026-01-31"}}, "35"),
        ({"created": {"at_least": "2026-01-05", "below": "2026-02-01T09:00:00Z"}}, "12"),
        ({"note": {"missing": True}}, "136"),
        ({"note": {"missing": False}}, "245"),
        ({"note": {"not": ["x"]}}, "1346"),
        ({"note": {"not": ["x"], "missing": False}}, "4"),
        ({"note": {"in": ["x"], "missing": True}}, "12356"),
        ({"status": ["Paid"], "live": [True], "amount": {"above": 0}}, "1"),
    ],
)
def test_rows_are_selected_by_values_ranges_and_whether_there_is_one(tmp_path, where, ids):
    found, left_out, _ = selected(tmp_path, where)

    assert "".join(found) == ids
    assert left_out == 6 - len(ids)


def test_types_of_parquet_are_compared_as_they_are(tmp_path):
    table = pa.table(
        {
            "id": [1, 2, 3],
            "live": [True, False, None],
            "amount": [49.0, float("nan"), 0.5],
            "at": pa.array([1_767_571_200_000_000, None, 1_769_817_600_000_000], pa.timestamp("us")),
            "plan": pa.array(["pro", "free", None]).dictionary_encode(),
            "more": [{"kind": "a"}, {"kind": "b"}, {"kind": "a"}],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")

    def ids(**where):
        return "".join(selected(tmp_path, where, "t.parquet", None)[0])

    assert ids(live=[True]) == ids(live=["TRUE"]) == "1"
    assert ids(live={"missing": True}) == "3"
    assert ids(amount={"missing": True}) == "2"
    assert ids(amount={"at_least": 0.5, "at_most": 49}) == "13"
    assert ids(at={"at_least": "2026-01-05", "below": "2026-01-06"}) == "1"
    assert ids(plan={"not": ["pro"]}) == "23"
    assert ids(**{"more.kind": ["a"]}) == "13"
    with pytest.raises(DataError, match=r"`conversions\.where\.at` compares a column of t\.parquet with numbers"):
        ids(at={"at_least": 3})
    with pytest.raises(DataError, match=r"`conversions\.where\.live` compares a column of t\.parquet with times"):
        ids(live={"at_least": "2026-01-05"})


def test_fields_of_json_lines_can_be_filtered_and_the_rest_is_still_read(tmp_path):
    lines = [{"id": 1, "p": {"env": "prod"}, "n": 1}, {"id": 2, "p": {"env": "test"}, "n": 2}, {"id": 3, "n": 3}]
    content = "\n".join(map(json.dumps, lines))

    assert selected(tmp_path, {"p.env": ["prod"]}, "log.jsonl", content) == (["1"], 2, ())
    assert selected(tmp_path, {"p.env": {"not": ["test"]}, "n": {"above": 1}}, "log.jsonl", content)[0] == ["3"]


class TestRefused:
    def test_a_missing_column_comes_with_the_nearest(self, tmp_path):
        with pytest.raises(DataError, match=r"no column `Status`, did you mean `status`.*conversions\.where\.Status"):
            selected(tmp_path, {"Status": ["Paid"]})

    def test_values_of_which_none_occurs_come_with_those_that_do(self, tmp_path):
        expected = (
            r"`conversions\.where\.status` lists only values that do not occur in charges\.csv, did you mean `Paid`\? "
            r"Received: PAID, succeeded\. Allowed: Paid \(3\), Failed \(1\), paid \(1\)\. "
            r"Fix: list values of `status` as the table writes them"
        )
        with pytest.raises(DataError, match=expected):
            selected(tmp_path, {"status": ["PAID", "succeeded"]})
        with pytest.raises(DataError, match=r"lists only values that do not occur"):
            selected(tmp_path, {"status": {"in": ["open"], "missing": True}})

    def test_a_range_without_rows_comes_with_the_range_of_the_column(self, tmp_path):
        expected = (
            r"`conversions\.where` selects none of the 6 rows of charges\.csv\. "
            r"Received: `amount: \{above: 100\}` holds in 0; `amount` has 0 to 99\.5"
        )
        with pytest.raises(DataError, match=expected):
            selected(tmp_path, {"amount": {"above": 100}})
        with pytest.raises(DataError, match=r"`created` has 2026-01-05 to 2026-03-01"):
            selected(tmp_path, {"created": {"above": "2027-01-01"}})

    def test_filters_that_never_hold_together_are_counted_one_by_one(self, tmp_path):
        expected = r"`status: \[Failed\]` holds in 1; `amount: \{at_most: 0\}` holds in 1\. Fix: .*in the same row"
        with pytest.raises(DataError, match=expected):
            selected(tmp_path, {"status": ["Failed"], "amount": {"at_most": 0}})

    def test_a_column_of_texts_is_not_compared_with_numbers(self, tmp_path):
        expected = r"compares a column of charges\.csv that does not hold numbers\. Received: Paid \(3\)"
        with pytest.raises(DataError, match=expected):
            selected(tmp_path, {"status": {"above": 0}})

    def test_an_empty_table_is_left_to_the_checks_that_follow(self, tmp_path):
        assert selected(tmp_path, {"status": ["Paid"]}, content="id,status\n") == ([], 0, ())


class TestWarnings:
    def test_a_value_that_does_not_occur_beside_others_that_do(self, tmp_path):
        warnings = selected(tmp_path, {"status": ["Paid", "Faild"]})[2]

        assert warnings[0] == (
            "`conversions.where.status` lists values that do not occur in charges.csv: Faild, did you mean `Failed`? "
            "`status` has Paid (3), Failed (1), paid (1)."
        )

    def test_a_value_that_differs_only_in_case(self, tmp_path):
        warnings = selected(tmp_path, {"status": ["Paid"]})[2]

        assert warnings == (
            "1 rows of charges.csv differ from a value of `conversions.where.status` only in case (paid). Case matters: "
            "list both spellings if both count.",
        )

    def test_values_that_cannot_be_compared(self, tmp_path):
        assert selected(tmp_path, {"amount": {"above": 0}})[2] == (
            "1 values of `amount` in charges.csv are not numbers; `conversions.where` does not select their rows.",
        )

    def test_an_excluded_value_that_does_not_occur(self, tmp_path):
        assert "do not occur in charges.csv: test." in selected(tmp_path, {"status": {"not": ["test"]}})[2][0]

    def test_filters_that_fit_give_none(self, tmp_path):
        assert selected(tmp_path, {"status": ["Paid", "paid"], "created": {"missing": False}})[2] == ()
