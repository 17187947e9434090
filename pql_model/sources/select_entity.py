"""The sources reduced to one entity, so that only its own events are computed on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pql_model.config.schema import Config
from pql_model.errors import DataError, listed
from pql_model.sources.duckdb_session import Connection, row_count
from pql_model.sources.read import Sources

Table = Any

_SUGGESTIONS = 3


def select_entity(con: Connection, config: Config, sources: Sources, name: str) -> Sources:
    """Reduce the sources to one entity; `observed_until` stays that of all.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    sources : Sources
        Its data.
    name : str
        The id of the entity.

    Raises
    ------
    DataError
        If there is no such entity, with the nearest ids.
    """
    everyone = sources.entities.table
    entity = con.create_table("one_entity", everyone.filter(everyone.entity == name), overwrite=True)
    if not row_count(entity):
        raise _unknown(config, everyone, name)
    events, conversions = sources.events.table, sources.conversions.table
    log = con.create_table("events_of_one", events.filter(events.entity == name), overwrite=True)
    return replace(
        sources,
        events=replace(sources.events, table=log),
        entities=replace(sources.entities, table=entity),
        conversions=replace(sources.conversions, table=conversions.filter(conversions.entity == name)),
    )


def _unknown(config: Config, entities: Table, name: str) -> DataError:
    near = _nearest(entities, name)
    hint = f", did you mean {' or '.join(f'`{other}`' for other in near)}?" if near else ""
    some = entities.order_by("entity").limit(_SUGGESTIONS).to_pyarrow()["entity"].to_pylist()
    return DataError(
        f"{config.entities.table} has no entity `{name}`{hint}",
        received=name,
        allowed=f"an id such as {listed(some)}",
        remedy=f"use an id from the column `{config.entities.columns.entity}`; ids are case-sensitive",
    )


def _nearest(entities: Table, name: str) -> list[str]:
    """Find ids that differ in a few letters or contain the name. The engine compares them: there may be millions."""
    if not name:
        return []
    lower = entities.entity.lower()
    near = entities.select("entity", contains=lower.contains(name.lower()), distance=lower.levenshtein(name.lower()))
    near = near.filter(near["contains"] | (near.distance <= max(1, len(name) // 3)))
    return [str(n) for n in near.order_by("distance", "entity").limit(_SUGGESTIONS).to_pyarrow()["entity"].to_pylist()]
