"""Merged users: every id that was merged into another, resolved to the one that counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.errors import DataError
from pql_model.sources.casts import identifier
from pql_model.sources.duckdb_session import Connection, fetch_row, row_count
from pql_model.sources.files import read_raw
from pql_model.sources.row_filter import select_rows

Table = Any

REASONS = {
    "broken_line": "a line that is not a row",
    "not_selected": "not among the rows that `where:` selects",
    "no_user": "no alias, or no user",
    "alias_of_itself": "an id that is its own alias",
    "repeated": "the same alias and user again",
}
"""Why a row of the aliases is set aside, in the order of the checks."""

_EXAMPLES = 3
_MOST_STEPS = 8
"""Ids of a circle that an error names."""


@dataclass(frozen=True)
class Aliases:
    """Merged users.

    Attributes
    ----------
    table
        alias, user: every alias once, with the id that counts, which is not itself an alias.
    set_aside
        Reason -> rows that are not used.
    """

    table: Table
    set_aside: dict[str, int]

    def resolve(self, table: Table, column: str) -> Table:
        """Replace the ids of a column by those that count."""
        pairs = self.table.select(pql_alias="alias", pql_user="user")
        joined = table.left_join(pairs, table[column] == pairs.pql_alias)
        return joined.mutate(**{column: ibis.coalesce(joined.pql_user, joined[column])}).drop("pql_alias", "pql_user")

    def resolve_ids(self, ids: Sequence[str]) -> list[str]:
        """Replace ids by those that count."""
        rows = self.table.filter(self.table["alias"].isin(list(ids))).to_pyarrow().to_pylist() if ids else []
        users = {row["alias"]: row["user"] for row in rows}
        return [users.get(id_, id_) for id_ in ids]


def resolve_entities(table: Table, aliases: Aliases | None, config: Config) -> Table:
    """Replace the ids of `entity` by those that count, where entities are users."""
    return aliases.resolve(table, "entity") if aliases is not None and config.entity == "user" else table


def read_aliases(con: Connection, config: Config) -> Aliases | None:
    """Stage the merged users as table `aliases`; None where the config has none.

    Raises
    ------
    DataError
        If a column is missing, an alias has two users, or aliases go in a circle.
    """
    spec = config.aliases
    if spec is None:
        return None
    raw = read_raw(con, spec.table, config.home, config.connection, name="raw_aliases", encoding=spec.encoding)
    raw = select_rows(raw, spec.where, "aliases.where", config.resolution)
    staged = con.create_table(
        "staged_aliases",
        raw.table.select(
            alias=identifier(raw.column(spec.columns.alias, "aliases.columns.alias")),
            user=identifier(raw.column(spec.columns.user, "aliases.columns.user")),
        ),
    )
    complete = staged["alias"].notnull() & staged.user.notnull()
    usable = staged.filter(complete & (staged["alias"] != staged.user))
    pairs = con.create_table("alias_pairs", usable.distinct())
    lost = fetch_row(
        staged.aggregate(
            no_user=staged.count(where=~complete), alias_of_itself=staged.count(where=staged["alias"] == staged.user)
        )
    )
    counts = {
        **raw.unread,
        "not_selected": raw.left_out,
        **lost,
        "repeated": row_count(usable) - row_count(pairs),
    }
    _refuse_two_users(pairs, spec.table)
    table = _follow(con, pairs, spec.table)
    return Aliases(table, {reason: counts[reason] for reason in REASONS if counts[reason]})


def _refuse_two_users(pairs: Table, source: str) -> None:
    several = pairs.group_by("alias").agg(first=pairs.user.min(), last=pairs.user.max(), users=pairs.user.nunique())
    several = several.filter(several.users > 1)
    if count := row_count(several):
        rows = several.order_by("alias").limit(_EXAMPLES).to_pyarrow().to_pylist()
        examples = ", ".join(f"{r['alias']} ({r['first']} and {r['last']})" for r in rows)
        raise DataError(
            f"{source} gives an alias to several users",
            received=f"{examples}{f' and {count - len(rows):,} more' if count > len(rows) else ''}",
            allowed="one user for each alias; that user may itself be an alias of another",
            remedy="keep the merge that holds; the data do not say which of the users it is",
        )


def _follow(con: Connection, pairs: Table, source: str) -> Table:
    """Follow chains to their end, in steps that double in length."""
    table, longest = pairs, row_count(pairs)
    steps = 1
    while True:
        onward = table.select(pql_alias="alias", pql_user="user")
        joined = table.left_join(onward, table.user == onward.pql_alias)
        if not row_count(joined.filter(joined.pql_user.notnull())):
            return con.create_table("aliases", table)
        if steps > longest:  # a chain cannot be longer than all rows
            raise _circle(pairs, table, source)
        further = joined.select("alias", user=ibis.coalesce(joined.pql_user, joined.user))
        table, steps = con.create_table(f"aliases_after_{2 * steps}", further), 2 * steps


def _circle(pairs: Table, followed: Table, source: str) -> DataError:
    """Describe one circle, by walking from an id that has no end."""
    endless = followed.filter(followed.user.isin(followed["alias"]))
    users = {row["alias"]: row["user"] for row in pairs.semi_join(endless, "alias").to_pyarrow().to_pylist()}
    at, walked = min(users), dict[str, None]()
    while at not in walked:
        walked[at] = None
        at = users[at]
    circle = [*list(walked)[list(walked).index(at) :], at]
    if len(circle) > _MOST_STEPS:
        circle = [*circle[: _MOST_STEPS - 2], "...", at]
    return DataError(
        f"The aliases of {source} go in a circle, so that no id counts",
        received=" -> ".join(circle),
        allowed="chains that end: a -> b -> c",
        remedy="remove one of these rows",
    )
