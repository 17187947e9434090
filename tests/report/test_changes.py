import json

import pytest
from growths import growth, no_rule_in_force, nothing_found, with_changes
from reading import read

from pql_model.report.changes import changes
from pql_model.report.page import render_section
from pql_model.report.view import View


def section(payload):
    return read(render_section("changes", View(payload)))


def compared(before, now=None):
    result = now or growth()
    result["changes"] = changes(before, result)
    return section(result)


def test_a_first_report_says_nothing():
    assert changes(None, growth()) is None
    assert section(growth()).all("section") == []


def test_another_rule_other_behaviours_and_the_rates_then_and_now_are_said():
    html = section(with_changes())
    rows = html.table("changes")

    assert html.one("h2").text_content() == "The rule is another one than in the last report"
    assert "the report of 1 Jul 2026 (version 2)" in html.text_content()
    assert rows[0][1].startswith("At least 2 of these 3")
    assert rows[0][3].startswith("All of these 2")
    assert rows[0][5] == "another rule"
    assert rows[1][5] == "cannot be told apart"
    assert "New among the first five behaviours: Board Created and Teammate Invited." in html.text_content()
    assert "No longer among them: Template Used" not in html.text_content(), "the fixture describes seven behaviours"


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, "cannot be told apart"), (0.3, "higher now"), (2.0, "lower now")]
)
def test_the_rate_of_the_same_rule_is_compared_by_its_interval(factor, verdict):
    before = growth()
    rate = before["definitions"][0]["tested"]["rate"]
    before["definitions"][0]["tested"]["rate"] = {key: value * factor for key, value in rate.items()}
    html = compared(before)

    assert html.table("changes")[0][5] == verdict
    assert html.one("h2").text_content() == "The rule is the same as in the last report"


def test_rules_that_came_or_went_are_said():
    assert compared(no_rule_in_force()).table("changes")[1][5] == "new"
    gone = compared(growth(), nothing_found())
    assert gone.one("h2").text_content() == "There is no rule now"
    assert gone.table("changes")[0][5] == "gone"
    assert compared(nothing_found(), nothing_found()).one("h2").text_content() == "There is still no rule"


def test_a_second_training_compares_itself_with_the_champion(trained, retrained):
    first, second = (
        json.loads((each.folder / "growth.json").read_text(encoding="utf-8")) for each in (trained, retrained)
    )

    assert first["changes"] is None
    assert second["changes"]["version"] == "1"
    assert second["changes"]["rule"]["same"] is True
    assert second["changes"]["base"]["before"] == first["base"]["later"]
