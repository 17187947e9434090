"""From first qualifications to all that can be said of the effect of contact: difference, cost, and time still needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.outreach.assignment import RELEASED, Assignment, check_assignment
from pql_model.outreach.contact_effect import (
    Comparison,
    Compliance,
    compare,
    compare_groups,
    measure_compliance,
    scaled,
)
from pql_model.outreach.qualifications import Qualifications, flow_per_week
from pql_model.outreach.sample_size import EFFECTS, SHARES, HoldOutCost, Wait, detectable_effect, wait_for
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate
from pql_model.time import WEEK

Verdict = Literal["no_leads", "no_hold_out", "no_final_outcomes", "too_few", "unclear", "helps", "harms"]
_WEEKS_OF_A_MONTH = 365.25 / 12 / 7
_SUGGESTED_SHARE = 0.1
_PRIOR = 20
"""Entities that the mean probability counts for beside the rate of the hold-out, where that planned with is small."""
_UNKNOWN = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class EffectMeasurement:
    """What is known of the effect of contact.

    Attributes
    ----------
    verdict
        `helps` or `harms` where the interval of the difference leaves out 0, `unclear` where it does not; otherwise why
        nothing can be known.
    overall
        All entities with final outcomes.
    groups
        By band at qualification, then those nearest the threshold.
    base_rate
        Conversion rate without contact that the planning assumes: that of the hold-out, drawn towards the mean probability
        while the hold-out is small.
    flow
        Entities that first qualify per week; NaN if unknown.
    share
        Share of the hold-out that the planning assumes: the present one, or 0.1 where there is none.
    waits, waits_of_shares
        Time to see effects of several sizes at the present share, and one of 10 points at other shares.
    detectable
        The effect that the present entities show with 80 % power; NaN without both arms.
    """

    verdict: Verdict
    overall: Comparison
    groups: tuple[Comparison, ...]
    compliance: Compliance
    assignment: Assignment
    cost: HoldOutCost
    base_rate: float
    flow: float
    share: float
    waits: tuple[Wait, ...]
    waits_of_shares: tuple[Wait, ...]
    detectable: float
    qualified: int
    pending: int
    set_aside: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        names = ("verdict", "overall", "groups", "compliance", "cost", "waits", "waits_of_shares", "set_aside")
        planning = {"base_rate": self.base_rate, "entities_per_week": self.flow, "hold_out": self.share}
        checks = select_attributes(self.assignment, "periods", "follows_hash", "warnings", digits=6)
        return {
            **select_attributes(self, *names, digits=6),
            "planning": select_attributes(_Planning(**planning, detectable=self.detectable), digits=6),
            "assignment": checks,
            "qualified": self.qualified,
            "pending": self.pending,
        }


@dataclass(frozen=True)
class _Planning:
    base_rate: float
    entities_per_week: float
    hold_out: float
    detectable: float


def measure_effect(
    qualifications: Qualifications,
    product: str,
    horizon: int,
    bands: Sequence[str],
    hold_out: float,
    has_feedback: bool,
) -> EffectMeasurement:
    """Measure the effect of contact.

    Parameters
    ----------
    product
        Name of the product, which the hash of the hold-out reads.
    horizon
        Microseconds within which a conversion counts.
    bands
        Names, highest first.
    hold_out
        Present share of the hold-out.
    has_feedback
        Whether the config maps feedback.
    """
    everyone = qualifications.frame
    assignment = check_assignment(product, everyone, horizon)
    kept = ~assignment.released
    frame, period = everyone[kept], assignment.period[kept]
    usable = frame["final"].to_numpy(bool)
    final, strata = frame[usable].reset_index(drop=True), period[usable]
    overall = compare("all", final, strata)
    set_aside = {**qualifications.set_aside, **({RELEASED: int((~kept).sum())} if (~kept).any() else {})}
    flow, share = flow_per_week(everyone, WEEK), hold_out or _SUGGESTED_SHARE
    base_rate = _base_rate(overall, everyone)
    have = final if overall.held_out.entities else final.iloc[:0]
    coming = int((~usable).sum()) if hold_out else 0
    horizon_weeks = horizon / WEEK
    waits = _waits(base_rate, [(e, share) for e in EFFECTS], len(have), flow, horizon_weeks, coming)
    other = _waits(base_rate, [(0.1, s) for s in SHARES], 0, flow, horizon_weeks, 0)
    return EffectMeasurement(
        verdict=_verdict(overall, frame, final),
        overall=overall,
        groups=compare_groups(final, strata, bands),
        compliance=measure_compliance(final, overall.difference, horizon, has_feedback),
        assignment=assignment,
        cost=_cost(overall, final, flow, hold_out),
        base_rate=base_rate,
        flow=flow,
        share=share,
        waits=waits,
        waits_of_shares=other,
        detectable=_detectable(base_rate, overall),
        qualified=len(everyone),
        pending=int((~usable).sum()),
        set_aside=set_aside,
    )


def _verdict(overall: Comparison, frame: pd.DataFrame, final: pd.DataFrame) -> Verdict:
    if frame.empty:
        return "no_leads"
    if not frame["held_out"].any():
        return "no_hold_out"
    if final.empty:
        return "no_final_outcomes"
    if not overall.is_known:
        return "too_few"
    return "helps" if overall.is_above_zero else "harms" if overall.is_below_zero else "unclear"


def _base_rate(overall: Comparison, frame: pd.DataFrame) -> float:
    if frame.empty:
        return math.nan
    expected = float(frame["probability"].mean())
    n = overall.held_out.entities
    return (overall.held_out.conversions + _PRIOR * expected) / (n + _PRIOR)


def _waits(
    base_rate: float, wanted: list[tuple[float, float]], have: int, flow: float, horizon_weeks: float, coming: int
) -> tuple[Wait, ...]:
    if math.isnan(base_rate):
        return ()
    reachable = [(effect, share) for effect, share in wanted if base_rate + effect <= 1]
    return tuple(wait_for(base_rate, effect, share, have, flow, horizon_weeks, coming) for effect, share in reachable)


def _detectable(base_rate: float, overall: Comparison) -> float:
    n1, n0 = overall.alerted.entities, overall.held_out.entities
    return detectable_effect(base_rate, n0 / (n1 + n0), n1 + n0) if n1 and n0 else math.nan


def _cost(overall: Comparison, final: pd.DataFrame, flow: float, hold_out: float) -> HoldOutCost:
    if not overall.is_known:
        return HoldOutCost(_UNKNOWN, _UNKNOWN, None)
    so_far = scaled(overall.difference, overall.held_out.entities)
    per_month = scaled(overall.difference, flow * hold_out * _WEEKS_OF_A_MONTH)
    values = final.loc[final["converted"].to_numpy(bool), "value"].dropna().to_numpy(float)
    return HoldOutCost(so_far, per_month, scaled(so_far, float(np.mean(values))) if len(values) else None)
