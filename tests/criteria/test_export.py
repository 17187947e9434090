import pytest
import yaml

from pql_model.config.definition import Definition
from pql_model.config.load import load_definition
from pql_model.criteria.definition_text import definition_json
from pql_model.criteria.export import condition_yaml, criteria_yaml

TESTED = {"rate": {"value": 0.31, "low": 0.26, "high": 0.36}, "qualified": 400, "rows": 4000}


def rule(name, raw, recommended=False, rate=TESTED):
    payload = definition_json(Definition.model_validate(raw))
    return {**payload, "id": name, "recommended": recommended, "tested": rate}


def written(tmp_path, *definitions, criteria=(), product="boards"):
    result = {"definitions": list(definitions), "criteria": list(criteria), "rows": "as of day 14 of the trial"}
    path = tmp_path / "criteria.yaml"
    path.write_text(criteria_yaml(result, product), encoding="utf-8")
    return path


def test_each_join_loads_back_as_it_was(tmp_path):
    boards, seats = {"event": "Board Created", "at_least": 5, "within": "first 7d"}, {"trait": "seats", "at_least": 3}
    share = {"event": "Quota", "measure": "last", "value": "used", "at_least": 0.8}
    for raw in (
        {"all": [boards, seats]},
        {"any": [boards, {"trait": "size", "in": ["51-200", "no"]}]},
        {"at_least_k": 2, "of": [boards, seats, share]},
    ):
        path = written(tmp_path, rule("d1", raw, recommended=True))
        assert load_definition(path) == Definition.model_validate(raw)


def test_an_event_of_any_name_loads_back(tmp_path):
    for name in ("yes", "a: b # c", "{x}", "- 1", "🚀 lift", "line\nbreak", "'quoted\"", "null", "1e3"):
        raw = {"all": [{"event": name, "at_least": 2}]}
        path = written(tmp_path, rule("d1", raw, recommended=True), product=name)
        assert load_definition(path).criteria[0].event == name


def test_the_figures_stand_beside_each_rule(tmp_path):
    first = rule("d1", {"all": [{"event": "Invited", "at_least": 2}]}, recommended=True)
    text = written(tmp_path, first, criteria=[rule("c1", {"all": [{"event": "Invited", "at_least": 2}]})]).read_text()
    said = "# at least 2 `Invited` so far: about 31 of 100 (95 % interval 26 to 36) converted, 400 of 4,000 meet it"
    assert text.count(said) == 3
    loaded = yaml.safe_load(text)
    assert list(loaded) == ["definition", "definitions", "criteria"]
    assert loaded["criteria"]["c1"] == loaded["definition"]


def test_without_a_recommended_rule_there_is_no_definition(tmp_path):
    text = written(tmp_path).read_text()
    assert "No rule was confirmed" in text
    assert yaml.safe_load(text) is None


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
    line = condition_yaml({"event": name, "window": "first 7d", "operator": ">=", "threshold": 2})

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
    lines = "".join(f"  - {condition_yaml(condition)}\n" for condition in conditions)
    (tmp_path / "d.yaml").write_text(head + lines, encoding="utf-8")
    reloaded = load_definition(tmp_path / "d.yaml")

    assert reloaded.least == {"all": 3, "any": 1, "at_least_k": 2}[join]
    assert (
        reloaded.criteria[0].threshold,
        reloaded.criteria[1].value,
        reloaded.criteria[2].in_,
    ) == (
        5,
        "gigabytes",
        ["51-200", "yes"],
    )


def test_the_order_of_the_keys_of_a_condition_does_not_matter():
    one = {"event": "x", "operator": ">=", "threshold": 1}

    assert condition_yaml(one) == condition_yaml(dict(reversed(one.items())))
