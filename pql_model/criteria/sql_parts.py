"""The parts of a statement, for whoever composes others that differ only in their condition."""

from __future__ import annotations

from sqlglot import exp

from pql_model.config.definition import Criterion
from pql_model.criteria.column_names import criterion_subject
from pql_model.criteria.sql import Statement
from pql_model.criteria.sql_measures import holds
from pql_model.criteria.sql_raw import col

_PLACE = "the_condition_of_the_definition"


def around_condition(statement: Statement, recent: bool) -> tuple[str, str]:
    """Return the text of the body before and after the condition of the definition.

    Parameters
    ----------
    statement : Statement
        It is changed.
    recent : bool
        Whether `active_within` of the config adds a condition of its own.
    """
    place, where = exp.column(_PLACE), statement.query.args["where"].this
    statement.query.set("where", exp.Where(this=exp.and_(place, where.expression) if recent else place))
    before, _, after = statement.body().partition(_PLACE)
    return before, after


def condition_sql(statement: Statement, criterion: Criterion) -> str:
    """Return the condition of one criterion of the definition."""
    label = statement.labels[criterion_subject(criterion)]
    return holds(criterion, col(label)).sql(statement.engine.dialect)


def literals(statement: Statement) -> list[str]:
    """Return the texts that the statement compares with."""
    return [str(literal.this) for literal in statement.query.find_all(exp.Literal) if literal.is_string]
