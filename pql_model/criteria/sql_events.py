"""The visible events of the entities at risk, in SQL, from tables of all three shapes.

`pql_model.sources.events` decides which rows count; this module must agree with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from pql_model.config.schema import Config
from pql_model.config.source_tables import EventTable
from pql_model.criteria import sql_people
from pql_model.criteria.sql_dialects import Node
from pql_model.criteria.sql_raw import (
    Cte,
    Raw,
    aliased,
    ascending,
    case_when,
    col,
    is_present,
    literal,
    number,
    one_of,
    or_null,
    over,
    plausible_time,
    plus,
    row_number,
)
from pql_model.measures import ANY
from pql_model.sources.bots import bot_columns
from pql_model.sources.events import value_names
from pql_model.sources.scalars import BOT_AGENTS, BOT_FLAGS, BOT_USERS, EVENT_CALLED_ANY

OWN_PERSON = "own_person"
"""The id that a merged user had."""


@dataclass(frozen=True)
class Needs:
    """The parts of the events that the measures read.

    Attributes
    ----------
    events : frozenset of str or None
        Names of the events; None if all of them count.
    person, n, n_users : bool
        Whether the user, the count, and the count of users are read.
    values : mapping
        Value -> its column.
    signed_up : bool
        Whether entities have a sign-up.
    until : int or None
        The end of the data, if as_of is later.
    """

    events: frozenset[str] | None
    person: bool
    n: bool
    n_users: bool
    values: Mapping[str, str]
    signed_up: bool
    until: int | None


@dataclass(frozen=True)
class EventPart:
    """One table of events: its steps, and the selects that a union joins with those of other tables."""

    ctes: list[Cte]
    parts: list[exp.Select]


def value_columns(values: Sequence[str]) -> dict[str, str]:
    """Return a plain column name for each value.

    >>> value_columns(["MB used", "größe"])
    {'MB used': 'value_mb_used', 'größe': 'value_gr_e'}
    """
    names: dict[str, str] = {}
    for value in values:
        name = re.sub(r"[^a-z0-9]+", "_", f"value_{value.lower()}").strip("_")
        names[value] = name if name not in names.values() else f"{name}_{len(names)}"
    return names


def name_in_data(event: str) -> str:
    """An event that the data call `any` is called `any (event)` everywhere else."""
    return ANY if event == EVENT_CALLED_ANY else event


def concerns(spec: EventTable, needs: Needs) -> bool:
    """Whether a table can hold events that are read."""
    if needs.events is None or spec.columns.event is not None:
        return True
    return bool(needs.events & {spec.event, *(spec.counts or {})})


def event_part(config: Config, spec: EventTable, raw: Raw, needs: Needs, suffix: str) -> EventPart:
    """Read one table: each row for each of its entities, each row id once, then the visible rows.

    `suffix` distinguishes the steps of several tables.
    """
    columns = _columns(config, spec, raw, needs)
    name = f"event_rows{suffix}"
    rows = raw.select(columns, spec.where)
    ctes: list[Cte] = [(name, rows), *_attributed(config, spec, raw, columns, name, suffix)]
    name = ctes[-1][0]
    usable = _usable(raw, spec, columns)
    if spec.columns.id is not None:
        star = exp.Column(this=exp.Star(), table=exp.to_identifier("e"))
        keys = [col("row_id", "e"), col("entity", "e")]
        order = row_number(keys, *map(ascending, _order(raw, spec, columns)))
        copies = exp.select(star, exp.alias_(order, "place")).from_(f"{name} AS e")
        name = f"event_copies{suffix}"
        ctes.append((name, copies.where(*usable)))
        usable = [or_null(col("row_id", "e"), col("place", "e") < 2)]
    tests = [*usable, *_visible(config, spec, raw, needs), *_of_people(config, spec, raw, columns)]
    parts = []
    for outputs, conditions in _by_event(spec, needs, columns):
        keys = [col("entity", "r"), col("as_of", "r"), *([col("signed_up", "r")] if needs.signed_up else [])]
        part = exp.select(*keys, *[aliased(node, at) for at, node in outputs.items()]).from_(f"{name} AS e")
        part = part.join("at_risk AS r", on=col("entity", "r").eq(col("entity", "e")))
        parts.append(part.where(*[test.copy() for test in tests], *conditions))
    return EventPart(ctes, parts)


def with_followed(step: str, orders: Mapping[str, str]) -> exp.Select:
    """Add, for each event that others must follow, the time of the last one before a row, not at the same instant.

    Parameters
    ----------
    step
        The step with the visible events.
    orders
        Event -> column.
    """
    time, columns = col("event_time", "e"), []
    for event, column in orders.items():
        leads = col("event_name", "e").eq(literal(name_in_data(event)))
        place = (
            exp.case().when(leads.copy(), number(1)).else_(number(0))
        )  # at one instant after those that could follow
        latest = exp.Max(this=case_when(leads, time.copy()))
        column_node = over(latest, col("entity", "e"), time.copy(), place, rows=("UNBOUNDED", None))
        columns.append(exp.alias_(column_node, column))
    star = exp.Column(this=exp.Star(), table=exp.to_identifier("e"))
    return exp.select(star, *columns).from_(f"{step} AS e")


def _attributed(
    config: Config, spec: EventTable, raw: Raw, columns: dict[str, Node], step: str, suffix: str
) -> Iterator[Cte]:
    """Steps that resolve merged users, and give a row to each entity it belongs to. They add to `columns`."""
    if config.aliases is not None and "person" in columns:
        rows = sql_people.resolved(step, list(columns), own=OWN_PERSON)
        columns[OWN_PERSON] = col(OWN_PERSON, "e")
        step = f"event_people{suffix}"
        yield step, rows
    if spec.columns.entity is None:
        rows = sql_people.placed(step, list(columns))
        columns["entity"] = col("entity", "e")
        yield f"event_accounts{suffix}", rows
    elif spec.columns.entity in raw.lists:
        yield f"event_accounts{suffix}", sql_people.each_id(raw.engine, step, list(columns))


# ---------------------------------------------------------------- the rows


def _columns(config: Config, spec: EventTable, raw: Raw, needs: Needs) -> dict[str, Node]:
    """The columns that are read, by their names in the statement."""
    of, exclude = spec.columns, config.exclude
    columns = {"entity": _entity(raw, of.entity, of.id is not None)} if of.entity is not None else {}
    if of.event is not None:
        columns["event_name"] = raw.text(of.event)
    columns["event_time"] = raw.instant(of.time)
    if of.known_at is not None:
        columns["known_at"] = raw.instant(of.known_at)
    if of.user is not None:
        ids = [raw.identifier(column) for column in of.user]
        columns["person"] = exp.Coalesce(this=ids[0], expressions=ids[1:]) if ids[1:] else ids[0]
    elif config.entity == "user" and (exclude.bots or exclude.users):
        columns["person"] = raw.text(str(of.entity))
    if of.id is not None:
        columns["row_id"] = raw.identifier(of.id)
    if exclude.bots:
        agent, bot_flag = bot_columns(spec, raw.columns or ())
        roles = {"user_agent": agent, "said_bot": bot_flag}
        columns |= {name: exp.Lower(this=raw.text(column)) for name, column in roles.items() if column is not None}
    names = value_columns(value_names(config.events))
    values = sorted(spec.values) if of.id is not None else sorted(set(spec.values) & set(needs.values))
    columns |= {names[value]: raw.number(spec.values[value]) for value in values}
    columns |= {f"count_{i}": raw.number(column) for i, column in enumerate((spec.counts or {}).values())}
    users = {i: spec.users[event] for i, event in enumerate(spec.counts or {}) if event in spec.users}
    return columns | {f"users_{i}": raw.number(column) for i, column in users.items()}


def _entity(raw: Raw, column: str, has_id: bool) -> Node:
    """The entity of a row, or the list that holds it."""
    if column in raw.lists:
        return raw.id_list(column)
    return raw.identifier(column) if has_id else raw.text(column)


def _usable(raw: Raw, spec: EventTable, columns: Mapping[str, Node]) -> list[Node]:
    """Tests that the id, event and times are valid."""
    tests: list[Node] = []
    if spec.columns.id is not None:
        tests.append(is_present(col("entity", "e")))
    if "event_name" in columns:
        tests.append(col("event_name", "e").neq(literal("")))
    tests += plausible_time(raw.engine, col("event_time", "e"))
    if "known_at" in columns:
        tests.append(or_null(col("known_at", "e"), *plausible_time(raw.engine, col("known_at", "e"))))
    return tests


def _order(raw: Raw, spec: EventTable, columns: Mapping[str, Node]) -> list[Node]:
    """Order that decides which of several rows with one id is used: the first to arrive, then the first to happen."""
    time: Node = col("event_time", "e")
    end = plus(time, raw.engine.interval(spec.covers)) if spec.covers is not None else time
    arrived = end
    if "known_at" in columns:
        known_at = col("known_at", "e")
        arrived = exp.Coalesce(this=known_at, expressions=[end])
        if spec.covers is not None:
            arrived = exp.case().when(known_at > end, known_at).else_(end)
    keys = [*(["event_name"] if "event_name" in columns else []), *(["person"] if spec.columns.user else [])]
    numbers = [name for name in columns if name.startswith(("value_", "count_", "users_"))]
    return [arrived, *([time] if arrived is not time else []), *[col(name, "e") for name in (*keys, *numbers)]]


# ---------------------------------------------------------------- the visible rows


def _visible(config: Config, spec: EventTable, raw: Raw, needs: Needs) -> Iterator[Node]:
    """Tests that a row lies between sign-up and as_of and was known before as_of."""
    time, as_of = col("event_time", "e"), col("as_of", "r")
    yield time < as_of if spec.covers is None else plus(time, raw.engine.interval(spec.covers)) < as_of
    if spec.columns.known_at is not None:
        yield or_null(col("known_at", "e"), col("known_at", "e") < as_of)
    if needs.signed_up:
        signed_up = col("signed_up", "r")
        yield time >= signed_up if config.motion == "trial" else or_null(signed_up, time >= signed_up)
    if needs.until is not None:
        yield time <= raw.engine.moment(needs.until)


def _of_people(config: Config, spec: EventTable, raw: Raw, columns: Mapping[str, Node]) -> Iterator[Node]:
    """Tests that a row is from neither a bot nor an excluded user."""
    person: Node = col("person", "e")
    if config.entity == "user" and spec.columns.user is not None:  # an event without a user belongs to the entity
        person = exp.Coalesce(this=person, expressions=[col("entity", "e")])
    agent = col("user_agent", "e")
    if "person" in columns and config.exclude.users:
        yield or_null(person, exp.not_(one_of(person.copy(), config.exclude.users)))
        if config.aliases is not None:
            yield or_null(person, exp.not_(sql_people.is_alias_of_excluded(config.exclude.users)))
    if "person" in columns and config.exclude.bots:
        for name in (person, *([col(OWN_PERSON, "e")] if OWN_PERSON in columns else [])):
            is_bot = raw.engine.matches(exp.Lower(this=name.copy()), BOT_USERS.removeprefix("(?i)"))
            yield or_null(name, exp.not_(is_bot))
    if "user_agent" in columns:
        yield or_null(agent, exp.not_(raw.engine.matches(agent.copy(), BOT_AGENTS.removeprefix("(?i)"))))
    if "said_bot" in columns:
        yield or_null(col("said_bot", "e"), exp.not_(one_of(col("said_bot", "e"), BOT_FLAGS)))


def _by_event(
    spec: EventTable, needs: Needs, columns: Mapping[str, Node]
) -> Iterator[tuple[dict[str, Node], list[Node]]]:
    """The columns and further tests of each select: one for a log, one per event of a table of counts."""
    if spec.counts is None:
        name: Node = col("event_name", "e") if "event_name" in columns else literal(str(spec.event))
        tests: list[Node] = []
        if needs.events is not None and "event_name" in columns:
            names = [name_in_data(event) for event in sorted(needs.events)]
            tests.append(name.eq(literal(names[0])) if len(names) == 1 else name.isin(*map(literal, names)))
        yield _outputs(name, spec, needs, columns, number(1), None), tests
    for i, event in enumerate(spec.counts or {}):
        if needs.events is None or event in needs.events:
            users = f"users_{i}" if event in spec.users else None
            count = col(f"count_{i}", "e")
            yield _outputs(literal(event), spec, needs, columns, count, users), [count > 0]


def _outputs(
    name: Node, spec: EventTable, needs: Needs, columns: Mapping[str, Node], n: Node, users: str | None
) -> dict[str, Node]:
    outputs: dict[str, Node] = {"event_name": name.copy(), "event_time": col("event_time", "e")}
    if needs.person:
        outputs["person"] = col("person", "e") if spec.columns.user is not None else exp.cast(exp.null(), "TEXT")
    if needs.n:
        outputs["n"] = n.copy()
    null = exp.cast(exp.null(), "DOUBLE")
    if needs.n_users:
        outputs["n_users"] = col(users, "e") if users is not None else null.copy()
    for column in needs.values.values():
        outputs[column] = col(column, "e") if column in columns else null.copy()
    return outputs
