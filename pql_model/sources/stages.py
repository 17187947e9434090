"""Stages of the funnel that are known from elsewhere, such as MQL and SQL: the first time of each entity and stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pql_model.config.schema import Config
from pql_model.sources.casts import identifier
from pql_model.sources.duckdb_session import Connection, row_count
from pql_model.sources.feedback import read_outcomes
from pql_model.sources.read import Sources

Table = Any

STAGE_REASONS = {
    "in_the_future": "later than now",
    "no_stage": "no stage",
    "repeated": "the same row again, or a later time of the same entity and stage",
}
"""Why a row of the stages is set aside, beside the reasons of other tables."""


@dataclass(frozen=True)
class ReachedStages:
    """The stages that each entity reached.

    Attributes
    ----------
    source
        The table's name in the config.
    table
        entity, stage, time (microseconds): the first time of each.
    set_aside
        Reason -> rows that do not count.
    warnings
        Sentences a person should read.
    """

    source: str
    table: Table
    set_aside: dict[str, int]
    warnings: tuple[str, ...] = ()
    key: ClassVar[str] = "stages"


def read_stages(con: Connection, config: Config, sources: Sources) -> ReachedStages | None:
    """Stage the reached stages as table `stages`; None where the config has none.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    sources : Sources
        Its data: rows of unlisted entities are set aside, and merged users are resolved.

    Raises
    ------
    DataError
        If a column is missing, no id is known, or most rows cannot be used.
    """
    spec = config.stages
    if spec is None:
        return None
    part = read_outcomes(con, config, sources, "stages", spec, {"stage": spec.columns.stage})
    rows = part.table.select("entity", "time", stage=identifier(part.table.value_0))
    named = rows.filter(rows.stage.notnull())
    table = con.create_table("stages", named.group_by("entity", "stage").agg(time=named.time.min()))
    counts = {
        **part.set_aside,
        "no_stage": row_count(rows) - row_count(named),
        "repeated": row_count(named) - row_count(table),
    }
    return ReachedStages(spec.table, table, {reason: n for reason, n in counts.items() if n}, part.notes)
