import json

from reading import read

from pql_model.report.markup import Facts, TableCell, bare, data_block, esc, marked, section, table, tag

EVIL = "</script><img src=x onerror=alert(1)>"


def test_a_name_cannot_end_an_attribute_or_an_element():
    page = read(tag("p", esc(EVIL), title=EVIL + '"'))

    assert page.one("p").attributes["title"] == EVIL + '"'
    assert page.text_content() == EVIL


def test_marks_that_reverse_text_or_ring_a_bell_are_replaced():
    assert esc("a\u202eb\x07\ud800") == "a\ufffdb\ufffd\ufffd"


def test_names_in_backticks_stand_out_and_are_still_escaped():
    assert marked("2 `<b>`") == "2 <b>&lt;b&gt;</b>"
    assert bare("2 `x`") == "2 x"


def test_data_in_the_page_cannot_end_its_script_element():
    block = data_block("x", {"name": EVIL + "\u2028"})

    assert "<" not in block.removeprefix("<script").removesuffix("</script>")
    assert json.loads(block.split(">", 1)[1].removesuffix("</script>")) == {"name": EVIL + "\u2028"}


def test_a_table_scrolls_in_a_region_that_has_a_name_and_takes_the_focus():
    page = read(table("Rates <b>now</b>", ["a", "b"], [["x", TableCell("1 %", 0.01)]], name="t"))
    region = page.one("div")

    assert (region.attributes["tabindex"], region.attributes["role"], region.attributes["aria-label"]) == (
        "0",
        "region",
        "Rates now",
    )
    assert page.one("th", scope="row").text_content() == "x"
    assert page.one("td").attributes["data-value"] == "0.01"


def test_a_section_is_named_by_its_heading():
    page = read(section("a", "Finding", above="<p>first</p>"))

    assert page.one("section").attributes["aria-labelledby"] == page.one("h2").attributes["id"]
    assert [child.tag for child in page.one("section").children] == ["p", "h2"]


def test_a_number_says_where_it_stands():
    facts = Facts({"rules": [{"rate": {"value": 0.31, "low": 0.2, "high": 0.4}}]}, 1000)

    assert facts.say("rules.0.rate", "span") == '<span data-key="rules.0.rate" data-as="span">200 to 400</span>'
    assert facts.likely("rules.0.rate").startswith("(likely range <span")
