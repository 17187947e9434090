"""Stages of the funnel that are known from elsewhere, such as MQL and SQL: the first time of each entity and stage."""

from __future__ import annotations

from pql_model.config.schema import Config
from pql_model.sources.casts import identifier
from pql_model.sources.crm_tables import CrmTable, read_crm_table
from pql_model.sources.duckdb_session import Connection, row_count
from pql_model.sources.read import Sources


def read_stages(con: Connection, config: Config, sources: Sources) -> CrmTable | None:
    """Stage the reached stages as table `stages` (entity, stage, time: the first of each); None where the config has none.

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
    part = read_crm_table(con, config, sources, "stages", spec, {"stage": spec.columns.stage})
    rows = part.table.select("entity", "time", stage=identifier(part.table.value_0))
    named = rows.filter(rows.stage.notnull())
    table = con.create_table("stages", named.group_by("entity", "stage").agg(time=named.time.min()))
    counts = {
        **part.set_aside,
        "no_stage": row_count(rows) - row_count(named),
        "repeated": row_count(named) - row_count(table),
    }
    return CrmTable("stages", spec.table, table, {reason: n for reason, n in counts.items() if n}, part.notes)
