"""Strict readers for the fields of a request: an invalid value is an error that names the field and what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from pql_model.errors import InputError, did_you_mean, nearest
from pql_model.sources.scalars import LARGEST
from pql_model.sources.time_forms import EARLIEST, LATEST, read_time, read_time_number
from pql_model.time import to_instants

TIME_HELP = (
    "an ISO 8601 date or time between 1900 and 2199, such as 2026-06-30 or 2026-06-30T12:00:00+02:00, or an epoch; "
    "without an offset it is UTC, and 1970-01-01 counts as a time that was never set"
)
NUMBER_HELP = "a finite number with an absolute value up to 1e300, true (1) or false (0)"
_SHOWN = 60

_TIME = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_are_times = re.compile(f"(?:{_TIME}\n)*").fullmatch


def shown(raw: object) -> str:
    """Format a received value, short and safe to print.

    >>> shown(None), shown("2026-13-01"), shown([1, 2]), shown(True)
    ('null', '"2026-13-01"', 'a list', 'true')
    """
    if isinstance(raw, str):
        cut = raw if len(raw) <= _SHOWN else f"{raw[:_SHOWN]}…"
        return json.dumps(cut, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
    if raw is None or isinstance(raw, bool):
        return "null" if raw is None else str(raw).lower()
    if isinstance(raw, int) and abs(raw) >= 10**_SHOWN:
        return "a whole number of more than 60 digits"
    if isinstance(raw, int | float):
        return str(raw)
    return "an object" if isinstance(raw, dict) else "a list" if isinstance(raw, list) else type(raw).__name__


Schema = dict[str, Any]
"""A JSON schema."""

NUMBER_SCHEMA: Schema = {"type": ["number", "boolean", "null"], "minimum": -LARGEST, "maximum": LARGEST}
TIME_SCHEMA: Schema = {
    "type": "string",
    "description": "ISO 8601. A date is its midnight; a time without an offset is UTC. The other forms that a table "
    "may have, such as an epoch, are read in the same way.",
    "pattern": r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ]([01][0-9]|2[0-3]):[0-5][0-9]"
    r"(:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?)?$",
}
"""The recommended form: a schema cannot check the calendar, and the tables' other forms are read as well."""


def text_schema(most: int, least: int = 0) -> Schema:
    """Describe a text of limited length."""
    return {"type": "string", "minLength": least, "maxLength": most}


def names_schema(value: Schema, most: int) -> Schema:
    """Describe an object of at most `most` names with their values, or null."""
    return {"type": ["object", "null"], "maxProperties": most, "additionalProperties": value}


def nullable(schema: Schema, description: str | None = None) -> Schema:
    """Allow null as well; with a description of its own."""
    described = {"description": description} if description is not None else {}
    return {**schema, "type": [schema["type"], "null"], **described}


def object_schema(properties: Mapping[str, Schema], required: Collection[str] | None = None) -> Schema:
    """Describe an object with these properties and no others; all are required by default."""
    needed = list(properties if required is None else required)
    return {"type": "object", "properties": dict(properties), "required": needed, "additionalProperties": False}


class ObjectFields:
    """The fields of an object with their schemas: `keyed` checks the names, and OpenAPI documents the same fields.

    Parameters
    ----------
    required, optional : mapping
        Name of a field -> its schema.
    """

    def __init__(self, required: Mapping[str, Schema], optional: Mapping[str, Schema]) -> None:
        self.schemas = {**required, **optional}
        self.required, self.allowed = frozenset(required), frozenset(self.schemas)
        self.in_order = tuple(self.schemas)

    @property
    def schema(self) -> Schema:
        required = [name for name in self.in_order if name in self.required]
        return object_schema(self.schemas, required)


def keyed(raw: object, at: str, keys: ObjectFields) -> Mapping[str, Any]:
    """Check that a value is an object with all required keys and no unknown ones.

    Parameters
    ----------
    raw : object
        The value.
    at : str
        Its path, such as `events[3]`; empty for the whole request.
    keys : ObjectFields
        The required and optional fields.

    Raises
    ------
    InputError
        For a missing or unknown key, with the nearest allowed one.
    """
    if isinstance(raw, dict) and keys.required <= raw.keys() <= keys.allowed:
        return raw
    allowed = keys.in_order
    if not isinstance(raw, dict):
        raise InputError(at or "body", received=shown(raw), allowed=f"an object with the keys {', '.join(allowed)}")
    for key in raw:
        if key not in allowed:
            hint = did_you_mean(nearest(str(key)[:_SHOWN], allowed))
            path = field_path(at, str(key))
            raise InputError(path, received=shown(key), allowed=allowed, what=f"Unknown field `{path}`{hint}")
    path = field_path(at, next(key for key in allowed if key in keys.required and key not in raw))
    raise InputError(path, received="no such key", allowed=allowed, what=f"`{path}` is missing")


def text_in(raw: object, at: str, key: str, most: int) -> str:
    """Read a text of at most `most` characters that can be encoded as UTF-8."""
    if not isinstance(raw, str):
        raise InputError(field_path(at, key), received=shown(raw), allowed="a text")
    if len(raw) > most:
        raise InputError(
            field_path(at, key), received=f"{len(raw):,} characters", allowed=f"at most {most:,} characters"
        )
    if not raw.isascii() and any("\ud800" <= character <= "\udfff" for character in raw):
        raise InputError(field_path(at, key), received=shown(raw), allowed="a text without lone surrogates")
    return raw


def parse_time(raw: object) -> int | None:
    """Parse a time as microseconds since 1970, UTC, in any form that a table may have; None if it cannot be read."""
    if isinstance(raw, str):
        return read_time(raw).instant
    return read_time_number(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else None


def parse_times(raws: Sequence[object]) -> Sequence[int | None]:
    """Parse each of several times, three times faster where all are valid and have an offset.

    >>> parse_times(["1970-01-02T00:00:00Z", "soon"]), parse_times(["1970-01-01T00:00:01Z"])
    ([86400000000, None], [1000000])
    """
    return _parse_quickly(raws) or [parse_time(raw) for raw in raws]


def _parse_quickly(raws: Sequence[Any]) -> Sequence[int] | None:
    try:
        if not raws or not _are_times("\n".join([*raws, ""])):
            return None
        instants = to_instants(map(datetime.fromisoformat, raws))
    except (TypeError, ValueError):  # one is not a text, has no offset, or is 30 February
        return None
    return instants if min(instants) > EARLIEST and max(instants) < LATEST and 0 not in instants else None


def instant_in(raw: object, at: str, key: str) -> int:
    """Read a time as microseconds since 1970, UTC."""
    instant = parse_time(raw)
    if instant is None:
        raise InputError(field_path(at, key), received=shown(raw), allowed=TIME_HELP)
    return instant


def number_in(raw: object, at: str, key: str, least: float = -LARGEST) -> float:
    """Read a finite number; true and false are 1 and 0, as in the training tables."""
    if isinstance(raw, int | float) and least <= raw <= LARGEST:
        return float(raw)
    help_ = NUMBER_HELP if least < 0 else f"{NUMBER_HELP}, at least {least:g}"
    raise InputError(field_path(at, key), received=shown(raw), allowed=help_)


def listed_in(raw: object, at: str, key: str, most: int) -> list[Any]:
    """Read a list of at most `most` items."""
    if not isinstance(raw, list):
        raise InputError(field_path(at, key), received=shown(raw), allowed="a list")
    if len(raw) > most:
        raise InputError(field_path(at, key), received=f"{len(raw):,} items", allowed=f"at most {most:,} items")
    return raw


def named_in(raw: object, at: str, key: str, most: int) -> dict[str, Any]:
    """Read an object of at most `most` names; null is an empty object."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise InputError(field_path(at, key), received=shown(raw), allowed="an object of names and their values")
    if len(raw) > most:
        raise InputError(field_path(at, key), received=f"{len(raw):,} names", allowed=f"at most {most:,} names")
    return raw


def field_path(at: str, key: str) -> str:
    """Format the path of a field, such as `events[3].time`."""
    printable = shown(key)[1:-1] or '""'
    return f"{at}.{printable}" if at else printable
