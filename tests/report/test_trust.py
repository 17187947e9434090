import pytest
from growths import growth
from reading import Node, read

from pql_model.report.trust import health, keeps_its_word, limits, method
from pql_model.report.view import View
from pql_model.report.words import NOT_CAUSES


def section(told, make, explorer=None) -> Node:
    return read(make(View(told, explorer))).one("section")


def test_the_score_keeps_its_word_where_the_range_holds_what_was_predicted():
    told = growth()
    kept = sum(
        group["observed"]["low"] <= group["predicted"] <= group["observed"]["high"] for group in told["calibration"]
    )

    assert section(told, keeps_its_word).one("h2").words() == f"The score keeps its word in {kept} of 10 groups"
    told["calibration"][9]["predicted"] = 0.9
    assert f"in {kept - 1} of 10" in section(told, keeps_its_word).one("h2").words()
    assert "gives about 90 in 100, 23 of 100 converted" in section(told, keeps_its_word).words()


def test_without_calibration_it_is_said():
    told = growth()
    told["calibration"], told["months"] = [], []

    assert section(told, keeps_its_word).one("h2").words() == "The score cannot be checked yet"


@pytest.mark.parametrize(
    ("levels", "heading"),
    [(["red", "red"], "2 things in the data speak against the verdict"), (["red", "amber"], "1 thing in the data speaks against the verdict"),
     (["amber", "ok"], "1 thing in the data to know about"), (["ok"], "Nothing in the data speaks against the verdict"), ([], "Nothing in the data speaks")],
)  # fmt: skip
def test_the_heading_of_data_health_says_the_worst(levels, heading):
    told = growth()
    told["health"] = [{"level": level, "saw": "a", "does": "b", "todo": "c"} for level in levels]

    assert section(told, health).one("h2").words().startswith(heading)


def test_rows_set_aside_are_listed_by_reason():
    assert "unparsable time12" in section(growth(), health).words()


def test_what_the_page_cannot_tell_is_said_once_with_the_test_that_would_settle_it():
    told = section(growth(), limits).words()

    assert told.count(NOT_CAUSES) == 1
    assert "leave one in ten of them alone for 30 days" in told


def test_the_model_card_names_what_is_needed_to_do_it_again():
    told = section(growth(), method).words()

    for part in ("an account pays within 30 days", "ab12cd34ef56, seed 7", "0.79 (0.77 to 0.81)", "lightgbm 4.7.0", "version 3", "Wilson", "plan_tier",
                 "corrected by Holm", "the lower end of the lift is at least 1.5"):  # fmt: skip
        assert part in told


def test_a_model_that_is_not_registered_has_no_version_and_allowed_columns_are_no_leaks():
    told = growth()
    told["model"]["version"], told["facts"]["leakage"] = None, [{"column": "x", "reason": "y", "action": "allowed"}]
    words = section(told, method).words()

    assert "nimbus-boards, trained 20 Aug 2026" in words
    assert "columns kept out as leaksnone" in words


def test_the_reader_is_told_what_is_in_the_file():
    assert "only the counts you can read" in section(growth(), method).words()
    for mode, says in (("counts", "not a formal guarantee"), ("rows", "do not forward it")):
        assert says in section(growth(), method, {"mode": mode}).words()
