"""The policy of `pql.yaml`: when an entity is a PQL."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator, model_validator

from pql_model.config.definition import Criterion
from pql_model.config.types import DurationField, Strict, TextsField

LOWEST_BAND = "very_low"
"""The band below the last of `policy.bands`."""


class Capacity(Strict):
    """How many leads sales can work."""

    leads: int = Field(ge=1, description="Number of leads.")
    per: DurationField = Field(description="The period.")

    @property
    def per_week(self) -> float:
        """Leads a week."""
        return self.leads * 7 / self.per.days


class Policy(Strict):
    """When an entity is a PQL: exactly one of `capacity`, `probability`, `precision` and `definition`, refined by the other keys."""

    capacity: Capacity | None = Field(None, description="Capacity of sales: the best `leads` in each period `per`.")
    probability: float | None = Field(None, gt=0, lt=1, description="Least probability.")
    precision: float | None = Field(
        None, gt=0, lt=1, description="Least conversion rate: the lowest threshold that reached it in the test period."
    )
    definition: Literal["recommended", "in_force"] | None = Field(
        None, description="Entities that meet the model's recommended definition, or the one under `definition:`."
    )
    bands: dict[str, float] = Field(
        default_factory=lambda: {"high": 0.25, "medium": 0.1, "low": 0.03},
        min_length=1,
        description=f"Band -> its least probability, highest first. Below the last band is `{LOWEST_BAND}`.",
    )
    exclude: dict[str, TextsField] = Field(
        default_factory=dict, description="Trait -> values: entities that are scored but never a PQL."
    )
    hand_raise: list[Criterion] = Field(
        default_factory=list,
        description="An entity that meets any of these conditions qualifies, whatever its probability.",
    )
    cool_down: DurationField = Field(
        "14d", validate_default=True, description="Time after an alert during which the same entity raises no other."
    )
    stay: float = Field(
        0.8,
        gt=0,
        le=1,
        description="A PQL stays a PQL until its probability falls below this share of the threshold.",
    )
    hold_out: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Share of entities in a permanent random hold-out, which qualify but are never a PQL, for comparison.",
    )

    @field_validator("bands")
    @classmethod
    def _falling(cls, bands: dict[str, float]) -> dict[str, float]:
        edges = list(bands.values())
        if not all(0 < edge < 1 for edge in edges) or any(a <= b for a, b in pairwise(edges)):
            raise ValueError(f"bands are probabilities between 0 and 1, the highest first. Received: {bands}")
        if LOWEST_BAND in bands:
            raise ValueError(f"`{LOWEST_BAND}` is the band below the last one: leave it out")
        return bands

    @model_validator(mode="after")
    def _one(self) -> Policy:
        received = [name for name in WAYS if getattr(self, name) is not None]
        if len(received) != 1:
            raise ValueError(
                f"a policy has exactly one of {', '.join(WAYS)}. Received: {', '.join(received) or 'none'}"
            )
        return self


WAYS = ("capacity", "probability", "precision", "definition")
"""The alternatives that decide when an entity qualifies."""
