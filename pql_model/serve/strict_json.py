"""A strict JSON parser (RFC 8259) that refuses what lenient parsers accept, with a sentence."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from pql_model.errors import InputError

MAX_DEPTH = 32
MAX_VALUES = 1_000_000
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Strings, the last one possibly unclosed. The pattern passes every quote once, so that it is linear in any body."""
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_BRACKETS = re.compile(rb"[\[\]{}]")
_SLICE = re.compile(rb'(?:[^"]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"){1,5000}+', re.DOTALL)
"""Some thousand strings with what stands between them: a body is checked in slices, so that other threads get their turn."""
_PIECE = 1_000_000
_STARTS = {
    codecs.BOM_UTF8: "a byte order mark",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "a zip file",
}
"""First bytes that say what a body is instead."""


class JsonError(InputError):
    """The body is not valid JSON."""

    http_status = 400
    code = "not_json"


class TooManyValuesError(JsonError):
    """The body has more values than a request can need; it is refused before it is parsed."""

    http_status = 413
    code = "too_large"


def parse(body: bytes | bytearray, max_values: int = MAX_VALUES) -> Any:
    """Parse the body of a request.

    Parameters
    ----------
    body
        What was received.
    max_values
        Limit on objects, lists and commas. A parsed value takes up to 200 bytes of memory, so this limits what a body can cost.

    Raises
    ------
    JsonError
        If the body is empty, not UTF-8, not JSON or nested too deeply, has too many values, or has NaN, Infinity, a
        duplicate key or a lone surrogate.

    Examples
    --------
    >>> parse(b'{"entity": "a"}')
    {'entity': 'a'}
    >>> parse(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    pql_model.serve.strict_json.JsonError: Duplicate key in the JSON body. Received: a...
    """
    if not body or body.isspace():
        raise _refused("The body is empty", "nothing")
    for start, what in _STARTS.items():
        if body.startswith(start):
            raise _refused("The body is not plain JSON in UTF-8", what)
    few = len(body) <= max_values or _values_in(body) <= max_values
    _refuse_depth(body if few else _outside_strings(body, max_values))
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused("The body is not UTF-8", f"byte {error.object[error.start]:#x} at {error.start}") from error
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


def _values_in(body: bytes | bytearray) -> int:
    """Count commas and opening brackets, also those in strings."""
    return sum(body.count(mark, at, at + _PIECE) for at in range(0, len(body), _PIECE) for mark in (b",", b"{", b"["))


def _outside_strings(body: bytes | bytearray, max_values: int) -> bytes:
    """Remove the strings from a body, unless too many values are left."""
    parts, values, at = [], 0, 0
    while at < len(body):
        found = _SLICE.match(body, at)
        end = found.end() if found is not None else len(body)
        part = _STRINGS.sub(b"", body[at:end])
        values, at = values + _values_in(part), end
        if values > max_values:
            raise TooManyValuesError(
                "body",
                received=f"more than {max_values:,} values",
                allowed=f"at most {max_values:,} objects, lists and commas",
                what="The body has too many values",
            )
        parts.append(part)
    return b"".join(parts)


def _refuse_depth(body: bytes | bytearray) -> None:
    """Check the depth before parsing, since the parser uses one stack frame per level.

    Matching pairs of brackets are removed from the inside out, one level per round, which is fast for almost every body.
    Brackets in strings are distinguished only if that does not end with nothing left; if they hide a level, the parser's own
    limit applies.
    """
    pieces = (body[at : at + _PIECE] for at in range(0, len(body), _PIECE))
    pairs = b"".join(piece.translate(_TO_SQUARE, _NOT_BRACKETS) for piece in pieces)
    for _ in range(MAX_DEPTH):
        if not pairs:
            return
        before, pairs = len(pairs), pairs.replace(b"[]", b"")
        if len(pairs) == before:
            break
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
