"""Pydantic types for durations, windows, instants and lists of texts, and the strict base of all config models."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from pql_model.time import DURATION_HELP, WINDOW_HELP, Duration, Window, as_instant, iso


class Strict(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, arbitrary_types_allowed=True)


def _parsed(kind: type[Duration] | type[Window], pattern: str, help_: str) -> Any:
    """Pydantic metadata for a type that is written as text."""

    def read(raw: Any) -> Any:
        return raw if isinstance(raw, kind) else kind.parse(str(raw))

    schema = WithJsonSchema({"type": "string", "pattern": pattern, "description": help_})
    return BeforeValidator(read), PlainSerializer(str, return_type=str), schema


def _texts(raw: Any) -> Any:
    """Read ids and categories as texts: YAML reads 12 as a number and 2026-01-31 as a date."""
    if not isinstance(raw, list | tuple):
        return raw
    if stray := [value for value in raw if value is None or isinstance(value, dict | list)]:
        raise ValueError(f"a list of texts or numbers contains `{stray[0]}`; quote it if it is a text")
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in raw]


def _columns(raw: Any) -> Any:
    """Read the name of one column as a list of one."""
    names = [raw] if isinstance(raw, str) else raw
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"needs the name of a column, or a list of names. Received: {raw!r}")
    return names


def _one_or_all(names: list[str]) -> str | list[str]:
    return names[0] if len(names) == 1 else names


def _instant(raw: Any) -> Any:
    if isinstance(raw, int) and not isinstance(raw, bool) and raw > 10**13:
        return raw  # microseconds of a config that is validated again
    return as_instant(raw if isinstance(raw, dt.date) else str(raw))


DurationField = Annotated[Duration, *_parsed(Duration, r"^\d+[smhdw]$", DURATION_HELP)]
WindowField = Annotated[Window, *_parsed(Window, r"^(first|last) \d+[smhdw]$|^ever$", WINDOW_HELP)]
InstantField = Annotated[
    int,
    BeforeValidator(_instant),
    PlainSerializer(iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "description": "A date or an ISO time, UTC."}),
]
TextsField = Annotated[
    list[str],
    BeforeValidator(_texts),
    WithJsonSchema({"type": "array", "items": {"type": ["string", "number", "boolean"]}}),
]
NamesField = Annotated[
    tuple[str, ...],
    BeforeValidator(_texts),
    WithJsonSchema({"type": "array", "items": {"type": ["string", "number", "boolean"]}}),
]
ColumnsField = Annotated[
    list[str],
    BeforeValidator(_columns),
    PlainSerializer(_one_or_all, return_type=Any),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
