"""The section on who converts."""

from __future__ import annotations

from growths import growth
from reading import Node, read

from pql_model.report.page import render_section
from pql_model.report.view import View


def section(payload) -> Node:
    return read(str(render_section("fit", View(payload))))


def test_the_heading_names_the_groups_that_differ_most():
    html = section(growth())
    groups = growth()["fit"]["traits"][0]["groups"]
    rates = sorted((group["rate"]["value"], group["name"]) for group in groups)

    assert html.one("h2").text_content().startswith(f"Who they are: {rates[-1][1]} convert at ")
    assert f", {rates[0][1]} at " in html.one("h2").text_content()
    assert [row[0] for row in html.table("fit-1")] == [group["name"] for group in groups]


def test_groups_that_cannot_be_told_apart_make_no_finding():
    payload = growth()
    for trait in payload["fit"]["traits"]:
        for group in trait["groups"]:
            group["rate"] |= {"low": 0.0, "high": 1.0}

    assert section(payload).one("h2").text_content() == "Who they are tells nobody apart beyond chance"


def test_fit_and_usage_stand_in_a_table_of_two_by_two():
    rows = section(growth()).table("fit-by-usage")
    assert [row[0] for row in rows] == ["high", "low"]
    assert all(len(row) == 3 for row in rows)


def test_without_traits_the_page_says_where_to_name_them():
    payload = growth()
    payload["fit"] = {"traits": [], "by_usage": None}
    html = section(payload)

    assert html.one("h2").text_content() == "Nothing is known of who they are"
    assert html.all("table") == []
