"""Who did an event, and for which accounts: lists of accounts, merged users and memberships applied to events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.config.source_tables import EventTable
from pql_model.sources.aliases import Aliases
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.id_columns import with_one_spelling
from pql_model.sources.id_lists import with_each_id
from pql_model.sources.memberships import HARMLESS, Memberships
from pql_model.sources.scalars import BOT_USERS

Table = Any


@dataclass(frozen=True)
class People:
    """Merged users, and the accounts that users belong to; None where the config has no such table.

    Attributes
    ----------
    aliases
        Ids that were merged into others.
    memberships
        The accounts of users.
    excluded_users
        The users that the config excludes, by the ids they have and by the ids that count.
    """

    aliases: Aliases | None = None
    memberships: Memberships | None = None
    excluded_users: tuple[str, ...] = ()

    @property
    def set_aside(self) -> dict[str, dict[str, int]]:
        """Key of the config -> reason -> rows, for the tables that the config has."""
        parts = {"members": self.memberships, "aliases": self.aliases}
        return {key: part.set_aside for key, part in parts.items() if part is not None}

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences a person should read, about memberships that are lost."""
        if self.memberships is None:
            return ()
        members = self.memberships
        lost = ", ".join(f"{n:,} {reason}" for reason, n in members.set_aside.items() if reason not in HARMLESS)
        return (*members.warnings, *([f"Rows of {members.source} that cannot be used: {lost}."] if lost else []))

    def entity_that_counts(self, config: Config, entity: str) -> str:
        """Follow an id that was merged into another; where accounts convert, users are merged and entities are not."""
        if self.aliases is None or config.entity != "user":
            return entity
        return self.aliases.resolve_ids([entity])[0]

    def place(self, con: Connection, config: Config, spec: EventTable, events: Table, name: str) -> Table:
        """Resolve users, and give each event to every entity it belongs to.

        Parameters
        ----------
        con : Connection
            An open session.
        config : Config
            The product.
        spec : EventTable
            The table of the events.
        events : Table
            Staged events with entity, user, time, bot and excluded.
        name : str
            Prefix of the tables that are created.
        """
        if spec.columns.entity is not None:
            events = with_one_spelling(with_each_id(con, events, name, "entity"), config.normalise)
        if self.aliases is not None:
            resolved = self._resolve(self.aliases, config, events)
            events = con.create_table(f"{name}_resolved", resolved.select(*events.columns))
        if spec.columns.entity is None and self.memberships is not None:
            events = self.memberships.place(con, events, f"{name}_placed")
        return events

    def _resolve(self, aliases: Aliases, config: Config, events: Table) -> Table:
        """Resolve users; a person is a bot or excluded by any id."""
        events = aliases.resolve(events, "user")
        person = events.user
        if config.entity == "user":
            events = aliases.resolve(events, "entity")
            person = ibis.coalesce(events.user, events.entity)
        excluded = person.isin(self.excluded_users).fill_null(False)
        events = events.mutate(excluded=events.excluded | excluded)
        if config.exclude.bots:
            events = events.mutate(bot=events.bot | person.re_search(BOT_USERS).fill_null(False))
        return events


def excluded_users(config: Config, aliases: Aliases | None) -> tuple[str, ...]:
    """List the users that the config excludes, by the ids they have and by the ids that count."""
    users = config.exclude.users
    return tuple(dict.fromkeys([*users, *(aliases.resolve_ids(users) if aliases is not None else ())]))


NOBODY = People()
"""No merged users and no memberships."""
