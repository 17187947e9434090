"""Ids that match nothing: which spelling would make them match, and which column matches better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.errors import DataError, listed
from pql_model.sources.casts import identifier
from pql_model.sources.duckdb_session import Connection, row_count
from pql_model.sources.files import read_raw
from pql_model.sources.id_columns import FORMS, normalised
from pql_model.sources.people import People

Table = Any

MANY = 0.1
"""Share of rows with unknown ids from which the column itself is in doubt."""
_SAMPLE = 10_000
_BETTER = 0.5
"""Share of a column's ids that must be listed before it is named instead."""

_WORDS = {
    "spaces": "without no-break spaces and characters of no width",
    "brackets": "without brackets and quotes",
    "salesforce": "in the short form of Salesforce",
    "leading_zeros": "without leading zeros",
    "case": "in lower case",
}


@dataclass(frozen=True)
class IdColumn:
    """A column of entity ids: its table and file, its name, its key in the config, and its ids as they were read."""

    table: str
    encoding: str | None
    column: str
    key: str
    ids: Table


def unknown_id_warnings(con: Connection, config: Config, columns: Iterable[IdColumn], roster: Table) -> Iterator[str]:
    """Report unknown ids that another spelling would match, and columns of which more than a tenth is unknown.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    columns : iterable of IdColumn
        Each with a table `ids` of one column `entity`, one row per row of the source.
    roster : Table
        Column `entity`: the ids that the entities table lists.
    """
    for each in columns:
        rows = each.ids.filter(each.ids.entity.notnull())
        unknown = rows.anti_join(roster, "entity")
        count = row_count(unknown)
        if not count:
            continue
        total = row_count(rows)
        distinct = con.create_table("unknown_ids", unknown.distinct(), overwrite=True)
        hint = _best_form(distinct, roster, config.normalise)
        if hint is None and count <= MANY * total:
            continue
        sentence = f"{count:,} of {total:,} rows of {each.table} name ids that {config.entities.table} does not list"
        if hint is not None:
            form, matched = hint
            sentence += (
                f"; {matched:,} of these {row_count(distinct):,} ids match {_WORDS[form]}: set "
                f"`normalise: [{', '.join([*config.normalise, form])}]`"
            )
        elif better := _better_column(con, config, each, roster):
            name, share = better
            sentence += (
                f"; {share:.0%} of the ids in its column `{name}` are listed: set `{each.key}: {name}` if it is meant"
            )
        yield sentence + "."


def refuse_foreign_ids(config: Config, source: str, rows: Table, entities: Table) -> None:
    """Refuse a table without a single known entity: mismatched ids are the most common and most silent mistake.

    Parameters
    ----------
    config : Config
        The product.
    source : str
        The table's name in the config.
    rows : Table
        Column `entity`: the ids as they were read; null where there is none.
    entities : Table
        Column `entity`: the ids that the entities table lists.

    Raises
    ------
    DataError
        With ids of both tables. A table without any id is accepted.
    """
    ids = rows.filter(rows.entity.notnull()).select("entity").distinct()
    any_id = ids.limit(1).to_pyarrow().num_rows
    if any_id and not ids.semi_join(entities, "entity").limit(1).to_pyarrow().num_rows:
        left = ids.order_by("entity").limit(3).to_pyarrow()["entity"].to_pylist()
        right = entities.select("entity").order_by("entity").limit(3).to_pyarrow()["entity"].to_pylist()
        raise DataError(
            f"No entity of {source} is listed in {config.entities.table}: the ids do not match",
            received=f"{listed(left)} in {source}",
            allowed=f"ids such as {listed(right)}",
            remedy="map `columns.entity` of both tables to the same kind of id",
        )


def unmatched_user_warnings(con: Connection, config: Config, people: People, events: Sequence[Table]) -> Iterator[str]:
    """Report merged users and members that no user of the events matches as they are written.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    people : People
        Merged users and memberships.
    events : sequence of Table
        entity and user of every event, as they are written.
    """
    if people.aliases is None and people.memberships is None:
        return
    cells = [t.select(entity="user") for t in events]
    if config.entity == "user":
        cells += [t.select("entity") for t in events if t.entity.type().is_string()]
    users = ibis.union(*cells, distinct=True) if len(cells) > 1 else cells[0].distinct()
    users = con.create_table("users_as_written", users.filter(users.entity.notnull()), overwrite=True)
    if people.aliases is not None and config.aliases is not None:
        merged = con.create_table("merged_ids", people.aliases.table.select(entity="alias"), overwrite=True)
        idle = con.create_table("idle_aliases", merged.anti_join(users, "entity"), overwrite=True)
        yield from _unmatched(config.aliases.table, "aliases", idle, users, merged)
    if people.memberships is not None and config.members is not None:
        members = con.create_table("member_ids", people.memberships.users.select(entity="user"), overwrite=True)
        idle = con.create_table("idle_members", members.anti_join(users, "entity"), overwrite=True)
        strange = con.create_table("users_of_no_account", users.anti_join(members, "entity"), overwrite=True)
        yield from _unmatched(config.members.table, "members", idle, strange, members)


def _unmatched(source: str, kind: str, idle: Table, users: Table, everyone: Table) -> Iterator[str]:
    """Report ids of a table of people that would match a user in another spelling, or that none of them matches one."""
    count, total = row_count(idle), row_count(everyone)
    if not count:
        return
    if hint := _best_form(idle, users, ()):
        form, matched = hint
        yield (
            f"{matched:,} of the {total:,} {kind} of {source} match users of the events only {_WORDS[form]}, and have no "
            "effect. Write the users of both tables in one way."
        )
    elif count == total:
        yield f"None of the {total:,} {kind} of {source} is a user of the events, so that they have no effect."


def _best_form(unknown: Table, roster: Table, applied: Sequence[str]) -> tuple[str, int] | None:
    """The form under which most unknown ids match, alone or after those that are applied."""
    matches = {}
    for form in FORMS:
        if form not in applied:
            left = unknown.select(entity=normalised(unknown.entity, [form]))
            right = roster.select(entity=normalised(roster.entity, [form])).distinct()
            matches[form] = row_count(left.semi_join(right, "entity"))
    best = max(matches, key=lambda form: matches[form], default=None)
    return (best, matches[best]) if best is not None and matches[best] else None


def _better_column(con: Connection, config: Config, each: IdColumn, roster: Table) -> tuple[str, float] | None:
    """The column of the same table of whose ids most are listed, if more than half are."""
    raw = read_raw(con, each.table, config.home, config.connection, "raw_of_unknown_ids", each.encoding)
    shares = {}
    for name, column in raw.names.items():
        if name == each.column or not (column.type().is_string() or column.type().is_integer()):
            continue
        ids = raw.table.select(entity=normalised(identifier(column), config.normalise)).limit(_SAMPLE)
        ids = ids.filter(ids.entity.notnull()).distinct()
        total = row_count(ids)
        shares[name] = row_count(ids.semi_join(roster, "entity")) / total if total > 1 else 0.0
    best = max(shares, key=lambda name: shares[name], default=None)
    return (best, shares[best]) if best is not None and shares[best] > _BETTER else None
