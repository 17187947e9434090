"""A look at the tables of a config without judging their rows: which columns, events and traits there are."""

from __future__ import annotations

from dataclasses import dataclass

from pql_model.config.schema import Config
from pql_model.measures import ANY
from pql_model.sources.casts import identifier, text
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.entities import traits_of
from pql_model.sources.files import RawTable, read_raw


@dataclass(frozen=True)
class ProbedSchema:
    """What the tables hold by name.

    Attributes
    ----------
    columns
        Table of the config -> its columns.
    events
        Every event name, sorted.
    """

    columns: dict[str, tuple[str, ...]]
    events: tuple[str, ...]
    traits: tuple[str, ...]


def probe_schema(con: Connection, config: Config) -> ProbedSchema:
    """Look at the tables of entities and events.

    Raises
    ------
    DataError
        If a table or a column is missing, or cannot be read.
    """
    entities = read_raw(con, config.entities.table, config.home, config.connection, name="look_entities")
    columns = {config.entities.table: tuple(entities.columns)}
    names: set[str] = set()
    for index, spec in enumerate(config.events):
        raw = read_raw(con, spec.table, config.home, config.connection, name=f"look_events_{index}")
        columns[spec.table] = tuple(raw.columns)
        named = _names(raw, spec.columns.event, f"events[{index}].columns.event") if spec.columns.event else ()
        names.update(named, spec.counts or (), [spec.event] if spec.event else ())
    return ProbedSchema(columns, tuple(sorted(names)), traits_of(config, entities))


def _names(raw: RawTable, column: str, key: str) -> list[str]:
    """As in `pql_model.sources.events`: `any` speaks of all events, so an event of that name has another."""
    written = raw.column(column, key)
    name = text(written) if written.type().is_string() else identifier(written)
    found = raw.table.select(name=name).distinct().to_pyarrow()["name"].to_pylist()
    return [f"{ANY} (event)" if event == ANY else event for event in found if event is not None]
