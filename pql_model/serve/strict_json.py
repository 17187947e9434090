"""JSON as RFC 8259 means it: what a lenient parser lets through is refused with a sentence."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from pql_model.errors import InputError

DEEPEST = 32
_TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Texts, the last one perhaps unclosed: every quote is passed once, however the body was made."""
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))
_ALIKE = bytes.maketrans(b"{}", b"[]")
_BRACKETS = re.compile(rb"[\[\]{}]")


class JsonError(InputError):
    """The body is no JSON that can be used."""

    http_status = 400


def parse(body: bytes) -> Any:
    """Read a request's body.

    Raises
    ------
    JsonError
        For what is empty, not UTF-8, not JSON, too deep, or has NaN, Infinity, a key twice, or half a surrogate pair.

    Examples
    --------
    >>> parse(b'{"entity": "a"}')
    {'entity': 'a'}
    >>> parse(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    pql_model.serve.strict_json.JsonError: The body has a key twice. Received: a...
    """
    if not body.strip():
        raise _refused("The body is empty", "nothing")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused("The body is not UTF-8", f"byte {error.object[error.start]:#x} at {error.start}") from error
    _refuse_depth(body)
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_constant, parse_float=_finite)
    except JsonError:
        raise
    except (json.JSONDecodeError, RecursionError) as error:
        raise _refused("The body is not JSON", str(error)[:200]) from error
    except ValueError as error:  # Python reads whole numbers up to so many digits
        raise _refused("The body has a whole number that is too long", "more than 4,300 digits") from error
    if "\\u" in text or "\\U" in text:
        _refuse_surrogates(found)
    return found


def _refused(what: str, received: str) -> JsonError:
    return JsonError("body", received=received, allowed="a JSON object in UTF-8", what=what)


def _refuse_depth(body: bytes) -> None:
    """Before the parser sees it, which takes a frame a level.

    Pairs are taken out from the innermost outwards, a level a round, which settles nearly every body in no time. Brackets
    inside texts are looked at apart only where that does not come out; where they hide a level, the parser has its own limit.
    """
    pairs = body.translate(_ALIKE, _OTHERS)
    for _ in range(DEEPEST):
        if not pairs:
            return
        pairs = pairs.replace(b"[]", b"")
    depth = 0
    for bracket in _BRACKETS.finditer(_TEXTS.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEEPEST:
            raise _refused("The body is nested too deeply", f"more than {DEEPEST} levels")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _refused("The body has a key twice", _shown(key))
            seen.add(key)
    return found


def _constant(name: str) -> NoReturn:
    raise _refused("The body has a number that JSON does not know", name)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _refused("The body has a number that is too large", text[:40])
    return number


def _refuse_surrogates(found: Any) -> None:
    try:
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise _refused("A text holds half of a surrogate pair", f"{ord(error.object[error.start]):#x}") from error


def _shown(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()[:80]
