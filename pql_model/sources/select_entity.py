"""The data of one entity, so that only its own events are computed on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pql_model.config.schema import Config
from pql_model.errors import DataError, listed
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.read import Sources

Table = Any

_NEAR = 3


def select_entity(con: Connection, config: Config, sources: Sources, name: str) -> Sources:
    """The same sources with one entity in them; `observed_until` stays that of all.

    Raises
    ------
    DataError
        If no entity is called so, with the nearest names.
    """
    known = sources.entities.table
    mine = con.create_table("one_entity", known.filter(known.entity == name), overwrite=True)
    if not mine.count().to_pyarrow().as_py():
        raise _unknown(config, known, name)
    events, conversions = sources.events.table, sources.conversions.table
    log = con.create_table("events_of_one", events.filter(events.entity == name), overwrite=True)
    return replace(
        sources,
        events=replace(sources.events, table=log),
        entities=replace(sources.entities, table=mine),
        conversions=replace(sources.conversions, table=conversions.filter(conversions.entity == name)),
    )


def _unknown(config: Config, known: Table, name: str) -> DataError:
    near = _nearest(known, name)
    hint = f"; did you mean {' or '.join(f'`{other}`' for other in near)}?" if near else ""
    some = known.order_by("entity").limit(_NEAR).to_pyarrow()["entity"].to_pylist()
    return DataError(
        f"No entity of {config.entities.table} is called `{name}`{hint}",
        received=name,
        allowed=f"an id such as {listed(some)}",
        remedy=f"give an id of the column `{config.entities.columns.entity}`; ids are case-sensitive",
    )


def _nearest(known: Table, name: str) -> list[str]:
    """Names that differ in a few letters or hold the one that was given; the engine compares, there may be millions."""
    if not name:
        return []
    lower = known.entity.lower()
    near = known.select("entity", held=lower.contains(name.lower()), apart=lower.levenshtein(name.lower()))
    near = near.filter(near.held | (near.apart <= max(1, len(name) // 3)))
    return [str(n) for n in near.order_by("apart", "entity").limit(_NEAR).to_pyarrow()["entity"].to_pylist()]
