"""Definitions: criteria joined by all, any or at least k, on the frontier of volume against rate.

The search sees earlier rows only. What it keeps is tested once on later rows (`pql_model.criteria.definition_metrics`), so the number
of definitions that were tried does not flatter those figures; the number that is tested is corrected for by Holm's method.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pql_model.criteria.definition_metrics import LEAST_CONVERSIONS, LEAST_QUALIFIED
from pql_model.statistics.estimate import wilson

MOST_JOINED, MOST_KEPT = 3, 8
CLOSE = 0.97
"""A simpler definition takes the place of another if it has this share of its volume and of its rate."""


@dataclass(frozen=True)
class CandidateDefinition:
    """One definition.

    Attributes
    ----------
    members
        Positions of its criteria.
    least
        How many of them must hold: all of them is `all`, one is `any`.
    qualified, conversions
        On the rows of the search.
    """

    members: tuple[int, ...]
    least: int
    qualified: int
    conversions: int

    @property
    def join(self) -> str:
        """`all`, `any` or `at_least_k`; a single criterion is `all`."""
        if self.least == len(self.members):
            return "all"
        return "any" if self.least == 1 else "at_least_k"

    @property
    def rate(self) -> float:
        return self.conversions / self.qualified

    @property
    def sure_rate(self) -> float:
        """The low end of the rate's interval: small definitions must not win by luck."""
        return wilson(self.conversions, self.qualified).low


@dataclass(frozen=True)
class Frontier:
    """What is kept, by falling rate; how many were tried; and which one is recommended."""

    kept: tuple[CandidateDefinition, ...]
    tried: int
    recommended: int | None


def search(met: np.ndarray, converted: np.ndarray, at_most: float | None = None) -> Frontier:
    """Try every definition of up to three criteria.

    Parameters
    ----------
    met
        Which criteria each row meets, bool (rows, criteria).
    converted
        Bool (rows,).
    at_most
        The share of the rows that can be worked; the recommended definition keeps to it, or is the smallest if none does.

    Returns
    -------
    Frontier
        The recommended definition has the largest share of conversions caught beyond its share of the others
        (Youden's J).

    Examples
    --------
    >>> both = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], 200, axis=0).astype(bool)
    >>> paid = np.tile([1, 0, 0, 0], 200).astype(bool) | (both.all(axis=1) & (np.arange(800) % 4 < 3))
    >>> found = search(both, paid)
    >>> found.tried, found.kept[0].join, found.kept[0].members
    (4, 'all', (0, 1))
    """
    tried = list(_every(met, np.asarray(converted, bool)))
    usable = [d for d in tried if d.qualified >= LEAST_QUALIFIED and d.conversions >= LEAST_CONVERSIONS]
    usable = [d for d in usable if d.qualified < len(met)]
    kept = _spread(_frontier(usable))
    return Frontier(tuple(kept), len(tried), _recommended(kept, int(converted.sum()), len(met), at_most))


def _every(met: np.ndarray, converted: np.ndarray) -> Iterator[CandidateDefinition]:
    for many in range(1, MOST_JOINED + 1):
        for members in combinations(range(met.shape[1]), many):
            held = met[:, members].sum(axis=1)
            for least in range(1, many + 1):
                rows = held >= least
                yield CandidateDefinition(members, least, int(rows.sum()), int((rows & converted).sum()))


def _frontier(usable: list[CandidateDefinition]) -> list[CandidateDefinition]:
    """Of each definition that no other beats in both volume and rate, the simplest that does nearly as well."""
    sure = {d: d.sure_rate for d in usable}
    kept: dict[CandidateDefinition, None] = {}
    for one in usable:
        if any(_beats(other, one, sure) for other in usable):
            continue
        near = [d for d in usable if d.qualified >= CLOSE * one.qualified and sure[d] >= CLOSE * sure[one]]
        kept[min(near, key=lambda d: (len(d.members), -d.qualified * sure[d], d.members, d.least))] = None
    return list(kept)


def _beats(other: CandidateDefinition, one: CandidateDefinition, sure: dict[CandidateDefinition, float]) -> bool:
    a, b = (other.qualified, sure[other]), (one.qualified, sure[one])
    return a != b and a[0] >= b[0] and a[1] >= b[1]


def _spread(frontier: list[CandidateDefinition]) -> list[CandidateDefinition]:
    """At most so many, well apart in volume, by falling rate."""
    ordered = sorted(frontier, key=lambda d: (-d.sure_rate, d.qualified))
    factor = 1.0
    kept = ordered
    while len(kept) > MOST_KEPT:
        factor *= 1.1
        kept = []
        for one in ordered:
            if not kept or one.qualified >= factor * kept[-1].qualified:
                kept.append(one)
    return kept


def _recommended(kept: list[CandidateDefinition], conversions: int, rows: int, at_most: float | None) -> int | None:
    if not kept:
        return None
    fits = [k for k, d in enumerate(kept) if at_most is None or d.qualified <= at_most * rows]
    if not fits:
        return min(range(len(kept)), key=lambda k: kept[k].qualified)
    others = max(rows - conversions, 1)

    def youden(k: int) -> float:
        d = kept[k]
        return d.conversions / conversions - (d.qualified - d.conversions) / others

    return max(fits, key=lambda k: (youden(k), -len(kept[k].members)))
