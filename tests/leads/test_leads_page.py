"""The whole page, without a browser."""

import json
import re

import pytest
from listing import lead_list, name_of, scored
from reading import Node, read

from pql_model.leads.page import render_leads
from pql_model.page.numbers import forbidden

EVIL = "</script><img src=x onerror=alert(1)>\"'"


def tables(tree):
    return [table for section in tree.one("main").all("section") for table in section.all("table")]


def names_in(node):
    return [row.one("th").one("bdi").text_content() for row in node.all("tr") if row.all("bdi")]


@pytest.fixture(scope="module")
def html():
    return render_leads(lead_list(scored(60)))


@pytest.fixture(scope="module")
def tree(html):
    return read(html)


def test_the_same_rows_give_the_same_bytes(html):
    assert render_leads(lead_list(scored(60))) == html


def test_the_page_says_first_what_to_do_and_that_it_is_internal(tree):
    assert tree.one("h1").text_content() == "6 new leads to call today, 6 still open; 2 wait for a place"
    assert "Do not forward or publish it" in tree.one("aside").text_content()


def test_the_sections_are_in_order_each_with_its_count(tree):
    found = [
        (section.attributes["id"], section.one("h2").text_content().split()[-1]) for section in tree.all("section")[:-1]
    ]
    assert [key for key, _ in found] == ["new", "open", "waiting", "others", "not_to_call"]
    assert sum(int(count) for _, count in found) == 60


def test_every_row_is_named_exactly_once_and_in_its_section():
    rows = scored(60)
    leads = lead_list(rows)
    for section in read(render_leads(leads)).all("section")[:-1]:
        expected = leads.sections[section.attributes["id"]]
        ids = [
            row.one("th").one("small").text_content()
            for table in section.all("table")
            for row in table.one("tbody").all("tr")
        ]
        assert ids == [lead.entity for lead in (*expected.leads, *expected.brief)]


def test_a_row_has_its_chance_with_range_band_reasons_contact_step_and_worth():
    lead = lead_list(scored(60)).sections["new"].leads[1]
    row = read(render_leads(lead_list(scored(60)))).one("table", data_table="new").one("tbody").all("tr")[1]
    text = " ".join(row.text_content().split())

    assert text.startswith(f"{name_of(1)}acc-00002")
    assert f"{100 * lead.chance.value:.0f} %" in text
    assert f"{100 * lead.chance.low:.0f} to {100 * lead.chance.high:.0f} %" in text
    assert row.one("span", class_=f"band {lead.band}").text_content() == lead.band
    assert len(row.all("li")) == 3
    assert lead.contact["user"] in text
    assert lead.others[0]["user"] in text
    assert f"brought in by {lead.contact['user']}" not in text
    assert "1 of 3 Teammate Invited in the first 7 days" in text
    assert "points more" in text


def test_who_brought_the_contact_in_is_named():
    contact = '{"user": "bob", "share": 0.5, "last_seen": "2024-10-01", "brought_in_by": "ann"}'
    tree = read(render_leads(lead_list(scored(30, contact=contact, contacts="[]"))))
    assert (
        "did 50 % of the activity, last seen 1 Oct 2024, brought in by ann"
        in tree.one("table", data_table="new").text_content()
    )


def test_the_hold_out_is_listed_without_a_person_to_call():
    rows = scored(60)
    rows.loc[rows["suppressed"].notna() & ~rows["is_pql"], "suppressed"] = "held_out"
    for row in read(render_leads(lead_list(rows))).one("table", data_table="waiting").one("tbody").all("tr"):
        assert "Do not contact" in row.text_content()
        assert row.one("td", class_="contact").text_content() == ""


def test_columns_that_nobody_has_are_left_out():
    rows = scored(60, contact=None, contacts=None, next_step=None, expected_value=float("nan"))
    headings = [
        th.text_content()
        for th in read(render_leads(lead_list(rows))).one("table", data_table="open").one("thead").all("th")
    ]
    assert headings == ["account", "chance", "status", "why"]


def test_rows_of_an_older_version_are_shown_too():
    rows = scored(60).drop(columns=["contact", "contacts", "next_step"])
    assert len(names_in(read(render_leads(lead_list(rows))))) == 60


def test_without_names_the_id_is_the_name():
    tree = read(render_leads(lead_list(scored(20), names={})))
    row = tree.one("table", data_table="new").one("tbody").all("tr")[0]
    assert row.one("th").text_content() == "acc-00001"


def test_a_name_is_isolated_and_cannot_reverse_the_sentence_around_it():
    rows = scored(20)
    html = render_leads(lead_list(rows, names={"acc-00001": "שלום\u202e123", "acc-00002": "شركة"}))
    assert "<bdi>שלום\ufffd123</bdi>" in html
    assert "<bdi>شركة</bdi>" in html
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", html)


def test_hostile_texts_are_only_ever_text():
    person = {"user": EVIL, "share": 0.5, "last_seen": EVIL, "brought_in_by": EVIL}
    reasons = json.dumps([{"sign": "+", "words": f"2 `{EVIL}` (+)"}])
    contact, contacts = json.dumps(person), json.dumps([person])
    rows = scored(20, contact=contact, contacts=contacts, reasons=reasons, suppressed=EVIL, is_pql=False)
    rows["entity"] = [f"{EVIL}{k}" for k in range(20)]
    names = {entity: EVIL for entity in rows["entity"]}
    tree = read(render_leads(lead_list(rows, names=names, product=EVIL, rule=EVIL, scores=EVIL, model_version=EVIL)))

    assert tree.all("img") == []
    assert len(tree.all("script")) == 1
    assert EVIL in tree.one("title").text_content()
    assert names_in(tree) == [EVIL] * 20


def test_nothing_is_loaded_and_no_handler_or_style_is_inline(html, tree):
    def walk(node: Node) -> None:
        for name, value in node.attributes.items():
            assert name != "style"
            assert not name.startswith("on")
            assert name not in ("src", "srcset", "action", "href"), value
        for child in node.children:
            walk(child)

    walk(tree)
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttp|localStorage|cookie|\beval\b|innerHTML", html)


def test_nobody_at_risk_is_a_page_too():
    tree = read(render_leads(lead_list(scored(10).head(0))))
    assert tree.one("h1").text_content() == "Nobody to call today"
    assert tables(tree) == []


def test_the_low_band_says_what_it_costs(tree):
    text = tree.one("section", id="not_to_call").one("p").text_content()
    assert re.fullmatch(
        r"Band very low\. Leaving them alone would miss about [\d.]+ \(95 % interval [\d.]+ to [\d.]+\) of [\d.]+ expected conversions\.",
        text,
    )


def test_five_thousand_rows_stay_below_three_megabytes():
    html = render_leads(lead_list(scored(5000)))
    everybody = scored(5000).assign(is_pql=True, newly_qualified=True, suppressed=None)

    assert len(html.encode()) < 3_000_000
    assert len(render_leads(lead_list(everybody)).encode()) < 3_000_000


def test_no_text_of_the_page_claims_a_cause(tree):
    assert forbidden(tree.one("main").text_content()) == []
