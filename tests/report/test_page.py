"""The whole page, without a browser."""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import json
import math
import re
import zlib
from typing import Any

import pytest
from growths import (
    CANARIES,
    bits,
    explorer_criteria,
    few_everywhere,
    growth,
    no_rule_in_force,
    nothing_found,
    too_few,
    with_changes,
)
from reading import Node, read, skeleton

from pql_model.page import numbers
from pql_model.page.document import write_page
from pql_model.report.explorer import explorer_data
from pql_model.report.page import ROWS_WARNING, file_name, render_page

WORLDS = {
    "all": growth,
    "nothing": nothing_found,
    "no_rule": no_rule_in_force,
    "too_few": too_few,
    "rare": few_everywhere,
    "again": with_changes,
}
EVIL = "</script><img src=x onerror=alert(1)>\"'"
SECTIONS = [
    "verdict",
    "volume",
    "today",
    "changes",
    "behaviours",
    "fit",
    "rules",
    "explorer",
    "weeks",
    "call",
    "handover",
    "score",
    "health",
    "limits",
    "method",
]


@pytest.fixture(scope="module")
def explorer() -> dict[str, Any]:
    return explorer_data(bits(), explorer_criteria(), "counts")


@pytest.fixture(scope="module", params=WORLDS)
def page(request, explorer) -> tuple[dict[str, Any], str, Node]:
    payload = WORLDS[request.param]()
    html = render_page(payload, explorer)
    return payload, html, read(html)


def test_the_same_input_gives_the_same_bytes(explorer):
    assert render_page(growth(), explorer) == render_page(json.loads(json.dumps(growth())), copy.deepcopy(explorer))


def test_rendering_does_not_change_the_growth_object(explorer):
    payload = growth()
    render_page(payload, explorer)

    assert payload == growth()


def test_the_sections_are_in_order_each_headed_by_its_finding(page):
    _, _, tree = page
    sections = tree.one("main").all("section")

    assert [section.attributes["id"] for section in sections] == _sections(page)
    assert all(section.one("h2").text_content().strip() for section in sections)
    assert len(tree.all("h1")) == 1


def _sections(page):
    """Those of a page: a first report says nothing about changes."""
    return [name for name in SECTIONS if name != "changes" or page[0]["changes"]]


def test_the_contents_name_every_section_but_the_first(page):
    _, _, tree = page
    anchors = [str(link.attributes["href"]) for link in tree.one("nav").all("a")]

    assert anchors == [f"#{name}" for name in _sections(page)[1:]]


def test_the_content_security_policy_follows_the_charset_and_has_the_hashes_of_style_and_script(page):
    _, html, tree = page
    charset, policy = tree.one("head").all("meta")[:2]
    content = str(policy.attributes["content"])

    assert charset.attributes == {"charset": "utf-8"}
    assert policy.attributes["http-equiv"] == "Content-Security-Policy"
    for kind, open_, close in (("style", "<style>", "</style>"), ("script", "<script>", "</script>")):
        text = html.split(open_, 1)[1].split(close, 1)[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in content
    assert content.startswith("default-src 'none'; ")
    assert content.endswith("img-src data:; base-uri 'none'; form-action 'none'")
    assert "unsafe" not in content


def test_there_is_no_inline_style_and_no_handler_and_nothing_to_load(page):
    _, html, tree = page

    def walk(node: Node) -> None:
        for name, value in node.attributes.items():
            assert name != "style"
            assert not name.startswith("on")
            assert name not in ("src", "srcset", "action")
            assert name != "href" or str(value).startswith("#")
        for child in node.children:
            walk(child)

    walk(tree)
    assert not re.search(
        r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(|fetch\(|XMLHttp|localStorage|cookie|\beval\b|atob", html
    )


def test_the_file_is_utf_8_with_plain_line_ends(tmp_path, explorer):
    write_page(tmp_path / "r.html", render_page(growth(), explorer))
    content = (tmp_path / "r.html").read_bytes()

    assert b"\r" not in content
    assert content.decode("utf-8") == render_page(growth(), explorer)
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_twenty_thousand_rows_and_thirty_criteria_stay_below_a_megabyte(explorer):
    html = render_page(growth(), explorer)
    rows = render_page(growth(), explorer_data(bits(), explorer_criteria(), "rows"))

    assert len(html.encode()) < 400_000
    assert len(rows.encode()) < 400_000
    tree = read(html)
    marks = [
        node for svg in tree.all("svg") for kind in ("path", "rect", "circle", "line", "text") for node in svg.all(kind)
    ]
    assert len(marks) < 5000


def _with_every_text(at: Any, text: str) -> Any:
    keep = {
        "id",
        "join",
        "level",
        "name",
        "kind",
        "shape",
        "entity",
        "motion",
        "verdict",
        "definition",
        "week",
        "from",
        "to",
        "operator",
        "measure",
        "window",
        "criteria",
        "direction",
        "part",
        "note",
    }
    if isinstance(at, dict):
        return {
            key: value if key in keep and not isinstance(value, dict | list) else _with_every_text(value, text)
            for key, value in at.items()
        }
    if isinstance(at, list):
        return [_with_every_text(item, text) for item in at]
    return text if isinstance(at, str) and at not in ("d1", "d2", "d3") and not re.fullmatch(r"c\d+", at) else at


def test_hostile_texts_change_no_element_of_the_page():
    harmless, hostile = (_with_every_text(growth(), text) for text in ("x", EVIL))
    criteria = [
        [one | {"text": text, "short": text, "group": f"{text} {one['group']}"} for one in explorer_criteria()]
        for text in ("x", EVIL)
    ]
    for mode in ("counts", "rows"):
        first, second = (
            render_page(payload, explorer_data(bits(), offered, mode))
            for payload, offered in zip((harmless, hostile), criteria, strict=True)
        )
        assert EVIL in read(second).text_content()
        assert skeleton(read(first)) == skeleton(read(second))


def test_only_the_disclaimer_speaks_of_causes(page):
    _, _, tree = page
    text = " ".join(tree.one("body").text_content().split())

    assert text.count(numbers.NOT_CAUSES) == 1
    assert numbers.forbidden(text.replace(numbers.NOT_CAUSES, "")) == []


def test_every_number_in_the_page_is_the_number_of_the_growth_object(page):
    payload, _, tree = page
    per = 1000 if payload["base"]["later"]["value"] < 0.005 else 100
    spans = [span for span in tree.all("span") if "data-key" in span.attributes]

    assert len(spans) > 60
    for span in spans:
        at: Any = payload
        for part in str(span.attributes["data-key"]).split("."):
            at = at[int(part)] if isinstance(at, list) else at[part]
        _same(span.text_content(), str(span.attributes["data-as"]), at, per)


def _same(text: str, how: str, value: Any, per: int) -> None:
    """Compare what is printed with the number, by another way than the one that printed it."""
    if value is None or (isinstance(value, dict) and value["low"] is None):
        assert text.startswith("unknown")
        return
    scale = {
        "frequency": per,
        "complement": per,
        "interval": per,
        "frequency_of_100": 100,
        "interval_of_100": 100,
        "percent": 100,
        "percent_interval": 100,
    }.get(how, 1)
    if how in ("day", "month"):
        assert text.split()[-1] == value[:4]
        return
    printed = [float(n) for n in re.findall(r"\d+(?:\.\d+)?", re.sub(r" of [\d,]+$", "", text).replace(",", ""))]
    wanted = [value["low"], value["high"]] if isinstance(value, dict) else [1 - value if how == "complement" else value]
    if text == "fewer than 0.1" and len(wanted) == 2:  # both ends
        assert max(wanted) * scale < 0.05
        return
    for part, shown, number in zip(text.split(" to "), printed, wanted, strict=True):
        number *= scale
        slack = 0.5 if number >= 9.95 else 0.05
        if part == "fewer than 0.1":
            assert number < 0.05
        elif part == "more than 99":
            assert number >= scale - 0.5
        elif how != "p_value" or number >= 0.001:
            assert abs(shown - number) <= slack + 1e-9, (text, how, value)


def test_a_lift_is_shown_only_beside_both_rates(page):
    _, _, tree = page
    for table in tree.all("table"):
        headings = [heading.text_content() for heading in table.one("thead").all("th")]
        assert "lift" not in headings or "convert" in headings
    assert "times" not in tree.one("section", id="verdict").text_content()


def test_every_chart_has_a_role_a_title_a_caption_and_its_numbers_as_a_table(page):
    _, _, tree = page
    for figure in tree.all("figure"):
        for svg in figure.all("svg"):
            assert svg.attributes["role"] == "img"
            assert svg.one("title").text_content()
        assert figure.one("figcaption")
        if figure.attributes.get("class") != "icons":
            assert figure.one("details").one("table").one("tbody").all("tr")


def _ticks(svg: Node, anchor: str, axis: str, scale: float) -> tuple[float, float]:
    """From the numbers at an axis: place at 0 and places per unit."""
    items = []
    for label in svg.all("text", class_="t dim", text_anchor=anchor):
        words_ = label.text_content().replace(",", "")
        if re.fullmatch(r"-?\d+(\.\d+)?", words_):
            items.append((float(words_) / scale, float(str(label.attributes[axis]))))
    (low, start), (high, end) = items[0], items[-1]
    slope = (end - start) / (high - low)
    return start - low * slope, slope


def test_the_marks_of_the_calibration_chart_match_its_table():
    tree = read(render_page(growth(), None))
    svg = tree.one("section", id="score").all("svg")[0]
    left, x_step = _ticks(svg, "middle", "x", 100)
    base, y_step = _ticks(svg, "end", "y", 100)
    result = [
        ((float(c.attributes["cx"]) - left) / x_step, (float(c.attributes["cy"]) + 4 - base) / y_step)
        for c in svg.all("circle")
    ]

    for (x, y), row in zip(result, tree.table("calibration"), strict=True):
        assert math.isclose(x * 100, float(row[0].split()[0]), abs_tol=0.6)
        assert math.isclose(y * 100, float(row[3].split()[0]), abs_tol=0.6)


def test_the_marks_of_the_weekly_chart_match_its_table():
    tree = read(render_page(growth(), None))
    svg = tree.one("section", id="weeks").all("svg")[0]
    base, step = _ticks(svg, "end", "y", 100)
    result = [(float(c.attributes["cy"]) + 4 - base) / step for c in svg.all("circle", class_="dot rule")]
    rows = [row for row in tree.table("weeks") if row[3] != "–" and int(row[3]) >= 30]

    assert len(rows) > 20
    for rate, row in zip(result, rows, strict=True):
        assert math.isclose(rate, int(row[4]) / int(row[3]), abs_tol=0.01)


def test_the_text_beside_a_dot_is_the_number_in_the_table_under_it():
    tree = read(render_page(growth(), None))
    section = tree.one("section", id="today")
    beside = [text.text_content() for text in section.all("svg")[0].all("text", class_="t")]
    for text, row in zip(beside, tree.table("against"), strict=True):
        rate, low, high = (float(n) for n in re.findall(r"\d+(?:\.\d+)?", text))
        assert abs(rate - float(row[2].split()[0])) <= 0.5
        assert abs(low - float(row[3].split()[0])) <= 0.5
        assert abs(high - float(row[3].split()[2])) <= 0.5


@pytest.mark.parametrize("mode", ["counts", "off"])
def test_no_account_is_in_the_file_not_even_encoded(mode):
    table = bits()
    html = render_page(growth(), explorer_data(table, explorer_criteria(), mode))
    inside = [html.encode()]
    for block in re.findall(r"[A-Za-z0-9+/_-]{40,}={0,2}", html):
        text = block.replace("-", "+").replace("_", "/").rstrip("=")
        for skip in range(4):
            raw = base64.b64decode(text[skip : skip + (len(text) - skip) // 4 * 4])
            inside.append(raw)
            for wrapping in (15, -15, 31):
                with contextlib.suppress(zlib.error):
                    inside.append(zlib.decompress(raw, wrapping))

    assert not [name for name in (*CANARIES, "w000017") for content in inside if name.encode() in content]


def test_a_file_with_rows_is_marked_on_top_and_in_its_name():
    rows = explorer_data(bits(), explorer_criteria(), "rows")

    assert ROWS_WARNING in read(render_page(growth(), rows)).one("header").text_content()
    assert ROWS_WARNING not in render_page(growth(), None)
    assert file_name(rows, "growth_report") == "growth_report-with-account-data.html"


def test_the_seed_and_the_digest_of_the_config_are_shown(page):
    _, _, tree = page

    assert "ab12cd34ef56" in tree.one("section", id="method").text_content()


def test_the_page_says_what_the_served_model_has_learnt_from(explorer):
    made = growth()
    assert "the same settings, fitted again on everything final" in render_page(made, explorer)
    tested = {**made, "model": {**made["model"], "served": None}}
    assert "fitted again" not in render_page(tested, explorer)
