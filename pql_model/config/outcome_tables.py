"""Tables of `pql.yaml` that say what became of leads: feedback of sales, and stages of the funnel."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, model_validator

from pql_model.config.row_filter import Where, where_field
from pql_model.config.text_format import TextFormat
from pql_model.config.types import Strict, TextsField


class FeedbackColumns(Strict):
    """The columns of a table of feedback."""

    entity: str = Field(description="The id of the entity.")
    time: str = Field(description="The time at which it was done or found.")
    disposition: str = Field(description="What was done or found, in the words of the table.")
    reason: str | None = Field(None, description="Why, such as the reason of a rejection.")
    owner: str | None = Field(None, description="Who did it.")


class Meanings(Strict):
    """What the words of a table of feedback mean: the dispositions that stand for each of four meanings."""

    contacted: TextsField = Field(default_factory=list, description="Dispositions that say that sales made contact.")
    accepted: TextsField = Field(default_factory=list, description="Dispositions that say that sales took the lead.")
    rejected: TextsField = Field(
        default_factory=list, description="Dispositions that say that sales declined the lead."
    )
    won: TextsField = Field(default_factory=list, description="Dispositions that say that sales won the deal.")

    @model_validator(mode="after")
    def _each_once(self) -> Meanings:
        listed = [word for words in self.words.values() for word in words]
        if not listed:
            raise ValueError(
                "needs the dispositions of at least one meaning, such as `rejected: [junk]`. "
                f"Allowed: {', '.join(type(self).model_fields)}"
            )
        if twice := sorted({word for word in listed if listed.count(word) > 1}):
            raise ValueError(f"each disposition has one meaning. Listed more than once: {', '.join(twice)}")
        return self

    @property
    def words(self) -> dict[str, list[str]]:
        """Meaning -> dispositions."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class FeedbackTable(TextFormat):
    """What sales did and found, one row per disposition. Never part of the label."""

    stub: ClassVar[dict[str, Any]] = {
        "table": "x",
        "columns": {"entity": "x", "time": "x", "disposition": "x"},
        "means": {"rejected": ["x"]},
    }

    table: str = Field(description="A file, a glob, or a table of the connection.")
    columns: FeedbackColumns = Field(description="Which column holds what.")
    where: Where = where_field()
    means: Meanings = Field(description="Meaning -> the dispositions that stand for it. Other rows are set aside.")


class StageColumns(Strict):
    """The columns of a table of stages."""

    entity: str = Field(description="The id of the entity.")
    time: str = Field(description="The time at which it reached the stage.")
    stage: str = Field(description="The stage, such as MQL or SQL.")


class StageTable(TextFormat):
    """Stages of the funnel that are known from elsewhere. The first time of each entity and stage counts."""

    stub: ClassVar[dict[str, Any]] = {"table": "x", "columns": {"entity": "x", "time": "x", "stage": "x"}}

    table: str = Field(description="A file, a glob, or a table of the connection.")
    columns: StageColumns = Field(description="Which column holds what.")
    where: Where = where_field()
