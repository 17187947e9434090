import yaml

from pql_model.config.definition import Definition
from pql_model.config.load import load_definition
from pql_model.criteria.export import criteria_yaml
from pql_model.criteria.phrasing import definition_json

TESTED = {"rate": {"value": 0.31, "low": 0.26, "high": 0.36}, "qualified": 400, "rows": 4000}


def rule(name, raw, recommended=False, rate=TESTED):
    payload = definition_json(Definition.model_validate(raw))
    return {**payload, "id": name, "recommended": recommended, "tested": rate}


def written(tmp_path, *definitions, criteria=(), product="boards"):
    found = {"definitions": list(definitions), "criteria": list(criteria), "rows": "as of day 14 of the trial"}
    path = tmp_path / "criteria.yaml"
    path.write_text(criteria_yaml(found, product), encoding="utf-8")
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
    said = "# at least 2 `Invited` so far: about 31 of 100 (likely 26 to 36) converted, 400 of 4,000 meet it"
    assert text.count(said) == 3
    loaded = yaml.safe_load(text)
    assert list(loaded) == ["definition", "definitions", "criteria"]
    assert loaded["criteria"]["c1"] == loaded["definition"]


def test_without_a_recommended_rule_there_is_no_definition(tmp_path):
    text = written(tmp_path).read_text()
    assert "No rule was confirmed" in text
    assert yaml.safe_load(text) is None
