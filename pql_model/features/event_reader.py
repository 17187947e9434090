"""Reader for the events of one request: column by column, and one by one only to name the event that is invalid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any

from pql_model.errors import InputError
from pql_model.features.fields import (
    NUMBER_SCHEMA,
    TIME_SCHEMA,
    ObjectFields,
    instant_in,
    keyed,
    named_in,
    names_schema,
    nullable,
    number_in,
    parse_times,
    shown,
    text_in,
    text_schema,
)
from pql_model.features.timeline import EventRow
from pql_model.sources.scalars import read_event_name, read_identifier
from pql_model.time import DAY

_row = partial(tuple.__new__, EventRow)  # by keyword it takes twice as long


@dataclass(frozen=True)
class ReadingRules:
    """What the model was trained on, and the limits of a request.

    Attributes
    ----------
    known_events
        Every event name of the training log. Others count and are reported.
    known_values, known_traits
        Names of the product's values and traits; None accepts any. Others are left out and reported.
    dated_names
        The traits that may come as dated values, under `columns`.
    history_traits
        Those of which a missing value counts: the trait is unknown from then on.
    needs_signup
        Whether `signed_up` is required.
    may_lack_signup
        Whether `signed_up` may be null, an unknown sign-up as in the tables of a freemium product.
    own_ids
        Events with a table of their own, whose row ids are unique within that table only.
    entity_acts
        Whether the entity itself did the events without a user, so that it may be a bot or excluded, too.
    bots, excluded_users
        Whether events of bots are set aside, and the users whose events are.
    id_forms
        The spellings of entity ids that `normalise:` brings together.
    by_day
        Whether times are cut to days, as with `resolution: day`.
    """

    known_events: frozenset[str]
    needs_signup: bool
    known_values: frozenset[str] | None = None
    known_traits: frozenset[str] | None = None
    dated_names: frozenset[str] = frozenset()
    history_traits: frozenset[str] = frozenset()
    entity_acts: bool = False
    bots: bool = True
    excluded_users: frozenset[str] = frozenset()
    id_forms: tuple[str, ...] = ()
    by_day: bool = False
    may_lack_signup: bool = False
    own_ids: frozenset[str] = frozenset()
    most_events: int = 50_000
    most_names: int = 1_000
    most_characters: int = 1_000


_TEXT, _COUNT = text_schema(ReadingRules.most_characters), {**NUMBER_SCHEMA, "minimum": 0}
EVENT = ObjectFields(
    required={"event": {**text_schema(ReadingRules.most_characters, least=1), "pattern": r"\S"}, "time": TIME_SCHEMA},
    optional={
        "user": nullable(_TEXT),
        "values": names_schema(NUMBER_SCHEMA, ReadingRules.most_names),
        "id": nullable(_TEXT, "Id of the row in its table. Of equal ids, the first to arrive counts."),
        "known_at": nullable(TIME_SCHEMA, "When the row arrived; for a count, the end of the period it covers."),
        "n": {
            **{name: value for name, value in _COUNT.items() if name != "minimum"},
            "exclusiveMinimum": 0,
            "not": {"const": False},
            "description": "Number of events, for a table of counts. Default: 1.",
        },
        "users": {**_COUNT, "description": "Number of users who did them."},
    },
)
"""Fields of one event."""


class EventReader:
    """Read the events of one request; each distinct name is read once.

    Parameters
    ----------
    rules : ReadingRules
        What the model was trained on, and the limits of a request.

    Attributes
    ----------
    unknown_values
        Names of values that the product does not have -> their number.
    """

    def __init__(self, rules: ReadingRules) -> None:
        self.rules = rules
        self.unknown_values: Counter[str] = Counter()

    def read(self, raws: Sequence[Any]) -> tuple[list[EventRow], list[str | None] | None]:
        """Read the rows, and their ids where any row has one.

        Raises
        ------
        InputError
            For the first invalid event, with its position.
        """
        try:
            return self._by_column(raws)
        except (InputError, TypeError, LookupError):  # read again one by one, to name the event
            self.unknown_values.clear()
            return self._one_by_one(raws)

    def _by_column(self, raws: Sequence[Any]) -> tuple[list[EventRow], list[str | None] | None]:
        """Read all events at once, three times faster; raise if any is invalid."""
        keys = set[str]().union(*raws)
        if not keys <= EVENT.allowed or set(map(type, raws)) - {dict}:
            raise TypeError("an event is not an object, or has an unknown key")
        optional = {key: [raw.get(key) for raw in raws] for key in keys - EVENT.required}
        names = [raw["event"] for raw in raws]
        users = optional.get("user") or [None] * len(raws)
        name_of = {name: self._name(name, "") for name in set(names)}
        user_of = {user: self._user(user, "") for user in set(users)}
        rows = zip(
            map(name_of.__getitem__, names),
            self._times([raw["time"] for raw in raws]),
            map(user_of.__getitem__, users),
            [v if v is None else self._values(v, "") for v in optional["values"]]
            if "values" in optional
            else repeat(None),
            self._known(optional["known_at"]) if "known_at" in optional else repeat(None),
            [1.0 if n is None else _count(n, "") for n in optional["n"]] if "n" in optional else repeat(1.0),
            [n if n is None else _users(n, "") for n in optional["users"]] if "users" in optional else repeat(None),
            strict=False,
        )
        ids = [id_ if id_ is None else self._id(id_, "") for id_ in optional["id"]] if "id" in optional else None
        return list(map(_row, rows)), ids

    def _times(self, raws: Sequence[object]) -> Iterable[int]:
        instants = [instant for instant in parse_times(raws) if instant is not None]
        if len(instants) < len(raws):
            raise TypeError("a time is invalid")
        return [cut_to_day(instant, self.rules) for instant in instants] if self.rules.by_day else instants

    def _known(self, raws: Sequence[object]) -> Iterable[int | None]:
        instants = iter(self._times([raw for raw in raws if raw is not None]))
        return [None if raw is None else next(instants) for raw in raws]

    def _one_by_one(self, raws: Sequence[Any]) -> tuple[list[EventRow], list[str | None] | None]:
        read = [self._event(raw, f"events[{position}]") for position, raw in enumerate(raws)]
        return [row for row, _ in read], [id_ for _, id_ in read]

    def _event(self, raw: object, at: str) -> tuple[EventRow, str | None]:
        event: Mapping[str, Any] = keyed(raw, at, EVENT)
        values, known_at, n, users = (event.get(name) for name in ("values", "known_at", "n", "users"))
        row = EventRow(
            self._name(event["event"], at),
            self._instant(event["time"], at, "time"),
            self._user(event.get("user"), at),
            None if values is None else self._values(values, at),
            None if known_at is None else self._instant(known_at, at, "known_at"),
            1.0 if n is None else _count(n, at),
            None if users is None else _users(users, at),
        )
        return row, None if event.get("id") is None else self._id(event["id"], at)

    def _instant(self, raw: object, at: str, key: str) -> int:
        return cut_to_day(instant_in(raw, at, key), self.rules)

    def _name(self, raw: object, at: str) -> str:
        name = read_event_name(text_in(raw, at, "event", self.rules.most_characters))
        if name is None:
            raise InputError(
                f"{at}.event", received=shown(raw), allowed="the name of the event, a text that is not empty"
            )
        return name

    def _user(self, raw: object, at: str) -> str | None:
        return None if raw is None else read_identifier(text_in(raw, at, "user", self.rules.most_characters))

    def _id(self, raw: object, at: str) -> str | None:
        return read_identifier(text_in(raw, at, "id", self.rules.most_characters))

    def _values(self, raw: object, at: str) -> dict[str, float]:
        """Read the values that the product has; null is a missing value."""
        values, known, path = {}, self.rules.known_values, at and f"{at}.values"
        for name, value in named_in(raw, at, "values", self.rules.most_names).items():
            is_known = known is not None and name in known
            if not is_known:
                text_in(name, at, "values", self.rules.most_characters)
            if value is not None:
                number = number_in(value, path, name)
                if is_known or known is None:
                    values[name] = number
                else:
                    self.unknown_values[name] += 1
        return values


def cut_to_day(instant: int, rules: ReadingRules) -> int:
    """Cut an instant to its day where the data have only days."""
    return instant // DAY * DAY if rules.by_day else instant


def _users(raw: object, at: str) -> float:
    return number_in(raw, at, "users", least=0.0)


def _count(raw: object, at: str) -> float:
    number = number_in(raw, at, "n", least=0.0)
    if number == 0.0:
        raise InputError(f"{at}.n", received=shown(raw), allowed="a finite number above 0")
    return number
