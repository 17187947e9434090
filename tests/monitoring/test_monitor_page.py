"""The page, and how it looks in headless Chromium."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from browser import EVIL, assert_accessible, skip_without_browser, started, visits
from pages import alarming_page, first_page, quiet_page, realised

from pql_model.monitoring.monitor_page import render_monitor
from pql_model.page.document import write_page
from pql_model.statistics.estimate import Estimate

PAGES = {"quiet": quiet_page, "alarm": alarming_page, "first": first_page, "hostile": lambda: alarming_page(EVIL)}


def text_of(html: str) -> str:
    body = re.sub(r"<script.*?</script>|<style.*?</style>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body[body.index("<body>") :]).split())


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("quiet", "Nothing has to be done."),
        ("alarm", "Repair the data before anything else."),
        ("first", "Nothing has"),
    ],
)
def test_the_first_line_says_whether_anything_must_be_done(name, first):
    assert text_of(render_monitor(PAGES[name]())).startswith(first)


def test_every_finding_and_change_is_said_and_estimates_are_called_estimates():
    page = alarming_page()
    text = text_of(render_monitor(page))
    for finding in page.findings:
        assert " ".join(re.sub("[`]", " ", finding.words).split()[:4]) in text.replace("  ", " ")
    assert "New: Board Created stopped" in text
    assert "Estimate, before the outcomes are final" in text


def test_outcomes_keep_up_only_where_they_do():
    quiet = quiet_page()
    high = replace(quiet.early, ratio=Estimate(2.4, 1.17, 4.9))

    assert "Outcomes keep up" in text_of(render_monitor(quiet))
    for page in (replace(quiet, early=high), replace(quiet, realised=realised(0.04))):
        text = text_of(render_monitor(page))
        assert "keep up" not in text
        assert "Outcomes depart from them, by less than makes a finding" in text
    assert "this is no finding" in text_of(render_monitor(replace(quiet, early=high)))
    assert "No outcome is known yet" in text_of(render_monitor(first_page()))


def test_replays_are_not_said_to_be_scores():
    text = text_of(render_monitor(quiet_page()))
    assert "Results of 180 accounts: 180 were scored and logged; of 171, at times at which nothing was logged" in text
    assert "Logged scores and replayed ones" in text

    only = replace(quiet_page().realised, origins=realised().origins[1:])
    text = text_of(render_monitor(replace(quiet_page(), realised=only)))
    assert "No scores were logged" in text
    assert "were scored" not in text
    assert "Logged scores and replayed ones" not in text


def test_a_first_look_has_no_results_and_says_so():
    text = text_of(render_monitor(first_page()))
    assert "No outcome of a past score is final yet" in text
    assert "Not known yet" in text
    assert "Since the last look" not in text


def test_the_same_input_gives_the_same_bytes_and_names_are_escaped():
    assert render_monitor(quiet_page()) == render_monitor(quiet_page())
    assert "<img" not in render_monitor(alarming_page(EVIL))


@pytest.fixture(scope="module")
def browser():
    skip_without_browser()
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("monitor")
    for name, page in PAGES.items():
        write_page(path / f"{name}.html", render_monitor(page()))
    return path


@pytest.fixture
def visit(browser, folder):
    with visits(browser, folder, "quiet") as open_page:
        yield open_page


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_the_page_and_its_tables_whole_and_nothing_is_asked_for(visit, name):
    page = visit(name, viewport={"width": 390, "height": 844})
    assert page.heard == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    clipped = (
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.ariaLabel)"
    )
    assert page.evaluate(clipped) == []


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "options", "media"),
    [
        ("quiet", {"color_scheme": "light"}, None),
        ("alarm", {"color_scheme": "dark"}, None),
        ("alarm", {"viewport": {"width": 390, "height": 844}}, "print"),
        ("first", {}, None),
    ],
)
def test_axe_finds_no_violations(visit, name, options, media):
    assert_accessible(visit(name, bypass_csp=True, **options), media)
