"""Which accounts a user belongs to, and when: an event counts for the accounts its user belonged to at its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.config.people_tables import MemberTable
from pql_model.config.schema import Config
from pql_model.errors import DataError, listed
from pql_model.sources.aliases import Aliases
from pql_model.sources.casts import Times, refuse_mixed_times, times
from pql_model.sources.duckdb_session import Connection, count_by, fetch_row, row_count
from pql_model.sources.files import RawTable, read_raw
from pql_model.sources.id_columns import with_one_spelling
from pql_model.sources.id_lists import ids, with_each_id
from pql_model.sources.row_filter import select_rows

Table = Any
Column = Any

REASONS = {
    "broken_line": "a line that is not a row",
    "not_selected": "not among the rows that `where:` selects, of this table or of the entities",
    "no_user": "no user",
    "no_entity": "no account",
    "unparsable_time": "a time that cannot be read",
    "until_before_since": "ends before it starts, or at the same instant",
    "unknown_entity": "an account that is not in the entities table",
    "repeated": "the same membership again",
    "overlapping": "overlaps another membership of the same user and account; both are read as one",
}
"""Why a membership is set aside, in the order of the checks."""

HARMLESS = ("not_selected", "repeated", "overlapping")
"""Reasons of rows that are expected: they are not meant, or another row states the membership."""

ALWAYS, STILL = -(2**62), 2**62
"""A blank `since`, a blank `until`."""


@dataclass(frozen=True)
class Memberships:
    """The memberships of users in accounts.

    Attributes
    ----------
    source
        The table's name in the config.
    table
        user, entity, since, until: periods [since, until) in microseconds, of one user and account disjoint.
    strangers
        The same for accounts that are not among the entities; of one user disjoint.
    rows
        Memberships read, broken lines and unusable ones included.
    set_aside
        Reason -> memberships that are not used.
    warnings
        Sentences a person should read.
    """

    source: str
    table: Table
    strangers: Table
    rows: int
    set_aside: dict[str, int]
    warnings: tuple[str, ...] = ()

    @property
    def users(self) -> Table:
        """Every user who is a member of any account."""
        return self.table.select("user").union(self.strangers.select("user"), distinct=True)

    def place(self, con: Connection, events: Table, name: str) -> Table:
        """Give each event to the accounts its user belonged to at its time.

        Parameters
        ----------
        con : Connection
            An open session.
        events : Table
            With user and time, and `entity`, which is replaced; null where the user belonged to no account.
        name : str
            Name of the table that is created.
        """
        of = {f"pql_{column}": column for column in ("user", "entity", "since", "until")}
        known, strange = self.table.select(**of), self.strangers.select(**of)
        t = events.drop("entity").left_join(known, _at_the_time(events, known)).rename(pql_known="pql_entity")
        t = t.drop("pql_user", "pql_since", "pql_until")
        t = t.left_join(strange, [t.pql_known.isnull(), *_at_the_time(t, strange)])
        t = t.mutate(entity=ibis.coalesce(t.pql_known, t.pql_entity))
        return con.create_table(name, t.select(*events.columns))


def _at_the_time(events: Table, members: Table) -> list[Column]:
    return [
        events.user == members.pql_user,
        members.pql_since <= events.time,
        events.time < members.pql_until,
    ]


def read_memberships(
    con: Connection, config: Config, roster: Table, aliases: Aliases | None = None
) -> Memberships | None:
    """Stage the memberships; None where the config has none.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    roster : Table
        Every listed account, and whether it is `selected`.
    aliases : Aliases, optional
        Merged users.

    Raises
    ------
    DataError
        If a column is missing, or times mix offsets.
    """
    spec = config.members
    if spec is None:
        return None
    raw = read_raw(con, spec.table, config.home, config.connection, name="raw_members", encoding=spec.encoding)
    raw = select_rows(raw, spec.where, "members.where", config.resolution)
    staged = with_one_spelling(_stage(con, spec, raw, config.resolution), config.normalise)
    if aliases is not None:
        staged = aliases.resolve(staged, "user")
    known = roster.select(pql_known="entity", pql_selected="selected")
    t = staged.left_join(known, staged.entity == known.pql_known)
    reason = ibis.cases(
        (t.user.isnull(), "no_user"),
        (t.entity.isnull(), "no_entity"),
        (t.unreadable, "unparsable_time"),
        (t.until <= t.since, "until_before_since"),
        (t.pql_known.isnull(), "unknown_entity"),
        (~t.pql_selected, "not_selected"),
        else_=ibis.null("string"),
    )
    t = con.create_table("judged_members", t.mutate(reason=reason).drop("pql_known", "pql_selected"))
    known_ones = _by_period(t.filter(t.reason.isnull()), "entity")
    counts = _counts(t, known_ones, {**raw.unread, "not_selected": raw.left_out})
    rows = row_count(t) + sum(raw.unread.values()) + raw.left_out
    strangers = t.filter(t.reason.isin(("unknown_entity", "not_selected")))
    return Memberships(
        spec.table,
        con.create_table("members", _merged(known_ones, "entity")),
        con.create_table("members_of_strangers", _merged(_by_period(strangers))),
        rows,
        counts,
        raw.warnings,
    )


def _stage(con: Connection, spec: MemberTable, raw: RawTable, resolution: str) -> Table:
    """Read the columns; a row with lists of users or accounts is one membership each."""
    since = _period_end(raw, spec.columns.since, "members.columns.since", resolution)
    until = _period_end(raw, spec.columns.until, "members.columns.until", resolution)
    staged = con.create_table(
        "staged_members",
        raw.table.select(
            user=ids(raw.column(spec.columns.user, "members.columns.user")),
            entity=ids(raw.column(spec.columns.entity, "members.columns.entity")),
            since=ibis.coalesce(since.instant, ALWAYS),
            until=ibis.coalesce(until.instant, STILL),
            unreadable=(since.present & since.instant.isnull()) | (until.present & until.instant.isnull()),
            since_at=since.instant,
            since_offset=since.has_offset,
            until_at=until.instant,
            until_offset=until.has_offset,
        ),
    )
    since_names, until_names = ("since_at", "since_offset"), ("until_at", "until_offset")
    refuse_mixed_times(staged, spec.table, {spec.columns.since: since_names, spec.columns.until: until_names})
    return with_each_id(con, staged.drop(*since_names, *until_names), "staged_members", "user", "entity")


def _period_end(raw: RawTable, column: str | None, key: str, resolution: str) -> Times:
    if column is None:
        return Times(ibis.null("int64"), ibis.null("boolean"), ibis.literal(False), ibis.literal(False))
    return times(raw.column(column, key), resolution)


def _by_period(members: Table, *within: str) -> Table:
    """Put beside each membership how far the earlier ones of the same user reach, and whether it is a repeat."""
    keys = ["user", *within]
    order = [members.since, members.until, members.entity]
    earlier = ibis.window(group_by=keys, order_by=order, preceding=(None, 1))
    reach = members.until.max().over(earlier)
    same = ibis.row_number().over(ibis.window(group_by=[*keys, "since", "until"], order_by=members.entity))
    return members.mutate(reach=reach, repeat=same > 0)


def _merged(members: Table, *within: str) -> Table:
    """Join overlapping periods of the same user, so that an event falls into at most one."""
    keys = ["user", *within]
    begins = ibis.ifelse(members.reach.isnull() | (members.since > members.reach), 1, 0)
    order = [members.since, members.until, members.entity]
    number = begins.sum().over(ibis.window(group_by=keys, order_by=order, preceding=(None, 0)))
    t = members.mutate(period=number)
    merged = t.group_by(*keys, "period").agg(
        since=t.since.min(), until=t.until.max(), **({} if within else {"entity": t.entity.min()})
    )
    return merged.select("user", "entity", "since", "until")


def _counts(judged: Table, known: Table, before: dict[str, int]) -> dict[str, int]:
    overlaps = fetch_row(
        known.aggregate(
            repeated=known.count(where=known.repeat),
            overlapping=known.count(where=~known.repeat & (known.since < known.reach)),
        )
    )
    counts = {**before, **overlaps}
    for why, rows in count_by(judged).items():
        counts[why] = counts.get(why, 0) + rows
    return {reason: int(counts[reason]) for reason in REASONS if counts.get(reason)}


def refuse_strange_users(memberships: Memberships, source: str, events: Table) -> None:
    """Refuse events of which no user is a member of any account: mismatched ids are the most common mistake.

    Raises
    ------
    DataError
        With examples of both.
    """
    users = events.filter(events.user.notnull()).select("user").distinct()
    members = memberships.users
    if not users.limit(1).to_pyarrow().num_rows or users.semi_join(members, "user").limit(1).to_pyarrow().num_rows:
        return
    left, right = (t.order_by("user").limit(3).to_pyarrow()["user"].to_pylist() for t in (users, members))
    raise DataError(
        f"No user of {source} belongs to an account in {memberships.source}",
        received=f"users such as {listed(left)}; members such as {listed(right) or 'none'}",
        remedy="map `columns.user` of both tables to the same kind of id",
    )
