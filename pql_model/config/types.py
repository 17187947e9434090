"""Pydantic types for durations, windows and instants, and the strict base of all config models."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from pql_model.time import DURATION_HELP, WINDOW_HELP, Duration, Window, as_instant, iso


class Strict(BaseModel):
    """Unknown keys are faults; nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, arbitrary_types_allowed=True)


def _duration(raw: Any) -> Any:
    if isinstance(raw, str):
        return Duration.parse(raw)
    if isinstance(raw, Duration):
        return raw
    raise ValueError(f"`{raw}` is not a duration. Allowed: {DURATION_HELP}")


def _window(raw: Any) -> Any:
    if isinstance(raw, str):
        return Window.parse(raw)
    if isinstance(raw, Window):
        return raw
    raise ValueError(f"`{raw}` is not a window. Allowed: {WINDOW_HELP}")


def _texts(raw: Any) -> Any:
    """Ids and categories as texts: YAML reads 12 as a number and 2026-01-31 as a date."""
    if not isinstance(raw, list):
        return raw
    if stray := [value for value in raw if value is None or isinstance(value, dict | list)]:
        raise ValueError(f"a list of texts or numbers holds `{stray[0]}`; quote it if it is meant as a text")
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in raw]


def _instant(raw: Any) -> Any:
    if isinstance(raw, int) and not isinstance(raw, bool) and raw > 10**13:
        return raw  # already microseconds: a config that was read before
    return as_instant(raw if isinstance(raw, dt.date) else str(raw))


DurationField = Annotated[
    Duration,
    BeforeValidator(_duration),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+[smhdw]$", "description": DURATION_HELP}),
]
WindowField = Annotated[
    Window,
    BeforeValidator(_window),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(first|last) \d+[smhdw]$|^ever$", "description": WINDOW_HELP}),
]
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
