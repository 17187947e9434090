import pytest
import yaml

from pql_model.config.load import load_definition
from pql_model.report.rule_export import sql_text, yaml_line

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    'quote " and \\ back',
    "line\nbreak",
    "a: b, {c} # d",
    "emoji 🦄 ü",
    "\u2028\x85\x7f",
    "- x",
    "{",
    "null",
    "=1+1",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_event_name_survives_yaml(name):
    line = yaml_line({"event": name, "window": "first 7d", "operator": ">=", "threshold": 2})

    assert yaml.safe_load(line) == {"event": name, "window": "first 7d", "operator": ">=", "threshold": 2}
    assert "\n" not in line


@pytest.mark.parametrize(("join", "k"), [("all", None), ("any", None), ("at_least_k", 2)])
def test_a_definition_loads_back_as_a_definition(tmp_path, join, k):
    conditions = [
        {"event": "Board Created", "measure": "count", "window": "first 7d", "operator": ">=", "threshold": 5.0},
        {
            "event": "Upload",
            "measure": "sum",
            "value": "gigabytes",
            "window": "ever",
            "operator": ">",
            "threshold": 0.5,
        },
        {"trait": "size", "in": ["51-200", "yes"]},
    ]
    head = f"at_least_k: {k}\nof:\n" if k else f"{join}:\n"
    lines = "".join(f"  - {yaml_line(condition)}\n" for condition in conditions)
    (tmp_path / "d.yaml").write_text(head + lines, encoding="utf-8")
    found = load_definition(tmp_path / "d.yaml")

    assert found.least == {"all": 3, "any": 1, "at_least_k": 2}[join]
    assert (found.criteria[0].threshold, found.criteria[1].value, found.criteria[2].in_) == (
        5,
        "gigabytes",
        ["51-200", "yes"],
    )


def test_the_order_of_the_keys_of_a_condition_does_not_matter():
    one = {"event": "x", "operator": ">=", "threshold": 1}

    assert yaml_line(one) == yaml_line(dict(reversed(one.items())))


def test_the_outline_in_sql_quotes_names_and_stays_on_one_line():
    payload = sql_text(
        {"event": 'a" OR 1=1\n--', "measure": "count", "window": "ever", "operator": "==", "threshold": 1}
    )

    assert payload == """count("a"" OR 1=1 --", 'ever') = 1"""
    assert sql_text({"trait": "size", "operator": "!=", "threshold": 2.5}) == '"size" <> 2.5'
