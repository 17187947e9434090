from growths import few_everywhere, growth, nothing_found, too_few

from pql_model.report.view import GrowthNode, View, rule_lines, rule_text


def test_the_recommended_rule_is_shown_or_else_the_first():
    payload = growth()
    payload["definitions"][0]["recommended"], payload["definitions"][1]["recommended"] = False, True

    assert View(payload).best.path == "definitions.1"
    payload["definitions"][1]["recommended"] = False
    assert View(payload).best.path == "definitions.0"
    assert View(nothing_found()).best is None


def test_one_denominator_holds_for_the_whole_page():
    assert View(growth()).per == 100
    assert View(few_everywhere()).per == 1000


def test_a_rate_of_a_single_row_does_not_decide_the_denominator():
    payload = few_everywhere()
    cell = {"entities": 1, "conversions": 1, "rate": {"value": 1.0, "low": 0.2, "high": 1.0}}
    payload["behaviours"][0]["curve"].append({"threshold": 99, **cell})

    assert View(payload).per == 1000


def test_too_few_rows_have_no_rate():
    view = View(too_few())
    against = view.growth["in_force"]["against"]
    mark = view.mark(against["both"], "rule")

    assert not view.is_judged(view.growth["definitions"][0]["tested"])
    assert not view.can_judge(against["both"])
    assert (mark.kind, mark.text) == ("few", "3 of 11, too few")
    assert view.mark(against["only_new"], "rule").text == "nobody"


def test_a_rule_is_split_at_its_criteria_and_not_inside_a_name_or_a_joined_part():
    parts = ["1 `a; b`", "(any of: 2 `c`; 3 `d`)"]
    rule = GrowthNode({"text": f"all of: {'; '.join(parts)}", "parts": parts, "join": "all", "k": None})

    assert rule_text(rule) == "1 <b>a; b</b> and (any of: 2 <b>c</b>; 3 <b>d</b>)"
    assert rule_lines(rule).lines == ("1 <b>a; b</b>", "any of: 2 <b>c</b>; 3 <b>d</b>")


def test_a_number_carries_its_path():
    view = View(few_everywhere())
    rate = view.growth["definitions"][0]["tested"]["rate"]

    assert view.print_number(rate, "interval").startswith(
        '<span data-key="definitions.0.tested.rate" data-as="interval">'
    )
