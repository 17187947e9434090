import json

import pytest
from markupsafe import Markup
from reading import read

from pql_model.page.markup import capitalise, escape, json_block, names, without_backticks

EVIL = "</script><img src=x onerror=alert(1)>"


def test_a_name_cannot_end_an_attribute_or_an_element():
    page = read(f'<p title="{escape(EVIL + chr(34))}">{escape(EVIL)}</p>')

    assert page.one("p").attributes["title"] == EVIL + '"'
    assert page.text_content() == EVIL


def test_control_characters_are_replaced():
    assert escape("a\u202eb\x07\ud800") == "a\ufffdb\ufffd\ufffd"


def test_names_in_backticks_are_bold_and_still_escaped():
    assert names("2 `<b>`") == "2 <b>&lt;b&gt;</b>"
    assert without_backticks("2 `x`") == "2 x"


def test_data_in_the_page_cannot_end_its_script_element():
    block = json_block({"name": EVIL + "\u2028"})

    assert "<" not in block
    assert json.loads(block) == {"name": EVIL + "\u2028"}


@pytest.mark.parametrize(
    ("text", "capital"),
    [("", ""), (Markup("<b>x</b> y"), "<b>X</b> y"), ("5 x", "5 x"), ("<x", "&lt;x"), (Markup("&lt;x"), "&lt;x")],
)
def test_the_first_letter_becomes_a_capital_one_also_inside_an_element(text, capital):
    assert capitalise(text) == capital
