"""The difference that contact makes, from the random hold-out: an intention-to-treat comparison.

Alerted entities are compared with entities of the hold-out that qualified by the same rule, whether or not anybody then
contacted them: dropping the alerts that nobody followed up, or the entities of the hold-out that were contacted all the same,
would compare groups that chose themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate, wilson
from pql_model.statistics.proportions import compare_arms, share_of

LEAST_IN_ARM = 10
"""Entities with a final outcome that each arm needs before a difference is given."""
_UNKNOWN = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Arm:
    """The entities of one arm with final outcomes, their conversions, and the rate with Wilson's interval."""

    entities: int
    conversions: int
    rate: Estimate

    @classmethod
    def of(cls, converted: np.ndarray) -> Arm:
        n = int(np.sum(converted))
        return cls(len(converted), n, wilson(n, len(converted)))

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=6)


@dataclass(frozen=True)
class Comparison:
    """Alerted and held-out entities of one group.

    Attributes
    ----------
    name
        `all`, a band, or `near_threshold`.
    difference
        Rate of the alerted minus rate of the hold-out, with Newcombe's interval; NaN where an arm has fewer than
        `LEAST_IN_ARM` entities.
    adjusted
        The same at equal probabilities: the model's probability at qualification explains a part of who pays.
    paid_anyway
        Conversions of the alerted that would have come without contact: their number times the rate of the hold-out.
    """

    name: str
    alerted: Arm
    held_out: Arm
    difference: Estimate
    adjusted: Estimate
    paid_anyway: Estimate

    @property
    def is_known(self) -> bool:
        return not math.isnan(self.difference.value)

    @property
    def is_above_zero(self) -> bool:
        return self.is_known and self.difference.low > 0

    @property
    def is_below_zero(self) -> bool:
        return self.is_known and self.difference.high < 0

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=6)


def compare(name: str, frame: pd.DataFrame, strata: Sequence[int] | np.ndarray) -> Comparison:
    """Compare the arms of final first qualifications.

    Parameters
    ----------
    frame
        converted, held_out, probability.
    strata
        Period of constant hold-out share of each row.
    """
    converted, held_out = frame["converted"].to_numpy(bool), frame["held_out"].to_numpy(bool)
    alerted, held = Arm.of(converted[~held_out]), Arm.of(converted[held_out])
    enough = min(alerted.entities, held.entities) >= LEAST_IN_ARM
    plain = compare_arms(converted, ~held_out, strata) if enough else None
    with_score = compare_arms(converted, ~held_out, strata, frame["probability"].to_numpy(float)) if enough else None
    anyway = plain.second.interval if plain is not None else held.rate
    return Comparison(
        name,
        alerted,
        held,
        plain.difference if plain is not None else _UNKNOWN,
        with_score.difference if with_score is not None else _UNKNOWN,
        scaled(anyway, alerted.entities) if enough else _UNKNOWN,
    )


def compare_groups(frame: pd.DataFrame, strata: np.ndarray, bands: Sequence[str]) -> tuple[Comparison, ...]:
    """Compare the arms within each band, and for the half of the leads nearest the threshold.

    Parameters
    ----------
    frame
        converted, held_out, probability, band.
    bands
        Names, highest first. A band without leads is left out.
    """
    comparisons = []
    for band in bands:
        rows = (frame["band"] == band).to_numpy(bool)
        if rows.any():
            comparisons.append(compare(band, frame[rows], strata[rows]))
    if len(frame):
        probability = frame["probability"].to_numpy(float)
        near = probability <= np.median(probability)
        comparisons.append(compare("near_threshold", frame[near], strata[near]))
    return tuple(comparisons)


@dataclass(frozen=True)
class Compliance:
    """How far the arms were treated as assigned, from feedback and deliveries within the horizon.

    Attributes
    ----------
    alerted_contacted, held_out_contacted
        Share of the entities of each arm with a recorded contact; NaN without feedback.
    never_contacted
        Number of alerted entities without a recorded contact.
    contacted_though_held_out
        Ids.
    delivered
        Number of alerted entities that `pql sync` has delivered.
    effect_of_contacted
        The difference divided by the difference of the two shares: what contact changes for those contacted, if an alert
        without contact changes nothing (Angrist, Imbens & Rubin 1996). NaN unless the shares differ by at least 0.2.
    """

    alerted_contacted: Estimate
    held_out_contacted: Estimate
    never_contacted: int
    contacted_though_held_out: tuple[str, ...]
    delivered: int
    effect_of_contacted: Estimate

    @property
    def is_known(self) -> bool:
        return not math.isnan(self.alerted_contacted.value)

    def to_dict(self) -> dict[str, Any]:
        names = ("alerted_contacted", "held_out_contacted", "never_contacted", "delivered", "effect_of_contacted")
        entities = list(self.contacted_though_held_out)
        return {**select_attributes(self, *names, digits=6), "contacted_though_held_out": entities}


_LEAST_GAP = 0.2


def measure_compliance(frame: pd.DataFrame, effect: Estimate, horizon: int, has_feedback: bool) -> Compliance:
    """Count who was contacted within the horizon, in final first qualifications.

    Parameters
    ----------
    effect
        The difference between the arms.
    has_feedback
        Whether the config maps feedback: without it nobody is known to have been contacted, or not.
    """
    held_out = frame["held_out"].to_numpy(bool)
    as_of, contacted_at = frame["as_of"].to_numpy(float), frame["contacted_at"].to_numpy(float)
    with np.errstate(invalid="ignore"):
        contacted = (contacted_at >= as_of) & (contacted_at < as_of + horizon)
    delivered = int((frame["sent_at"].notna().to_numpy(bool) & ~held_out).sum())
    if not has_feedback or not contacted.any():
        return Compliance(_UNKNOWN, _UNKNOWN, 0, (), delivered, _UNKNOWN)
    shares = share_of(contacted[~held_out]), share_of(contacted[held_out])
    gap = shares[0].share - shares[1].share if held_out.any() and not held_out.all() else math.nan
    of_contacted = scaled(effect, 1 / gap) if gap >= _LEAST_GAP else _UNKNOWN
    return Compliance(
        shares[0].interval,
        shares[1].interval,
        int((~contacted & ~held_out).sum()),
        tuple(sorted(frame["entity"].astype(str)[contacted & held_out])),
        delivered,
        of_contacted,
    )


def scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(estimate.value * factor, estimate.low * factor, estimate.high * factor)
