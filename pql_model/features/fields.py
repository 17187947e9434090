"""Fields of a request, read strictly: what cannot be used is an error that names the field and says what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pql_model.errors import InputError, did_you_mean, nearest
from pql_model.sources.scalars import EARLIEST, LARGEST, LATEST
from pql_model.time import to_instant, to_instants

TIME_HELP = (
    "an ISO 8601 date or time between 1900 and 2199, such as 2026-06-30 or 2026-06-30T12:00:00+02:00; "
    "without an offset it is UTC, and 1970-01-01T00:00:00Z stands for a time that was never set"
)
NUMBER_HELP = "a finite number of at most 1e300 in size, true (1) or false (0)"
_SHOWN = 60

_TIME = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_is_time = re.compile(_TIME).fullmatch
_are_times = re.compile(f"(?:{_TIME}\n)*").fullmatch


def shown(raw: object) -> str:
    """What was received, short and safe to print, whatever it is.

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


class FieldNames:
    """What an object must have, and what it may have."""

    def __init__(self, required: Sequence[str], optional: Sequence[str]) -> None:
        self.required, self.allowed = frozenset(required), frozenset((*required, *optional))
        self.in_order = (*required, *optional)


def keyed(raw: object, at: str, keys: FieldNames) -> Mapping[str, Any]:
    """An object with the required keys and no others than the allowed.

    Parameters
    ----------
    at
        Where it stands, such as `events[3]`; nothing for the whole request.

    Raises
    ------
    InputError
        With the nearest allowed key.
    """
    if isinstance(raw, dict) and keys.required <= raw.keys() <= keys.allowed:
        return raw
    allowed = keys.in_order
    if not isinstance(raw, dict):
        raise InputError(at or "body", received=shown(raw), allowed=f"an object with the keys {', '.join(allowed)}")
    for key in raw:
        if key not in allowed:
            close = nearest(str(key)[:_SHOWN], allowed)
            hint = did_you_mean(close)
            path = path_of(at, str(key))
            raise InputError(path, received=shown(key), allowed=allowed, what=f"`{path}` is not known{hint}")
    path = path_of(at, next(key for key in allowed if key in keys.required and key not in raw))
    raise InputError(path, received="no such key", allowed=allowed, what=f"`{path}` is missing")


def text_in(raw: object, at: str, key: str, most: int) -> str:
    """A text of at most so many characters that can be written as UTF-8."""
    if not isinstance(raw, str):
        raise InputError(path_of(at, key), received=shown(raw), allowed="a text")
    if len(raw) > most:
        raise InputError(path_of(at, key), received=f"{len(raw):,} characters", allowed=f"at most {most:,} characters")
    if not raw.isascii() and any("\ud800" <= character <= "\udfff" for character in raw):
        raise InputError(path_of(at, key), received=shown(raw), allowed="a text without lone surrogates")
    return raw


def instant_of(raw: object) -> int | None:
    """A time as microseconds since 1970, UTC; None where it is none. Numbers are none: nobody knows their unit."""
    if not isinstance(raw, str) or _is_time(raw) is None:
        return None
    try:
        instant = to_instant(datetime.fromisoformat(raw))
    except ValueError:  # 30 February
        return None
    return instant if EARLIEST <= instant < LATEST and instant != 0 else None


def instants_of(raws: Sequence[object]) -> Sequence[int | None]:
    """`instant_of` each, in a third of the time where all are times with an offset.

    >>> instants_of(["1970-01-02T00:00:00Z", "soon"]), instants_of(["1970-01-01T00:00:01Z"])
    ([86400000000, None], [1000000])
    """
    return _quickly(raws) or [instant_of(raw) for raw in raws]


def _quickly(raws: Sequence[Any]) -> Sequence[int] | None:
    try:
        if not raws or not _are_times("\n".join([*raws, ""])):
            return None
        instants = to_instants(map(datetime.fromisoformat, raws))
    except (TypeError, ValueError):  # one is no text, has no offset, or is 30 February
        return None
    return instants if min(instants) >= EARLIEST and max(instants) < LATEST and 0 not in instants else None


def instant_in(raw: object, at: str, key: str) -> int:
    """A time as microseconds since 1970, UTC."""
    instant = instant_of(raw)
    if instant is None:
        raise InputError(path_of(at, key), received=shown(raw), allowed=TIME_HELP)
    return instant


def number_in(raw: object, at: str, key: str, least: float = -LARGEST) -> float:
    """A finite number; truths are 1 and 0, as in the tables that a model is trained on."""
    if isinstance(raw, int | float) and least <= raw <= LARGEST:
        return float(raw)
    help_ = NUMBER_HELP if least < 0 else f"{NUMBER_HELP}, from {least:g} on"
    raise InputError(path_of(at, key), received=shown(raw), allowed=help_)


def listed_in(raw: object, at: str, key: str, most: int) -> list[Any]:
    """A list of at most so many."""
    if not isinstance(raw, list):
        raise InputError(path_of(at, key), received=shown(raw), allowed="a list")
    if len(raw) > most:
        raise InputError(path_of(at, key), received=f"{len(raw):,} of them", allowed=f"at most {most:,}")
    return raw


def named_in(raw: object, at: str, key: str, most: int) -> dict[str, Any]:
    """An object of at most so many names; null is an empty one."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise InputError(path_of(at, key), received=shown(raw), allowed="an object of names and what they stand for")
    if len(raw) > most:
        raise InputError(path_of(at, key), received=f"{len(raw):,} names", allowed=f"at most {most:,}")
    return raw


def path_of(at: str, key: str) -> str:
    """Where a field stands: `events[3].time`."""
    printable = shown(key)[1:-1] or '""'
    return f"{at}.{printable}" if at else printable
