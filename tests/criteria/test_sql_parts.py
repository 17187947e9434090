from worlds import product

from pql_model.config.definition import Definition
from pql_model.criteria.sql import definition_statement
from pql_model.criteria.sql_parts import around_condition, condition_sql, literals

RULE = Definition.model_validate({"any": [{"event": "login", "at_least": 2}, {"trait": "size", "in": ["1-10"]}]})


def statement(tmp_path, **more):
    accounts = [{"account": "a", "signed_up": "2026-01-01", "size": "1-10"}]
    config = product(tmp_path, accounts, [{"account": "a", "event": "login", "time": "2026-01-02"}], [], **more)
    return definition_statement(config, RULE, "duckdb")


def test_the_parts_and_the_conditions_make_the_statement_again(tmp_path):
    whole = statement(tmp_path).body()
    parted = statement(tmp_path)
    conditions = " OR ".join(condition_sql(parted, criterion) for criterion in RULE.criteria)
    before, after = around_condition(parted, recent=False)

    assert "".join((before + conditions + after).split()) == "".join(whole.split())


def test_the_texts_that_are_compared_are_listed(tmp_path):
    assert {"login", "1-10"} <= set(literals(statement(tmp_path)))
