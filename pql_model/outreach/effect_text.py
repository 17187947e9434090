"""The effect of contact in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pql_model.errors import listed
from pql_model.outreach.contact_effect import LEAST_IN_ARM
from pql_model.outreach.effect_measurement import EffectMeasurement
from pql_model.outreach.sample_size import Wait
from pql_model.statistics.estimate import Estimate

_NAMED = 5


def sentences(effect: EffectMeasurement, entities: str, horizon: str) -> tuple[str, ...]:
    """Say what is known, the most important first.

    Parameters
    ----------
    entities
        `accounts` or `users`.
    horizon
        Such as `30 days`.
    """
    return tuple(
        [
            *_difference(effect, entities, horizon),
            *effect.assignment.warnings,
            *_anyway(effect, entities),
            *_compliance(effect, entities),
            *_planning(effect, entities),
            *_cost(effect),
        ]
    )


def _difference(effect: EffectMeasurement, entities: str, horizon: str) -> Iterator[str]:
    both = effect.overall
    if effect.verdict == "no_leads":
        yield (
            f"Whether contact makes a difference cannot be known: no {entities} have qualified in a logged run of `pql score` that counts in the ledger."
        )
        return
    if effect.verdict == "no_hold_out":
        yield (
            f"Whether contact makes a difference cannot be known: none of the {effect.qualified:,} {entities} that "
            "qualified was held out. Set `policy: {hold_out: 0.1}` to keep a random tenth from being alerted."
        )
        return
    if effect.verdict == "no_final_outcomes":
        yield f"Whether contact makes a difference cannot be known yet: no outcome is final before {horizon} have passed."
        return
    if effect.verdict == "too_few":
        yield (
            f"Whether contact makes a difference cannot be known yet: {both.alerted.entities:,} alerted and "
            f"{both.held_out.entities:,} held-out {entities} have a final outcome, and an interval needs {LEAST_IN_ARM} of each."
        )
        return
    rates = (
        f"{rate_text(both.alerted.rate.value)} of the alerted {entities} converted within {horizon}, "
        f"{rate_text(both.held_out.rate.value)} of the hold-out"
    )
    by = f"a difference of {points(both.difference)}"
    first = {
        "helps": f"Contact makes a difference: {rates}, {by}.",
        "harms": f"Contact does harm: {rates}, {by}.",
        "unclear": f"No difference can be seen yet: {rates}, {by}.",
    }
    yield first[effect.verdict]
    if abs(both.adjusted.value - both.difference.value) > 5e-4:
        yield f"At equal probabilities the difference is {points(both.adjusted)}."


def _anyway(effect: EffectMeasurement, entities: str) -> Iterator[str]:
    both = effect.overall
    if not both.is_known:
        return
    low, value, high = (
        min(x, both.alerted.entities) for x in (both.paid_anyway.low, both.paid_anyway.value, both.paid_anyway.high)
    )
    yield (
        f"Of {both.alerted.entities:,} alerted {entities}, {both.alerted.conversions:,} converted; at the rate of the hold-out, "
        f"{value:,.0f} ({low:,.0f} to {high:,.0f}) would have paid anyway."
    )


def _compliance(effect: EffectMeasurement, entities: str) -> Iterator[str]:
    done = effect.compliance
    if not effect.overall.is_known and not done.contacted_though_held_out:
        return
    if not done.is_known:
        yield "Who was contacted is not recorded: the difference is that of being alerted (map `feedback:` to see it)."
        return
    if done.never_contacted:
        yield (
            f"{done.never_contacted:,} of {effect.overall.alerted.entities:,} alerted {entities} were never contacted; they "
            "count as alerted all the same, so the difference is smaller than that of a contact."
        )
    if held := done.contacted_though_held_out:
        names = listed([*held[:_NAMED], *([f"{len(held) - _NAMED:,} more"] if len(held) > _NAMED else [])])
        yield f"{len(held):,} held-out {entities} were contacted all the same: {names}. They count as held out."
    if not math.isnan(done.effect_of_contacted.value) and (done.never_contacted or held):
        yield (
            "If an alert without contact changes nothing, contact itself makes a difference of "
            f"{points(done.effect_of_contacted)} for those contacted."
        )


def _planning(effect: EffectMeasurement, entities: str) -> Iterator[str]:
    if not effect.waits:
        return
    if math.isnan(effect.flow):
        flow = "The flow of leads is not known yet"
    else:
        flow = f"{effect.flow:,.0f} {entities} first qualify per week"
    tenth = next((wait for wait in effect.waits if wait.effect == 0.1), effect.waits[-1])
    yield (
        f"{flow}. With a hold-out of {rate_text(effect.share)} and {rate_text(effect.base_rate)} converting without "
        f"contact, a difference of {100 * tenth.effect:.0f} points is seen 8 times in 10 with {tenth.entities:,} "
        f"{entities} that qualify{wait_text(tenth)}."
    )


def wait_text(wait: Wait) -> str:
    """When the entities are there, as the end of a sentence."""
    if wait.weeks is None:
        return ""
    if wait.weeks == 0:
        return ", which are there"
    return f", in about {math.ceil(wait.weeks):,} weeks"


def _cost(effect: EffectMeasurement) -> Iterator[str]:
    cost = effect.cost
    if not effect.overall.is_known or effect.verdict == "harms":
        return
    low, value, high = cost.so_far.low, cost.so_far.value, cost.so_far.high
    text = f"The hold-out has cost about {max(0.0, value):,.0f} conversions so far ({max(0.0, low):,.0f} to {max(0.0, high):,.0f})"
    if not math.isnan(cost.per_month.value) and cost.per_month.value > 0:
        text += f", and costs about {cost.per_month.value:,.1f} a month at its present share"
    yield f"{text}."


def rate_text(rate: float) -> str:
    """A percentage with one decimal below 10 %, none above.

    >>> rate_text(0.314), rate_text(0.062)
    ('31 %', '6.2 %')
    """
    return f"{100 * rate:.{1 if rate < 0.0995 else 0}f} %"


def points(difference: Estimate) -> str:
    """A difference of rates in points with its interval.

    >>> points(Estimate(0.155, 0.082, 0.222))
    '15.5 points (95 % interval 8.2 to 22.2)'
    """
    value, low, high = (100 * x + 0.0 for x in (difference.value, difference.low, difference.high))
    return f"{value:.1f} points (95 % interval {low:.1f} to {high:.1f})"
