"""`where:` of a table: the rows that count, by the values of their columns."""

from __future__ import annotations

import datetime as dt
import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from pql_model.config.types import Strict, TextsField
from pql_model.time import INSTANT_HELP, as_instant, iso, parse_instant

BOUNDS = ("at_least", "at_most", "above", "below")


def _bound(raw: Any) -> Any:
    """Read a number, or a time, which is kept as its ISO text."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | dt.date):
        raise ValueError(f"a bound is a number, or {INSTANT_HELP}. Received: {raw!r}")
    try:
        number = math.nan if isinstance(raw, dt.date) else float(raw)
    except ValueError:  # a text that is not a number
        number = math.nan
    return number if math.isfinite(number) else iso(as_instant(raw))  # type: ignore[arg-type]


BoundField = Annotated[
    float | str,
    BeforeValidator(_bound),
    WithJsonSchema({"type": ["number", "string"], "description": f"A number, or {INSTANT_HELP}."}),
]


class RowFilter(Strict):
    """The values of one column that count: `[values]`, or `{at_least: x}`, `{not: [values]}`, `{missing: false}`."""

    in_: TextsField | None = Field(None, alias="in", min_length=1, description="Values that count.")
    not_: TextsField | None = Field(None, alias="not", min_length=1, description="Values that do not count.")
    at_least: BoundField | None = Field(None, description="Lowest number or earliest time that counts.")
    at_most: BoundField | None = Field(None, description="Highest number or latest time that counts.")
    above: BoundField | None = Field(None, description="Only higher numbers or later times count.")
    below: BoundField | None = Field(None, description="Only lower numbers or earlier times count.")
    missing: bool | None = Field(
        None,
        description="Whether rows without a value count; alone, `true` leaves only them. Default: only beside `not`.",
    )

    @model_validator(mode="before")
    @classmethod
    def _expand_list(cls, raw: Any) -> Any:
        if isinstance(raw, dict | RowFilter):
            return raw
        values = raw if isinstance(raw, list) else [raw]
        if None in values:
            raise ValueError("a missing value is written `{missing: true}`, not as an empty value or `null`")
        return {"in": values}

    @model_validator(mode="after")
    def _complete(self) -> RowFilter:
        if not self.tests_value and self.missing is None:
            raise ValueError(
                "needs values `[a, b]`, or one of `at_least`, `at_most`, `above`, `below`, `not`, `missing`"
            )
        if self.in_ is not None and self.not_ is not None:
            raise ValueError("`in` and `not` exclude each other: list the values that count")
        kinds = {type(bound) for bound in self.bounds.values()}
        if len(kinds) > 1:
            raise ValueError("the bounds of a column are all numbers or all times")
        low = max((v for key, v in self.bounds.items() if key in ("at_least", "above")), key=_place, default=None)
        high = min((v for key, v in self.bounds.items() if key in ("at_most", "below")), key=_place, default=None)
        if low is not None and high is not None and _place(low) > _place(high):
            raise ValueError(f"no value is above {_written(low)} and below {_written(high)}")
        return self

    @property
    def bounds(self) -> dict[str, float | str]:
        """Key -> its number, or its time as an ISO text."""
        return {key: bound for key in BOUNDS if (bound := getattr(self, key)) is not None}

    @property
    def tests_value(self) -> bool:
        """Whether values are tested, and not only whether there is one."""
        return self.in_ is not None or self.not_ is not None or bool(self.bounds)

    @property
    def accepts_missing(self) -> bool:
        """Whether rows without a value count."""
        if self.missing is not None:
            return self.missing
        return self.not_ is not None and not self.bounds

    @property
    def of_times(self) -> bool:
        """Whether the bounds are times."""
        return any(isinstance(bound, str) for bound in self.bounds.values())

    @property
    def text(self) -> str:
        """The filter as the config writes it: `[paid]`, `{at_least: 5}`."""
        if self.in_ is not None and self.missing is None and not self.bounds:
            return f"[{', '.join(self.in_)}]"
        parts = [f"{key}: [{', '.join(v)}]" for key, v in (("in", self.in_), ("not", self.not_)) if v is not None]
        parts += [f"{key}: {_written(bound)}" for key, bound in self.bounds.items()]
        if self.missing is not None:
            parts.append(f"missing: {str(self.missing).lower()}")
        return f"{{{', '.join(parts)}}}"


def _written(bound: float | str) -> str:
    return f"{bound:g}" if isinstance(bound, float) else bound


def _place(bound: float | str) -> float:
    """Where a bound lies, in numbers or in microseconds."""
    return bound if isinstance(bound, float) else float(parse_instant(bound))


def _or_values(schema: dict[str, Any]) -> None:
    """Let editors accept the short form, a list of values."""
    value = {"type": ["string", "number", "boolean"]}
    for part in (schema, *schema.get("anyOf", ())):
        if filters := part.get("additionalProperties"):
            part["additionalProperties"] = {"anyOf": [{"type": "array", "items": value}, value, filters]}


def where_field(optional: str | None = None) -> Any:
    """Declare the key `where` of a table; `optional` says what a missing key means, if not every row."""
    about = "Only these rows count: column -> `[values]`, or `{at_least: x}`, `{not: [values]}`, `{missing: true}`."
    if optional is None:
        return Field(default_factory=dict, description=about, json_schema_extra=_or_values)
    return Field(None, description=f"{about} {optional}", json_schema_extra=_or_values)


Where = dict[str, RowFilter]
"""Column -> the values that count. Every filter must hold."""
