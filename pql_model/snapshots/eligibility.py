"""Whether one entity is at risk at an instant, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pql_model.config.schema import Config
from pql_model.snapshots.grid import scoring_grid
from pql_model.sources.read import Sources
from pql_model.time import DAY, iso

Table = Any


@dataclass(frozen=True)
class Eligibility:
    """`why_not` is the reason that `pql score` counts the entity under, `words` the same in a sentence; None at risk."""

    as_of: int
    signed_up: int | None
    converted_at: int | None
    why_not: str | None
    text: str | None

    @property
    def begun(self) -> bool:
        """Whether there is anything to compute features from."""
        return self.why_not != "not_signed_up_yet"


def eligibility(config: Config, sources: Sources, as_of: int) -> tuple[Eligibility, Table]:
    """The standing of the only entity of `sources`, and its row of the scoring grid.

    Whatever the reason, the row can be computed on once the entity has signed up.
    """
    grid = scoring_grid(config, sources, as_of)
    row = grid.to_pyarrow().to_pylist()[0]
    times = sources.conversions.table.time.min().to_pyarrow().as_py()
    converted_at, signed_up = (None if time is None else int(time) for time in (times, row["signed_up"]))
    words = _words(config, row["reason"], as_of, signed_up, converted_at) if row["reason"] else None
    return Eligibility(as_of, signed_up, converted_at, row["reason"], words), grid


def _words(config: Config, reason: str, as_of: int, signed_up: int | None, converted_at: int | None) -> str:
    if reason == "excluded":
        return "it is excluded by `exclude:` in the config"
    if reason == "converted" and converted_at is not None:
        return f"it converted at {iso(converted_at)}; `--as-of {iso(converted_at)}` is the last instant at which it had not"
    if reason == "not_signed_up_yet" and signed_up is not None:
        return f"it signed up at {iso(signed_up)}, which is not before then, so nothing was known of it"
    if reason in ("too_young", "too_old") and signed_up is not None:
        days = config.schedule.at_days or [0]
        age = f"{(as_of - signed_up) / DAY:.1f} days after its sign-up"
        return f"it is {age}, and the model speaks of days {days[0]} to {days[-1] + 1} only"
    within = config.schedule.active_within
    return f"it had no event in the last {within.text if within else 'days'}, and the model speaks of active ones only"
