"""Whether one entity is at risk at an instant, and why if it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pql_model.config.schema import Config
from pql_model.snapshots.grid import scoring_grid
from pql_model.sources.duckdb_session import fetch_row, fetch_scalar
from pql_model.sources.read import Sources
from pql_model.time import DAY, iso

Table = Any


@dataclass(frozen=True)
class Eligibility:
    """Whether and why an entity is not scored.

    Attributes
    ----------
    as_of, signed_up, converted_at
        Instants in microseconds; None where unknown or not happened.
    why_not
        The reason under which `pql score` counts the entity; None at risk.
    text
        The same as a sentence.
    """

    as_of: int
    signed_up: int | None
    converted_at: int | None
    why_not: str | None
    text: str | None

    @property
    def begun(self) -> bool:
        """Whether features can be computed."""
        return self.why_not != "not_signed_up_yet"


def eligibility(config: Config, sources: Sources, as_of: int) -> tuple[Eligibility, Table]:
    """Judge the only entity of `sources`; also return its row of the scoring grid.

    Features can be computed on the row once the entity has signed up, whatever the reason.
    """
    grid = scoring_grid(config, sources, as_of)
    row = fetch_row(grid)
    first = fetch_scalar(sources.conversions.table.time.min())
    converted_at, signed_up = (None if time is None else int(time) for time in (first, row["signed_up"]))
    text = _explanation(config, row["reason"], as_of, signed_up, converted_at) if row["reason"] else None
    return Eligibility(as_of, signed_up, converted_at, row["reason"], text), grid


def _explanation(config: Config, reason: str, as_of: int, signed_up: int | None, converted_at: int | None) -> str:
    if reason == "excluded":
        return "it is excluded by `exclude:` in the config"
    if reason == "converted" and converted_at is not None:
        return f"it converted at {iso(converted_at)}; `--as-of {iso(converted_at)}` is the last instant before that"
    if reason == "not_signed_up_yet" and signed_up is not None:
        return f"it signed up at {iso(signed_up)}, which is not before as_of, so nothing was known about it"
    if reason in ("too_young", "too_old") and signed_up is not None:
        days = config.schedule.at_days or [0]
        age = f"{(as_of - signed_up) / DAY:.1f} days after its sign-up"
        return f"as_of is {age}, and the model covers days {days[0]} to {days[-1] + 1} only"
    within = config.schedule.active_within
    return f"it had no event in the last {within.text if within else 'days'}, and the model covers active entities only"
