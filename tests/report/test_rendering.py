import pytest
from growths import growth, no_rule_in_force, with_changes
from jinja2 import UndefinedError
from reading import read

from pql_model.report.page import SECTIONS, render_section
from pql_model.report.rendering import render
from pql_model.report.view import View


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_is_named_by_its_heading_and_has_no_line_breaks_around_its_elements(name):
    html = render_section(name, View(with_changes()))
    section = read(html).one("section")

    assert section.attributes == {"id": name, "aria-labelledby": section.one("h2").attributes["id"]}
    assert ">\n" not in html
    assert "\n<" not in html


def test_a_table_scrolls_in_a_region_that_has_a_name_and_takes_the_focus():
    region = read(render_section("weeks", View(growth()))).one("div", class_="scroll")

    assert region.attributes == {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": "Weeks"}
    assert region.one("tbody").all("th", scope="row")


def test_a_missing_value_is_an_error_and_not_an_empty_text():
    payload = no_rule_in_force()
    del payload["config_digest"]

    with pytest.raises(UndefinedError, match="config_digest"):
        render("body.html.j2", View(payload), sections={}, rows_warning="")
