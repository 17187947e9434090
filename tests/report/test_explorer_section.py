import json

import pytest
from growths import bits, condition, explorer_criteria, growth, no_rule_in_force, nothing_found
from reading import Node, read

from pql_model.report.explorer import explorer_data
from pql_model.report.explorer_section import script_data
from pql_model.report.page import render_section
from pql_model.report.view import View


@pytest.fixture(scope="module")
def data():
    return explorer_data(bits(), explorer_criteria(), "counts")


def page(payload, data) -> Node:
    return read(render_section("explorer", View(payload, data)))


def test_a_page_without_explorer_says_what_to_run_instead():
    for data in (None, {"mode": "off"}):
        html = page(growth(), data)
        assert "pql criteria test FILE" in html.text_content()
        assert html.all("script") == []


def test_without_a_script_the_tested_rules_are_shown(data):
    html = page(growth(), data)

    assert len(html.table("still")) == 8
    assert "hidden" in html.one("div", id="x").attributes


def test_every_behaviour_is_a_native_slider_with_a_label_whose_steps_are_its_thresholds(data):
    html = page(growth(), data)
    sliders = html.all("input", type="range")

    assert len(sliders) == 9
    assert [slider.attributes["aria-valuetext"] for slider in sliders] == ["off"] * 9
    by_id = {one["id"]: one for one in explorer_criteria()}
    for slider in sliders:
        ids = slider.attributes["data-ids"].split()
        thresholds = [by_id[name]["conditions"][0]["threshold"] for name in ids]
        assert thresholds == sorted(thresholds)
        assert slider.attributes["max"] == str(len(ids))
        label = html.one("label", **{"for": slider.attributes["id"]})
        assert label.text_content() == by_id[ids[0]]["group"]


def test_every_value_of_a_trait_is_a_checkbox_in_its_group(data):
    html = page(growth(), data)

    chips = html.all("fieldset", **{"class": "chips"})
    assert [each.one("legend").text_content() for each in chips] == ["size", "country"]
    assert [label.text_content() for label in chips[0].all("label")] == [
        "1-10",
        "11-50",
        "51-200",
        "201+",
    ]


def test_todays_rule_stands_beside_the_rule_where_there_is_one(data):
    heads = [
        cell.text_content()
        for cell in page(growth(), data).one("table", **{"data-table": "result"}).all("th", scope="col")
    ]
    alone = page(no_rule_in_force(), data).one("table", **{"data-table": "result"})

    assert heads == ["figure", "this rule", "today’s rule"]
    assert len(alone.all("th", scope="col")) == 2


def test_the_script_starts_with_the_recommended_rule_and_has_todays(data):
    payload = script_data(View(growth(), data), data)

    assert payload["starts"] == {
        "best": {"criteria": ["c1", "c2"], "join": "all", "k": 1},
        "today": {"criteria": ["c3"], "join": "all", "k": 1},
    }
    assert [len(strip["weeks"]) for strip in payload["strips"]] == [29, 29, 29]


def test_a_rule_in_force_that_the_criteria_cannot_express_has_no_button(data):
    payload = growth()
    payload["in_force"]["conditions"] = [condition("Board Created", 99)]

    assert script_data(View(payload, data), data)["starts"]["today"] is None
    assert script_data(View(no_rule_in_force(), data), data)["starts"]["today"] is None


def test_without_a_recommendation_it_starts_empty(data):
    assert script_data(View(nothing_found(), data), data)["starts"]["best"] is None


def test_the_data_are_in_a_block_that_is_not_executed(data):
    block = page(growth(), data).one("script")

    assert block.attributes == {"type": "application/json", "id": "x-data"}
    assert json.loads(block.children[0].text)["mode"] == "counts"


def test_the_counts_of_tested_rules_are_in_the_data_even_where_cells_are_small(data):
    payload = growth()
    payload["definitions"][0]["tested"] |= {"qualified": 12, "conversions": 4}
    tested = script_data(View(payload, data), data)["tested"]
    first = tested[0]

    assert (first["criteria"], first["join"], first["later"]) == (["c1", "c2"], "all", [4, 12])
    assert len(tested) == len(payload["definitions"]) + len(payload["criteria"])


def test_a_condition_on_several_values_is_found_as_chips_and_two_of_a_slider_are_not(data):
    payload = growth()
    start = payload["definitions"][0]
    start["conditions"] = [condition("Board Created", 5), {"trait": "size", "in": ["1-10", "201+"]}]
    assert script_data(View(payload, data), data)["starts"]["best"]["criteria"] == ["c1", "s0", "s3"]

    start["conditions"] = [condition("Board Created", 5), condition("Board Created", 8)]
    assert script_data(View(payload, data), data)["starts"]["best"] is None
