"""Tables about leads that another system keeps, such as a CRM: what feedback and stages have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pql_model.config.own_features import DatedKeys
from pql_model.config.schema import Config
from pql_model.sources.dated_columns import DatedColumns, DatedTable, stage_dated
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.read import Sources
from pql_model.sources.unknown_ids import IdColumn, refuse_foreign_ids, unknown_id_warnings
from pql_model.time import now

Table = Any

CRM_REASONS = {
    "in_the_future": "later than now",
    "no_stage": "no stage",
    "repeated": "the same row again, or a later time of the same entity and stage",
    "no_disposition": "no disposition",
    "unknown_disposition": "a disposition that `means` does not list",
    "contradictory": "accepted and rejected at the same instant; neither counts",
}
"""Why a row of the feedback or of the stages is set aside, beside the reasons of other tables."""


@dataclass(frozen=True)
class CrmTable:
    """The usable rows of the feedback, or the stages that each entity reached.

    Attributes
    ----------
    key
        `feedback` or `stages`.
    source
        The table's name in the config.
    table
        entity, time (microseconds), and what the key adds.
    set_aside
        Reason -> rows that do not count.
    warnings
        Sentences a person should read.
    """

    key: str
    source: str
    table: Table
    set_aside: dict[str, int]
    warnings: tuple[str, ...] = ()


def read_crm_table(
    con: Connection, config: Config, sources: Sources, key: str, spec: Any, columns: dict[str, str]
) -> DatedColumns:
    """Stage a table about leads that another system keeps; its values are texts. The result's `notes` are warnings.

    Parameters
    ----------
    key : str
        `feedback` or `stages`.
    spec : FeedbackTable or StageTable
        The table's part of the config.
    columns : dict
        Name of a value -> its column.

    Raises
    ------
    DataError
        If a column is missing, no id is known, or most rows cannot be used.
    """
    keys = DatedKeys(entity=spec.columns.entity, time=spec.columns.time)
    table = DatedTable(spec.table, key, keys, columns, spec.where, spec, until=now(), kept_elsewhere=True)
    part = stage_dated(con, config, table, key, sources.entities.roster, sources.people.aliases)
    read = con.table(f"judged_{key}").select("entity")
    refuse_foreign_ids(config, spec.table, read, sources.entities.roster)
    ids = IdColumn(spec.table, spec.encoding, spec.columns.entity, f"{key}.columns.entity", read)
    unknown = unknown_id_warnings(con, config, [ids], sources.entities.roster)
    return DatedColumns(part.source, part.table, part.names, part.set_aside, notes=tuple(unknown))
