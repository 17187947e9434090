"""The rule that qualifies an entity: the policy of the config with thresholds from the test period."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pandas as pd

from pql_model.config.policy_settings import Capacity, Policy
from pql_model.decide.capacity import reached
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Z95, Estimate

_EXACT = 1_000
DEFAULT_SHARE = 0.1
"""Without a policy this share of the test rows qualifies."""
Definitions = Literal["recommended", "in_force"]


@dataclass(frozen=True)
class PolicyRule:
    """A policy with its thresholds.

    Attributes
    ----------
    probability
        Threshold from which a row qualifies. With a capacity, the level at which the test period gave exactly that many
        leads; it decides for a row that is scored alone. With a definition, the level reached by as many test rows as met
        the definition; only hysteresis uses it.
    leads, per
        At most `leads` alerts within `per` microseconds. With 0 leads nothing but a raised hand qualifies.
    definition
        Which definition qualifies, if one does.
    flow
        With a capacity: how many entities reached each of `LEVELS` within `per` in the test period, the hold-out left out.
    """

    probability: float
    leads: int | None
    text: str
    per: int | None = None
    definition: Definitions | None = None
    flow: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, words="text")

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> PolicyRule:
        """Read what `to_dict` wrote."""
        numbers = float(raw["probability"]), raw["leads"]
        return cls(*numbers, raw["words"], raw["per"], raw["definition"], tuple(raw["flow"]))


@dataclass(frozen=True)
class Period:
    """Rows of the test period, with known outcomes, (rows,).

    Attributes
    ----------
    as_of
        Instants, microseconds.
    met
        Whether the definition of the policy is met; None without one.
    repeated
        Whether entities have repeated snapshots (freemium), so that the first ones include leads of earlier periods.
    """

    entity: np.ndarray
    as_of: np.ndarray
    converted: np.ndarray
    probability: np.ndarray
    met: np.ndarray | None = None
    repeated: bool = False


def make_rule(policy: Policy | None, period: Period) -> PolicyRule:
    """Derive the rule of a policy from the test period."""
    if policy is None:
        top = float(np.quantile(period.probability, 1 - DEFAULT_SHARE))
        text = f"no policy given: the top tenth of the test period reached the threshold of {top:.3f}"
        return PolicyRule(top, None, text)
    if policy.capacity is not None:
        return _by_capacity(policy.capacity, period, policy.hold_out)
    if policy.probability is not None:
        return PolicyRule(policy.probability, None, f"probability at least {policy.probability:g}")
    if policy.definition is not None:
        return _by_definition(policy.definition, period)
    return _by_precision(policy.precision or 0.0, period)


def _by_capacity(capacity: Capacity, period: Period, hold_out: float) -> PolicyRule:
    first_reaching = _first_reaching(period, capacity.per.us)
    best, early, periods = first_reaching
    flow = (reached(best) - reached(early)) * (1 - hold_out) / max(1.0, periods)
    level, text = _level(capacity, *first_reaching, hold_out), f"the {capacity.leads} best per {capacity.per.text}"
    return PolicyRule(level, capacity.leads, text, capacity.per.us, flow=tuple(np.round(flow, 6).tolist()))


def capacity_level(capacity: Capacity, period: Period, hold_out: float = 0.0) -> float:
    """Find the lowest probability at which the test period gave no more leads than the capacity.

    An entity is a lead once, when it first reaches the probability. Where entities have repeated snapshots (`repeated`), those
    that reach it in their first snapshot were leads already and do not count. The hold-out takes no places.
    """
    return _level(capacity, *_first_reaching(period, capacity.per.us), hold_out)


def _level(capacity: Capacity, best: np.ndarray, early: np.ndarray, periods: float, hold_out: float) -> float:
    levels = np.unique(best)[::-1]
    leads = reached(best, levels) - reached(early, levels)
    affordable = leads * (1 - hold_out) <= capacity.leads * max(1.0, periods)
    first_over = int(np.argmin(affordable)) if not affordable.all() else len(levels)
    return float(levels[max(0, first_over - 1)])


def _first_reaching(period: Period, per: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Best probability of each entity, that of the first instant where entities repeat, and how many periods there are."""
    frame = pd.DataFrame({"entity": period.entity, "p": period.probability, "at": period.as_of})
    periods = (frame["at"].max() - frame["at"].min()) / per
    best = frame.groupby("entity")["p"].max()
    early = pd.Series(-np.inf, best.index)
    if period.repeated and periods:
        first = frame[frame["at"] == frame["at"].min()]
        early = first.groupby("entity")["p"].max().reindex(best.index, fill_value=-np.inf)
    return best.to_numpy(), early.to_numpy(), float(periods)


def _by_definition(source: Definitions, period: Period) -> PolicyRule:
    if period.met is None:
        return PolicyRule(
            1.0, 0, f"no {source.replace('_', ' ')} definition was confirmed on later rows: nobody qualifies"
        )
    count = int(period.met.sum())
    level = float(np.sort(period.probability)[-count]) if count else 1.0
    text = "the recommended definition is met" if source == "recommended" else "the definition in force is met"
    return PolicyRule(level, None, text, definition=source)


def _by_precision(precision: float, period: Period) -> PolicyRule:
    threshold = _threshold_for_precision(period.converted.astype(float), period.probability, precision)
    if threshold is None:
        return PolicyRule(
            1.0, 0, f"no threshold reached a precision of {precision:g} in the test period: nobody qualifies"
        )
    qualifies = period.probability >= threshold
    text = (
        f"probability at least {threshold:.3f}, which reached a precision of {precision:g} in the test period: "
        f"{int(period.converted[qualifies].sum()):,} of {qualifies.sum():,} rows converted"
    )
    return PolicyRule(threshold, None, text)


def _threshold_for_precision(y: np.ndarray, probability: np.ndarray, precision: float) -> float | None:
    """Find the lowest threshold with at least this precision."""
    order = np.argsort(-probability, kind="stable")
    sorted_p, hits = probability[order], np.cumsum(y[order])
    last_of_tie = np.append(sorted_p[1:] != sorted_p[:-1], True)
    precise = last_of_tie & (hits / np.arange(1, len(order) + 1) >= precision)
    return float(sorted_p[np.flatnonzero(precise)[-1]]) if precise.any() else None


def expected_conversions(probability: np.ndarray, level_error: float = 0.0) -> Estimate:
    """Predict the number of conversions, with a 95 % interval.

    The interval covers chance (the Poisson binomial distribution) and, added in quadrature, the error of the overall level,
    which was learned from a finite number of conversions and moves until the outcomes are known.

    Parameters
    ----------
    probability
        One per entity.
    level_error
        Standard error of the level of all probabilities, as a share of it.

    Examples
    --------
    >>> expected_conversions(np.full(100, 0.25), level_error=0.1)
    Estimate(value=25.0, low=16.0, high=35.0)
    """
    if not len(probability):
        return Estimate(0.0, 0.0, 0.0)
    mean = float(probability.sum())
    low, high = _middle(probability, 0.95)
    off = Z95 * mean * level_error
    low, high = mean - np.hypot(mean - low, off), mean + np.hypot(high - mean, off)
    return Estimate(mean, float(max(0.0, np.round(low))), float(min(len(probability), np.round(high))))


def _middle(probability: np.ndarray, share: float) -> tuple[float, float]:
    """Quantiles of the number of successes among independent trials: exact up to 1,000 trials, normal above."""
    tails = np.array([(1 - share) / 2, (1 + share) / 2])
    reach = NormalDist().inv_cdf((1 + share) / 2)
    if len(probability) > _EXACT:
        spread = np.sqrt((probability * (1 - probability)).sum())
        low, high = np.clip(np.round(probability.sum() + spread * np.array([-reach, reach])), 0, len(probability))
        return float(low), float(high)
    mass = np.ones(1)
    for p in probability:
        mass = np.convolve(mass, [1 - p, p])
    low, high = np.searchsorted(np.cumsum(mass), tails)
    return float(low), float(high)
