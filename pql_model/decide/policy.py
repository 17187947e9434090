"""Who is a PQL: the policy of the config made concrete by what the test period showed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.config.schema import Capacity, Policy
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Z95, Estimate

_EXACT = 1_000
DEFAULT_SHARE = 0.1
"""Without a policy the threshold is what a tenth of the reference population reached."""
Definitions = Literal["recommended", "in_force"]


@dataclass(frozen=True)
class PolicyRule:
    """A policy made concrete.

    Attributes
    ----------
    probability
        From it on a row qualifies. Of a capacity: the probability at which the test period gave as many leads, which is
        what qualifies a row that is looked at alone; NaN in models of an older release. Of a definition: what as many
        rows of the test period reached as met it; only hysteresis reads it.
    leads, per
        At most so many alerts in so many microseconds.
    definition
        Which definition qualifies, where one does.
    """

    probability: float
    leads: int | None
    text: str
    per: int | None = None
    definition: Definitions | None = None

    @property
    def unknown(self) -> bool:
        """Whether it cannot tell of a row that is looked at alone."""
        return math.isnan(self.probability)

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, words="text")

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> PolicyRule:
        """Read what `as_json` wrote, or what an older release did, which knew no level of a capacity."""
        older = raw["leads"] is not None and raw["leads"] > 0 and raw.get("per") is None
        known = raw["probability"] is not None and not older
        probability = float(raw["probability"]) if known else math.nan
        return cls(probability, raw["leads"], raw["words"], raw.get("per"), raw.get("definition"))


@dataclass(frozen=True)
class Period:
    """Rows with known outcomes, (rows,).

    Attributes
    ----------
    as_of
        Instants, microseconds.
    met
        Whether the definition of the policy is met; None where there is no such definition.
    stock
        Whether everybody is looked at again and again, so that at the first look there are leads of before (freemium).
    """

    entity: np.ndarray
    as_of: np.ndarray
    converted: np.ndarray
    probability: np.ndarray
    met: np.ndarray | None = None
    stock: bool = False


def make_rule(policy: Policy | None, period: Period) -> PolicyRule:
    """Turn the policy into a rule, by what the test period showed."""
    probability = period.probability
    if policy is None:
        threshold = float(np.quantile(probability, 1 - DEFAULT_SHARE))
        return PolicyRule(
            threshold,
            None,
            f"no policy given: the threshold {threshold:.3f} is what the top tenth of the test period reached",
        )
    if policy.capacity is not None:
        capacity, level = policy.capacity, capacity_level(policy.capacity, period, policy.hold_out)
        return PolicyRule(level, capacity.leads, f"the {capacity.leads} best per {capacity.per.text}", capacity.per.us)
    if policy.probability is not None:
        return PolicyRule(policy.probability, None, f"probability at least {policy.probability:g}")
    if policy.definition is not None:
        return _by_definition(policy.definition, period)
    least = policy.precision or 0.0
    kept = _threshold_for_precision(period.converted.astype(float), probability, least)
    if kept is None:
        return PolicyRule(1.0, 0, f"no threshold of the test period kept a precision of {least:g}: nobody qualifies")
    reached = probability >= kept
    words = (
        f"probability at least {kept:.3f}, which kept a precision of {least:g} in the test period: "
        f"{int(period.converted[reached].sum()):,} of {reached.sum():,} rows converted"
    )
    return PolicyRule(kept, None, words)


def capacity_level(capacity: Capacity, period: Period, hold_out: float = 0.0) -> float:
    """The lowest probability from which on the test period gave at most as many leads as can be worked.

    An entity is a lead once: when it first reaches the probability. Where entities are looked at again and again
    (`stock`), those who reach it at the first look were leads before, and do not count. The hold-out takes no place: with a
    tenth held out as many more may reach the level.
    """
    frame = pd.DataFrame({"entity": period.entity, "p": period.probability, "at": period.as_of})
    stretches = (frame["at"].max() - frame["at"].min()) / capacity.per.us
    best = frame.groupby("entity")["p"].max()
    early = pd.Series(-np.inf, best.index)
    if period.stock and stretches:
        first = frame[frame["at"] == frame["at"].min()]
        early = first.groupby("entity")["p"].max().reindex(best.index, fill_value=-np.inf)
    levels = np.unique(best)[::-1]
    leads = _reaching(best.to_numpy(), levels) - _reaching(early.to_numpy(), levels)
    within = leads * (1 - hold_out) <= capacity.leads * max(1.0, stretches)
    first_over = int(np.argmin(within)) if not within.all() else len(levels)
    return float(levels[max(0, first_over - 1)])


def _reaching(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """How many of the values reach each level."""
    return np.asarray(len(values) - np.searchsorted(np.sort(values), levels, side="left"))


def _by_definition(which: Definitions, period: Period) -> PolicyRule:
    if period.met is None:
        return PolicyRule(
            1.0, 0, f"there is no {which.replace('_', ' ')} definition that held on later rows: nobody qualifies"
        )
    met = int(period.met.sum())
    level = float(np.sort(period.probability)[-met]) if met else 1.0
    words = "the recommended definition is met" if which == "recommended" else "the definition in force is met"
    return PolicyRule(level, None, words, definition=which)


def _threshold_for_precision(y: np.ndarray, probability: np.ndarray, least: float) -> float | None:
    """The lowest threshold whose precision in the test period was at least `least`."""
    order = np.argsort(-probability, kind="stable")
    sorted_p, hits = probability[order], np.cumsum(y[order])
    last_of_tie = np.append(sorted_p[1:] != sorted_p[:-1], True)
    keeps = last_of_tie & (hits / np.arange(1, len(order) + 1) >= least)
    return float(sorted_p[np.flatnonzero(keeps)[-1]]) if keeps.any() else None


def expected_conversions(probability: np.ndarray, learnt_from: float | None = None) -> Estimate:
    """How many of the selected will convert, and the range in which the number that does falls 95 % of the time.

    The range holds the luck of the draw (the Poisson binomial distribution) and, added in squares, the error of a level
    of probabilities that was learnt from so many conversions. It does not hold a market that changes.

    Parameters
    ----------
    probability
        Of the selected, one row an entity.
    learnt_from
        Entities that converted in training; None where the probabilities are known.

    >>> expected_conversions(np.full(100, 0.25), learnt_from=100)
    Estimate(value=25.0, low=16.0, high=35.0)
    """
    if not len(probability):
        return Estimate(0.0, 0.0, 0.0)
    mean = float(probability.sum())
    low, high = _middle(probability, 0.95)
    off = Z95 * mean / np.sqrt(max(1.0, learnt_from)) if learnt_from is not None else 0.0
    low, high = mean - np.hypot(mean - low, off), mean + np.hypot(high - mean, off)
    return Estimate(mean, float(max(0.0, np.round(low))), float(min(len(probability), np.round(high))))


def _middle(probability: np.ndarray, share: float) -> tuple[float, float]:
    """Quantiles of how many of independent draws succeed: exact, or normal where there are so many that it is."""
    tails = np.array([(1 - share) / 2, (1 + share) / 2])
    reach = NormalDist().inv_cdf((1 + share) / 2)
    if len(probability) > _EXACT:
        spread = np.sqrt((probability * (1 - probability)).sum())
        low, high = np.clip(np.round(probability.sum() + spread * np.array([-reach, reach])), 0, len(probability))
        return float(low), float(high)
    law = np.ones(1)
    for p in probability:  # the law of one more draw
        law = np.convolve(law, [1 - p, p])
    low, high = np.searchsorted(np.cumsum(law), tails)
    return float(low), float(high)
