"""Who is a PQL: as many as can be worked, above a probability, or as many as keep a precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from pql_model.config.schema import Policy
from pql_model.model.estimate import Estimate

_EXACT = 1_000
DEFAULT_SHARE = 0.1
"""Without a policy the threshold is what a tenth of the reference population reached."""


@dataclass(frozen=True)
class Rule:
    """A policy made concrete by a model: at most `leads`, and only above `probability`."""

    probability: float
    leads: int | None
    words: str

    def qualify(self, probability: np.ndarray) -> np.ndarray:
        """Bool (rows,). Ties at the edge of the capacity are broken by row order, so that the capacity holds."""
        qualified = probability >= self.probability
        if self.leads is not None:
            best = np.argsort(-probability, kind="stable")[: self.leads]
            within = np.zeros(len(probability), bool)
            within[best] = True
            qualified &= within
        return np.asarray(qualified)


def make_rule(policy: Policy | None, y: np.ndarray, probability: np.ndarray) -> Rule:
    """Turn the policy into a threshold, by what the test period showed.

    Parameters
    ----------
    y, probability
        Outcomes and probabilities of the test period, (rows,).
    """
    if policy is None:
        threshold = float(np.quantile(probability, 1 - DEFAULT_SHARE))
        return Rule(
            threshold,
            None,
            f"no policy given: the threshold {threshold:.3f} is what the top tenth of the test period reached",
        )
    if policy.capacity is not None:
        return Rule(0.0, policy.capacity.leads, f"the {policy.capacity.leads} best per {policy.capacity.per.words}")
    if policy.probability is not None:
        return Rule(policy.probability, None, f"probability at least {policy.probability:g}")
    least = policy.precision or 0.0
    kept = _threshold_for_precision(y, probability, least)
    if kept is None:
        return Rule(1.0, 0, f"no threshold of the test period kept a precision of {least:g}: nobody qualifies")
    return Rule(kept, None, f"probability at least {kept:.3f}, which kept a precision of {least:g} in the test period")


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
    off = 1.96 * mean / np.sqrt(max(1.0, learnt_from)) if learnt_from is not None else 0.0
    low, high = mean - np.hypot(mean - low, off), mean + np.hypot(high - mean, off)
    return Estimate(mean, float(max(0.0, np.round(low))), float(min(len(probability), np.round(high))))


def _middle(probability: np.ndarray, share: float) -> tuple[float, float]:
    """Quantiles of how many of independent draws succeed: exact, or normal where there are so many that it is."""
    tails = np.array([(1 - share) / 2, (1 + share) / 2])
    if len(probability) > _EXACT:
        spread = np.sqrt((probability * (1 - probability)).sum())
        low, high = np.clip(np.round(probability.sum() + spread * norm.ppf(tails)), 0, len(probability))
        return float(low), float(high)
    law = np.ones(1)
    for p in probability:  # the law of one more draw
        law = np.convolve(law, [1 - p, p])
    low, high = np.searchsorted(np.cumsum(law), tails)
    return float(low), float(high)
