"""A strict JSON parser (RFC 8259) that refuses what lenient parsers accept, with a sentence."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from pql_model.errors import InputError

MAX_DEPTH = 32
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Strings, the last one possibly unclosed. The pattern passes every quote once, so that it is linear in any body."""
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_BRACKETS = re.compile(rb"[\[\]{}]")


class JsonError(InputError):
    """The body is not valid JSON."""

    http_status = 400


def parse(body: bytes) -> Any:
    """Parse the body of a request.

    Raises
    ------
    JsonError
        If the body is empty, not UTF-8, not JSON or nested too deeply, or has NaN, Infinity, a duplicate key or a lone
        surrogate.

    Examples
    --------
    >>> parse(b'{"entity": "a"}')
    {'entity': 'a'}
    >>> parse(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    pql_model.serve.strict_json.JsonError: Duplicate key in the JSON body. Received: a...
    """
    if not body.strip():
        raise _refused("The body is empty", "nothing")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused("The body is not UTF-8", f"byte {error.object[error.start]:#x} at {error.start}") from error
    _refuse_depth(body)
    try:
        value = json.loads(
            text, object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant, parse_float=_finite
        )
    except JsonError:
        raise
    except (json.JSONDecodeError, RecursionError) as error:
        raise _refused("The body is not JSON", str(error)[:200]) from error
    except ValueError as error:  # Python's limit for the digits of an integer
        raise _refused("The body has an integer that is too long", "more than 4,300 digits") from error
    if "\\u" in text or "\\U" in text:
        _refuse_surrogates(value)
    return value


def _refused(what: str, received: str) -> JsonError:
    return JsonError("body", received=received, allowed="a JSON object in UTF-8", what=what)


def _refuse_depth(body: bytes) -> None:
    """Check the depth before parsing, since the parser uses one stack frame per level.

    Matching pairs of brackets are removed from the inside out, one level per round, which is fast for almost every body.
    Brackets in strings are distinguished only if that does not end with nothing left; if they hide a level, the parser's own
    limit applies.
    """
    pairs = body.translate(_TO_SQUARE, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not pairs:
            return
        pairs = pairs.replace(b"[]", b"")
    depth = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MAX_DEPTH:
            raise _refused("The body is nested too deeply", f"more than {MAX_DEPTH} levels")


def _refuse_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys: set[str] = set()
        for key, _ in pairs:
            if key in keys:
                raise _refused("Duplicate key in the JSON body", _shown(key))
            keys.add(key)
    return mapping


def _refuse_constant(name: str) -> NoReturn:
    raise _refused("The body has a number that JSON does not allow", name)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _refused("The body has a number that is too large", text[:40])
    return number


def _refuse_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise _refused("A string has a lone surrogate", f"{ord(error.object[error.start]):#x}") from error


def _shown(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()[:80]
