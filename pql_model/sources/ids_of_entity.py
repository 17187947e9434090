"""All ids of one entity in the source tables: those merged into it, and its users."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pql_model.config.schema import Config
from pql_model.sources.read import Sources


@dataclass(frozen=True)
class EntityIds:
    """Ids of an entity.

    Attributes
    ----------
    entities
        The ids themselves and those merged with them.
    users
        Users who acted in it, and did not act in another one.
    """

    entities: set[str]
    users: set[str]


def ids_of_entity(config: Config, sources: Sources, ids: Sequence[str], named: Collection[str] = ()) -> EntityIds:
    """Find the ids of an entity, or of a user, in the sources.

    Parameters
    ----------
    ids
        The known ids.
    named
        Users who are known from elsewhere. Those who acted in another entity are left out too.
    """
    merged = _merged(sources, ids)
    entities = set(ids) | (merged if config.entity == "user" else set())
    log = sources.events.table
    by_user = log.filter(log.user.notnull()).select("entity", "user").distinct()
    own = by_user.filter(by_user.entity.isin(sorted(entities)))
    users = {str(user) for user in own.select("user").distinct().to_pyarrow()["user"].to_pylist()} | set(named)
    if users:
        others = by_user.filter(by_user.user.isin(sorted(users)) & ~by_user.entity.isin(sorted(entities)))
        users -= {str(user) for user in others.select("user").distinct().to_pyarrow()["user"].to_pylist()}
    return EntityIds(entities, users | merged | _merged(sources, sorted(users)))


def _merged(sources: Sources, ids: Sequence[str]) -> set[str]:
    """The ids that were merged with some ids, on either side."""
    aliases = sources.people.aliases
    if aliases is None or not ids:
        return set()
    final = aliases.resolve_ids(ids)
    rows = aliases.table.filter(aliases.table["user"].isin(final)).to_pyarrow().to_pylist()
    return {*(row["alias"] for row in rows), *(row["user"] for row in rows)}
