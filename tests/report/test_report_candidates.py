import copy

import pytest
from growths import growth, no_rule_in_force, nothing_found, too_few
from reading import Node, read

from pql_model.report.candidates import rule_rows, standing
from pql_model.report.page import render_section
from pql_model.report.view import View


def section(payload, name="rules") -> Node:
    return read(render_section(name, View(payload))).one("section")


def test_the_recommended_rule_comes_first_and_todays_last_and_eight_at_most():
    payload = growth()
    payload["definitions"][0]["recommended"], payload["definitions"][2]["recommended"] = False, True
    keys = [row.node.path for row in rule_rows(View(payload))]

    assert (keys[0], keys[-1], len(keys)) == ("definitions.2", "in_force", 8)


def test_a_criterion_that_is_todays_rule_has_one_row_only():
    texts = [row[0] for row in section(growth()).table("rules")]

    assert [text for text in texts if "Teammate Invited" in text and "of these" not in text] == [
        "At least 2 Teammate Invited in the first 7 daystoday’s rule"
    ]


def test_a_definition_of_one_criterion_has_no_second_row_as_that_criterion():
    payload = growth()
    single = payload["definitions"][1]
    single |= {key: payload["criteria"][0][key] for key in ("text", "conditions")} | {"join": "all", "k": None}
    keys = [row.node.path for row in rule_rows(View(payload))]

    assert "definitions.1" in keys
    assert "criteria.0" not in keys


def test_the_heading_counts_the_rules_that_are_better_than_todays():
    assert (
        section(growth()).one("h2").text_content() == "On the later weeks 3 of 7 rules have a better rate than today’s"
    )
    assert (
        section(no_rule_in_force()).one("h2").text_content()
        == "On the later weeks 8 of 8 rules have a better rate than everyone’s"
    )


def test_the_weeks_of_selection_and_scoring_and_the_number_of_rules_tried_are_stated():
    payload = section(growth()).text_content()

    assert (
        "Every row was picked on 5 Jan 2026 to 10 May 2026 and is scored here on 11 May 2026 to 5 Jul 2026" in payload
    )
    assert (
        "812 combinations were tried on the earlier weeks; 3 rules, single criteria and combinations, were tested on the later ones."
        in payload
    )


@pytest.mark.parametrize(
    ("rate", "verdict"),
    [
        ((0.3, 0.25, 0.35), "better rate than today’s"),
        ((0.12, 0.08, 0.2), "cannot tell from today’s"),
        ((0.05, 0.03, 0.07), "lower rate than today’s"),
    ],
)
def test_a_rule_is_ranked_against_todays_only_where_their_intervals_do_not_overlap(rate, verdict):
    payload = growth()
    payload["definitions"][0]["tested"]["rate"] = dict(zip(("value", "low", "high"), rate, strict=True))

    assert standing(View(payload), View(payload).growth["definitions"][0]) == verdict


def test_a_rule_that_could_be_chance_is_marked():
    payload = growth()
    payload["definitions"][0]["adjusted_p"] = 0.06

    assert standing(View(payload), View(payload).growth["definitions"][0]) == "could be chance"


def test_too_few_get_counts_and_no_figure_and_no_rank():
    row = section(too_few()).table("rules")[0]

    assert row[1:] == ["3 of 11: too few to judge", "–", "–", "–", "–", "too few to judge"]


def test_unconfirmed_rules_are_listed_separately():
    payload = growth()
    payload["not_confirmed"] = [copy.deepcopy(payload["definitions"][1]) | {"adjusted_p": 0.4}]

    assert section(payload).table("not-confirmed")[0][3] == "0.400"


def test_without_other_rules_the_table_has_todays_rule_only():
    html = section(nothing_found())

    assert html.one("h2").text_content() == "No rule was found that holds"
    assert len(html.table("rules")) == 1


def test_windows_that_cannot_be_told_apart_are_both_shown():
    notes = section(growth()).table("notes")

    assert any("hard to tell apart: at least 2 Automation Created ever (21 %)" in row[4] for row in notes)
