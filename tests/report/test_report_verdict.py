import pytest
from growths import few_everywhere, growth, no_rule_in_force, nothing_found, too_few
from reading import Node, read

from pql_model.report.page import render_section
from pql_model.report.view import View


def section(payload) -> Node:
    return read(render_section("verdict", View(payload))).one("section")


def text_of(node: Node) -> str:
    return " ".join(node.text_content().split())


@pytest.mark.parametrize(
    ("name", "label"), [("use", "● Use"), ("use_with_care", "◐ Use with care"), ("do_not_use", "○ Do not use yet")]
)
def test_the_badge_has_a_text_and_a_shape(name, label):
    payload = growth()
    payload["badge"]["name"] = name

    assert section(payload).children[0].text_content() == label


def test_the_first_sentence_gives_the_rate_its_interval_both_frames_and_the_rate_of_everyone():
    assert (
        "Of 100 accounts that meet this rule as of day 14 of the trial, about 37 convert within 30 days (likely range 31 to 42, a 95 % interval), "
        "63 do not. Of 100 accounts in general, 5 do."
    ) in text_of(section(growth()))


def test_the_four_numbers_have_their_intervals():
    numbers = section(growth()).one("dl").all("div")

    assert [text_of(number) for number in numbers] == [
        "of 100 convert3795 % interval 31 to 42",
        "with today’s rule1195 % interval 10 to 13",
        "caught of 100 conversions4195 % interval 35 to 46",
        "leads a week3924 to 50 observed",
    ]


def test_rates_are_per_thousand_if_all_are_below_one_percent():
    assert "Of 1,000 accounts that meet this rule" in text_of(section(few_everywhere()))
    assert section(few_everywhere()).one("path", class_="icon yes").attributes["d"].count("M") == 2


def test_too_few_are_given_as_counts_without_a_rate():
    payload = section(too_few())

    assert "3 of 11 accounts that meet this rule converted: too few to judge." in text_of(payload)
    assert text_of(payload.one("h2")).startswith("The best candidate so far: at least 5 Board Created")
    assert payload.one("dl").all("dd")[0].text_content() == "–"
    assert payload.all("svg") == []


def test_without_a_rule_the_page_says_so_first():
    payload = section(nothing_found())

    assert text_of(payload.one("h2")) == "No rule can be recommended yet"
    assert "Of 100 accounts in general, 5 convert within 30 days" in text_of(payload)
    assert "What would change this: More conversions" in text_of(payload)


def test_a_red_line_in_the_data_is_named_on_the_first_screen():
    payload = growth()
    payload["health"][0]["level"] = "red"

    assert "1 red line in the data health speaks against it." in text_of(section(payload))


def test_without_a_rule_in_force_nothing_is_compared():
    payload = no_rule_in_force()

    assert "with today’s rule–no rule in force" in text_of(section(payload))
    today = read(render_section("today", View(payload))).one("section")
    assert text_of(today.one("h2")) == "There is no rule in force to compare with"
    assert today.all("table") == []


def test_both_rules_are_compared_on_the_leads_that_only_one_of_them_finds():
    today = read(render_section("today", View(growth()))).one("section")

    assert text_of(today.one("h2")) == "The new rule finds better leads than today’s: 23 against 6 of 100"
    assert "The 133 accounts that only the new rule finds convert at 23 of 100 (95 % interval 16 to 30)" in text_of(
        today
    )
    assert "Verdict: too lax" in text_of(today)


def test_the_better_rule_is_named_even_if_it_is_todays():
    payload = growth()
    cells = payload["in_force"]["against"]
    cells["only_new"], cells["only_today"] = cells["only_today"], cells["only_new"]

    heading = text_of(read(render_section("today", View(payload))).one("h2"))
    assert heading == "Today’s rule finds better leads than the new one: 23 against 6 of 100"


def test_rules_whose_intervals_overlap_are_not_ranked():
    payload = growth()
    payload["in_force"]["against"]["only_today"]["rate"] |= {"value": 0.15, "low": 0.1, "high": 0.2}

    assert "cannot tell these apart" in text_of(read(render_section("today", View(payload))).one("h2"))


def test_too_few_leads_of_only_one_rule_give_no_finding():
    today = read(render_section("today", View(too_few()))).one("section")

    assert text_of(today.one("h2")) == "The new rule against today’s: too few to judge"


def test_the_rule_in_force_is_judged_alone_without_a_recommended_rule():
    today = read(render_section("today", View(nothing_found()))).one("section")

    assert text_of(today.one("h2")) == "Today’s rule: too lax"
    assert "about 11 of 100 that meet it convert (95 % interval 10 to 13)" in text_of(today)
