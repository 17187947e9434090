"""Tables of events in three shapes to one canonical log, with every unusable row counted by reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.config.schema import Config, EventTable
from pql_model.errors import DataError
from pql_model.measures import ANY
from pql_model.sources.casts import identifier, number, refuse_mixed_zones, text, times
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.files import RawTable, read_raw
from pql_model.sources.scalars import BOT_NAMES

Table = Any
Column = Any

REASONS = {
    "broken_line": "a line that is no row: wrong number of fields, an open quote, not JSON",
    "no_entity": "no account or user named",
    "no_event": "no event named",
    "unparsable_time": "no time, or one that cannot be read",
    "duplicate_id": "a row id that was seen before",
    "bot": "a bot, by user name, user agent or bot column",
    "excluded_user": "a user the config excludes",
    "unknown_entity": "not in the entities table",
    "before_signup": "earlier than the sign-up",
    "after_observed_until": "later than the data can be: after observed_until",
}
"""Why an event row is set aside, in the order in which rows are judged: each row has one reason."""

UNTIMELY = ("before_signup", "after_observed_until")

BOT_AGENTS = (
    r"(?i)bot([^a-z]|$)|crawl|spider|slurp|headless|phantomjs|selenium|puppeteer|playwright|^curl/|^wget/"
    r"|python-requests|go-http-client|pingdom|lighthouse|uptime"
)
BOT_TRUTHS = ("true", "t", "1", "yes", "y")
_BOT_COLUMNS = ("is_bot", "bot", "$bot", "is_robot", "isbot")
_AGENT_COLUMNS = ("user_agent", "useragent", "context_user_agent", "$user_agent", "$raw_user_agent")
_PLAIN = ("entity", "user", "event", "time", "known_at", "n", "users")


@dataclass(frozen=True)
class Staged:
    """One table of events, judged as far as it can be judged alone.

    `table` has a row per row of the source: the canonical columns, `value_*`, `reason` (null while nothing is
    wrong) and, where the rows are already counted, `count_0`, `users_0` and so on.
    """

    source: str
    table: Table
    rows: int
    broken_lines: int
    spec: EventTable
    warnings: tuple[str, ...] = ()


def value_names(tables: Sequence[EventTable]) -> list[str]:
    """Names of all numeric values that any table of events carries."""
    return sorted({name for table in tables for name in table.values})


def stage_events(con: Connection, config: Config, index: int) -> Staged:
    """Read the config's table of events number `index` and judge its rows one by one."""
    spec = config.events[index]
    raw = read_raw(con, spec.table, config.home, config.connection, name=f"raw_events_{index}")
    at = f"events[{index}]"
    entity = identifier(raw.column(spec.columns.entity, f"{at}.columns.entity"))
    user = identifier(raw.column(spec.columns.user, f"{at}.columns.user")) if spec.columns.user else None
    acting = [name for name in (user, entity if config.entity == "user" else None) if name is not None]
    person = ibis.coalesce(*acting) if acting else None  # an event that names no user was done by the entity itself
    columns: dict[str, Column] = {
        "entity": entity,
        "user": ibis.null("string") if user is None else user,
        **_times(raw, spec, at, config.resolution),
        "id": identifier(raw.column(spec.columns.id, f"{at}.columns.id")) if spec.columns.id else ibis.null("string"),
        "bot": _is_bot(raw, spec, at, person) if config.exclude.bots else ibis.literal(False),
        "excluded": ibis.literal(False) if person is None else person.isin(config.exclude.users).fill_null(False),
        **_numbers(raw, spec, at, value_names(config.events)),
        **_event_columns(raw, spec, at),
    }
    staged = con.create_table(f"staged_events_{index}", raw.table.select(**columns))
    _refuse_mixed(spec, staged)
    judged = staged.mutate(reason=_reason(staged))
    judged = _without_repeats(judged) if spec.columns.id else judged.mutate(reason=judged.reason.replace("?", ""))
    rows = int(staged.count().to_pyarrow().as_py())
    own = [c for c in staged.columns if c.startswith(("value_", "count_", "users_"))]
    return Staged(spec.table, judged.select(*_PLAIN, *own, "reason"), rows, raw.broken_lines, spec, _doubts(raw, spec))


def _times(raw: RawTable, spec: EventTable, at: str, resolution: str) -> dict[str, Column]:
    """When it happened, when it was known, and what is to be judged about both."""
    when = times(raw.column(spec.columns.time, f"{at}.columns.time"), resolution)
    end = when.instant + spec.covers.us if spec.covers is not None else ibis.null("int64")
    columns = {"time": when.instant, "zoned": when.zoned}
    if spec.columns.known_at is None:
        return {**columns, "known_at": end, "known_zoned": ibis.null("boolean"), "known_readable": ibis.literal(True)}
    known = times(raw.column(spec.columns.known_at, f"{at}.columns.known_at"), resolution)
    readable = known.instant.notnull() | ~known.given
    return {
        **columns,
        "known_at": known.instant if spec.covers is None else ibis.greatest(known.instant, end),
        "known_zoned": known.zoned,
        "known_readable": readable,
    }


def _event_columns(raw: RawTable, spec: EventTable, at: str) -> dict[str, Column]:
    """What differs by shape: the event's name, how often, by how many users."""
    one = {"n": ibis.literal(1.0), "users": ibis.null("float64")}
    if spec.columns.event is not None:
        column = raw.column(spec.columns.event, f"{at}.columns.event")
        name = text(column) if column.type().is_string() else identifier(column)
        return {"event": ibis.ifelse(name == ANY, f"{ANY} (event)", name), **one}  # `any` speaks of all events
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


def _doubts(raw: RawTable, spec: EventTable) -> tuple[str, ...]:
    """What stands in columns of numbers and is none: it would count as nothing happened, without a word.

    Raises
    ------
    DataError
        If a column holds texts and not one number.
    """
    columns = {*spec.values.values(), *(spec.counts or {}).values(), *spec.users.values()}
    said = []
    for name in sorted(columns):
        column = raw.column(name, name)
        given, read = identifier(column).notnull(), number(column).notnull()
        below = number(column) < 0 if name in (spec.counts or {}).values() else ibis.literal(False)
        found = (
            raw.table.aggregate(
                wrong=raw.table.count(where=given & ~read),
                right=raw.table.count(where=read),
                below=raw.table.count(where=below),
            )
            .to_pyarrow()
            .to_pylist()[0]
        )
        if found["wrong"] and not found["right"]:
            raise DataError(
                f"Column `{name}` of {spec.table} holds no number",
                received=f"{found['wrong']:,} texts",
                remedy="map a column of numbers such as 1234.5, without units or thousands separators",
            )
        if found["wrong"]:
            said.append(f"{found['wrong']:,} values of `{name}` in {spec.table} are no numbers and count as missing.")
        if found["below"]:
            said.append(f"{found['below']:,} counts of `{name}` in {spec.table} are negative and count as 0.")
    return tuple(said)


def bot_columns(spec: EventTable, columns: Iterable[str]) -> tuple[str | None, str | None]:
    """The column of the browser's name, and the one that says whether it is a bot, where there are such columns."""
    by_lower = {name.lower(): name for name in columns}
    agent = spec.columns.user_agent or next((by_lower[n] for n in _AGENT_COLUMNS if n in by_lower), None)
    mapped = {*spec.values.values(), *(spec.counts or {}).values(), *spec.columns.model_dump().values()}
    said = next((by_lower[n] for n in _BOT_COLUMNS if n in by_lower and by_lower[n] not in mapped), None)
    return agent, said


def _is_bot(raw: RawTable, spec: EventTable, at: str, person: Column | None) -> Column:
    """By the user's name, the browser's name, or a column that says so."""
    signs = [] if person is None else [person.re_search(BOT_NAMES)]
    agent, said = bot_columns(spec, raw.columns)
    if agent is not None:
        signs.append(text(raw.column(agent, f"{at}.columns.user_agent")).re_search(BOT_AGENTS))
    if said is not None:
        signs.append(identifier(raw.column(said, "bot")).lower().isin(BOT_TRUTHS))
    verdict = ibis.literal(False)
    for sign in signs:
        verdict = verdict | sign.fill_null(False)
    return verdict


def _refuse_mixed(spec: EventTable, staged: Table) -> None:
    read = staged.time.notnull()
    counted = (
        staged.aggregate(
            zoned=staged.count(where=read & staged.zoned),
            naive=staged.count(where=read & ~staged.zoned),
            known_zoned=staged.count(where=staged.known_zoned),
            known_naive=staged.count(where=~staged.known_zoned),
        )
        .to_pyarrow()
        .to_pylist()[0]
    )
    refuse_mixed_zones(spec.table, spec.columns.time, counted["zoned"], counted["naive"])
    refuse_mixed_zones(spec.table, spec.columns.known_at or "", counted["known_zoned"], counted["known_naive"])


def _reason(t: Table) -> Column:
    return ibis.cases(
        (t.entity.isnull(), "no_entity"),
        (t.event.isnull(), "no_event"),
        (t.time.isnull() | ~t.known_readable, "unparsable_time"),
        (t.bot, "bot?"),  # a repeated row of a bot is a duplicate first
        (t.excluded, "excluded_user?"),
        else_=ibis.null("string"),
    )


def _without_repeats(t: Table) -> Table:
    """The first row of each id stays: the earliest to arrive, then the earliest to happen."""
    usable = t.reason.isnull() | t.reason.endswith("?")
    numbers = [t[c] for c in t.columns if c.startswith(("value_", "count_", "users_"))]
    order = [usable.desc(), ibis.coalesce(t.known_at, t.time), t.time, t.entity, t.event, t.user, *numbers]
    alone = ibis.ifelse(t.id.isnull(), t.entity, ibis.null("string"))  # rows without an id are no group to be sorted
    place = ibis.row_number().over(ibis.window(group_by=[t.id, alone], order_by=order))
    t = t.mutate(place=ibis.ifelse(t.id.isnull(), 0, place), usable=usable)
    repeated = t.usable & (t.place > 0)
    return t.mutate(reason=ibis.ifelse(repeated, "duplicate_id", t.reason.replace("?", "")))


def _unpivot(t: Table, spec: EventTable) -> Table:
    """One row per event that was counted."""
    values = [c for c in t.columns if c.startswith("value_")]
    parts = []
    for i, event in enumerate(spec.counts or {}):
        users = t[f"users_{i}"] if event in spec.users else ibis.null("float64")
        users = ibis.ifelse(users >= 0, users, ibis.null("float64"))  # fewer than nobody is a mistake
        rows = t.filter(t[f"count_{i}"] > 0)
        parts.append(rows.mutate(event=ibis.literal(event), n=t[f"count_{i}"], users=users).select(*_PLAIN, *values))
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


@dataclass(frozen=True)
class EventLog:
    """The canonical log and what did not get into it.

    `untimely` holds, in the same columns, the rows that were set aside for nothing but their time.
    """

    table: Table
    rows_read: int
    set_aside: dict[str, dict[str, int]]  # source -> reason -> rows
    untimely: Table

    def by_reason(self) -> dict[str, int]:
        """Rows set aside over all tables, by reason, in the order of `REASONS`."""
        return {r: n for r in REASONS if (n := sum(counts.get(r, 0) for counts in self.set_aside.values()))}


def finish_events(
    con: Connection, staged: Sequence[Staged], entities: Table, observed_until: int, share: float
) -> EventLog:
    """Judge what needs the sign-ups and the end of the data, count, and keep the good rows as table `events`."""
    set_aside: dict[str, dict[str, int]] = {}
    good, untimely = [], []
    for index, part in enumerate(staged):
        known = entities.select("entity", "signed_up", known=ibis.literal(True))
        t = part.table.left_join(known, "entity")
        late = t.reason.isnull()
        reason = ibis.cases(
            (~late, t.reason),
            (t.known.isnull(), "unknown_entity"),
            (t.time < t.signed_up, "before_signup"),
            (t.time > observed_until, "after_observed_until"),
            else_=ibis.null("string"),
        )
        judged = con.create_table(
            f"judged_events_{index}", t.mutate(reason=reason).drop("known", "signed_up", "entity_right")
        )
        counts = judged.filter(judged.reason.notnull()).reason.value_counts(name="rows").to_pyarrow().to_pylist()
        found = {"broken_line": part.broken_lines, **{row["reason"]: row["rows"] for row in counts}}
        by_reason = {reason: found[reason] for reason in REASONS if found.get(reason)}
        set_aside[_unique(part.source, set_aside)] = by_reason
        refuse_unusable(part.source, part.rows + part.broken_lines, by_reason, share)
        good.append(_canonical(judged.filter(judged.reason.isnull()), part.spec))
        untimely.append(_canonical(judged.filter(judged.reason.isin(UNTIMELY)), part.spec))
    events = con.create_table("events", ibis.union(*good) if len(good) > 1 else good[0])
    if not int(events.count().to_pyarrow().as_py()):
        counts_by_reason = ", ".join(f"{n:,} {r}" for c in set_aside.values() for r, n in c.items())
        raise DataError(
            "No usable event is left",
            received=counts_by_reason or "tables without rows",
            remedy="look at the reasons above: wrong columns, wrong entity ids, or observed_until before all events",
        )
    rows = sum(part.rows + part.broken_lines for part in staged)
    return EventLog(events, rows, set_aside, ibis.union(*untimely) if len(untimely) > 1 else untimely[0])


def _canonical(judged: Table, spec: EventTable) -> Table:
    return _unpivot(judged, spec) if spec.counts is not None else judged.drop("reason")


def _unique(source: str, taken: dict[str, Any]) -> str:
    number_ = sum(1 for name in taken if name.split("#")[0] == source)
    return source if number_ == 0 else f"{source}#{number_ + 1}"


def refuse_unusable(source: str, rows: int, by_reason: dict[str, int], share: float) -> None:
    """Stop when more than the stated share of a table cannot be used.

    Raises
    ------
    DataError
        With the counts by reason.
    """
    unusable = sum(by_reason.values())
    if rows and unusable / rows > share:
        counts = ", ".join(f"{n:,} {r} ({REASONS.get(r, r)})" for r, n in by_reason.items() if n)
        raise DataError(
            f"{unusable:,} of {rows:,} rows of {source} cannot be used, more than the share `max_set_aside: {share:g}`",
            received=counts,
            remedy="correct the columns of this table in the config, or raise `max_set_aside` if the data are so",
        )
