"""How far the event log reaches, read from its times alone."""

from __future__ import annotations

from typing import Any

from pql_model.config.schema import Config
from pql_model.config.source_tables import EventTable
from pql_model.errors import DataError
from pql_model.sources.aliases import Aliases, resolve_entities
from pql_model.sources.casts import times
from pql_model.sources.duckdb_session import Connection, fetch_scalar
from pql_model.sources.entities import Entities
from pql_model.sources.files import read_raw
from pql_model.sources.id_columns import with_one_spelling
from pql_model.sources.id_lists import ids, with_each_id
from pql_model.sources.row_filter import select_rows

Table = Any


def read_newest_event(con: Connection, config: Config, entities: Entities, aliases: Aliases | None, now: int) -> int:
    """Find the newest event of an entity that counts, from times and ids alone.

    Rows that would be set aside for another reason count too, and so does every row of a table that names only users.

    Parameters
    ----------
    now
        A later time is planned, or wrong.

    Raises
    ------
    DataError
        If a table cannot be read, or has no time in the past.
    """
    counted = entities.table.filter(~entities.table.excluded).select("entity")
    until = now if config.observed_until is None else min(now, config.observed_until)
    newest = []
    for index, spec in enumerate(config.events):
        rows = _rows(con, config, index, spec)
        if spec.columns.entity is not None:
            rows = with_one_spelling(with_each_id(con, rows, f"ends_{index}", "entity"), config.normalise)
            rows = resolve_entities(rows, aliases, config).semi_join(counted, "entity")
        ends = [rows.time] if spec.covers is None else [rows.time, rows.time + spec.covers.us]
        newest += [fetch_scalar(end.max(where=end <= until)) for end in ends]
    found = [int(instant) for instant in newest if instant is not None]
    if not found:
        raise DataError(
            "No event has a time in the past", remedy="check `events.columns.time`, or set `observed_until`"
        )
    return max(found)


def _rows(con: Connection, config: Config, index: int, spec: EventTable) -> Table:
    at, names = f"events[{index}]", spec.columns
    raw = read_raw(con, spec.table, config.home, config.connection, name=f"ends_{index}", encoding=spec.encoding)
    raw = select_rows(raw, spec.where, f"{at}.where", config.resolution)
    columns = {"time": times(raw.column(names.time, f"{at}.columns.time"), config.resolution).instant}
    if names.entity is not None:
        columns["entity"] = ids(raw.column(names.entity, f"{at}.columns.entity"))
    return raw.table.select(**columns)
