"""Tables of `pql.yaml` that say who is who: memberships of users in accounts, merged users, and traits that change."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator

from pql_model.config.row_filter import Where, where_field
from pql_model.config.text_format import EncodingField, TextFormat
from pql_model.config.types import Strict


class MemberColumns(Strict):
    """The columns of a memberships table."""

    user: str = Field(description="The user.")
    entity: str = Field(description="The account the user belongs to.")
    since: str | None = Field(None, description="The start of the membership; blank: from the beginning.")
    until: str | None = Field(None, description="The end of the membership, excluded; blank: it still lasts.")


class MemberTable(Strict):
    """The accounts that users belong to, for events that name only the user."""

    stub: ClassVar[dict[str, Any]] = {"table": "x", "columns": {"user": "x", "entity": "x"}}

    table: str = Field(description="A file, a glob, or a table of the connection.")
    columns: MemberColumns = Field(description="Which column holds what.")
    where: Where = where_field()
    encoding: EncodingField = None


class AliasColumns(Strict):
    """The columns of a table of merged users."""

    alias: str = Field(description="The id that was merged into another.")
    user: str = Field(description="The id that counts; it may itself be an alias.")


class AliasTable(Strict):
    """Users with several ids."""

    stub: ClassVar[dict[str, Any]] = {"table": "x", "columns": {"alias": "x", "user": "x"}}

    table: str = Field(description="A file, a glob, or a table of the connection.")
    columns: AliasColumns = Field(description="Which column holds what.")
    where: Where = where_field()
    encoding: EncodingField = None


class HistoryColumns(Strict):
    """The columns of a history of traits."""

    entity: str = Field(description="The entity whose traits changed.")
    time: str = Field(description="The time of the change; the values are visible from then on.")


class HistoryTable(TextFormat):
    """Traits that change: each row states all of them from its time on."""

    stub: ClassVar[dict[str, Any]] = {"table": "x", "columns": {"entity": "x", "time": "x"}, "traits": ["x"]}

    table: str = Field(description="A file, a glob, or a table of the connection.")
    columns: HistoryColumns = Field(description="Which column holds what.")
    where: Where = where_field()
    traits: list[str] = Field(min_length=1, description="Columns to use as traits. A blank cell: unknown from then on.")

    @field_validator("traits")
    @classmethod
    def _named_once(cls, traits: list[str]) -> list[str]:
        lower = [trait.lower() for trait in traits]
        if alike := sorted({trait for trait in traits if lower.count(trait.lower()) > 1}):
            raise ValueError(f"`traits` names a column twice, or two that differ only in case: {', '.join(alike)}")
        return traits
