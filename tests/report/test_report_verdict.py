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


def cells(node: Node, table: str) -> dict[str, list[str]]:
    """The rows of a table: heading, and the texts of its cells."""
    rows = node.one("table", data_table=table).one("tbody").all("tr")
    return {text_of(row.one("th")): [text_of(cell) for cell in row.all("td")] for row in rows}


def test_the_first_sentence_gives_the_rate_its_interval_both_frames_and_the_rate_of_everyone():
    assert (
        "Of 100 accounts that meet it as of day 14 of the trial, about 37 convert within 30 days (likely range 31 to 42, a 95 % interval), "
        "63 do not. Of 100 accounts in general, 4.6 do."
    ) in text_of(section(growth()))


@pytest.mark.parametrize(
    ("badge", "force", "heading"),
    [
        ("use", True, "Replace today’s rule: 37 instead of 11 of 100 leads convert"),
        ("use", False, "Start with this rule: 37 of 100 that meet it convert, 4.6 of all"),
        ("use_with_care", True, "Try this rule beside today’s, with care"),
        ("use_with_care", False, "Try this rule, with care"),
        ("do_not_use", True, "Keep today’s rule for now: no new one is confirmed"),
        ("do_not_use", False, "No rule can be recommended yet"),
    ],
)
def test_the_heading_is_what_to_do(badge, force, heading):
    payload = growth() if force else no_rule_in_force()
    payload["badge"]["name"] = badge

    assert text_of(section(payload).one("h2")) == heading


def test_the_rule_is_a_list_to_tick():
    ticks = section(growth()).one("div", class_="ticks")

    assert text_of(ticks.one("p")) == "The new rule: all of these 2"
    assert [text_of(line) for line in ticks.all("li")] == [
        "At least 5 Board Created in the first 7 days",
        "At least 2 Automation Created in the first 14 days",
    ]


def test_both_rules_stand_side_by_side_in_leads_conversions_and_value_a_week():
    rows = cells(section(growth()), "decision")

    assert rows["leads, by week"] == ["171151 to 191", "3924 to 50"]
    assert rows["of 100 convert"] == ["119.7 to 13", "3731 to 42"]
    assert rows["caught of 100 conversions"] == ["5549 to 61", "4135 to 46"]
    decision = growth()["decision"]
    for at, name in enumerate(("today", "new")):
        found = decision[name]
        assert found["wins_per_week"]["value"] == pytest.approx(
            found["leads_per_week"]["value"] * found["rate"]["value"], abs=1e-4
        )
        assert rows["conversions"][at].startswith(f"{found['wins_per_week']['value']:.0f}")
        assert rows["value"][at].startswith(f"{found['value_per_week']['value']:,.0f}")


def test_what_is_gained_and_lost_is_said_in_counts():
    payload = growth()
    only_today, only_new = payload["in_force"]["against"]["only_today"], payload["in_force"]["against"]["only_new"]

    text = text_of(section(payload))
    assert (
        f"you stop calling {only_today['entities']:,} accounts that convert at 5.9 of 100, and with them {only_today['conversions']} of the"
        in text
    )
    assert (
        f"you start calling {only_new['entities']} that convert at 23 of 100, with {only_new['conversions']} conversions"
        in text
    )
    assert "Today’s rule is too lax: It lets through many" in text


def test_the_teams_capacity_is_compared_with_the_leads_of_the_rule():
    assert (
        "Within the team’s 25 leads a week: today’s rule brings 2.8 conversions a week from 25 leads, the new rule 9.1 from 25. It has more leads"
        in text_of(section(growth()))
    )
    payload = growth()
    payload["decision"]["capacity"]["leads_per_week"] = 60.0
    payload["decision"]["capacity"]["new"]["leads_per_week"] = 39.0
    assert "The other places are best filled from the model’s list" in text_of(section(payload))


def test_no_value_and_no_capacity_are_not_spoken_of():
    payload = growth()
    payload["decision"]["capacity"]["source"] = "rule"
    for name in ("new", "today"):
        payload["decision"][name]["value_per_week"] = None

    assert "value" not in cells(section(payload), "decision")
    assert "Within the team" not in text_of(section(payload))


def test_rates_are_per_thousand_if_all_are_below_one_percent():
    assert "Of 1,000 accounts that meet it" in text_of(section(few_everywhere()))
    assert section(few_everywhere()).one("path", class_="icon yes").attributes["d"].count("M") == 2


def test_too_few_are_given_as_counts_without_a_rate():
    payload = section(too_few())

    assert "3 of 11 accounts that meet it converted: too few to judge." in text_of(payload)
    assert text_of(payload.one("div", class_="ticks")).startswith("The best candidate so far: all of these 2At least 5")
    assert cells(payload, "decision")["of 100 convert"][1] == "3 of 11: too few to judge"
    assert cells(payload, "decision")["conversions"][1] == "–"
    assert payload.all("svg") == []


def test_without_a_rule_the_page_says_so_first():
    payload = section(nothing_found())

    assert text_of(payload.one("h2")) == "Keep today’s rule for now: no new one is confirmed"
    assert "Of 100 accounts in general, 4.6 convert within 30 days" in text_of(payload)
    assert "What would change this: More conversions" in text_of(payload)


def test_a_red_line_in_the_data_is_named_on_the_first_screen():
    payload = growth()
    payload["health"][0]["level"] = "red"

    assert "1 red line in the data health speaks against it." in text_of(section(payload))


def test_without_a_rule_in_force_nothing_is_compared():
    payload = no_rule_in_force()

    assert [text_of(head) for head in section(payload).one("thead").all("th")] == ["in a week", "the new rule"]
    today = read(render_section("today", View(payload))).one("section")
    assert text_of(today.one("h2")) == "There is no rule in force to compare with"
    assert today.all("table") == []


def test_both_rules_are_compared_on_the_leads_that_only_one_of_them_finds():
    today = read(render_section("today", View(growth()))).one("section")

    assert text_of(today.one("h2")) == "The new rule finds better leads than today’s: 23 against 5.9 of 100"
    assert "The 133 accounts that only the new rule finds convert at 23 of 100 (95 % interval 16 to 30)" in text_of(
        today
    )
    assert "Verdict: too lax" in text_of(today)


def test_the_better_rule_is_named_even_if_it_is_todays():
    payload = growth()
    cells = payload["in_force"]["against"]
    cells["only_new"], cells["only_today"] = cells["only_today"], cells["only_new"]

    heading = text_of(read(render_section("today", View(payload))).one("h2"))
    assert heading == "Today’s rule finds better leads than the new one: 23 against 5.9 of 100"


def test_rules_whose_intervals_overlap_are_not_ranked():
    payload = growth()
    payload["in_force"]["against"]["only_today"]["rate"] |= {"value": 0.15, "low": 0.1, "high": 0.2}

    heading = text_of(read(render_section("today", View(payload))).one("h2"))
    assert heading == "What only one of the two rules finds converts alike, as far as can be told"


def test_too_few_leads_of_only_one_rule_give_no_finding():
    today = read(render_section("today", View(too_few()))).one("section")

    old = too_few()["in_force"]["against"]["only_today"]["entities"]
    assert text_of(today.one("h2")) == f"Switching saves {old:,} calls, of which 5.9 of 100 would have converted"
    payload = too_few()
    payload["in_force"]["against"]["only_today"] |= {"entities": 4, "conversions": 0}
    heading = text_of(read(render_section("today", View(payload))).one("h2"))
    assert heading == "The two rules differ in too few accounts to judge"


def test_the_rule_in_force_is_judged_alone_without_a_recommended_rule():
    today = read(render_section("today", View(nothing_found()))).one("section")

    assert text_of(today.one("h2")) == "Today’s rule: too lax"
    assert "about 11 of 100 that meet it convert (95 % interval 9.7 to 13)" in text_of(today)
