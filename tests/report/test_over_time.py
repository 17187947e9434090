from growths import growth, no_rule_in_force, nothing_found, too_few
from reading import Node, read

from pql_model.report.page import render_section
from pql_model.report.view import View


def section(payload, name="weeks") -> Node:
    return read(render_section(name, View(payload))).one("section")


def test_weeks_that_are_not_finished_are_hatched_and_not_counted():
    html = section(growth())

    assert "The last 3 weeks are not finished" in html.text_content()
    assert [row[2:] for row in html.table("weeks")[-3:]] == [["–"] * 5] * 3
    assert len(html.all("rect", class_="unfinished")) == 2 * 3


def test_the_heading_counts_only_later_weeks_that_can_be_judged():
    """The earlier ones were used to choose the rule: that it does well there is no finding."""
    payload = growth()
    later = [
        week for week in payload["weeks"] if week["finished"] and week["week"] >= payload["periods"]["later"]["from"]
    ]
    enough = sum(week["by_definition"]["d1"]["qualified"] >= 30 for week in later)

    heading = section(payload).one("h2").text_content()
    assert heading == f"In {enough} of {enough} later weeks the rule had a better rate than everyone"
    assert 0 < enough <= len(later) < 26


def test_weeks_that_are_too_thin_are_added_up_to_months():
    payload = growth()
    for row in [*payload["weeks"], *payload["cohort_months"]]:
        for counts in row["by_definition"].values():
            counts["qualified"], counts["conversions"] = counts["qualified"] // 4, counts["conversions"] // 4
    html = section(payload)

    assert " later month the rule had a better rate than everyone" in html.one("h2").text_content()
    assert html.table("weeks")[0][0] == "Jan 2026"
    assert "By month, as most weeks have fewer than 30 leads of the rule." in html.text_content()


def test_both_rules_are_followed():
    html = section(growth())

    assert (
        "Filled circle with its 95 % interval: the rule; diamond with its 95 % interval: today’s rule"
        in html.text_content()
    )
    week = growth()["weeks"][0]["by_definition"]
    cells = [f"{week[name][count]:,}" for name in ("d1", "in_force") for count in ("qualified", "conversions")]
    assert html.table("weeks")[0][3:] == cells


def test_one_unfinished_week_is_singular():
    payload = growth()
    payload["weeks"] = payload["weeks"][:-2]

    assert "The last week is not finished" in section(payload).text_content()


def test_without_a_recommended_rule_todays_rule_is_shown():
    html = section(nothing_found())

    assert "Filled circle with its 95 % interval: today’s rule; open square: everyone." in html.text_content()


def test_without_any_rule_everyone_is_shown():
    payload = no_rule_in_force()
    payload["definitions"] = []
    html = section(payload)

    assert html.one("h2").text_content() == "Too few leads to follow the rule over time"
    assert html.table("weeks")[0][3:] == []


def test_a_report_without_weeks_is_rendered():
    payload = growth()
    payload["weeks"] = []

    assert "no weeks to show" in section(payload).text_content()


def test_near_misses_are_shown_by_distance_with_advice_only_where_they_differ_from_everybody():
    html, near = section(growth(), "call"), growth()["near_misses"]
    rows = html.table("near")
    best = max((each for each in near if each["advice"] == "help"), key=lambda each: each["rate"]["value"])

    assert html.one("h2").text_content().startswith(f"{best['entities']:,} accounts are a step short and convert at ")
    assert [row[0].lower() for row in rows] == [each["text"].replace("`", "").lower() for each in near]
    assert {row[4].split(":")[0] for row in rows} == {"Help with the missing step", "None"}
    assert "names no account" in html.text_content()


def test_where_no_near_miss_differs_from_everybody_the_heading_says_so():
    payload = growth()
    for each in payload["near_misses"]:
        each["advice"] = "none"
    html = section(payload, "call")

    assert html.one("h2").text_content() == "Near misses convert no better than everybody, as far as can be told"
    assert "Help" not in html.text_content()


def test_accounts_to_call_and_to_skip_share_one_table():
    assert [row[1] for row in section(growth(), "call").table("profiles")] == ["Call first", "Leave for now"]


def test_few_near_misses_give_a_count_and_no_rate():
    payload = growth()
    few = {"entities": 12, "conversions": 2, "advice": "none"}
    payload["near_misses"] = [payload["near_misses"][0] | few]
    html = section(payload, "call")

    assert html.table("near")[0][1:] == ["12", "2 of 12: too few to judge", "–", "None: too few to judge"]


def test_a_report_without_near_misses_is_rendered():
    for payload in (too_few(), nothing_found()):
        assert section(payload, "call").one("h2").text_content() == "Whom to call, and whom to leave"
