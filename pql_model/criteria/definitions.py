"""Search definitions: criteria joined by all, any or at least k, or one beside two, on the frontier of volume against rate.

The search sees earlier rows only. Its results are tested once on later rows (`pql_model.criteria.definition_metrics`), so
the number of definitions tried does not inflate those figures; Holm's method corrects for the number tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, product

import numpy as np

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.definition_metrics import LEAST_CONVERSIONS, LEAST_QUALIFIED
from pql_model.statistics.estimate import wilson

MOST_JOINED, MOST_DEFINITIONS = 3, 8
CLOSE, CLOSE_TO_NESTED = 0.97, 0.9
"""A simpler definition replaces another if it reaches this share of its volume and of its rate."""


@dataclass(frozen=True)
class CandidateDefinition:
    """One definition.

    Attributes
    ----------
    members : tuple of int
        Positions of its criteria, in the order in which they are read.
    least : int
        How many of them must hold: all of them is `all`, one is `any`. Where one is `alone`: of it and the other two.
    qualified, conversions : int
        On the rows of the search.
    by_segment : int
        How many members have a lower threshold in one segment, and so are three criteria.
    alone : int or None
        The first of three members where the other two are joined in turn: `all` of it and any of them (`least` 2), or `any` of
        it and all of them (`least` 1).
    """

    members: tuple[int, ...]
    least: int
    qualified: int = 0
    conversions: int = 0
    alone: int | None = None
    by_segment: int = 0

    @property
    def size(self) -> int:
        """How many criteria people read."""
        return len(self.members) + 2 * self.by_segment

    @property
    def others(self) -> list[int]:
        """The members beside the one that is alone."""
        return [member for member in self.members if member != self.alone]

    def met(self, masks: np.ndarray) -> np.ndarray:
        """Whether each row meets it, bool (rows,), from which criteria it meets, bool (rows, criteria).

        >>> masks = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1]], bool)
        >>> CandidateDefinition((0, 1, 2), 2, alone=0).met(masks).tolist()  # the first, and one of the others
        [True, False, False]
        >>> CandidateDefinition((0, 1, 2), 1, alone=0).met(masks).tolist()  # the first, or both others
        [True, True, True]
        """
        if self.alone is None:
            return np.asarray(masks[:, self.members].sum(axis=1) >= self.least)
        alone, others = masks[:, self.alone], masks[:, self.others]
        return np.asarray(alone & others.any(axis=1) if self.least == 2 else alone | others.all(axis=1))

    def joined(self, criteria: Sequence[Criterion | Definition]) -> Definition:
        """Write it as a definition of these criteria, of which those by segment are definitions themselves."""
        if len(self.members) == 1 and isinstance(only := criteria[self.members[0]], Definition):
            return only
        if self.alone is None:
            return Definition.joining([criteria[member] for member in self.members], self.least)
        others = [criteria[member] for member in self.others]
        return Definition.joining([criteria[self.alone], Definition.joining(others, 3 - self.least)], self.least)

    @cached_property
    def rate_low(self) -> float:
        """Lower end of the rate's interval, so that small definitions do not win by chance."""
        return wilson(self.conversions, self.qualified).low


@dataclass(frozen=True)
class Frontier:
    """The definitions of the frontier by falling rate, the number tried, and the position of the recommended one."""

    definitions: tuple[CandidateDefinition, ...]
    tried: int
    recommended: int | None


def search_definitions(
    masks: np.ndarray, converted: np.ndarray, most_share: float | None = None, variant_of: Sequence[int] = ()
) -> Frontier:
    """Try every definition of up to three criteria, also those in which two of three are joined in turn.

    Parameters
    ----------
    masks : array of bool, shape (rows, criteria)
        Which criteria each row meets.
    converted : array of bool, shape (rows,)
    most_share : float, optional
        Share of the rows that the team can work. The recommended definition stays within it, or is the smallest one
        if none does.
    variant_of : sequence of int
        The last columns of `masks` are criteria by segment; these are the criteria in whose place each may stand.

    Returns
    -------
    Frontier
        The recommended definition has the largest difference between its share of the conversions and its share of
        the other rows (Youden's J).

    Examples
    --------
    >>> both = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], 200, axis=0).astype(bool)
    >>> paid = np.tile([1, 0, 0, 0], 200).astype(bool) | (both.all(axis=1) & (np.arange(800) % 4 < 3))
    >>> frontier = search_definitions(both, paid)
    >>> frontier.tried, frontier.definitions[0].members, frontier.definitions[0].least
    (4, (0, 1), 2)
    """
    candidates = list(_enumerate(masks, np.asarray(converted, bool), variant_of))
    usable = [d for d in candidates if d.qualified >= LEAST_QUALIFIED and d.conversions >= LEAST_CONVERSIONS]
    usable = [d for d in usable if d.qualified < len(masks)]
    definitions = _thinned(_frontier(usable))
    recommended = _recommended(definitions, int(converted.sum()), len(masks), most_share)
    return Frontier(tuple(definitions), len(candidates), recommended)


def _enumerate(masks: np.ndarray, converted: np.ndarray, variant_of: Sequence[int]) -> Iterator[CandidateDefinition]:
    plain = masks.shape[1] - len(variant_of)
    behaviour = [*range(plain), *variant_of]
    for size in range(1, MOST_JOINED + 1):
        for members in combinations(range(masks.shape[1]), size):
            if len({behaviour[m] for m in members}) < size:
                continue
            count = masks[:, members].sum(axis=1)
            for least in range(1, size + 1):
                by_segment = sum(m >= plain for m in members)
                yield _counted(CandidateDefinition(members, least, by_segment=by_segment), count >= least, converted)
    for members in combinations(range(plain), 3):
        for alone, least in product(members, (1, 2)):
            nested = CandidateDefinition((alone, *(m for m in members if m != alone)), least, alone=alone)
            yield _counted(nested, nested.met(masks), converted)


def _counted(candidate: CandidateDefinition, rows: np.ndarray, converted: np.ndarray) -> CandidateDefinition:
    return replace(candidate, qualified=int(rows.sum()), conversions=int((rows & converted).sum()))


def _frontier(usable: list[CandidateDefinition]) -> list[CandidateDefinition]:
    """For each definition that none beats in both volume and rate, the simplest one that does nearly as well."""
    frontier: dict[CandidateDefinition, None] = {}
    for candidate in usable:
        if any(_dominates(rival, candidate) for rival in usable):
            continue
        frontier[_simplest(candidate, usable)] = None
    return list(frontier)


def _simplest(candidate: CandidateDefinition, usable: list[CandidateDefinition]) -> CandidateDefinition:
    """The definition with the fewest criteria that does nearly as well; a nested one only where no plain one does."""
    for nested, closeness in ((False, CLOSE if candidate.alone is None else CLOSE_TO_NESTED), (True, CLOSE)):
        qualified, rate_low = closeness * candidate.qualified, closeness * candidate.rate_low
        close = [
            d for d in usable if (d.alone is not None) == nested and d.qualified >= qualified and d.rate_low >= rate_low
        ]
        if close:
            return min(close, key=lambda d: (d.size, -d.qualified * d.rate_low, d.members, d.least))
    return candidate


def _dominates(candidate: CandidateDefinition, rival: CandidateDefinition) -> bool:
    a, b = (candidate.qualified, candidate.rate_low), (rival.qualified, rival.rate_low)
    return a != b and a[0] >= b[0] and a[1] >= b[1]


def _thinned(frontier: list[CandidateDefinition]) -> list[CandidateDefinition]:
    """At most `MOST_DEFINITIONS`, well apart in volume, by falling rate."""
    candidates = sorted(frontier, key=lambda d: (-d.rate_low, d.qualified))
    factor = 1.0
    spread = candidates
    while len(spread) > MOST_DEFINITIONS:
        factor *= 1.1
        spread = []
        for candidate in candidates:
            if not spread or candidate.qualified >= factor * spread[-1].qualified:
                spread.append(candidate)
    return spread


def _recommended(
    definitions: list[CandidateDefinition], conversions: int, rows: int, most_share: float | None
) -> int | None:
    if not definitions:
        return None
    fitting = [k for k, d in enumerate(definitions) if most_share is None or d.qualified <= most_share * rows]
    if not fitting:
        return min(range(len(definitions)), key=lambda k: definitions[k].qualified)
    non_conversions = max(rows - conversions, 1)

    def youden(k: int) -> float:
        d = definitions[k]
        return d.conversions / conversions - (d.qualified - d.conversions) / non_conversions

    return max(fitting, key=lambda k: (youden(k), -definitions[k].size))
