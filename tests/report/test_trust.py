import pytest
from growths import growth
from reading import Node, read

from pql_model.page.numbers import NOT_CAUSES
from pql_model.report.page import render_section
from pql_model.report.view import View


def section(payload, name, explorer=None) -> Node:
    return read(render_section(name, View(payload, explorer))).one("section")


def test_a_group_matches_if_the_interval_of_its_rate_includes_the_prediction():
    payload = growth()
    kept = sum(
        group["observed"]["low"] <= group["predicted"] <= group["observed"]["high"] for group in payload["calibration"]
    )

    assert (
        section(payload, "score").one("h2").text_content()
        == f"The predicted probabilities match the outcomes in {kept} of 10 groups"
    )
    payload["calibration"][9]["predicted"] = 0.9
    assert f"in {kept - 1} of 10" in section(payload, "score").one("h2").text_content()
    assert "gives about 90 in 100, 23 of 100 converted" in section(payload, "score").text_content()


def test_missing_calibration_is_stated():
    payload = growth()
    payload["calibration"], payload["months"] = [], []

    assert section(payload, "score").one("h2").text_content() == "The probabilities cannot be checked yet"


@pytest.mark.parametrize(
    ("levels", "heading"),
    [
        (["red", "red"], "2 things in the data speak against the verdict"),
        (["red", "amber"], "1 thing in the data speaks against the verdict"),
        (["amber", "ok"], "1 thing in the data to know about"),
        (["ok"], "Nothing in the data speaks against the verdict"),
        ([], "Nothing in the data speaks"),
    ],
)
def test_the_heading_of_data_health_is_the_worst_status(levels, heading):
    payload = growth()
    payload["health"] = [{"level": level, "saw": "a", "does": "b", "todo": "c"} for level in levels]

    assert section(payload, "health").one("h2").text_content().startswith(heading)


def test_rows_set_aside_are_listed_by_reason():
    assert "unparsable time12" in section(growth(), "health").text_content()


def test_the_limits_of_the_page_are_stated_once_with_the_experiment_that_would_decide():
    payload = section(growth(), "limits").text_content()

    assert payload.count(NOT_CAUSES) == 1
    assert "A random hold-out is what would settle it" in payload


def test_the_model_card_has_what_is_needed_to_reproduce_it():
    payload = section(growth(), "method").text_content()

    for part in (
        "an account pays within 30 days",
        "ab12cd34ef56, seed 7",
        "0.79 (0.77 to 0.81)",
        "lightgbm 4.7.0",
        "version 3",
        "Wilson",
        "plan_tier",
        "corrected by Holm",
        "the lower end of the lift is at least 1.5",
    ):
        assert part in payload


def test_an_unregistered_model_has_no_version_and_allowed_columns_are_not_leaks():
    payload = growth()
    payload["model"]["version"], payload["facts"]["leakage"] = (
        None,
        [{"column": "x", "reason": "y", "action": "allowed"}],
    )
    words = section(payload, "method").text_content()

    assert "nimbus-boards, trained 20 Aug 2026" in words
    assert "columns excluded for leakagenone" in words


def test_the_contents_of_the_file_are_stated():
    assert "only the counts you can read" in section(growth(), "method").text_content()
    for mode, says in (("counts", "not a formal guarantee"), ("rows", "do not forward it")):
        assert says in section(growth(), "method", {"mode": mode}).text_content()
