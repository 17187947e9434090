"""The dbt model selects the rows of the statement, and its schema file describes and tests them."""

import duckdb
import jinja2
import pytest
import sqlglot
import yaml
from configs_of_sql import config_of
from warehouse import asked, in_duckdb, judged, who
from worlds import at, product

from pql_model.config.definition import Definition
from pql_model.criteria.sql import definition_statement
from pql_model.criteria.sql_dbt import dbt_model, model_name
from pql_model.criteria.sql_dialects import DIALECTS

TWICE = {"event": "{{ login }}", "at_least": 2}
SIZE = {"trait": "size", "in": ["11-50", "7"]}
ACCOUNTS = [
    {"account": name, "signed_up": "2026-01-01", "size": size}
    for name, size in (("a", "1-10"), ("b", "11-50"), ("c", "7"))
]
EVENTS = [{"account": name, "event": "{{ login }}", "time": f"2026-01-0{day}"} for name in "ab" for day in (2, 6)]


def rule(*conditions, join="all"):
    return Definition.model_validate({join: list(conditions)})


def written(config, definition, dialect="duckdb", name="pql_small"):
    return dbt_model(config, definition, definition_statement(config, definition, dialect), name)


def rendered(sql, **variables):
    """What dbt sends to the warehouse: Jinja with the macros that the model calls."""
    macros = {
        "config": lambda **_: "",
        "source": lambda _, table: f'"{table}"',
        "var": lambda name, default=None: variables.get(name, default),
    }
    return jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined).from_string(sql).render(**macros)


def columns_of(model):
    return {column["name"]: column for column in yaml.safe_load(model.schema)["models"][0]["columns"]}


@pytest.fixture
def config(tmp_path):
    return product(tmp_path, ACCOUNTS, EVENTS, [])


@pytest.mark.parametrize("day", ["2026-01-05", "2026-01-08"])
@pytest.mark.parametrize("definition", [rule(TWICE), rule(TWICE, SIZE), rule(TWICE, SIZE, join="any")])
def test_the_model_selects_the_rows_of_the_statement_as_of_its_variable(config, definition, day):
    warehouse = in_duckdb(config)
    table = judged(config, definition, at(day))
    statement = definition_statement(config, definition, "duckdb", at(day)).text()
    rows = asked(warehouse, rendered(written(config, definition).sql, as_of=day))

    assert sorted(rows, key=lambda row: row["entity"]) == asked(warehouse, statement)
    assert who(rows) == sorted(table["entity"][table["met"]])


def test_without_the_variable_it_is_as_of_now(config):
    sql = rendered(written(config, rule(TWICE)).sql)

    assert "CURRENT_TIMESTAMP AT TIME ZONE 'UTC' AS as_of" in sql
    assert asked(in_duckdb(config), sql) == []  # the trials of 2026-01-01 are older than the ages that are scored


def test_names_that_look_like_jinja_are_not_rendered(config):
    model = written(config, rule(TWICE))

    assert "e.event_name = '{{ login }}'" in rendered(model.sql)
    description = yaml.safe_load(model.schema)["models"][0]["description"]
    assert "`{{ login }}`" in jinja2.Template(description).render()


def test_the_hooks_set_the_time_zone_for_this_model_only(config):
    assert """pre_hook="SET TimeZone = 'UTC'", post_hook="RESET TimeZone\"""" in written(config, rule(TWICE)).sql
    assert "hook" not in written(config, rule(TWICE), "bigquery").sql


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_rendered_model_parses_in_every_dialect(config, dialect):
    for variables in ({}, {"as_of": "2026-01-08"}):
        sql = rendered(written(config, rule(TWICE, SIZE), dialect).sql, **variables)
        assert len(sqlglot.parse(sql, dialect)) == 1


def test_columns_are_tested_for_what_every_row_of_the_model_has(config):
    columns = columns_of(written(config, rule(TWICE, SIZE)))

    assert columns["entity"]["data_tests"] == ["unique", "not_null"]
    assert columns["login_count_ever"]["data_tests"] == ["not_null"]
    values = columns["trait_size"]["data_tests"][1]["accepted_values"]["arguments"]["values"]
    assert {"11-50", "7"} <= set(values)
    assert "at least 2" in columns["login_count_ever"]["description"]


def test_where_one_condition_suffices_the_other_columns_may_be_empty(config):
    columns = columns_of(written(config, rule(TWICE, SIZE, join="any")))

    assert "data_tests" not in columns["login_count_ever"]
    assert "data_tests" not in columns["trait_size"]


def test_values_that_dbt_would_not_quote_are_not_tested(config):
    columns = columns_of(written(config, rule({"trait": "size", "in": ["O'Brien"]})))

    assert columns["trait_size"]["data_tests"] == ["not_null"]


def test_tables_of_a_connection_are_sources_of_their_schema():
    config = config_of("trial")
    content = config.model_dump(by_alias=True, exclude_none=True, mode="json")
    content["entities"]["table"] = "crm.accounts"
    config = type(config).model_validate(content)
    model = written(config, rule({"event": "Invited", "at_least": 2}), "postgres", name="m")
    sources = {source["name"]: source for source in yaml.safe_load(model.schema)["sources"]}

    assert sources["m_tables_crm"]["schema"] == "crm"
    assert [table["name"] for table in sources["m_tables_crm"]["tables"]] == ["accounts"]
    assert sources["m_tables"]["schema"] == "{{ var('pql_schema', target.schema) }}"
    assert "{{ source('m_tables_crm', 'accounts') }}" in model.sql


def test_every_source_of_the_model_is_declared(config):
    model = written(config, rule(TWICE))
    declared = {(s["name"], t["name"]) for s in yaml.safe_load(model.schema)["sources"] for t in s["tables"]}
    used = set()
    macros = {"config": lambda **_: "", "var": lambda *_: None, "source": lambda *names: used.add(names) or "t"}
    jinja2.Template(model.sql).render(**macros)

    assert used == declared


def test_a_model_is_named_after_its_product():
    assert model_name("Nimbus Boards!") == "pql_nimbus_boards"
    assert model_name("登录") == "pql"


def test_the_model_runs_inside_create_table(config):
    con = in_duckdb(config)
    con.execute(f"CREATE TABLE pql_small AS ({rendered(written(config, rule(TWICE)).sql, as_of='2026-01-08')})")

    assert isinstance(con, duckdb.DuckDBPyConnection)
    assert who(asked(con, "SELECT * FROM pql_small")) == ["a", "b"]
