"""The section on capacity."""

from __future__ import annotations

import pytest
from growths import growth, no_rule_in_force, nothing_found
from reading import Node, read

from pql_model.report.page import render_section
from pql_model.report.view import View


def section(payload) -> Node:
    return read(str(render_section("volume", View(payload))))


def lists(html: Node) -> list[str]:
    return [row.attributes["data-list"] for row in html.one("table", data_table="capacity").one("tbody").all("tr")]


def test_the_heading_is_what_the_models_list_brings_at_the_teams_capacity():
    html = section(growth())

    assert html.one("h2").text_content() == "With 25 leads a week, the model’s list brings 11 conversions a week"
    assert lists(html) == ["model", "new", "today"]
    assert len(html.all("circle", class_="dot rule")) == 2 * (3 + 50)  # twice: three rules, and fifty futures
    assert len(html.all("path", class_="dot today")) == 2


def test_without_a_capacity_it_starts_with_the_leads_of_the_rule():
    payload = growth()
    payload["decision"]["capacity"]["source"] = "rule"

    assert "No capacity is set, so this starts with the leads of the rule." in section(payload).text_content()


def test_without_a_model_there_is_no_curve():
    payload = growth()
    payload["volume"] = []

    assert "no model to rank by" in section(payload).text_content()


def test_only_lists_that_exist_are_shown():
    assert lists(section(no_rule_in_force())) == ["model", "new"]
    html = section(nothing_found())
    assert lists(html) == ["model", "today"]
    assert html.all("table", data_table="futures") == []


def test_the_table_of_sizes_is_short_whatever_the_frontier():
    rows = section(growth()).one("table", data_table="volume").one("tbody").all("tr")
    names = [row.one("th").text_content() for row in rows]

    assert len(growth()["volume"]) > 60
    assert [name for name in names if name.startswith("the model")][-1] == "the model’s best 100 %"
    assert len(names) == 10 + 4


@pytest.mark.parametrize("path", ["model", "new", "today"])
def test_wins_are_leads_times_their_rate(path):
    found = growth()["decision"]["capacity"][path]
    for end in ("value", "low", "high"):
        expected = found["leads_per_week"] * found["rate"][end]
        assert found["wins_per_week"][end] == pytest.approx(expected, abs=1e-4)
