"""Who did an event, and for which accounts, in SQL: merged users, memberships, and lists of accounts.

`pql_model.sources.aliases`, `memberships` and `id_lists` decide what counts; this module must agree with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import sqlglot
from sqlglot import exp

from pql_model.config.people_tables import AliasTable, MemberTable
from pql_model.criteria.sql_dialects import Node, SqlDialect
from pql_model.criteria.sql_raw import Cte, Raw, col, is_present, never_as_null, one_of, plausible_time
from pql_model.errors import DataError
from pql_model.sources.time_forms import EARLIEST, LATEST

RECURSIVE = "alias_chains"
"""The step that refers to itself."""

_CHAINS = """
SELECT alias, person FROM alias_rows
UNION ALL
SELECT c.alias, n.person FROM alias_chains AS c INNER JOIN alias_rows AS n ON n.alias = c.person
"""
_ENDS = """
SELECT c.alias, c.person FROM alias_chains AS c
LEFT JOIN alias_rows AS n ON n.alias = c.person WHERE n.alias IS NULL
"""
_REACH = """
SELECT person, entity, since_at, until_at, MAX(until_at) OVER (
    PARTITION BY person, entity ORDER BY since_at, until_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
) AS reach
FROM member_rows WHERE NOT person IS NULL AND NOT entity IS NULL AND since_at < until_at
"""
_PERIODS = """
SELECT person, entity, since_at, until_at, SUM(CASE WHEN reach >= since_at THEN 0 ELSE 1 END) OVER (
    PARTITION BY person, entity ORDER BY since_at, until_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
) AS period
FROM member_reach
"""
_MEMBERS = """
SELECT person, entity, MIN(since_at) AS since_at, MAX(until_at) AS until_at
FROM member_periods GROUP BY person, entity, period
"""


def _query(text: str, engine: SqlDialect) -> exp.Query:
    return cast(exp.Query, sqlglot.parse_one(text, dialect=engine.dialect))


def alias_steps(spec: AliasTable, raw: Raw) -> list[Cte]:
    """Every alias with the id that counts, at the end of its chain."""
    columns = {"alias": raw.identifier(spec.columns.alias), "person": raw.identifier(spec.columns.user)}
    rows = raw.select(columns, spec.where).distinct().where(*[is_present(node) for node in columns.values()])
    rows = rows.where(columns["alias"].neq(columns["person"]))
    return [("alias_rows", rows), (RECURSIVE, _query(_CHAINS, raw.engine)), ("aliases", _query(_ENDS, raw.engine))]


def member_steps(spec: MemberTable, raw: Raw, has_aliases: bool) -> list[Cte]:
    """The periods of users in accounts; overlapping ones joined, so that an event falls into one of each account."""
    of = spec.columns
    columns = {
        "person": raw.identifier(of.user),
        "entity": raw.identifier(of.entity),
        "since_at": _period_end(raw, of.since, EARLIEST),
        "until_at": _period_end(raw, of.until, LATEST),
    }
    name = "member_rows"
    steps: list[Cte] = [(name, raw.select(columns, spec.where))]
    if has_aliases:
        steps[0] = ("member_ids", steps[0][1])
        steps.append((name, resolved("member_ids", list(columns))))
    texts = {"member_reach": _REACH, "member_periods": _PERIODS, "members": _MEMBERS}
    return [*steps, *((step, _query(text, raw.engine)) for step, text in texts.items())]


def _period_end(raw: Raw, column: str | None, open_end: int) -> Node:
    """The time of a column; where it is blank or stands for never, the end is open. Null where it cannot be read."""
    open_at = raw.engine.moment(open_end)
    if column is None:
        return open_at
    time = raw.instant(column)
    missing = never_as_null(raw.engine, time).is_(exp.null())
    return exp.case().when(missing, open_at).when(exp.and_(*plausible_time(raw.engine, time)), time.copy())


def resolved(step: str, columns: Sequence[str], own: str | None = None) -> exp.Select:
    """The rows of a step with `person` replaced by the id that counts; `own` names a column for the id it had."""
    others = [col(name, "e") for name in columns if name != "person"]
    person = exp.Coalesce(this=col("person", "a"), expressions=[col("person", "e")])
    kept = [exp.alias_(col("person", "e"), own)] if own is not None else []
    rows = exp.select(exp.alias_(person, "person"), *kept, *others).from_(f"{step} AS e")
    return rows.join("aliases AS a", on=col("alias", "a").eq(col("person", "e")), join_type="left")


def placed(step: str, columns: Sequence[str]) -> exp.Select:
    """The rows of a step, once for each account that its user belonged to at its time."""
    kept = [col(name, "e") for name in columns if name != "entity"]
    time = col("event_time", "e")
    during = exp.and_(
        col("person", "m").eq(col("person", "e")), col("since_at", "m") <= time, time < col("until_at", "m")
    )
    return exp.select(col("entity", "m"), *kept).from_(f"{step} AS e").join("members AS m", on=during)


def each_id(engine: SqlDialect, step: str, columns: Sequence[str]) -> exp.Select:
    """The rows of a step, once for each id in the list that `entity` holds.

    Raises
    ------
    DataError
        If the dialect has no form for it here.
    """
    if engine.each_id is None:
        raise DataError(
            f"The SQL of {engine.dialect} cannot read lists of ids",
            received="a column of ids whose cells hold lists",
            remedy="load one row for each id of a list",
        )
    rows = cast(exp.Select, sqlglot.parse_one(engine.each_id, dialect=engine.dialect))
    rows = rows.from_(f"{step} AS e")
    entity = exp.Trim(this=rows.selects[0].unalias())
    kept = [col(name, "e") for name in columns if name != "entity"]
    return rows.select(exp.alias_(entity, "entity"), *kept, append=False)


def is_alias_of_excluded(users: Sequence[str]) -> Node:
    """Whether the person of a row is the id that counts of an alias that the config excludes."""
    people = exp.select(col("person", "x")).from_("aliases AS x").where(one_of(col("alias", "x"), users))
    return col("person", "e").isin(query=people)
