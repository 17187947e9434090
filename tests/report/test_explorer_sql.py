"""The SQL of the explorer: composed as the page does it, it finds whom the library finds."""

import re

import pytest
from test_offered import condition
from warehouse import asked, in_duckdb, judged, who
from worlds import at

import pql_model
from pql_model.config.definition import Definition
from pql_model.config.load import load_config
from pql_model.report.explorer_sql import explorer_sql
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.schema_probe import probe_schema

NOW = re.compile(r"CURRENT_TIMESTAMP AT TIME ZONE 'UTC'")
AS_OF = "2025-11-20"
CONDITIONS = {
    "a": condition("Board Created", 2, "first 14d"),
    "b": condition("Teammate Invited", 1, "first 7d"),
    "c": {"event": "any", "measure": "active_days", "window": "ever", "operator": ">=", "threshold": 3},
    "d": {"trait": "company_size", "in": ["11-50"]},
    "e": {"trait": "company_size", "in": ["51-200"]},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return load_config(pql_model.make_demo(tmp_path_factory.mktemp("demo"), accounts=600) / "pql.yaml")


def written(config, conditions=None):
    with open_session() as con:
        schema = probe_schema(con, config)
    criteria = [{"id": name, "conditions": [each]} for name, each in (conditions or CONDITIONS).items()]
    return explorer_sql(config, criteria, schema)


def found_by(config, sql, where):
    text = sql["before"].replace(sql["rule"], "the rule") + where + sql["after"]
    return who(asked(in_duckdb(config), at_the_time(text)))


def at_the_time(sql):
    """The statement as of a day of the demo."""
    text, replaced = NOW.subn(f"TIMESTAMP '{AS_OF} 00:00:00'", sql)
    assert replaced
    return text


@pytest.mark.parametrize(("join", "word"), [("all", " AND "), ("any", " OR ")])
def test_the_statement_of_a_rule_finds_whom_the_library_finds(config, join, word):
    sql = written(config)
    tests = sql["tests"]
    met = judged(config, Definition.model_validate({join: [CONDITIONS["a"], CONDITIONS["b"]]}), at(AS_OF))
    expected = sorted(met["entity"][met["met"]])

    assert found_by(config, sql, f"({tests['a']}{word}{tests['b']})") == expected
    assert 0 < len(expected) < len(met)


def test_values_of_a_trait_are_joined_by_or(config):
    sql = written(config)
    rule = {"all": [CONDITIONS["c"], {"trait": "company_size", "in": ["11-50", "51-200"]}]}
    met = judged(config, Definition.model_validate(rule), at(AS_OF))

    where = f"{sql['tests']['c']} AND ({sql['tests']['d']} OR {sql['tests']['e']})"
    assert found_by(config, sql, where) == sorted(met["entity"][met["met"]])


def test_what_a_config_excludes_by_name_is_not_in_the_file(config):
    excluding = config.model_copy(
        update={
            "exclude": config.exclude.model_copy(
                update={"users": ["u_canary_1"], "entities": {"region": ["canary.example"]}}
            )
        }
    )
    sql = written(excluding)

    assert "canary" not in str(sql)
    assert "2 ids or values that `exclude` names are not left out here" in sql["before"]


def test_a_literal_that_is_a_domain_leaves_no_sql(config):
    named = {**CONDITIONS, "f": {"trait": "email_domain", "in": ["canary.example"]}}
    with_trait = config.model_copy(
        update={
            "entities": config.entities.model_copy(update={"traits": [*(config.entities.traits or []), "email_domain"]})
        }
    )

    assert explorer_sql(with_trait, [{"id": n, "conditions": [c]} for n, c in named.items()], _schema(config)) is None


def _schema(config):
    with open_session() as con:
        return probe_schema(con, config)


def test_a_criterion_that_sql_cannot_express_is_left_out(config):
    sql = written(
        config,
        {
            **CONDITIONS,
            "f": {"trait": "no such trait", "in": ["x"]},
            "g": condition("No Value", 1, "ever") | {"measure": "sum", "value": "nothing"},
        },
    )

    assert sorted(sql["tests"]) in (["a", "b", "c", "d", "e"], ["a", "b", "c", "d", "e", "f"])
    assert "g" not in sql["tests"]


def test_a_trait_is_read_in_one_form(config):
    sql = written(config, {**CONDITIONS, "n": {"trait": "company_size", "operator": ">=", "threshold": 5}})

    assert "n" not in sql["tests"]
    assert "d" in sql["tests"]


def test_the_dialect_is_that_of_the_connection(config):
    elsewhere = config.model_copy(update={"connection": "snowflake://account/db"})

    assert (
        explorer_sql(elsewhere, [{"id": "a", "conditions": [CONDITIONS["a"]]}], _schema(config))["dialect"]
        == "snowflake"
    )
    assert written(config)["dialect"] == "duckdb"
