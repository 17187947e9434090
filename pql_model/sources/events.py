"""Event tables in three shapes read into one canonical log, with every unusable row counted by reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.config.source_tables import EventTable
from pql_model.config.text_format import marks_of
from pql_model.errors import DataError
from pql_model.sources.bots import is_bot
from pql_model.sources.casts import event_name, identifier, number, refuse_mixed_times, times
from pql_model.sources.duckdb_session import Connection, count_by, row_count
from pql_model.sources.files import RawTable, read_raw
from pql_model.sources.id_columns import refuse_lossy_ids
from pql_model.sources.id_lists import ids
from pql_model.sources.number_marks import event_numbers, number_warnings, with_marks
from pql_model.sources.payments import PAYMENT_REASONS
from pql_model.sources.people import NOBODY, People
from pql_model.sources.repeats import double_firing_warnings, drop_repeats, repeat_warnings
from pql_model.sources.row_filter import select_rows

Table = Any
Column = Any

REASONS = {
    "broken_line": "a line that is not a row: wrong number of fields, an open quote, not JSON",
    "not_utf8": "a line that is not UTF-8; `encoding:` of the table names another encoding",
    "not_selected": "not among the rows that `where:` selects, of this table or of the entities",
    "repeated_row": "alike another row in every column, where `drop_repeats` is set",
    "no_entity": "no account or user",
    "no_user": "no user, where `members` gives the account",
    "no_event": "no event name",
    "unparsable_time": "no time, or none of a form such as 2026-01-31, 2026-01-31T12:00:00Z or an epoch number",
    "duplicate_id": "a repeated row id",
    "bot": "a bot, by user name, user agent or bot column",
    "excluded_user": "a user the config excludes",
    "no_membership": "a user who belonged to no account at that time",
    "unknown_entity": "not in the entities table",
    "before_signup": "earlier than the sign-up",
    "after_observed_until": "after observed_until, the end of the data",
}
"""Why an event row is set aside, in the order of the checks. Each row has one reason."""

EXPECTED = ("not_selected", "repeated_row", *PAYMENT_REASONS)
"""Reasons that the config states or that every table of payments has: they do not count against `max_set_aside`."""

UNTIMELY = ("before_signup", "after_observed_until")

_CANONICAL = ("entity", "user", "event", "time", "known_at", "n", "users")


@dataclass(frozen=True)
class StagedEvents:
    """One event table after the checks that need no other table.

    Attributes
    ----------
    source
        The table's name in the config.
    table
        One row per row of the source: the canonical columns, `value_*`, `reason` (null while nothing is wrong)
        and, for pre-counted rows, `count_0`, `users_0` and so on.
    as_written
        Their ids before users were merged and placed: entity, user.
    rows, unread, left_out
        Rows that `where:` selects, lines that are not rows, and rows that it does not select.
    added
        Rows of `table` beyond those of the source: one for each further entity that a row belongs to.
    spec
        The table's part of the config.
    warnings
        Sentences a person should read.
    """

    source: str
    table: Table
    as_written: Table
    rows: int
    unread: dict[str, int]
    spec: EventTable
    warnings: tuple[str, ...] = ()
    left_out: int = 0
    added: int = 0

    @property
    def rows_read(self) -> int:
        """All rows of the source, broken lines included."""
        return self.rows + sum(self.unread.values()) + self.left_out


def value_names(tables: Sequence[EventTable]) -> list[str]:
    """List the names of all numeric values in the event tables."""
    return sorted({name for table in tables for name in table.values})


def stage_events(con: Connection, config: Config, index: int, people: People = NOBODY) -> StagedEvents:
    """Stage event table number `index` of the config and check each of its rows.

    Raises
    ------
    DataError
        If the table or a column is missing, offsets are mixed, or a column of numbers holds none.
    """
    spec = config.events[index]
    at = f"events[{index}]"
    raw = read_raw(con, spec.table, config.home, config.connection, name=f"raw_events_{index}", encoding=spec.encoding)
    raw = drop_repeats(raw) if spec.drop_repeats else raw
    refuse_lossy_ids(raw, dict(_id_columns(spec, at)))
    raw = with_marks(raw, marks_of(spec), event_numbers(spec, at))
    raw = select_rows(raw, spec.where, f"{at}.where", config.resolution)
    names = spec.columns
    entity = ids(raw.column(names.entity, f"{at}.columns.entity")) if names.entity is not None else ibis.null("string")
    user = _user(raw, spec, at)
    actors = [name for name in (user, entity if config.entity == "user" else None) if name is not None]
    person = ibis.coalesce(*actors) if actors else None  # without a user, the entity itself did it
    columns: dict[str, Column] = {
        "entity": entity,
        "user": ibis.null("string") if user is None else user,
        **_times(raw, spec, at, config.resolution),
        "id": identifier(raw.column(spec.columns.id, f"{at}.columns.id")) if spec.columns.id else ibis.null("string"),
        "bot": is_bot(raw, spec, at, person) if config.exclude.bots else ibis.literal(False),
        "excluded": ibis.literal(False) if person is None else person.isin(config.exclude.users).fill_null(False),
        **_numbers(raw, spec, at, value_names(config.events)),
        **_event_columns(raw, spec, at),
    }
    staged = con.create_table(f"staged_events_{index}", raw.table.select(**columns))
    times_of = {names.time: ("time", "has_offset"), names.known_at: ("known_at", "known_has_offset")}
    refuse_mixed_times(staged, spec.table, times_of)
    placed = people.place(con, config, spec, staged, f"staged_events_{index}")
    checked = placed.mutate(reason=_reason(placed, "user" if names.entity is None else "entity"))
    if spec.columns.id:
        checked = _mark_repeats(checked)
    checked = checked.mutate(reason=checked.reason.replace("?", ""))
    table = checked.select(*_CANONICAL, *_number_columns(staged), "reason")
    rows = row_count(staged)
    added = row_count(placed) - rows if placed is not staged else 0
    unread = {**raw.unread, "repeated_row": raw.repeated}
    warnings = (
        *raw.warnings,
        *number_warnings(raw, spec),
        *repeat_warnings(con, config, raw, spec, staged),
        *double_firing_warnings(spec, checked),
    )
    return StagedEvents(
        spec.table, table, staged.select("entity", "user"), rows, unread, spec, warnings, raw.left_out, added
    )


def _id_columns(spec: EventTable, at: str) -> Iterator[tuple[str, str]]:
    """The columns of ids, each with the key that names it."""
    yield from ((name, f"{at}.columns.entity") for name in [spec.columns.entity] if name is not None)
    yield from ((name, f"{at}.columns.user") for name in spec.columns.user or ())
    yield from ((name, f"{at}.columns.id") for name in [spec.columns.id] if name is not None)


def _user(raw: RawTable, spec: EventTable, at: str) -> Column | None:
    """The first user that is not blank, of the columns that the config lists."""
    if spec.columns.user is None:
        return None
    return ibis.coalesce(*(identifier(raw.column(name, f"{at}.columns.user")) for name in spec.columns.user))


def _number_columns(table: Table) -> list[str]:
    return [column for column in table.columns if column.startswith(("value_", "count_", "users_"))]


def _times(raw: RawTable, spec: EventTable, at: str, resolution: str) -> dict[str, Column]:
    """When an event happened and when it became known, with what the checks need to know about both."""
    time = times(raw.column(spec.columns.time, f"{at}.columns.time"), resolution)
    end = time.instant + spec.covers.us if spec.covers is not None else ibis.null("int64")
    columns = {"time": time.instant, "has_offset": time.has_offset}
    if spec.columns.known_at is None:
        no_offset = ibis.null("boolean")
        return {**columns, "known_at": end, "known_has_offset": no_offset, "known_readable": ibis.literal(True)}
    known = times(raw.column(spec.columns.known_at, f"{at}.columns.known_at"), resolution)
    readable = known.instant.notnull() | ~(known.present | known.never)  # what arrives "never" must not count at once
    return {
        **columns,
        "known_at": known.instant if spec.covers is None else ibis.greatest(known.instant, end),
        "known_has_offset": known.has_offset,
        "known_readable": readable,
    }


def _event_columns(raw: RawTable, spec: EventTable, at: str) -> dict[str, Column]:
    """The columns that depend on the shape: the event's name, its count, its number of users."""
    one = {"n": ibis.literal(1.0), "users": ibis.null("float64")}
    if spec.columns.event is not None:
        return {"event": event_name(raw.column(spec.columns.event, f"{at}.columns.event")), **one}
    if spec.event is not None:
        return {"event": ibis.literal(spec.event), **one}
    counts = {
        f"count_{i}": number(raw.column(column, f"{at}.counts.{event}"))
        for i, (event, column) in enumerate((spec.counts or {}).items())
    }
    users = {
        f"users_{i}": number(raw.column(spec.users[event], f"{at}.users.{event}"))
        for i, event in enumerate(spec.counts or {})
        if event in spec.users
    }
    return {"event": ibis.literal("counted"), **counts, **users, **one}


def _numbers(raw: RawTable, spec: EventTable, at: str, names: Sequence[str]) -> dict[str, Column]:
    return {
        f"value_{name}": number(raw.column(spec.values[name], f"{at}.values.{name}"))
        if name in spec.values
        else ibis.null("float64")
        for name in names
    }


def _reason(t: Table, owner: str) -> Column:
    """The first reason against a row; with a `?` where `duplicate_id` takes precedence.

    `owner` is the column that says whose row it is.
    """
    return ibis.cases(
        (t[owner].isnull(), f"no_{owner}"),
        (t.event.isnull(), "no_event"),
        (t.time.isnull() | ~t.known_readable, "unparsable_time"),
        (t.bot, "bot?"),
        (t.excluded, "excluded_user?"),
        else_=ibis.null("string"),
    )


def _mark_repeats(t: Table) -> Table:
    """Keep the first row of each id of an entity: the earliest to arrive, then the earliest to happen."""
    usable = t.reason.isnull() | t.reason.endswith("?")
    numbers = [t[column] for column in _number_columns(t)]
    order = [usable.desc(), ibis.coalesce(t.known_at, t.time), t.time, t.event, t.user, *numbers]
    rank = ibis.row_number().over(ibis.window(group_by=[t.id, t.entity], order_by=order))
    t = t.mutate(rank=ibis.ifelse(t.id.isnull(), 0, rank), usable=usable)
    return t.mutate(reason=ibis.ifelse(t.usable & (t.rank > 0), "duplicate_id", t.reason))


def _unpivot(t: Table, spec: EventTable) -> Table:
    """Turn pre-counted rows into one row per event."""
    values = [c for c in t.columns if c.startswith("value_")]
    parts = []
    for i, event in enumerate(spec.counts or {}):
        users = t[f"users_{i}"] if event in spec.users else ibis.null("float64")
        users = ibis.ifelse(users >= 0, users, ibis.null("float64"))  # a negative number of users is an error
        rows = t.filter(t[f"count_{i}"] > 0)
        parts.append(
            rows.mutate(event=ibis.literal(event), n=t[f"count_{i}"], users=users).select(*_CANONICAL, *values)
        )
    return _union(parts)


@dataclass(frozen=True)
class EventLog:
    """The canonical log and what was left out of it.

    Attributes
    ----------
    table
        entity, user, event, time, known_at, n, users, `value_*`.
    rows_read
        Rows of all sources, broken lines included.
    set_aside
        Source -> reason -> rows.
    untimely
        In the same columns, the rows that were set aside only because of their time.
    rows_added
        Rows beyond those read, one for each further entity that a row belongs to: a list of accounts, or a user of
        several accounts. Usable and set-aside rows of a log add up to `rows_read + rows_added`.
    parts
        Source -> its usable rows, in the same columns as `table`.
    """

    table: Table
    rows_read: int
    set_aside: dict[str, dict[str, int]]
    untimely: Table
    rows_added: int = 0
    parts: Mapping[str, Table] = field(default_factory=dict)

    def by_reason(self) -> dict[str, int]:
        """Count the rows set aside in all tables by reason, in the order of `REASONS`."""
        return {r: n for r in REASONS if (n := sum(counts.get(r, 0) for counts in self.set_aside.values()))}


def finish_events(
    con: Connection, staged: Sequence[StagedEvents], roster: Table, observed_until: int, share: float
) -> EventLog:
    """Run the checks that need other tables, count by reason, and stage the usable rows as table `events`.

    Parameters
    ----------
    con : Connection
        An open session.
    staged : sequence of StagedEvents
        All event tables.
    roster : Table
        Every listed entity: entity, signed_up, and whether it is `selected`.
    observed_until : int
        The end of the data.
    share : float
        Largest share of a table that may be unusable.

    Raises
    ------
    DataError
        If too much of a table is unusable, or nothing is left.
    """
    set_aside: dict[str, dict[str, int]] = {}
    usable, untimely = [], []
    for index, part in enumerate(staged):
        t = part.table.left_join(roster, "entity")
        reason = ibis.cases(
            (t.reason.notnull(), t.reason),
            (t.entity.isnull(), "no_membership"),
            (t.selected.isnull(), "unknown_entity"),
            (~t.selected, "not_selected"),
            (t.time < t.signed_up, "before_signup"),
            (t.time > observed_until, "after_observed_until"),
            else_=ibis.null("string"),
        )
        checked = con.create_table(
            f"checked_events_{index}", t.mutate(reason=reason).drop("selected", "signed_up", "entity_right")
        )
        counts = {**part.unread, "not_selected": part.left_out}
        for why, rows in count_by(checked).items():
            counts[why] = counts.get(why, 0) + rows
        by_reason = {reason: counts[reason] for reason in REASONS if counts.get(reason)}
        set_aside[_unique(part.source, set_aside)] = by_reason
        refuse_unusable(part.source, part.rows_read + part.added, by_reason, share)
        usable.append(_canonical(checked.filter(checked.reason.isnull()), part.spec))
        untimely.append(_canonical(checked.filter(checked.reason.isin(UNTIMELY)), part.spec))
    events = con.create_table("events", _union(usable))
    if not row_count(events):
        counts_by_reason = ", ".join(f"{n:,} {r}" for c in set_aside.values() for r, n in c.items())
        raise DataError(
            "No usable event is left",
            received=counts_by_reason or "tables without rows",
            remedy="check the columns, the entity ids and `observed_until`, which may lie before all events",
        )
    rows = sum(part.rows_read for part in staged)
    added = sum(part.added for part in staged)
    return EventLog(events, rows, set_aside, _union(untimely), added, dict(zip(set_aside, usable, strict=True)))


def _canonical(checked: Table, spec: EventTable) -> Table:
    return _unpivot(checked, spec) if spec.counts is not None else checked.drop("reason")


def _union(tables: Sequence[Table]) -> Table:
    return ibis.union(*tables) if len(tables) > 1 else tables[0]


def _unique(source: str, taken: dict[str, Any]) -> str:
    repeats = sum(name.split("#")[0] == source for name in taken)
    return f"{source}#{repeats + 1}" if repeats else source


def refuse_unusable(source: str, rows: int, by_reason: dict[str, int], share: float) -> None:
    """Refuse a table of which more than the allowed share of the rows that should count cannot be used.

    Raises
    ------
    DataError
        With the counts by reason.
    """
    expected = sum(by_reason.get(reason, 0) for reason in EXPECTED)
    unusable, rows = sum(by_reason.values()) - expected, rows - expected
    if rows and unusable / rows > share:
        counts = ", ".join(f"{n:,} {r} ({REASONS.get(r, r)})" for r, n in by_reason.items() if n and r not in EXPECTED)
        raise DataError(
            f"{unusable:,} of {rows:,} rows of {source} cannot be used, more than the share `max_set_aside: {share:g}`",
            received=counts,
            remedy="correct the columns of this table in the config, or raise `max_set_aside` if this share is expected",
        )
