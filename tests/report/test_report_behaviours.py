from growths import growth, nothing_found
from reading import Node, read

from pql_model.report.behaviours import measured
from pql_model.report.page import render_section
from pql_model.report.view import GrowthNode, View


def section(payload) -> Node:
    return read(render_section("behaviours", View(payload))).one("section")


def test_the_sentence_compares_those_with_a_behaviour_and_the_rest_and_claims_no_cause():
    payload = " ".join(section(growth()).text_content().split())

    assert "Board Created goes with conversion: 16 against 2.4 of 100" in payload
    assert (
        "Of accounts with at least 5 Board Created in the first 7 days, 16 of 100 convert (95 % interval 14 to 19); of the rest, 2.4 "
        "(95 % interval 2 to 2.9). This shows who converts, not that doing it makes the account convert."
    ) in payload


def test_intent_and_value_are_marked_differently():
    kinds = {row[0]: row[5] for row in section(growth()).table("behaviours")}

    assert kinds["at least 2 Pricing Viewed in the last 7 days"].startswith("intent")
    assert kinds["at least 5 Board Created in the first 7 days"].startswith("value")


def test_each_behaviour_has_its_curve_with_the_count_beyond_each_value():
    rows = section(growth()).table("curve-0")
    counts = [int(row[1].replace(",", "")) for row in rows]

    assert rows[0][0] == "1 or more"
    assert counts == sorted(counts, reverse=True)


def test_behaviours_that_are_no_criteria_are_folded_below_those_that_are():
    payload = growth()
    html = section(payload)
    criteria = [one["words"].replace("`", "") for one in payload["behaviours"] if one["is_criterion"]]
    others = [one["words"].replace("`", "") for one in payload["behaviours"] if not one["is_criterion"]]

    assert [row[0] for row in html.table("behaviours")] == criteria
    assert [row[0] for row in html.table("folded")] == others != []
    assert "1 more tells nothing beyond these" in html.text_content()


def test_where_no_behaviour_is_a_criterion_none_is_folded():
    payload = growth()
    for one in payload["behaviours"]:
        one["is_criterion"] = False
    html = section(payload)

    assert len(html.table("behaviours")) == len(payload["behaviours"])
    assert "tell nothing" not in html.text_content()


def test_an_upper_threshold_reads_or_less():
    payload = growth()
    payload["behaviours"][0]["curve"].reverse()

    assert section(payload).table("curve-0")[0][0].endswith("or less")


def test_a_behaviour_without_a_threshold_is_left_out_of_the_picture():
    payload = growth()
    payload["behaviours"][0] |= {"above": None, "below": None, "curve": [], "threshold": None, "unit": None}

    assert len(section(payload).table("behaviours")) + len(section(payload).table("folded")) == 6
    assert "goes with conversion" in section(payload).one("h2").text_content()


def test_too_few_on_one_side_give_counts_and_no_finding():
    payload = growth()
    few = {"entities": 12, "conversions": 3, "rate": {"value": 0.25, "low": 0.1, "high": 0.5}}
    payload["behaviours"] = [payload["behaviours"][0] | {"above": few}]
    html = section(payload)

    assert html.one("h2").text_content() == "What goes with conversion: cannot tell these apart yet"
    assert html.table("behaviours")[0][1] == "3 of 12: too few to judge"


def test_a_behaviour_that_does_not_separate_is_not_the_finding():
    payload = growth()
    payload["behaviours"][0]["above"]["rate"] |= {"value": 0.05, "low": 0.01, "high": 0.09}

    assert section(payload).one("h2").text_content() == "Teammate Invited goes with conversion: 16 against 3.5 of 100"


def test_without_behaviours_the_page_says_so():
    assert section(nothing_found()).one("h2").text_content() == "No behaviour goes with conversion beyond chance"


def test_the_name_of_a_measure_falls_back_on_its_text():
    assert measured(GrowthNode({"words": "at least 5 `x`", "features": []})) == "at least 5 `x`"


def test_text_and_missing_values_are_shown_as_such():
    payload = growth()
    payload["behaviours"][0]["shap"] = [
        {"value": "51-200", "contribution": 0.2, "entities": 3},
        {"value": None, "contribution": 0, "entities": 1},
    ]

    assert "51-200+0.203none+0.001" in section(payload).text_content()
