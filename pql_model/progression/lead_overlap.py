"""PQLs beside MQLs on the same accounts: who converts better, how far the two overlap, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pql_model.payload import to_payload
from pql_model.progression.figures import median_interval
from pql_model.progression.funnel_counts import PAID, PQL, FollowedEntities
from pql_model.statistics.estimate import Estimate, wilson
from pql_model.statistics.proportions import Trials, difference
from pql_model.time import DAY


@dataclass(frozen=True)
class LeadCell:
    """Entities of one cell, and those of them that paid afterwards."""

    entities: int
    paid: int

    @property
    def rate(self) -> Estimate:
        return wilson(self.paid, self.entities)

    def to_dict(self) -> dict[str, Any]:
        return {"entities": self.entities, "paid": self.paid, "rate": self.rate.to_dict(6)}


@dataclass(frozen=True)
class LeadOverlap:
    """Two kinds of leads on the same accounts.

    Attributes
    ----------
    other
        The stage beside PQL, such as MQL.
    pql, mql, both, pql_only, mql_only, neither
        Counts.
    difference
        Conversion rate of those that are PQLs only minus that of those that are the other only: no account is in both groups.
    pql_days, mql_days
        Median days from becoming one to the payment.
    """

    other: str
    pql: LeadCell
    mql: LeadCell
    both: LeadCell
    pql_only: LeadCell
    mql_only: LeadCell
    neither: LeadCell
    difference: Estimate
    pql_days: Estimate
    mql_days: Estimate

    def to_dict(self) -> dict[str, Any]:
        names = ("pql", "mql", "both", "pql_only", "mql_only", "neither")
        return {
            "other": self.other,
            **{name: getattr(self, name).to_dict() for name in names},
            "difference": self.difference.to_dict(6),
            "days_to_paid": {"pql": to_payload(self.pql_days, 3), "mql": to_payload(self.mql_days, 3)},
        }


def lead_overlap(followed: FollowedEntities, other: str) -> LeadOverlap:
    """Compare PQLs with another kind of lead among the entities of which both would be known.

    A stage that was reached at or after the payment made nobody a lead.
    """
    frame = followed.since(PQL, other).frame
    paid_at, pql_at, mql_at = (frame[name].to_numpy(np.float64) for name in (PAID, PQL, other))
    paid = ~np.isnan(paid_at)
    until = np.where(paid, paid_at, np.inf)
    pql, mql = pql_at < until, mql_at < until  # never where NaN

    def cell(mask: np.ndarray) -> LeadCell:
        return LeadCell(int(mask.sum()), int((mask & paid).sum()))

    pql_only, mql_only = cell(pql & ~mql), cell(mql & ~pql)
    return LeadOverlap(
        other,
        cell(pql),
        cell(mql),
        cell(pql & mql),
        pql_only,
        mql_only,
        cell(~pql & ~mql),
        difference(Trials.of(pql_only.paid, pql_only.entities), Trials.of(mql_only.paid, mql_only.entities)),
        median_interval((paid_at - pql_at)[pql & paid] / DAY),
        median_interval((paid_at - mql_at)[mql & paid] / DAY),
    )
