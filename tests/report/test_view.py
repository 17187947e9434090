import pytest
from growths import few_everywhere, growth, nothing_found, too_few

from pql_model.report.view import View, capital, rule_text


def test_the_recommended_rule_is_shown_or_else_the_first():
    payload = growth()
    payload["definitions"][0]["recommended"], payload["definitions"][1]["recommended"] = False, True

    assert View(payload).best == "definitions.1"
    payload["definitions"][1]["recommended"] = False
    assert View(payload).best == "definitions.0"
    assert View(nothing_found()).best is None


def test_one_denominator_holds_for_the_whole_page():
    assert View(growth()).per == 100
    assert View(few_everywhere()).per == 1000


def test_one_of_one_does_not_decide_the_denominator():
    payload = few_everywhere()
    cell = {"entities": 1, "conversions": 1, "rate": {"value": 1.0, "low": 0.2, "high": 1.0}}
    payload["behaviours"][0]["curve"].append({"threshold": 99, **cell})

    assert View(payload).per == 1000


def test_a_rate_of_too_few_is_never_said():
    view = View(too_few())

    assert view.judged("definitions.0.tested") is False
    assert view.rate_of("definitions.0.tested").endswith("</span>: too few to judge")
    assert view.cell_rate("in_force.against.only_new") == "nobody"
    assert view.cell_range("in_force.against.both") == "–"
    mark = view.mark({"value": 0.27, "low": 0.1, "high": 0.6}, 11, 3, "rule")
    assert (mark.kind, mark.says) == ("few", "3 of 11, too few")


def test_a_rule_with_a_semicolon_in_a_name_is_left_as_it_was_written():
    rule = {"text": "all of: 1 `a; b`; 2 `c`", "conditions": [{}, {}], "join": "all", "k": None}

    assert rule_text(rule) == "all of: 1 <b>a; b</b>; 2 <b>c</b>"


@pytest.mark.parametrize(
    ("text", "payload"), [("", ""), ("<b>x</b> y", "<b>X</b> y"), ("5 x", "5 x"), ("&lt;x", "&lt;x")]
)
def test_the_first_letter_becomes_a_capital_one_whatever_it_stands_in(text, payload):
    assert capital(text) == payload
