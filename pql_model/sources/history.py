"""Traits that change, such as a plan: read as dated columns of which each row states all values from its time on.

A trait is missing before its first row, also where the entities table has a value: that one is of the present.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ibis

from pql_model.config.own_features import DatedKeys
from pql_model.config.schema import Config
from pql_model.sources.aliases import Aliases
from pql_model.sources.casts import number
from pql_model.sources.dated_columns import DatedColumns, DatedTable, stage_dated
from pql_model.sources.duckdb_session import Connection, fetch_row, row_count
from pql_model.sources.scalars import LARGEST

Table = Any
Column = Any

REASONS = {
    "repeated": "the same row again",
    "conflicting": "another row of the same entity and instant; of several values the largest counts",
}
"""Why a row of the history is set aside, beside the reasons of other dated columns."""

_MOSTLY = 0.9


def read_history(
    con: Connection, config: Config, roster: Table, observed_until: int, aliases: Aliases | None = None
) -> list[DatedColumns]:
    """Stage the history of traits; an empty list where the config has none.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    roster : Table
        Every listed entity, and whether it is `selected`: rows of others are set aside.
    observed_until : int
        The end of the data: later rows are set aside.
    aliases : Aliases, optional
        Merged users.

    Raises
    ------
    DataError
        If a column is missing, or most rows cannot be used.
    """
    spec = config.history
    if spec is None:
        return []
    keys = DatedKeys(entity=spec.columns.entity, time=spec.columns.time)
    table = DatedTable(
        spec.table, "history", keys, {trait: trait for trait in spec.traits}, spec.where, spec, observed_until
    )
    part = stage_dated(con, config, table, "history", roster, aliases)
    rows, distinct = part.table, part.table.distinct()
    values = [column for column in rows.columns if column.startswith("value_")]
    instants = con.create_table(
        "history",
        rows.group_by("entity", "time").agg(known_at=ibis.null("int64"), **{v: _largest(rows[v]) for v in values}),
    )
    count = row_count(distinct)
    twice = {"repeated": row_count(rows) - count, "conflicting": count - row_count(instants)}
    set_aside = {**part.set_aside, **{reason: n for reason, n in twice.items() if n}}
    notes = _warn_of_partial_rows(instants, spec.table, values)
    return [replace(part, table=instants, set_aside=set_aside, states_all=True, notes=notes)]


def _largest(column: Column) -> Column:
    """The largest value; of texts, as a file has them, the largest number if there is one, so that 10 is above 9."""
    if not column.type().is_string():
        return column.max()
    return column.argmax(
        ibis.struct({"number": ibis.coalesce(number(column), -LARGEST), "text": column}), where=column.notnull()
    )


def _warn_of_partial_rows(rows: Table, source: str, values: list[str]) -> tuple[str, ...]:
    """Rows with one value each are often a log of changes, in which a blank cell means unchanged."""
    if len(values) < 2:
        return ()
    filled = sum((rows[value].notnull().cast("int64") for value in values[1:]), rows[values[0]].notnull().cast("int64"))
    counts = fetch_row(rows.aggregate(rows=rows.count(), single=rows.count(where=filled <= 1)))
    if not counts["rows"] or counts["single"] < _MOSTLY * counts["rows"]:
        return ()
    return (
        f"{counts['single']:,} of {counts['rows']:,} rows of {source} fill at most one of its {len(values)} traits; the "
        "others count as unknown from then on. If a blank cell means unchanged, list the columns as `values` of a table "
        "under `features` instead of `history`.",
    )
