"""Write a definition as a dbt model: its SQL with `source()` for every table and a variable for as_of, and its schema file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from sqlglot import exp

from pql_model.config.definition import Criterion, Definition
from pql_model.config.schema import Config
from pql_model.criteria.column_names import criterion_subject
from pql_model.criteria.definition_text import criterion_text, definition_text
from pql_model.criteria.sql import Statement
from pql_model.criteria.sql_raw import RAW, Raw
from pql_model.features.spec import Feature
from pql_model.sources.file_format import file_kind
from pql_model.sources.scalars import spellings

MARK = "Written by `pql criteria dbt`."
"""In the first line of both files, which may then be replaced."""
_NO_TIME_ZONE = {
    "duckdb": "RESET TimeZone",
    "postgres": "RESET TIME ZONE",
    "snowflake": "ALTER SESSION UNSET TIMEZONE",
    "databricks": "SET TIME ZONE LOCAL",
    "redshift": "RESET timezone",
    "trino": "SET TIME ZONE LOCAL",
}
"""Statement that returns the session to its own time zone, for the models that dbt runs after this one."""
_JINJA = re.compile(r"\{(?=[{%#])")


@dataclass(frozen=True)
class DbtModel:
    """The two files of a model."""

    name: str
    sql: str
    schema: str


def model_name(product: str) -> str:
    """Name a model after a product.

    >>> model_name("Nimbus Boards"), model_name("7-cloud")
    ('pql_nimbus_boards', 'pql_7_cloud')
    """
    return f"pql_{re.sub(r'[^a-z0-9]+', '_', product.lower()).strip('_')}".rstrip("_")


def dbt_model(config: Config, definition: Definition, statement: Statement, name: str) -> DbtModel:
    """Write the model of a statement that was built without `as_of`.

    Parameters
    ----------
    config : Config
    definition : Definition
    statement : Statement
    name : str
        The model; its sources are named after it, so that two models of one project do not collide.
    """
    tables = {raw.name: raw for raw in statement.raws.values() if raw.read}
    about = f"-- {MARK} As of another instant than now: dbt build --select {name} --vars 'as_of: 2026-01-31'"
    sql = f"{about}\n{_config(statement)}\n{_sql(statement, tables, name)}\n"
    return DbtModel(name, sql, _schema(config, definition, statement, tables, name))


# ---------------------------------------------------------------- the SQL


def _config(statement: Statement) -> str:
    """A table, since a view would be computed in the time zone of whoever reads it."""
    hooks = ""
    if statement.engine.in_utc:
        before, after = statement.engine.in_utc, _NO_TIME_ZONE[statement.engine.dialect]
        hooks = f', pre_hook="{before}", post_hook="{after}"'
    return f"{{{{ config(materialized='table', tags=['pql']{hooks}) }}}}"


def _sql(statement: Statement, tables: dict[str, Raw], name: str) -> str:
    query = statement.query.copy()
    query.set("order", None)  # a table has no order
    mark = "pql_placeholder"
    while mark in statement.body():
        mark += "_"
    replacements: dict[str, str] = {}

    def placeholder(text: str) -> exp.Identifier:
        key = f"{mark}{len(replacements)}x"
        replacements[key] = text
        return exp.to_identifier(key)

    for table in query.find_all(exp.Table):
        if table.meta.get(RAW):
            raw = tables[".".join(part.name for part in table.parts)]
            text = f"{{{{ source('{_source(raw, name)}', {_quoted(_table(raw))}) }}}}"
            table.set("this", placeholder(text))
            table.set("db", None)
            table.set("catalog", None)
    moment = query.ctes[0].this.expressions[0]
    moment.set("this", exp.Column(this=placeholder(_as_of(statement))))
    body = query.sql(statement.engine.dialect, pretty=True, max_text_width=110)
    text = _literally(f"{statement.comment}\n{body}")
    return re.sub(rf"{mark}\d+x", lambda match: replacements[match[0]], text)


def _as_of(statement: Statement) -> str:
    """The variable `as_of`, a date or time in UTC, or the moment the model runs."""
    engine = statement.engine
    given, now = (node.sql(engine.dialect) for node in (engine.instant(exp.Literal.string("pql_as_of")), engine.now()))
    variable = "{{ var('as_of') }}"
    return f"{{% if var('as_of', none) %}}{given.replace('pql_as_of', variable)}{{% else %}}{now}{{% endif %}}"


def _literally(text: str) -> str:
    """Text that Jinja leaves as it is: an event may be called `{{ name }}`."""
    return _JINJA.sub("{{ '{' }}", text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


# ---------------------------------------------------------------- the schema file


def _parts(raw: Raw) -> list[str]:
    """Database, schema and table, as far as the config names them."""
    return [raw.name] if file_kind(raw.table) else raw.name.rsplit(".", 2)


def _table(raw: Raw) -> str:
    return _parts(raw)[-1]


def _source(raw: Raw, name: str) -> str:
    """The name of the source that holds a table: one for each schema."""
    return "_".join([name, "tables", *(re.sub(r"\W+", "_", part) for part in _parts(raw)[:-1])])


def _schema(config: Config, definition: Definition, statement: Statement, tables: dict[str, Raw], name: str) -> str:
    content = {
        "version": 2,
        "sources": list(_sources(config, statement, tables, name)),
        "models": [
            {
                "name": name,
                "description": _literally(
                    f"The {config.entity}s of {config.name} at risk that meet: {definition_text(definition)}."
                ),
                "columns": list(_columns(config, definition, statement)),
            }
        ],
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    return f"# {MARK} Needs dbt 1.10.5 or later.\n{text}"


def _sources(config: Config, statement: Statement, tables: dict[str, Raw], name: str) -> Iterator[dict[str, Any]]:
    groups: dict[str, list[Raw]] = {}
    for raw in tables.values():
        groups.setdefault(_source(raw, name), []).append(raw)
    for source, raws in groups.items():
        *database, schema = ["", *_parts(raws[0])[:-1]] if len(_parts(raws[0])) < 3 else _parts(raws[0])[:-1]
        yield {
            "name": source,
            "description": _literally(f"Tables of the `pql.yaml` of {config.name}."),
            **({"database": database[-1]} if database and database[-1] else {}),
            "schema": schema or "{{ var('pql_schema', target.schema) }}",
            "tables": [_source_table(statement, raw) for raw in raws],
        }


def _source_table(statement: Statement, raw: Raw) -> dict[str, Any]:
    table = _table(raw)
    # Snowflake is the dialect in which dbt does not quote by default
    quoted = statement.engine.dialect == "snowflake" and statement.engine.name(table).args["quoted"]
    return {
        "name": table,
        **({"quoting": {"identifier": True}} if quoted else {}),
        "columns": [
            {"name": _literally(column), "description": f"Read as {kind}."} for column, kind in raw.read.items()
        ],
    }


def _columns(config: Config, definition: Definition, statement: Statement) -> Iterator[dict[str, Any]]:
    yield {
        "name": "entity",
        "description": f"The {config.entity}.",
        "data_tests": ["unique", "not_null"],
    }
    yield {
        "name": "as_of",
        "description": "The instant the row speaks about, in UTC: everything in it was known before.",
        "data_tests": ["not_null"],
    }
    for subject, label in statement.labels.items():
        criteria = [each for each in definition.criteria if criterion_subject(each) == subject]
        what = subject.text if isinstance(subject, Feature) else f"trait `{subject}`"
        asked = "; ".join(criterion_text(each) for each in criteria)  # the model says how they are joined
        tests = _tests(definition, criteria)
        yield {
            "name": label,
            "description": _literally(
                f"{what[0].upper()}{what[1:]}. {'Condition' if len(criteria) == 1 else 'Conditions'}: {asked}."
            ),
            **({"data_tests": tests} if tests else {}),
        }


def _tests(definition: Definition, criteria: list[Criterion]) -> list[Any]:
    """A column has a value in every row only if all conditions must hold."""
    if definition.nested or definition.least < len(definition.members):
        return []
    lists = [each.in_ for each in criteria if each.in_ is not None]
    forms = [form for value in (lists[0] if lists else []) for form in spellings(value, True)]
    if not forms or any(set(form) & set("'\\{") for form in forms):  # dbt writes the values between quotes as they are
        return ["not_null"]
    return ["not_null", {"accepted_values": {"arguments": {"values": list(dict.fromkeys(forms))}}}]
