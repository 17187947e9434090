"""`pql criteria sql`: which definition, which dialect, as JSON and as text."""

import json

import pytest
import yaml
from warehouse import asked, in_duckdb, judged, who
from worlds import at, product

from pql_model.cli.app import main
from pql_model.config.load import load_config
from pql_model.errors import ConfigError, DataError, ModelNotFoundError
from pql_model.workflows import criteria_sql as module
from pql_model.workflows.criteria_sql import criteria_sql
from pql_model.workflows.report import CriteriaList

ACCOUNTS = [
    {"account": name, "signed_up": "2026-01-01", "size": size} for name, size in (("a", "1-10"), ("b", "11-50"))
]
EVENTS = [{"account": name, "event": "login", "time": "2026-01-02"} for name in ("a", "a", "b")]
IN_FORCE = {"all": [{"event": "login", "at_least": 2}]}
FOUND = {"conditions": [{"trait": "size", "in": ["11-50"]}], "join": "all", "k": None, "recommended": True}


@pytest.fixture
def config(tmp_path):
    return product(tmp_path, ACCOUNTS, EVENTS, [], definition=IN_FORCE)


def ask(capsys, config, *arguments):
    with pytest.raises(SystemExit, match=r"^[012]$") as done:
        main(["criteria", "sql", "-c", str(config.home / "pql.yaml"), *arguments])
    return done.value.code, capsys.readouterr()


def test_the_statement_selects_the_entities_that_score_marks(config):
    result = criteria_sql(config, dialect="duckdb", as_of="2026-01-08")
    table = judged(config, config.definition, at("2026-01-08"))

    assert who(asked(in_duckdb(config), result.sql)) == sorted(table["entity"][table["met"]]) == ["a"]


def test_a_file_can_define_another_rule(config, tmp_path):
    (tmp_path / "rule.yaml").write_text(yaml.safe_dump({"definition": {"all": [{"trait": "size", "in": ["11-50"]}]}}))
    result = criteria_sql(config, dialect="duckdb", as_of="2026-01-08", definition=tmp_path / "rule.yaml")

    assert who(asked(in_duckdb(config), result.sql)) == ["b"]


@pytest.mark.parametrize(("joined", "least"), [({"join": "any"}, 1), ({"join": "at_least_k", "k": 1}, 1), ({}, 1)])
def test_without_a_definition_in_force_the_recommended_one_is_used(config, monkeypatch, joined, least):
    actual = CriteriaList(
        "x", {"version": "3"}, {"definitions": [{**FOUND, "recommended": False}, {**FOUND, **joined}]}
    )
    monkeypatch.setattr(module, "list_criteria", lambda *_, **__: actual)
    result = criteria_sql(without_rule(config), dialect="duckdb", as_of="2026-01-08")

    assert result.definition.least == least
    assert who(asked(in_duckdb(config), result.sql)) == ["b"]


def test_without_any_definition_the_error_has_a_fix(config, monkeypatch, with_store):
    with_store(config.home)
    with pytest.raises(ModelNotFoundError, match="There is no champion"):
        criteria_sql(without_rule(config), dialect="duckdb")
    none = CriteriaList("x", {"version": "3"}, {"definitions": []})
    monkeypatch.setattr(module, "list_criteria", lambda *_, **__: none)
    with pytest.raises(
        DataError, match=r"There is no definition to write as SQL: .* Received: version 3.* `--definition FILE`"
    ):
        criteria_sql(without_rule(config), dialect="duckdb")


def without_rule(config):
    path = config.home / "pql.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in yaml.safe_load(path.read_text()).items() if k != "definition"}))
    return load_config(path)


def test_unknown_names_are_refused_with_the_nearest(config, tmp_path):
    rules = {"event": {"event": "logins", "at_least": 1}, "trait": {"trait": "sise", "in": ["1"]}}
    for kind, condition in rules.items():
        (tmp_path / "rule.yaml").write_text(yaml.safe_dump({"all": [condition]}))
        with pytest.raises(DataError, match=rf"names {kind} `.*did you mean `(login|size)`\?.*Fix: correct rule\.yaml"):
            criteria_sql(config, dialect="duckdb", definition=tmp_path / "rule.yaml")
    with pytest.raises(DataError, match=r"`as_of` is not a time. Received: yesterday"):
        criteria_sql(config, dialect="duckdb", as_of="yesterday")
    (tmp_path / "rule.yaml").write_text("all: [{event: login}]")
    with pytest.raises(ConfigError, match="needs `operator` with `threshold`"):
        criteria_sql(config, dialect="duckdb", definition=tmp_path / "rule.yaml")


def test_the_command_prints_the_statement_or_one_object(config, capsys):
    code, printed = ask(capsys, config, "--dialect", "postgres", "--as-of", "2026-01-08")
    assert code == 0
    assert printed.out.startswith("-- The accounts of small-world that meet, as of 2026-01-08:\n")

    code, printed = ask(capsys, config, "--dialect", "postgres", "--as-of", "2026-01-08", "--json")
    payload = json.loads(printed.out)
    assert code == 0
    assert payload["dialect"] == "postgres"
    assert payload["sql"].count("SELECT") > 5
    assert payload["definition"]["conditions"][0]["event"] == "login"


def test_an_unknown_dialect_is_refused_before_anything_is_read(config, capsys):
    (config.home / "events.csv").unlink()
    code, printed = ask(capsys, config, "--dialect", "mysql", "--json")

    assert code == 2
    assert "Allowed: duckdb, postgres, bigquery" in json.loads(printed.out)["error"]["message"]


def test_the_help_has_examples(config, capsys):
    code, printed = ask(capsys, config, "--help")

    assert code == 0
    assert "first column is the entity" in " ".join(printed.out.split())


def test_lists_of_ids_are_recognised_in_the_tables(tmp_path):
    events = [{"account": '["a", "b"]', "event": "login", "time": "2026-01-02"} for _ in range(2)]
    config = product(tmp_path, ACCOUNTS, events, [], definition=IN_FORCE)
    result = criteria_sql(config, dialect="duckdb", as_of="2026-01-08")

    assert who(asked(in_duckdb(config), result.sql)) == ["a", "b"]
