"""The columns, events and traits of the tables of a config, without checking their rows."""

from __future__ import annotations

from dataclasses import dataclass, field

from pql_model.config.schema import Config
from pql_model.sources.casts import event_name
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.entities import checked_traits
from pql_model.sources.files import RawTable, read_raw
from pql_model.sources.id_lists import list_form
from pql_model.sources.row_filter import select_rows


@dataclass(frozen=True)
class ProbedSchema:
    """The names that the tables hold.

    Attributes
    ----------
    columns
        Table of the config -> its columns.
    events
        Every event name, sorted.
    traits
        Names of the traits.
    lists
        Table of the config -> its columns of ids whose cells hold lists -> how, as `list_form` says.
    """

    columns: dict[str, tuple[str, ...]]
    events: tuple[str, ...]
    traits: tuple[str, ...]
    lists: dict[str, dict[str, str]] = field(default_factory=dict)


def probe_schema(con: Connection, config: Config) -> ProbedSchema:
    """List the columns of the entity and event tables, and the names of events and traits.

    Raises
    ------
    DataError
        If a table or a column is missing, or cannot be read.
    """
    entities = read_raw(
        con, config.entities.table, config.home, config.connection, "probe_entities", config.entities.encoding
    )
    columns = {config.entities.table: tuple(entities.columns)}
    paid = read_raw(con, config.conversions.table, config.home, config.connection, name="probe_conversions")
    ids = [
        (config.entities.table, entities, config.entities.columns.entity),
        (config.conversions.table, paid, config.conversions.columns.entity),
    ]
    names: set[str] = set()
    for index, spec in enumerate(config.events):
        raw = read_raw(con, spec.table, config.home, config.connection, f"probe_events_{index}", spec.encoding)
        columns[spec.table] = tuple(raw.columns)
        raw = select_rows(raw, spec.where, f"events[{index}].where", config.resolution)
        ids += [(spec.table, raw, spec.columns.entity)] if spec.columns.entity is not None else []
        in_log = _names(raw, spec.columns.event, f"events[{index}].columns.event") if spec.columns.event else ()
        names.update(in_log, spec.counts or (), [spec.event] if spec.event else ())
    lists: dict[str, dict[str, str]] = {}
    for source, table, name in ids:
        if (form := list_form(table.table, table.column(name, "columns.entity"))) is not None:
            lists.setdefault(source, {})[name] = form
    return ProbedSchema(columns, tuple(sorted(names)), checked_traits(config, entities), lists)


def _names(raw: RawTable, column: str, key: str) -> list[str]:
    names = raw.table.select(name=event_name(raw.column(column, key))).distinct().to_pyarrow()["name"].to_pylist()
    return [name for name in names if name is not None]
