"""The list in headless Chromium."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import EVIL, Visit, assert_accessible, axe, letters, skip_without_browser, started, visits
from listing import lead_list, scored

from pql_model.leads.page import render_leads
from pql_model.page.document import write_page

skip_without_browser()
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lists")
    hostile = scored(40, reasons=json.dumps([{"sign": "+", "words": f"2 `{EVIL}` (+)"}]))
    pages = {
        "some": lead_list(scored(200)),
        "few": lead_list(scored(5)),
        "none": lead_list(scored(5).head(0)),
        "many": lead_list(scored(5000)),
        "hostile": lead_list(hostile, names={entity: EVIL + "\u202e" + "W" * 80 for entity in hostile["entity"]}),
    }
    for name, leads in pages.items():
        write_page(path / f"{name}.html", render_leads(leads))
    return path


@pytest.fixture
def visit(browser: Any, folder: Path) -> Iterator[Visit]:
    with visits(browser, folder, "some") as open_page:
        yield open_page


def shown(page: Any, section: str = "main") -> list[str]:
    return page.evaluate(
        "s => Array.from(document.querySelectorAll(s + ' tbody tr')).filter(r => r.checkVisibility()).map(r => r.cells[0].querySelector('bdi').textContent)",
        section,
    )


def search(page: Any, text: str) -> None:
    page.fill("#find", text)
    page.wait_for_timeout(300)


@pytest.mark.parametrize("name", ["some", "few", "none", "many", "hostile"])
def test_the_page_asks_for_nothing_and_reports_no_error(visit, name):
    page = visit(name)
    search(page, "a")
    page.select_option("#band", "low")

    assert page.heard == []
    assert page.locator("img").count() == 0


def test_the_policy_is_in_force(visit):
    page = visit()
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.broke = 1'; document.body.append(s); }"
    )

    assert page.evaluate("window.broke") is None
    assert any("Content Security Policy" in heard for heard in page.heard)


def test_a_heading_sorts_its_table_and_again_turns_it_round(visit):
    page = visit()
    before = shown(page, "#new")
    button = page.locator("#new th", has_text="chance").get_by_role("button")
    button.click()
    assert shown(page, "#new") == before
    button.click()
    assert shown(page, "#new") == before[::-1]
    page.locator("#new th", has_text="account").get_by_role("button").click()
    names = shown(page, "#new")
    assert names != before
    assert names[0].startswith(("株式会社", "शू", "सूर्य", "شركة", "חברת"))
    assert page.locator("#new thead button").count() == 3  # and none for reasons, people and steps


def test_on_a_phone_one_control_sorts_all_tables(visit):
    page = visit(viewport={"width": 390, "height": 844})
    page.select_option("#sort", "status")
    days = page.evaluate("Array.from(document.querySelectorAll('#open td.status')).map(c => Number(c.dataset.value))")

    assert days == sorted(days)
    assert len(set(days)) > 1
    page.select_option("#sort", "account")
    assert shown(page, "#new")[-1].startswith(("株式会社", "सूर्य"))


def test_a_search_shows_only_what_has_all_words_and_opens_what_is_folded(visit):
    page = visit()
    everyone = page.locator("tbody tr").count()
    search(page, "acc-00190")
    assert shown(page) == page.evaluate(
        "Array.from(document.querySelectorAll('tbody tr')).filter(r => r.textContent.includes('acc-00190')).map(r => r.querySelector('bdi').textContent)"
    )
    assert len(shown(page)) == 1
    assert page.text_content("#found") == f"1 of {everyone} listed"
    search(page, "ÉTOILE nord")
    assert {name.rsplit(" ", 1)[0] for name in shown(page)} == {"Étoile du Nord"}
    search(page, "nobody has this name")
    assert shown(page) == []
    search(page, "")
    assert len(shown(page, "#new")) == 20
    assert page.text_content("#found") == ""


def test_the_band_filters_and_joins_the_search(visit):
    page = visit()
    page.select_option("#band", "medium")
    bands = page.evaluate("Array.from(document.querySelectorAll('tbody tr:not([hidden])')).map(r => r.dataset.band)")
    assert set(bands) == {"medium"}
    search(page, "acc-00001")
    assert shown(page) == []


def test_a_card_uses_the_width_of_the_phone(visit):
    page = visit(viewport={"width": 390, "height": 844})
    card = page.locator("#new tbody tr").first

    assert card.locator("th").bounding_box()["width"] > 200
    assert card.locator(".why").bounding_box()["width"] == card.bounding_box()["width"]
    assert page.locator("#new thead").bounding_box()["height"] <= 1


def test_without_scripts_every_row_can_be_read(visit):
    page = visit(java_script_enabled=False)

    assert page.locator(".controls").is_hidden()
    assert page.locator("#new tbody tr").last.is_visible()
    page.locator("#not_to_call summary").click()
    assert page.locator("#not_to_call tbody tr").last.is_visible()


@pytest.mark.parametrize("name", ["some", "few", "none", "hostile"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_does_not_scroll_sideways(visit, name, width):
    page = visit(name, viewport={"width": width, "height": 844})
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")

    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize(
    ("name", "options", "media"),
    [
        ("some", {"color_scheme": "light"}, None),
        ("some", {"color_scheme": "dark"}, None),
        ("some", {"viewport": {"width": 390, "height": 844}}, None),
        ("few", {}, "print"),
        ("none", {"color_scheme": "dark"}, None),
    ],
)
def test_axe_finds_no_violations(visit, name, options, media):
    assert_accessible(visit(name, bypass_csp=True, **options), media)


def test_axe_detects_a_violation(visit):
    page = visit(bypass_csp=True)
    page.evaluate(
        "() => { document.documentElement.removeAttribute('lang'); document.querySelector('#find').parentElement.replaceWith(document.querySelector('#find')); }"
    )

    assert "html-has-lang" in {rule["id"] for rule in axe(page)["violations"]}


def test_the_printed_list_has_every_lead_and_not_those_who_are_not_called(visit):
    from pypdf import PdfReader

    page = visit()
    printed = letters(" ".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(page.pdf(format="A4"))).pages))

    for section in ("new", "open", "waiting"):
        for identifier in page.locator(f"#{section} tbody th small").all_text_contents():
            assert letters(identifier) in printed
    assert letters(page.locator("#not_to_call tbody th small").last.text_content()) not in printed
    assert letters(page.text_content("#not_to_call p")) in printed


def test_five_thousand_rows_are_light_enough_for_a_phone(visit):
    page = visit("many", viewport={"width": 390, "height": 844})

    assert page.evaluate("document.querySelectorAll('*').length") < 80_000
    assert page.evaluate(
        "() => { const from = performance.now(); document.querySelector('#band').value = 'low';"
        " document.querySelector('#band').dispatchEvent(new Event('change')); return document.querySelectorAll('tbody tr:not([hidden])').length; }"
    ) == sum(1 for band in scored(5000)["band"] if band == "low")
