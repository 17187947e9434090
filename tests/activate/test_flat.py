import pytest
from sync_world import scored_row

from pql_model.activate.flat import FLAT_COLUMNS, flat_row, safe_cell

CONTACT = {"user": "ada@example.com", "share": 0.6, "last_seen": "2024-10-03", "brought_in_by": "bob@example.com"}
STEP = {"words": "2 of 3 invited: one more", "gain": {"value": 0.05, "low": 0.01, "high": 0.09}}


def test_lists_and_objects_become_one_text_each():
    row = scored_row("a1", contact=CONTACT, contacts=[CONTACT, {"user": "bob@example.com"}], next_step=STEP)
    flat = flat_row(row)
    assert tuple(flat) == FLAT_COLUMNS
    assert flat["reasons"] == "3 invited (+); 5 files (+)"
    assert (flat["contact"], flat["brought_in_by"], flat["other_contacts"]) == (
        "ada@example.com",
        "bob@example.com",
        "bob@example.com",
    )
    assert (flat["next_step"], flat["next_step_gain"]) == ("2 of 3 invited: one more", 0.05)
    assert flat["criteria_met"] == "at least 3 invited"


def test_a_row_of_an_older_version_has_empty_cells():
    flat = flat_row({"entity": "a1", "reasons": None})
    assert {name for name, value in flat.items() if value is not None} == {"entity"}


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd(1)", "@SUM(A1)", "\t=1"])
def test_a_text_that_a_spreadsheet_would_run_is_quoted(text):
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-5", "+49 151", "@ada", "a=1", 3, None, True])
def test_other_values_are_left_as_they_are(value):
    assert safe_cell(value) == value
