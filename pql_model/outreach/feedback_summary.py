"""What sales did with the alerts and what it found, as one result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pql_model.outreach.acceptance import (
    UNTOUCHED_AFTER,
    ContactDelay,
    LeadGroup,
    RejectionReason,
    Untouched,
    contact_delay,
    lead_groups,
    rejection_reasons,
    untouched,
)
from pql_model.outreach.effect_text import rate_text
from pql_model.outreach.rejected_traits import LEAST_ANSWERED, LEAST_OF_ANSWER, RejectedTraits
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate


@dataclass(frozen=True)
class FeedbackSummary:
    """Acceptance of the alerts by sales.

    Attributes
    ----------
    overall
        All alerts.
    groups
        Kind of group -> its groups, see `lead_groups`.
    reasons
        Why alerts were rejected.
    traits
        What rejected leads share.
    probability_of_answered, probability_of_others
        Mean probability of the alerts that sales answered, and of those it did not; NaN without such alerts.
    contradictory
        Alerts both accepted and rejected; the later answer counts.
    """

    overall: LeadGroup
    groups: Mapping[str, tuple[LeadGroup, ...]]
    reasons: tuple[RejectionReason, ...]
    delay: ContactDelay
    untouched: Untouched
    traits: RejectedTraits
    probability_of_answered: float
    probability_of_others: float
    contradictory: int

    def to_dict(self) -> dict[str, Any]:
        names = ("overall", "groups", "contradictory", "untouched")
        answered = {"answered": self.probability_of_answered, "others": self.probability_of_others}
        return {
            **select_attributes(
                self, *names, contact_delay="delay", rejection_reasons="reasons", rejected_traits="traits"
            ),
            "mean_probability": {name: None if math.isnan(p) else round(p, 6) for name, p in answered.items()},
        }


def summarise_feedback(
    leads: pd.DataFrame, traits: RejectedTraits, bands: Sequence[str], until: int
) -> FeedbackSummary:
    """Summarise the answers to the alerts.

    Parameters
    ----------
    leads
        See `alerted_leads`.
    bands
        Names, highest first.
    until
        The present instant, microseconds.
    """
    answered = leads["touched"].to_numpy(bool)
    return FeedbackSummary(
        LeadGroup.of("all", leads),
        lead_groups(leads, bands),
        rejection_reasons(leads),
        contact_delay(leads, until),
        untouched(leads, until),
        traits,
        float(leads.loc[answered, "probability"].mean()),
        float(leads.loc[~answered, "probability"].mean()),
        int(leads["contradictory"].sum()),
    )


def sentences(summary: FeedbackSummary, has_feedback: bool) -> tuple[str, ...]:
    """Say what sales did, the most important first.

    Parameters
    ----------
    has_feedback
        Whether the config maps feedback.
    """
    return tuple(_sentences(summary, has_feedback))


def _sentences(summary: FeedbackSummary, has_feedback: bool) -> Iterator[str]:
    everything = summary.overall
    if not has_feedback:
        yield "What sales did is not known: the config has no `feedback:`."
        return
    if not everything.leads:
        yield "There are no alerts yet in a logged run of `pql score`, so there is nothing to answer."
        return
    if not everything.touched:
        yield f"Sales has answered none of {everything.leads:,} alerts."
        return
    yield (
        f"Of {everything.leads:,} alerts, {everything.touched:,} have an answer: {everything.contacted:,} contacted, "
        f"{everything.accepted:,} accepted, {everything.rejected:,} rejected, {everything.won:,} won."
    )
    if everything.accepted + everything.rejected:
        yield f"Sales accepts {_percent(everything.acceptance)} of those it decides on."
    if summary.contradictory:
        yield f"{summary.contradictory:,} alerts were both accepted and rejected: the later answer counts."
    yield from _selection(summary)
    if summary.untouched.leads:
        yield (
            f"{summary.untouched.leads:,} alerts older than {UNTOUCHED_AFTER} days have no answer at all "
            f"({rate_text(summary.untouched.share.value)})."
        )
    if not math.isnan(summary.delay.median_days):
        week = summary.delay.within[7]
        within = (
            f"; {rate_text(week.value)} of all alerts are contacted within 7 days" if week.value == week.value else ""
        )
        yield f"Half of the contacts come within {summary.delay.median_days:.1f} days{within}."
    yield from _traits(summary)


def _selection(summary: FeedbackSummary) -> Iterator[str]:
    """Only answered alerts have outcomes, and sales chose which to answer."""
    if summary.overall.touched == summary.overall.leads:
        return
    text = "Only answered alerts have outcomes, and sales chose which to answer"
    a, b = summary.probability_of_answered, summary.probability_of_others
    yield (
        f"{text}: their mean probability was {rate_text(a)}, that of the others {rate_text(b)}. What holds for them need "
        "not hold for the others."
    )


def _traits(summary: FeedbackSummary) -> Iterator[str]:
    traits = summary.traits
    if not traits.enough:
        yield (
            f"What rejected leads share is looked for from {LEAST_ANSWERED} decided leads on, {LEAST_OF_ANSWER} of either answer; "
            f"there are {traits.answered:,}."
        )
        return
    for trait in traits.confirmed:
        yield (
            f"Rejected more often: {trait.text}. {trait.rejected:,} of {trait.leads:,} later leads like this were rejected "
            f"({_percent(trait.rate)}), {rate_text(trait.others.value)} of the others."
        )
    if not traits.confirmed:
        yield f"Nothing that rejected leads share was confirmed on later ones ({len(traits.tested)} conditions tested)."


def _percent(estimate: Estimate) -> str:
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{rate_text(estimate.value)} (95 % interval {low:.0f} to {high:.0f})"
