"""The tables of `pql.yaml`: events, entities and conversions, with the columns that hold what."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator, model_validator

from pql_model.config.row_filter import Where, where_field
from pql_model.config.text_format import TextFormat
from pql_model.config.types import ColumnsField, DurationField, InstantField, Strict
from pql_model.measures import ANY
from pql_model.time import iso, now


class EventColumns(Strict):
    """The columns of an event table."""

    entity: str | None = Field(
        None,
        description="The entity of the event: the account, or the user where users convert. A cell may hold a list of "
        "ids: the event belongs to each. Required, unless `members` says which accounts a user belongs to.",
    )
    time: str = Field(description="The time of the event.")
    event: str | None = Field(None, description="Shape 1, a log: the name of the event.")
    user: ColumnsField | None = Field(
        None, description="The user inside the account. Of a list of columns, the first that is not blank counts."
    )
    id: str | None = Field(None, description="Unique id of the row; repeated ids are set aside.")
    known_at: str | None = Field(None, description="The time at which the row arrived; it is not visible before.")
    user_agent: str | None = Field(None, description="The user agent, for recognising bots.")


class EventTable(TextFormat):
    """An event table, in one of three shapes."""

    stub: ClassVar[dict[str, Any]] = {"table": "x", "columns": {"entity": "x", "time": "x"}, "event": "x"}

    table: str = Field(description="A file, a glob, or a table of the connection.")
    columns: EventColumns = Field(description="Which column holds what.")
    event: str | None = Field(None, description="Shape 2: the event that every row is.")
    counts: dict[str, str] | None = Field(None, description="Shape 3: event name -> column of counts.", min_length=1)
    users: dict[str, str] = Field(default_factory=dict, description="Shape 3: event name -> column of distinct users.")
    covers: DurationField | None = Field(None, description="Shape 3: a row sums up [time, time + covers).")
    values: dict[str, str] = Field(default_factory=dict, description="Value name -> numeric column.")
    where: Where = where_field()
    drop_repeats: bool = Field(False, description="Count rows that are alike in every column once.")

    @model_validator(mode="after")
    def _one_shape(self) -> EventTable:
        shapes = {"columns.event": self.columns.event, "event": self.event, "counts": self.counts}
        received = [key for key, value in shapes.items() if value]
        if len(received) != 1:
            raise ValueError(
                "an event table has exactly one of `columns.event` (a log), `event` (every row is that event), "
                f"`counts` (already counted). Received: {', '.join(received) or 'none'}"
            )
        if ANY in (self.event, *(self.counts or {})):
            raise ValueError(f"`{ANY}` stands for all events together and cannot name one")
        if self.counts is None and (self.users or self.covers):
            raise ValueError("`users` and `covers` belong to a table with `counts`")
        if self.counts is not None:
            if self.covers is None:
                raise ValueError("a table with `counts` needs `covers`, the period a row sums up, such as `covers: 7d`")
            if self.values:
                raise ValueError("`values` belong to a log: in a table with `counts`, name the column under `counts`")
            if stray := sorted(set(self.users) - set(self.counts)):
                raise ValueError(f"`users` names events that are not in `counts`: {', '.join(stray)}")
        return self


class EntityColumns(Strict):
    """The columns of the entities table."""

    entity: str = Field(description="The id of the entity.")
    signed_up: str | None = Field(None, description="The time at which the trial or free plan began.")


class EarlierTable(Strict):
    """An earlier extract of the entities, with the same columns."""

    table: str = Field(description="A file, a glob, or a table of the connection.")
    where: Where | None = where_field("Default: the `where` of the entities.")


class EntityTable(TextFormat):
    """The entities that can convert, with their traits."""

    stub: ClassVar[dict[str, Any]] = {"table": "x", "columns": {"entity": "x", "signed_up": "x"}}

    table: str = Field(description="A file, a glob, or a table of the connection.")
    columns: EntityColumns = Field(description="Which column holds what.")
    traits: list[str] | None = Field(None, description="Columns to use as traits; default: every other column.")
    where: Where = where_field()
    earlier: EarlierTable | None = Field(
        None,
        description="An earlier extract of the same table: traits that have changed since, more often for converters, are leaks.",
    )


class ConversionColumns(Strict):
    """The columns of the conversions table."""

    entity: str = Field(description="The id of the entity that converted.")
    time: str = Field(description="The time of the conversion.")
    value: str | None = Field(
        None, description="The amount paid. Rows of 0 are not payments; negative rows are refunds of earlier ones."
    )
    refunded: str | None = Field(
        None, description="The part of the amount that was paid back. Rows paid back in full do not count."
    )
    currency: str | None = Field(None, description="The currency of the amount. Needed where there are several.")
    start: str | None = Field(
        None, description="The time where `time` is empty: the start of a subscription that had no trial."
    )
    canceled: str | None = Field(
        None,
        description="When the subscription was cancelled. One cancelled by the time of its first payment was never paid.",
    )

    @model_validator(mode="after")
    def _of_a_value(self) -> ConversionColumns:
        if self.refunded is not None and self.value is None:
            raise ValueError("`refunded` needs `value`, the amount of which it is a part")
        if self.currency is not None and self.value is None:
            raise ValueError("`currency` needs `value`, the amount that it is of")
        return self


class ConversionTable(TextFormat):
    """The conversions, one row per payment. The first payment of an entity that was not paid back counts."""

    stub: ClassVar[dict[str, Any]] = {"table": "x", "columns": {"entity": "x", "time": "x"}}

    table: str = Field(description="A file, a glob, or a table of the connection.")
    columns: ConversionColumns = Field(description="Which column holds what.")
    where: Where = where_field()
    drop_repeats: bool = Field(False, description="Count rows that are alike in every column once.")
    rates: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="Currency -> what one unit of it is worth, in the currency that values are to be given in.",
    )
    complete_until: InstantField | None = Field(
        None,
        description="The day until which you know that no payment is missing. First payments that stopped before it are "
        "then not a table that ended, and nobody new buys.",
    )

    @field_validator("complete_until")
    @classmethod
    def _has_come(cls, value: int | None) -> int | None:
        if value is not None and value > now():
            raise ValueError(
                f"`complete_until` is a day that has come: nobody knows what is missing until {iso(value)}"
            )
        return value

    @model_validator(mode="after")
    def _rates_of_currencies(self) -> ConversionTable:
        if self.rates and self.columns.currency is None:
            raise ValueError("`rates` need `columns.currency`, the currency of each payment")
        return self
