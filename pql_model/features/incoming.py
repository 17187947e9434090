"""One entity's raw data as the service receives them, checked like the tables of the batch.

What the caller can correct is an error. Rows that the batch sets aside (before the sign-up, with a repeated id, of a
bot) are set aside here by the same checks in the same order, and counted by reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import repeat
from math import inf
from operator import itemgetter

from pql_model.errors import InputError
from pql_model.features.dated_reader import DATED, latest_of, read_dated
from pql_model.features.event_reader import EVENT, EventReader, ReadingRules, cut_to_day
from pql_model.features.fields import (
    NUMBER_HELP,
    NUMBER_SCHEMA,
    TIME_HELP,
    TIME_SCHEMA,
    ObjectFields,
    field_path,
    instant_in,
    keyed,
    listed_in,
    named_in,
    names_schema,
    nullable,
    number_in,
    shown,
    text_in,
    text_schema,
)
from pql_model.features.timeline import EventRow
from pql_model.sources.id_forms import read_entity_id
from pql_model.sources.scalars import is_bot
from pql_model.time import DAY, iso

SET_ASIDE = {
    "duplicate_id": "a repeated row id",
    "bot": "a bot, by user name",
    "excluded_user": "a user the config excludes",
    "before_signup": "earlier than the sign-up",
    "after_as_of": "at or after as_of",
    "known_later": "not known before as_of",
}
"""Why an event is set aside, in the order of the checks. Each event has one reason."""

Trait = str | int | float | bool | None

_AHEAD = DAY  # a clock that is ahead, or a local time sent as UTC
_Key = tuple[str | None, str]
_CHARACTERS = ReadingRules.most_characters
ENTITY_SCHEMA = {**text_schema(_CHARACTERS, least=1), "pattern": r"\S"}
TRAITS_SCHEMA = names_schema(
    {**NUMBER_SCHEMA, "type": ["string", "number", "boolean", "null"], "maxLength": _CHARACTERS},
    ReadingRules.most_names,
)
BODY = ObjectFields(
    required={
        "entity": ENTITY_SCHEMA,
        "events": {"type": "array", "items": EVENT.schema, "maxItems": ReadingRules.most_events},
    },
    optional={
        "signed_up": nullable(TIME_SCHEMA),
        "as_of": nullable(TIME_SCHEMA),
        "traits": TRAITS_SCHEMA,
        "columns": {
            "type": ["array", "null"],
            "items": DATED.schema,
            "maxItems": ReadingRules.most_events,
            "description": "Values of dated columns and traits that change. The last one known before as_of counts.",
        },
    },
)
"""Fields of a request with raw events."""


@dataclass(frozen=True)
class Incoming:
    """The data to evaluate, and what was left out.

    Attributes
    ----------
    entity, signed_up, as_of, traits, events
        The data; instants in microseconds since 1970, UTC.
    set_aside
        Reason -> events left out.
    unknown_events, unknown_values
        Names that the product does not have -> their number.
    unknown_traits
        Names of traits that the product does not have.
    """

    entity: str
    signed_up: int | None
    as_of: int
    traits: dict[str, Trait]
    events: list[EventRow]
    set_aside: dict[str, int]
    unknown_events: dict[str, int]
    unknown_values: dict[str, int]
    unknown_traits: tuple[str, ...]


def read_entity(raw: object, rules: ReadingRules, now: int) -> Incoming:
    """Read one entity: `entity, signed_up, as_of?, traits?, columns?, events`.

    Parameters
    ----------
    raw : object
        The parsed JSON.
    rules : ReadingRules
        What the model was trained on, and the limits of a request.
    now : int
        The present instant, the default of as_of.

    Raises
    ------
    InputError
        For the first invalid field.

    Examples
    --------
    >>> rules = ReadingRules(known_events=frozenset({"login"}), needs_signup=True)
    >>> login = {"event": "login", "time": "2026-01-03T09:00:00Z"}
    >>> raw = {"entity": "a", "signed_up": "2026-01-02", "as_of": "2026-01-05",
    ...        "events": [login, {**login, "time": "2026-01-01"}, {**login, "event": "Login"}]}
    >>> read = read_entity(raw, rules, now=2_000_000_000_000_000)
    >>> len(read.events), read.set_aside, read.unknown_events
    (2, {'before_signup': 1}, {'Login': 1})
    """
    body = keyed(raw, "", BODY)
    entity = _entity(body["entity"], rules)
    as_of, signed_up = _instants(body, rules, now)
    traits, unknown_traits = _traits(body.get("traits"), rules)
    if body.get("columns") is not None:
        dated, others = read_dated(listed_in(body["columns"], "", "columns", rules.most_events), rules, traits)
        traits, unknown_traits = {**traits, **latest_of(dated, as_of, rules.history_traits)}, (*unknown_traits, *others)
    reader = EventReader(rules)
    rows, ids = reader.read(listed_in(body["events"], "", "events", rules.most_events))
    events, reasons = _select(rows, ids, entity, signed_up, as_of, rules)
    names = set(map(itemgetter(0), events)) - rules.known_events
    unknown = Counter(row.event for row in events if row.event in names) if names else Counter()
    set_aside = {reason: reasons[reason] for reason in SET_ASIDE if reasons[reason]}
    return Incoming(
        entity, signed_up, as_of, traits, events, set_aside, dict(unknown), dict(reader.unknown_values), unknown_traits
    )


# ---------------------------------------------------------------- the fields


def _entity(raw: object, rules: ReadingRules) -> str:
    entity = read_entity_id(text_in(raw, "", "entity", rules.most_characters), rules.id_forms)
    if entity is None:
        raise InputError("entity", received=shown(raw), allowed="the id of the entity, a text that is not empty")
    return entity


def _instants(body: Mapping[str, object], rules: ReadingRules, now: int) -> tuple[int, int | None]:
    """Read as_of and sign-up."""
    as_of = now if body.get("as_of") is None else instant_in(body["as_of"], "", "as_of")
    if as_of > now + _AHEAD:
        raise InputError(
            "as_of",
            received=iso(as_of),
            allowed=f"at most one day after the present, {iso(now)}",
        )
    raw = body.get("signed_up")
    if raw is None:
        if rules.needs_signup and not (rules.may_lack_signup and "signed_up" in body):
            raise InputError("signed_up", received="nothing", allowed=TIME_HELP)
        return as_of, None
    signed_up = cut_to_day(instant_in(raw, "", "signed_up"), rules)
    if signed_up > as_of:
        raise InputError("signed_up", received=iso(signed_up), allowed=f"a time at or before as_of, {iso(as_of)}")
    return as_of, signed_up


def _traits(raw: object, rules: ReadingRules) -> tuple[dict[str, Trait], tuple[str, ...]]:
    """Read the traits that the product has, and list the names of the others."""
    named = named_in(raw, "", "traits", rules.most_names)
    traits: dict[str, Trait] = {}
    unknown = []
    for name, value in named.items():
        text_in(name, "", "traits", rules.most_characters)
        if isinstance(value, str):
            text_in(value, "traits", name, rules.most_characters)
        elif value is not None and not isinstance(value, bool):
            _finite(value, name)
        if rules.known_traits is None or name in rules.known_traits:
            traits[name] = value
        else:
            unknown.append(name)
    return traits, tuple(unknown)


def _finite(value: object, name: str) -> None:
    if not isinstance(value, int | float):
        raise InputError(field_path("traits", name), received=shown(value), allowed=f"a text, {NUMBER_HELP}, or null")
    number_in(value, "traits", name)


# ---------------------------------------------------------------- what is set aside


def _select(
    rows: list[EventRow],
    ids: list[str | None] | None,
    entity: str,
    signed_up: int | None,
    as_of: int,
    rules: ReadingRules,
) -> tuple[list[EventRow], Counter[str]]:
    """Keep the rows that count, and count the others by reason."""
    unwanted = {
        person: _unwanted(entity if person is None and rules.entity_acts else person, rules)
        for person in set(map(itemgetter(2), rows))
    }
    if ids is None and not any(unwanted.values()) and _all_timely(rows, signed_up, as_of):
        return rows, Counter()
    keys = None if ids is None else _keys(rows, ids, rules)
    first = _first_of_ids(rows, keys) if keys is not None else {}
    selected, reasons = [], Counter[str]()
    for row, key in zip(rows, keys or repeat(None), strict=False):
        if key is not None and first[key] is not row:
            reasons["duplicate_id"] += 1
        elif (reason := unwanted[row.user] or _untimely(row, signed_up, as_of)) is not None:
            reasons[reason] += 1
        else:
            selected.append(row)
    return selected, reasons


def _all_timely(rows: list[EventRow], signed_up: int | None, as_of: int) -> bool:
    """Whether no row is untimely, checked column by column."""
    times = list(map(itemgetter(1), rows))
    if not times or max(times) >= as_of or (signed_up is not None and min(times) < signed_up):
        return not times
    known = set(map(itemgetter(4), rows)) - {None}
    return not known or max(known) < as_of


def _unwanted(person: str | None, rules: ReadingRules) -> str | None:
    if person is None:
        return None
    if rules.bots and is_bot(person):
        return "bot"
    return "excluded_user" if person in rules.excluded_users else None


def _untimely(row: EventRow, signed_up: int | None, as_of: int) -> str | None:
    if signed_up is not None and row.time < signed_up:
        return "before_signup"
    if row.time >= as_of:
        return "after_as_of"
    return "known_later" if row.known_at is not None and row.known_at >= as_of else None


def _keys(rows: list[EventRow], ids: list[str | None], rules: ReadingRules) -> list[_Key | None]:
    """The key that no two rows share: the id, within its table where an event has a table of its own."""
    own = rules.own_ids
    return [
        None if id_ is None else (row.event if row.event in own else None, id_)
        for row, id_ in zip(rows, ids, strict=True)
    ]


def _first_of_ids(rows: list[EventRow], keys: list[_Key | None]) -> dict[_Key, EventRow]:
    """For each id, find the first row: the earliest to arrive, then the earliest to happen."""
    first: dict[_Key, EventRow] = {}
    for row, key in zip(rows, keys, strict=True):
        if key is not None:
            rival = first.setdefault(key, row)
            if rival is not row and _arrival(row, rival) < _arrival(rival, row):
                first[key] = row
    return first


def _arrival(row: EventRow, rival: EventRow) -> tuple[object, ...]:
    """The sort key that compares two rows, as in the batch; missing values come last."""
    mine, others = row.values or {}, rival.values or {}
    amounts = [mine.get(name, inf) for name in sorted({*mine, *others})]
    known = row.time if row.known_at is None else row.known_at
    return known, row.time, row.event, row.user is None, row.user or "", amounts
