"""The dated values of one entity: as a request brings them, and the last of them as of an instant.

A value counts if it holds from a time before as_of and was known before as_of. Of several the latest counts; of several
from one time the one known last; of several known at one time the largest. A missing value changes nothing, except in the
history of a trait, where the trait is unknown from then on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from pql_model.errors import InputError
from pql_model.features.event_reader import ReadingRules, cut_to_day
from pql_model.features.fields import (
    NUMBER_HELP,
    NUMBER_SCHEMA,
    TIME_SCHEMA,
    ObjectFields,
    field_path,
    instant_in,
    keyed,
    nullable,
    number_in,
    shown,
    text_in,
    text_schema,
)

Value = str | int | float | bool | None

_CHARACTERS = ReadingRules.most_characters
DATED = ObjectFields(
    required={
        "name": text_schema(_CHARACTERS, least=1),
        "time": TIME_SCHEMA,
        "value": {**NUMBER_SCHEMA, "type": ["string", "number", "boolean", "null"], "maxLength": _CHARACTERS},
    },
    optional={"known_at": nullable(TIME_SCHEMA, "When the value arrived.")},
)
"""Fields of one value of a dated column."""


class DatedValue(NamedTuple):
    """One value of one entity."""

    name: str
    time: int
    value: Value
    known_at: int | None = None


def latest_of(rows: Iterable[DatedValue], as_of: int, history: Collection[str] = ()) -> dict[str, Value]:
    """Return the value of each name as of an instant: as a service computes it.

    Parameters
    ----------
    rows : Iterable[DatedValue]
        The values of one entity, in any order.
    as_of : int
        The instant.
    history : Collection[str]
        Names of which a missing value counts as well: the trait is unknown from then on.

    >>> latest_of([DatedValue("nps", 3, 9), DatedValue("nps", 5, 7), DatedValue("nps", 6, 2, known_at=8)], as_of=8)
    {'nps': 7}
    """
    best: dict[str, tuple[tuple[int, int, bool, bool, Any], Value]] = {}
    for name, time, value, known_at in rows:
        hidden = time >= as_of or (known_at is not None and known_at >= as_of)
        if hidden or (value is None and name not in history):
            continue
        known = time if known_at is None else known_at
        order = (time, known, value is not None, isinstance(value, str), 0 if value is None else value)
        if name not in best or order > best[name][0]:
            best[name] = order, value
    return {name: value for name, (_, value) in best.items()}


def read_dated(
    raws: Sequence[Any], rules: ReadingRules, traits: Collection[str]
) -> tuple[list[DatedValue], tuple[str, ...]]:
    """Read dated values.

    Parameters
    ----------
    raws : Sequence[Any]
        What a JSON parser gives.
    rules : ReadingRules
        Which names the model knows.
    traits : Collection[str]
        Names that the request gives under `traits`.

    Returns
    -------
    tuple[list[DatedValue], tuple[str, ...]]
        The values, and the names that the product does not have.

    Raises
    ------
    InputError
        For the first field that cannot be used, and where a name stands under `traits` as well.
    """
    rows: list[DatedValue] = []
    unknown: dict[str, None] = {}
    for number, raw in enumerate(raws):
        at = f"columns[{number}]"
        keyed(raw, at, DATED)
        name = text_in(raw["name"], at, "name", rules.most_characters)
        row = DatedValue(name, _day(raw, at, "time", rules), _value(raw["value"], at, rules), _known(raw, at, rules))
        if name in traits:
            raise InputError(
                field_path(at, "name"),
                received=shown(name),
                allowed="a name that does not stand under `traits` as well",
            )
        if name in rules.dated_names:
            rows.append(row)
        else:
            unknown[name] = None
    return rows, tuple(unknown)


def _day(raw: Any, at: str, key: str, rules: ReadingRules) -> int:
    return cut_to_day(instant_in(raw[key], at, key), rules)


def _known(raw: Any, at: str, rules: ReadingRules) -> int | None:
    return None if raw.get("known_at") is None else _day(raw, at, "known_at", rules)


def _value(raw: object, at: str, rules: ReadingRules) -> Value:
    """Take the value as it came; an empty text is missing."""
    if isinstance(raw, str):
        return text_in(raw, at, "value", rules.most_characters).strip() or None
    if raw is None or isinstance(raw, bool):
        return raw
    if not isinstance(raw, int | float):
        raise InputError(field_path(at, "value"), received=shown(raw), allowed=f"a text, {NUMBER_HELP}, or null")
    number_in(raw, at, "value")
    return raw
