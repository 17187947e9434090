"""One entity's raw data as a service receives them, judged as the batch judges its tables.

What the caller can correct is an error. What the batch sets aside (a row before the sign-up, a repeated id, a bot)
is set aside here by the same rule and in the same order, and counted by reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any

from pql_model.errors import InputError
from pql_model.features.fields import (
    NUMBER_HELP,
    TIME_HELP,
    Keys,
    instant_in,
    instants_of,
    keyed,
    listed_in,
    named_in,
    number_in,
    path_of,
    shown,
    text_in,
)
from pql_model.features.timeline import EventRow
from pql_model.sources.plain import event_name_of, identifier_of, is_bot
from pql_model.windows import DAY, iso

SET_ASIDE = {
    "duplicate_id": "a row id that was seen before",
    "bot": "a bot, by user name",
    "excluded_user": "a user the config excludes",
    "before_signup": "earlier than the sign-up",
    "after_as_of": "at or after as_of",
    "known_later": "not known before as_of",
}
"""Why an event is set aside, in the order in which events are judged: each has one reason."""

Trait = str | int | float | bool | None

_AHEAD = DAY  # a clock that is ahead, or a local time sent as UTC
_BODY = Keys(("entity", "events"), ("signed_up", "as_of", "traits"))
_EVENT = Keys(("event", "time"), ("user", "values", "id", "known_at", "n", "users"))
_Read = tuple[EventRow, str | None]
"""A row and its id."""
_row = partial(tuple.__new__, EventRow)  # by keyword it takes twice as long


@dataclass(frozen=True)
class Rules:
    """What the model was trained on, and limits.

    Attributes
    ----------
    known_events
        Every event name of the training log: another one counts, and is reported.
    known_values, known_traits
        Names of values and traits that the product has; None: any. Others are left out, and reported.
    needs_signup
        Whether an entity must say when it signed up.
    may_lack_signup
        Whether it may say null, which is a sign-up that nobody knows, as in the tables of a freemium product.
    entity_acts
        Whether the entity itself did the events that name no user: it may be a bot or excluded, too.
    bots, excluded_users
        Whether bots are set aside, and which users are.
    by_day
        Times are cut to days, as in a config with `resolution: day`.
    """

    known_events: frozenset[str]
    needs_signup: bool
    known_values: frozenset[str] | None = None
    known_traits: frozenset[str] | None = None
    entity_acts: bool = False
    bots: bool = True
    excluded_users: frozenset[str] = frozenset()
    by_day: bool = False
    may_lack_signup: bool = False
    most_events: int = 50_000
    most_names: int = 1_000
    most_characters: int = 1_000


@dataclass(frozen=True)
class Incoming:
    """What is evaluated, and what was left out of it."""

    entity: str
    signed_up: int | None
    as_of: int
    traits: dict[str, Trait]
    events: list[EventRow]
    set_aside: dict[str, int]
    unknown_events: dict[str, int]
    unknown_values: dict[str, int]
    unknown_traits: tuple[str, ...]


def read_entity(raw: object, rules: Rules, now: int) -> Incoming:
    """Read one entity: `entity, signed_up, as_of?, traits?, events`.

    Parameters
    ----------
    raw
        What a JSON parser gives.
    now
        The present instant: as_of where none is given.

    Raises
    ------
    InputError
        For the first field that cannot be used.

    Examples
    --------
    >>> rules = Rules(known_events=frozenset({"login"}), needs_signup=True)
    >>> login = {"event": "login", "time": "2026-01-03T09:00:00Z"}
    >>> raw = {"entity": "a", "signed_up": "2026-01-02", "as_of": "2026-01-05",
    ...        "events": [login, {**login, "time": "2026-01-01"}, {**login, "event": "Login"}]}
    >>> read = read_entity(raw, rules, now=2_000_000_000_000_000)
    >>> len(read.events), read.set_aside, read.unknown_events
    (2, {'before_signup': 1}, {'Login': 1})
    """
    body = keyed(raw, "", _BODY)
    entity = _entity(body["entity"], rules)
    as_of, signed_up = _when(body, rules, now)
    traits, unknown_traits = _traits(body.get("traits"), rules)
    reader, raws = _Reader(rules), listed_in(body["events"], "", "events", rules.most_events)
    times = instants_of([event.get("time") if isinstance(event, dict) else None for event in raws])
    events = [
        reader.plain(event, time) or reader.event(event, time, number)
        for number, (event, time) in enumerate(zip(raws, times, strict=True))
    ]
    kept, reasons = _judged(events, entity, signed_up, as_of, rules)
    unknown = Counter(row.event for row in kept if row.event not in rules.known_events)
    set_aside = {reason: reasons[reason] for reason in SET_ASIDE if reasons[reason]}
    return Incoming(
        entity, signed_up, as_of, traits, kept, set_aside, dict(unknown), dict(reader.unknown_values), unknown_traits
    )


# ---------------------------------------------------------------- the fields


def _entity(raw: object, rules: Rules) -> str:
    entity = identifier_of(text_in(raw, "", "entity", rules.most_characters))
    if entity is None:
        raise InputError("entity", received=shown(raw), allowed="a text that names the entity")
    return entity


def _when(body: Mapping[str, object], rules: Rules, now: int) -> tuple[int, int | None]:
    """as_of and sign-up."""
    as_of = now if body.get("as_of") is None else instant_in(body["as_of"], "", "as_of")
    if as_of > now + _AHEAD:
        raise InputError(
            "as_of", received=iso(as_of), allowed=f"at most a day after the present, {iso(now)}; what happens until then is unknown"
        )  # fmt: skip
    raw = body.get("signed_up")
    if raw is None:
        if rules.needs_signup and not (rules.may_lack_signup and "signed_up" in body):
            raise InputError("signed_up", received="nothing", allowed=TIME_HELP)
        return as_of, None
    signed_up = _instant(raw, "", "signed_up", rules)
    if signed_up > as_of:
        raise InputError("signed_up", received=iso(signed_up), allowed=f"a time at or before as_of, {iso(as_of)}")
    return as_of, signed_up


def _instant(raw: object, at: str, key: str, rules: Rules) -> int:
    return _cut(instant_in(raw, at, key), rules)


def _cut(instant: int, rules: Rules) -> int:
    return instant // DAY * DAY if rules.by_day else instant


def _traits(raw: object, rules: Rules) -> tuple[dict[str, Trait], tuple[str, ...]]:
    """The traits the product has, and the names of the others."""
    given = named_in(raw, "", "traits", rules.most_names)
    traits: dict[str, Trait] = {}
    unknown = []
    for name, value in given.items():
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
        raise InputError(path_of("traits", name), received=shown(value), allowed=f"a text, {NUMBER_HELP}, or null")
    number_in(value, "traits", name)


class _Reader:
    """Reads the events of one request; the same name is read once."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.names: dict[str, str] = {}
        self.users: dict[str, str | None] = {}
        self.unknown_values: Counter[str] = Counter()

    def plain(self, raw: Any, time: int | None) -> _Read | None:
        """The short way for what most events are: a time, a name and perhaps a user that were read before; else None."""
        if time is None or len(raw) != 2 + ("user" in raw):
            return None
        time = _cut(time, self.rules)
        event, user = raw.get("event"), raw.get("user")
        if type(event) is not str or event not in self.names:
            return None
        if user is None:
            return _row((self.names[event], time, None, None, None, 1.0, None)), None
        if type(user) is not str or user not in self.users:
            return None
        return _row((self.names[event], time, self.users[user], None, None, 1.0, None)), None

    def event(self, raw: object, time: int | None, number: int) -> _Read:
        """The row and its id."""
        try:
            return self._event(raw, time, "")
        except InputError:  # once more, to say where: the name of the place would cost every event time
            return self._event(raw, time, f"events[{number}]")

    def _event(self, raw: object, time: int | None, at: str) -> _Read:
        given = keyed(raw, at, _EVENT)
        get = given.get
        values, known_at, n, users, id_ = get("values"), get("known_at"), get("n"), get("users"), get("id")
        row = (
            self._name(given["event"], at),
            _instant(given["time"], at, "time", self.rules) if time is None else _cut(time, self.rules),
            self._user(get("user"), at),
            None if values is None else self._values(values, at),
            None if known_at is None else _instant(known_at, at, "known_at", self.rules),
            1.0 if n is None else _count(n, at),
            None if users is None else number_in(users, at, "users", least=0.0),
        )
        return _row(row), None if id_ is None else self._id(id_, at, "id")

    def _name(self, raw: object, at: str) -> str:
        if isinstance(raw, str) and raw in self.names:
            return self.names[raw]
        text = text_in(raw, at, "event", self.rules.most_characters)
        name = event_name_of(text)
        if name is None:
            raise InputError(f"{at}.event", received=shown(raw), allowed="a text that names the event")
        self.names[text] = name
        return name

    def _user(self, raw: object, at: str) -> str | None:
        if raw is None or (isinstance(raw, str) and raw in self.users):
            return None if raw is None else self.users[raw]
        text = text_in(raw, at, "user", self.rules.most_characters)
        self.users[text] = identifier_of(text)
        return self.users[text]

    def _id(self, raw: object, at: str, key: str) -> str | None:
        return identifier_of(text_in(raw, at, key, self.rules.most_characters))

    def _values(self, raw: object, at: str) -> dict[str, float]:
        """The values the product has; null is a value that is missing."""
        values, known, place = {}, self.rules.known_values, at and f"{at}.values"
        for name, value in named_in(raw, at, "values", self.rules.most_names).items():
            product_has = known is not None and name in known
            if not product_has:
                text_in(name, at, "values", self.rules.most_characters)
            if value is not None:
                number = number_in(value, place, name)
                if product_has or known is None:
                    values[name] = number
                else:
                    self.unknown_values[name] += 1
        return values


def _count(raw: object, at: str) -> float:
    number = number_in(raw, at, "n", least=0.0)
    if number == 0.0:
        raise InputError(
            f"{at}.n", received=shown(raw), allowed="a finite number above 0: what never happened is no event"
        )
    return number


# ---------------------------------------------------------------- what is set aside


def _judged(
    events: list[_Read], entity: str, signed_up: int | None, as_of: int, rules: Rules
) -> tuple[list[EventRow], Counter[str]]:
    """The rows that count, and how many do not by reason."""
    first = _first_of_ids(events)
    of_person: dict[str | None, str | None] = {}  # a name is judged once
    kept, reasons = [], Counter[str]()
    for row, id_ in events:
        person = row.user if row.user is not None or not rules.entity_acts else entity
        if person not in of_person:
            of_person[person] = _unwanted(person, rules)
        if id_ is not None and first[id_] is not row:
            reasons["duplicate_id"] += 1
        elif (reason := of_person[person] or _untimely(row, signed_up, as_of)) is not None:
            reasons[reason] += 1
        else:
            kept.append(row)
    return kept, reasons


def _unwanted(person: str | None, rules: Rules) -> str | None:
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


def _first_of_ids(events: list[_Read]) -> dict[str, EventRow]:
    """Of the rows with one id the earliest to arrive, then the earliest to happen."""
    first: dict[str, EventRow] = {}
    for row, id_ in events:
        if id_ is not None:
            rival = first.setdefault(id_, row)
            if rival is not row and _arrival(row, rival) < _arrival(rival, row):
                first[id_] = row
    return first


def _arrival(row: EventRow, rival: EventRow) -> tuple[object, ...]:
    """What two rows are compared by, in the order of the batch; what is missing comes last."""
    mine, others = row.values or {}, rival.values or {}
    amounts = [mine.get(name, inf) for name in sorted({*mine, *others})]
    known = row.time if row.known_at is None else row.known_at
    return known, row.time, row.event, row.user is None, row.user or "", amounts
