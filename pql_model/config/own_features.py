"""`features:` of `pql.yaml`: features of your own beside those that are offered from every event."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from pql_model.config.definition import check_measure, check_share, check_subject, expand_events
from pql_model.config.row_filter import Where, where_field
from pql_model.config.text_format import TextFormat
from pql_model.config.types import DurationField, NamesField, Strict, WindowField
from pql_model.time import EVER


class DatedKeys(Strict):
    """Which column holds what, in a table of dated columns."""

    entity: str = Field(description="The entity that the row speaks of.")
    time: str = Field(description="From when on the values hold.")
    known_at: str | None = Field(None, description="When the row arrived: it is invisible before.")


class OwnFeature(TextFormat):
    """A feature declared by event, measure and window; or a table of dated columns, of which the last value counts."""

    stub: ClassVar[dict[str, Any]] = {"event": "x"}

    event: str | None = Field(
        None, description="Event name, a list of names that count as one event, or `any` for the entity as a whole."
    )
    also: NamesField = Field((), description="More events that count as the same one.")
    after: str | None = Field(None, description="Only events that follow this one, at most `gap` later, count.")
    gap: DurationField | None = Field(None, description="How long after `after` an event may happen.")
    share_of: str | None = Field(None, description="A numeric trait, such as a quota: the measure is divided by it.")
    measure: str = Field("count", description="How to sum the event up.")
    value: str | None = Field(None, description="The numeric value that sum, max, last and distinct_values read.")
    window: WindowField = Field("ever", validate_default=True, description="`first 7d`, `last 14d` or `ever`.")
    table: str | None = Field(None, description="Instead of an event: a file, a glob, or a table of the connection.")
    columns: DatedKeys | None = Field(None, description="Of the table: entity, time, known_at.")
    values: dict[str, str] = Field(
        default_factory=dict, description="Of the table: name -> column, or a list of columns. The last value counts."
    )

    where: Where = where_field()

    @model_validator(mode="before")
    @classmethod
    def _list_of_events(cls, raw: Any) -> Any:
        return expand_events(raw) if isinstance(raw, dict) else raw

    @field_validator("values", mode="before")
    @classmethod
    def _by_name(cls, raw: Any) -> Any:
        return {str(name): str(name) for name in raw} if isinstance(raw, list) else raw

    @model_validator(mode="after")
    def _one_kind(self) -> OwnFeature:
        if (self.event is None) == (self.table is None):
            raise ValueError("a feature of your own has either `event` or `table`")
        if self.event is not None:
            if self.columns is not None or self.values:
                raise ValueError("`columns` and `values` belong to a `table` of dated columns, not to an `event`")
            of_tables = ("where", *TextFormat.model_fields)
            if stray := [name for name in of_tables if getattr(self, name)]:
                raise ValueError(f"`{stray[0]}` belongs to a `table` of dated columns, not to an `event`")
            check_measure(self.event, self.measure, self.value, self.window)
            check_subject((self.event, *self.also), self.after, self.gap)
            check_share(self.measure, self.share_of)
            return self
        unset: dict[str, Any] = {"measure": "count", "value": None, "window": EVER}
        unset |= {"also": (), "after": None, "gap": None, "share_of": None}
        if stray := [name for name, default in unset.items() if getattr(self, name) != default]:
            raise ValueError(f"`{stray[0]}` belongs to an `event`: of a table of dated columns the last value counts")
        if self.columns is None or not self.values:
            raise ValueError("a table of dated columns needs `columns: {entity: ..., time: ...}` and `values: [...]`")
        return self
