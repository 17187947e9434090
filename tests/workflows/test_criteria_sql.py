"""`pql criteria sql`: which definition, which dialect, as JSON and as text."""

import json
from types import SimpleNamespace

import pytest
import yaml
from warehouse import asked, in_duckdb, judged, who
from worlds import at, product

from pql_model.cli.app import main
from pql_model.config.definition import Definition
from pql_model.config.load import load_config
from pql_model.criteria.evaluate import BoundDefinition
from pql_model.decide.bands import Bands
from pql_model.decide.decider import KEY, Decider, InForceStatus
from pql_model.decide.policy import PolicyRule
from pql_model.errors import ConfigError, DataError, ModelNotFoundError
from pql_model.workflows import criteria_sql as module
from pql_model.workflows.criteria_sql import criteria_sql

ACCOUNTS = [
    {"account": name, "signed_up": "2026-01-01", "size": size} for name, size in (("a", "1-10"), ("b", "11-50"))
]
EVENTS = [{"account": name, "event": "login", "time": "2026-01-02"} for name in ("a", "a", "b")]
IN_FORCE = {"all": [{"event": "login", "at_least": 2}]}


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


@pytest.fixture
def champion(config, monkeypatch):
    """Says what the champion of the product recommends, and how the definition in force stands."""
    (config.home / "mlflow.db").touch()

    def say(recommended, verdict=None):
        decider = Decider(
            "small-world",
            PolicyRule(0.5, None, ""),
            Bands.of({"high": 0.5}),
            recommended=BoundDefinition(Definition.model_validate(recommended), "d1") if recommended else None,
            in_force=BoundDefinition(config.definition) if verdict else None,
            in_force_verdict=verdict,
        )
        model = SimpleNamespace(version="3", model=SimpleNamespace(facts={KEY: decider.to_dict()}))
        load = SimpleNamespace(load=lambda: model, load_if_registered=lambda: model)
        monkeypatch.setattr(module, "Tracking", lambda _: load)

    return say


OF_SIZE = {"all": [{"trait": "size", "in": ["11-50"]}]}


def test_the_recommended_definition_comes_before_the_one_in_force(config, champion):
    champion(OF_SIZE, InForceStatus("stale", "It does not separate payers.", stale=True))
    result = criteria_sql(config, dialect="duckdb", as_of="2026-01-08")

    assert who(asked(in_duckdb(config), result.sql)) == ["b"]
    payload = result.to_dict()
    assert payload["source"] == "recommended"
    beside = "The definition in force (at least 2 `login` so far) is judged: stale. It does not separate payers."
    assert payload["in_force"] == beside
    assert f"-- {beside}" in result.sql


def test_where_the_champion_recommends_none_the_one_in_force_is_used(config, champion):
    champion(None, InForceStatus("about right", "So it is.", stale=False))
    result = criteria_sql(config, dialect="duckdb", as_of="2026-01-08")

    assert who(asked(in_duckdb(config), result.sql)) == ["a"]
    assert result.to_dict()["source"] == "in_force"


def test_a_product_without_training_needs_no_store(config):
    result = criteria_sql(config, dialect="duckdb", as_of="2026-01-08")

    assert (result.to_dict()["source"], result.to_dict()["in_force"]) == ("in_force", None)
    assert not (config.home / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("joined", "least"), [({"any": OF_SIZE["all"]}, 1), ({"at_least_k": 1, "of": OF_SIZE["all"]}, 1)]
)
def test_a_recommended_definition_may_join_in_any_way(config, champion, joined, least):
    champion(joined)
    result = criteria_sql(without_rule(config), dialect="duckdb", as_of="2026-01-08")

    assert result.definition.least == least
    assert who(asked(in_duckdb(config), result.sql)) == ["b"]


def test_without_any_definition_the_error_has_a_fix(config, champion):
    champion(None)
    with pytest.raises(
        DataError, match=r"There is no definition to write as SQL: .* Received: version 3.* `--definition FILE`"
    ):
        criteria_sql(without_rule(config), dialect="duckdb")


def test_without_champion_and_definition_a_model_is_needed(config, with_store):
    with_store(config.home)
    with pytest.raises(ModelNotFoundError, match="There is no champion"):
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
