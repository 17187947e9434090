"""State of the last runs: which entities are PQLs, since when, and when each was alerted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pql_model.decide.capacity import Flow


@dataclass(frozen=True)
class EntityState:
    """One entity after a run.

    Attributes
    ----------
    qualified_since
        Since when it qualifies, in the hold-out too; None where it does not.
    alerted_at
        The last time it was newly qualified.
    seen_at
        The last run in which it was at risk.
    threshold
        The probability that was needed when it last qualified; None before.
    peak
        Its highest probability so far.
    """

    is_pql: bool
    qualified_since: int | None
    alerted_at: int | None
    seen_at: int | None = None
    threshold: float | None = None
    peak: float = 0.0


@dataclass(frozen=True)
class RunState:
    """State after a run at `as_of`; None before the first run.

    Attributes
    ----------
    flow
        How often entities first reached each probability, under a capacity.
    day_price
        The lowest probability that was given a place on the UTC day of this run; None if none was.
    """

    as_of: int | None = None
    entities: Mapping[str, EntityState] = field(default_factory=dict)
    flow: Flow = field(default_factory=Flow)
    day_price: float | None = None


def previous_run(runs: Sequence[RunState], as_of: int) -> RunState | None:
    """Find the run that a run at `as_of` builds on: the last one before it, so that repeating a run gives the same answer.

    Returns
    -------
    RunState or None
        None if the newest run is later than `as_of`: its future must not decide.

    Examples
    --------
    >>> runs = [RunState(5), RunState(9)]
    >>> previous_run(runs, 9).as_of, previous_run(runs, 12).as_of, previous_run([], 3).as_of
    (5, 9, None)
    """
    instants = [run.as_of for run in runs if run.as_of is not None]
    if instants and as_of < max(instants):
        return None
    candidates = [run for run in runs if run.as_of is not None and run.as_of < as_of]
    return max(candidates, key=lambda run: run.as_of or 0, default=RunState())
