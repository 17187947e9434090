"""The statement from which the explorer composes SQL that runs: it differs between rules only in its last condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pql_model.config.definition import Criterion, Definition
from pql_model.config.schema import Config, Exclude
from pql_model.criteria.sql import definition_statement
from pql_model.criteria.sql_dialects import DIALECTS
from pql_model.criteria.sql_header import comment
from pql_model.criteria.sql_parts import around_condition, condition_sql, literals
from pql_model.errors import DataError
from pql_model.report.fit_rates import names_somebody
from pql_model.sources.schema_probe import ProbedSchema

_RULE = "<rule>"


def explorer_sql(config: Config, criteria: Sequence[Mapping[str, Any]], schema: ProbedSchema) -> dict[str, Any] | None:
    """Write the statement that computes what all criteria compare, in two parts, and the test of each criterion.

    The ids and domains that `exclude` names are left out, and the comment says so: they would name customers.

    Parameters
    ----------
    config
    criteria
        As `offered_criteria` gives them.
    schema
        The columns of the tables.

    Returns
    -------
    dict or None
        `dialect`, `before` and `after` the condition of the rule, `rule` (what stands for the rule in words in `before`), and
        `tests`: id -> its condition. None where the statement cannot be written, or would name somebody.
    """
    excluded = len(config.exclude.users) + sum(map(len, config.exclude.entities.values()))
    bare = config.model_copy(update={"exclude": Exclude(bots=config.exclude.bots)})
    dialect = _dialect(config)
    conditions = dict(_writable(bare, criteria, schema, dialect))
    if not conditions:
        return None
    definition = Definition.joining(list(conditions.values()), 1)
    statement = definition_statement(bare, definition, dialect, None, schema.columns, schema.lists)
    if any(map(names_somebody, literals(statement))):
        return None
    before, after = around_condition(statement, config.schedule.active_within is not None)
    lines = statement.comment.partition("\n-- among ")
    intro = f"The {config.entity}s of {config.name} that meet, at the moment the statement runs:"
    head = f"{comment([intro])}\n--   {_RULE}{lines[1]}{lines[2]}\n"
    if excluded:
        head += (
            comment(
                [f"{excluded:,} ids or values that `exclude` names are not left out here: `pql criteria sql` does."]
            )
            + "\n"
        )
    tests = {name: condition_sql(statement, condition) for name, condition in conditions.items()}
    return {"dialect": dialect, "rule": _RULE, "before": head + before, "after": after, "tests": tests}


def _dialect(config: Config) -> str:
    """That of the connection, where there is one that the SQL can be written in."""
    scheme = (config.connection or "").partition("://")[0]
    return "postgres" if scheme == "postgresql" else scheme if scheme in DIALECTS else "duckdb"


def _writable(
    config: Config, criteria: Sequence[Mapping[str, Any]], schema: ProbedSchema, dialect: str
) -> Iterator[tuple[str, Criterion]]:
    """The criteria that SQL can express, by id; one statement reads a trait either as text or as a number."""
    as_text: dict[str | None, bool] = {}
    for criterion in criteria:
        condition = Criterion.model_validate(criterion["conditions"][0])
        if as_text.setdefault(condition.trait, condition.in_ is not None) != (condition.in_ is not None):
            continue
        try:
            definition_statement(
                config, Definition.joining([condition], 1), dialect, None, schema.columns, schema.lists
            )
        except DataError:  # such as a trait that is dated
            continue
        yield criterion["id"], condition
