"""What sales did with the alerts: acceptance by group, time to contact, and alerts that nobody touched.

Several alerts of one account are not independent: every interval counts as many trials as the accounts are worth
(`clustered_share`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.outreach.alerts import ACCEPTED, REJECTED
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate
from pql_model.statistics.proportions import clustered_share
from pql_model.time import DAY, iso

DAYS_TO_CONTACT = (1, 3, 7)
UNTOUCHED_AFTER = 7
"""Days after which an alert without an answer counts as untouched."""
_MOST_LISTED = 20
_MOST_GROUPS = 20


@dataclass(frozen=True)
class LeadGroup:
    """The alerts of a group and the answers of sales.

    Attributes
    ----------
    touched
        Alerts with any answer.
    contacted_rate
        Of all alerts.
    acceptance
        Accepted, of those accepted or rejected.
    won_rate
        Of all alerts.
    """

    group: str
    leads: int
    entities: int
    touched: int
    contacted: int
    accepted: int
    rejected: int
    won: int
    contacted_rate: Estimate
    acceptance: Estimate
    won_rate: Estimate

    @classmethod
    def of(cls, group: str, leads: pd.DataFrame) -> LeadGroup:
        entity, status = leads["entity"].to_numpy(object), leads["status"].to_numpy(object)
        contacted, won = leads["contacted_at"].notna().to_numpy(bool), leads["won_at"].notna().to_numpy(bool)
        accepted, rejected = status == ACCEPTED, status == REJECTED
        decided = accepted | rejected
        return cls(
            group,
            leads=len(leads),
            entities=len(set(entity)),
            touched=int(leads["touched"].sum()),
            contacted=int(contacted.sum()),
            accepted=int(accepted.sum()),
            rejected=int(rejected.sum()),
            won=int(won.sum()),
            contacted_rate=clustered_share(contacted, entity),
            acceptance=clustered_share(accepted[decided], entity[decided]),
            won_rate=clustered_share(won, entity),
        )

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=6)


def lead_groups(leads: pd.DataFrame, order: Sequence[str] = ()) -> dict[str, tuple[LeadGroup, ...]]:
    """Group the alerts by everything that is known of them.

    Parameters
    ----------
    leads
        See `alerted_leads`; a column `reason` (of the score), where there is one, is a group too.
    order
        Names of the bands, highest first.

    Returns
    -------
    dict
        `band`, `definition`, `definition_in_force`, `reason`, `owner`, `month` -> groups; the largest 20 of each kind.
    """
    keys = {
        "band": leads["band"],
        "definition": _met(leads["meets_definition"]),
        "definition_in_force": _met(leads["meets_in_force"]),
        **({"reason": leads["reason"]} if "reason" in leads else {}),
        "owner": leads["owner"],
        "month": leads["as_of"].map(lambda at: iso(int(at))[:7]),
    }
    groups = {}
    for name, key in keys.items():
        parts = [LeadGroup.of(str(value), part) for value, part in leads.groupby(key)]
        parts = sorted(parts, key=lambda group: -group.leads)[:_MOST_GROUPS]
        if name == "band":
            parts = sorted(parts, key=lambda group: order.index(group.group) if group.group in order else len(order))
        elif name == "month":
            parts = sorted(parts, key=lambda group: group.group)
        groups[name] = tuple(parts)
    return groups


def _met(flags: pd.Series) -> pd.Series:
    return flags.map(lambda met: None if pd.isna(met) else "met" if met else "not met")


@dataclass(frozen=True)
class RejectionReason:
    """A reason that sales gave, and its share of the rejected alerts; None for rejections without a reason."""

    reason: str | None
    leads: int
    share: Estimate

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=6)


def rejection_reasons(leads: pd.DataFrame) -> tuple[RejectionReason, ...]:
    """Count the reasons of the rejected alerts, the most frequent first."""
    rejected = leads[(leads["status"] == REJECTED).to_numpy(bool)]
    reasons = rejected["rejected_reason"].astype(object).where(rejected["rejected_reason"].notna(), None)
    counts = reasons.map(lambda reason: "" if reason is None else str(reason))
    entity = rejected["entity"].to_numpy(object)
    names = sorted(set(counts), key=lambda name: (-int((counts == name).sum()), name))
    return tuple(
        RejectionReason(
            name or None, int((counts == name).sum()), clustered_share((counts == name).to_numpy(bool), entity)
        )
        for name in names[:_MOST_GROUPS]
    )


@dataclass(frozen=True)
class ContactDelay:
    """How long alerts waited for contact.

    Attributes
    ----------
    within
        Days -> share of the alerts at least that old which were contacted within them.
    median_days
        Of those contacted; NaN where none was.
    """

    within: dict[int, Estimate]
    median_days: float

    def to_dict(self) -> dict[str, Any]:
        within = {f"{days}d": estimate.to_dict(6) for days, estimate in self.within.items()}
        return {"within": within, "median_days": None if math.isnan(self.median_days) else round(self.median_days, 3)}


def contact_delay(leads: pd.DataFrame, until: int) -> ContactDelay:
    """Measure the time from alert to contact."""
    delay = leads["contacted_at"].to_numpy(float) - leads["as_of"].to_numpy(float)
    age, entity = until - leads["as_of"].to_numpy(float), leads["entity"].to_numpy(object)
    within = {}
    for days in DAYS_TO_CONTACT:
        old = age >= days * DAY
        with np.errstate(invalid="ignore"):
            within[days] = clustered_share(delay[old] < days * DAY, entity[old])
    known = delay[~np.isnan(delay)]
    return ContactDelay(within, float(np.median(known)) / DAY if len(known) else math.nan)


@dataclass(frozen=True)
class Untouched:
    """Alerts older than a week without any answer: their number, share, and the last of them."""

    leads: int
    share: Estimate
    last: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        return {"leads": self.leads, "share": self.share.to_dict(6), "last": list(self.last)}


def untouched(leads: pd.DataFrame, until: int) -> Untouched:
    """Find the alerts that nobody touched."""
    old = leads[(until - leads["as_of"].to_numpy(float)) >= UNTOUCHED_AFTER * DAY]
    without = ~old["touched"].to_numpy(bool)
    last = old[without].tail(_MOST_LISTED).iloc[::-1]
    rows = tuple(
        {"entity": str(row["entity"]), "as_of": iso(int(row["as_of"])), "band": row["band"]}
        for row in last.to_dict("records")
    )
    return Untouched(int(without.sum()), clustered_share(without, old["entity"].to_numpy(object)), rows)
