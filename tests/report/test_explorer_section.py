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


def test_every_criterion_is_a_native_checkbox_with_a_label_in_its_group(data):
    html = page(growth(), data)

    assert len(html.all("input", type="checkbox")) == 30
    assert [legend.text_content() for legend in html.all("legend")][:3] == [
        "A lead meets",
        "Board Created",
        "Automation Created",
    ]
    first = html.all("fieldset")[1]
    assert [label.text_content() for label in first.all("label")] == [f"{n} or more" for n in (3, 4, 5, 6, 8)]


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
