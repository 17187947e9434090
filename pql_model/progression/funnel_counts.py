"""How many entities reached each stage within a fixed time after their sign-up, and how long it took.

Every entity is followed for the same time, so that an old cohort has no more chances than a young one; entities that have not
been followed so long yet are left out and counted. A stage counts if its first time lies in [signed_up, signed_up + within).
Whether an entity skipped a stage, or reached it before the one before, changes nothing in its other stages; both are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pql_model.payload import to_payload
from pql_model.progression.figures import median_interval
from pql_model.snapshots.periods import month_of
from pql_model.statistics.estimate import Estimate, wilson
from pql_model.time import DAY, Duration

SIGNED_UP, ACTIVATED, PQL, PAID = "signed_up", "activated", "PQL", "paid"


@dataclass(frozen=True)
class StageFigures:
    """One stage of a funnel.

    Attributes
    ----------
    of
        Entities whose stage would be known had they reached it.
    entities
        Those that reached it.
    of_signed_up
        Share of all of them.
    of_previous
        Share of those that reached the stage before; NaN for the first.
    days_from_sign_up, days_from_previous
        Median days, among `entities`, and among those that reached it at or after the stage before.
    backwards
        Entities that reached it before the stage before.
    skipped
        Entities that reached it without the stage before.
    """

    stage: str
    of: int
    entities: int
    of_signed_up: Estimate
    of_previous: Estimate
    days_from_sign_up: Estimate
    days_from_previous: Estimate
    backwards: int
    skipped: int

    def to_dict(self) -> dict[str, object]:
        return {key: to_payload(value, 6) for key, value in vars(self).items()}


@dataclass(frozen=True)
class FollowedEntities:
    """Entities that were followed long enough.

    Attributes
    ----------
    frame
        One row an entity: `signed_up` and a column a stage, in microseconds, NaN where it was not reached in time.
    stages
        The stages in order, the first of which is `signed_up`.
    known_from
        Stage -> the first sign-up from which it would be known; stages without one are always known.
    too_young
        Entities that were left out.
    """

    frame: pd.DataFrame
    stages: tuple[str, ...]
    known_from: Mapping[str, int]
    too_young: int

    def since(self, *stages: str) -> FollowedEntities:
        """Keep the entities of which all these stages would be known."""
        start = max((self.known_from.get(stage, 0) for stage in stages), default=0)
        return self.where(self.frame["signed_up"].to_numpy() >= start)

    def where(self, mask: np.ndarray) -> FollowedEntities:
        return FollowedEntities(self.frame[mask], self.stages, self.known_from, self.too_young)


def follow(
    frame: pd.DataFrame,
    stages: Sequence[str],
    within: Duration,
    observed_until: int,
    known_from: Mapping[str, int] | None = None,
) -> FollowedEntities:
    """Keep the entities that signed up at least `within` before the end of the data, and what they reached in that time.

    Parameters
    ----------
    frame
        One row an entity: `signed_up` and a column a stage, in microseconds, NaN where it was never reached.

    Examples
    --------
    >>> frame = pd.DataFrame({"signed_up": [0, 0, 9 * DAY], "paid": [3.0 * DAY, 8.0 * DAY, np.nan]})
    >>> followed = follow(frame, ["paid"], Duration.parse("5d"), observed_until=10 * DAY)
    >>> followed.too_young, followed.frame["paid"].notna().tolist()
    (1, [True, False])
    """
    known = frame["signed_up"].notna()
    old = known & (frame["signed_up"] + within.us <= observed_until)
    kept = frame[old].copy()
    begun = kept["signed_up"].to_numpy(np.float64)
    for stage in stages:
        at = kept[stage].to_numpy(np.float64)
        kept[stage] = np.where((at >= begun) & (at < begun + within.us), at, np.nan)
    return FollowedEntities(kept, (SIGNED_UP, *stages), dict(known_from or {}), int((known & ~old).sum()))


def stage_figures(followed: FollowedEntities) -> list[StageFigures]:
    """Count each stage, with rates and times."""
    figures, previous = [], SIGNED_UP
    for stage in followed.stages:
        part = followed.since(stage, previous).frame
        at, before = (part[name].to_numpy(np.float64) for name in (stage, previous))
        reached, reached_before = ~np.isnan(at), ~np.isnan(before)
        both = reached & reached_before
        forward = both & (at >= before)
        is_first = stage == SIGNED_UP
        everyone = followed.since(stage).frame
        since_sign_up = (everyone[stage] - everyone[SIGNED_UP]).to_numpy(np.float64)
        all_reached = int(everyone[stage].notna().sum())
        nothing = median_interval(np.empty(0))
        figures.append(
            StageFigures(
                stage=stage,
                of=len(everyone),
                entities=all_reached,
                of_signed_up=wilson(all_reached, len(everyone)),
                of_previous=nothing if is_first else wilson(int(both.sum()), int(reached_before.sum())),
                days_from_sign_up=nothing
                if is_first
                else median_interval(since_sign_up[~np.isnan(since_sign_up)] / DAY),
                days_from_previous=nothing if is_first else median_interval((at - before)[forward] / DAY),
                backwards=int((both & ~forward).sum()),
                skipped=0 if is_first else int((reached & ~reached_before).sum()),
            )
        )
        previous = stage
    return figures


def by_cohort(followed: FollowedEntities) -> dict[str, list[StageFigures]]:
    """Figures by month of sign-up, the earliest first."""
    return by_segment(followed, month_of(followed.frame["signed_up"].to_numpy(np.int64)))


def by_segment(followed: FollowedEntities, segment: np.ndarray) -> dict[str, list[StageFigures]]:
    """Figures by segment, sorted by name; entities without one are in none.

    Parameters
    ----------
    segment
        Name or None of each entity, (entities,).
    """
    names = np.array(["" if name is None or name != name else str(name) for name in segment], object)
    return {name: stage_figures(followed.where(names == name)) for name in sorted(set(names) - {""})}
