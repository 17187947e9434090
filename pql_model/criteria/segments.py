"""Find criteria whose threshold differs between segments: ten exports, or five if it is a software company.

A segment is a value of a trait. Within a segment and outside it the best threshold of a criterion is sought, each side with
its own level and effect, while everything else is held fixed. What two thresholds explain beyond the best common one must be
more than chance: outcomes are drawn from a fit in which all segments share one response to the behaviour, of any shape, so
that neither a segment that converts more often nor a gradual response looks like a second threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from pql_model.config.definition import Criterion, Definition
from pql_model.criteria.candidates import LEAST_ROWS, CandidateColumn
from pql_model.criteria.likelihood import BinnedOffset, ThresholdLevels, fit_effects, gains_in_draws, threshold_gains
from pql_model.criteria.mine import CHANCE, ForwardSelection, MinedCriterion

DRAWS = 200
_RESPONSE_LEVELS, _CUTS_OF_A_NUMBER = 10, 3


@dataclass(frozen=True)
class BySegment:
    """A criterion with a lower threshold in one segment.

    Attributes
    ----------
    criterion : int
        Position of the mined criterion that it is a variant of.
    high, low, segment : Criterion
        The threshold for everybody, the lower one, and the trait of those for whom the lower one is enough.
    gain : float
        Log-likelihood explained beyond the best threshold that is the same for all.
    """

    criterion: int
    high: Criterion
    low: Criterion
    segment: Criterion
    gain: float

    @property
    def definition(self) -> Definition:
        """The higher threshold, or the lower one in the segment."""
        return Definition.joining([self.high, Definition.joining([self.low, self.segment], 2)], 1)


@dataclass(frozen=True)
class _Segment:
    """A condition on a trait, the rows that meet it, bool (rows,), and what is deducted from its gain."""

    condition: Criterion
    rows: np.ndarray
    handicap: float

    @property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the rows within, and of those outside."""
        return np.flatnonzero(self.rows), np.flatnonzero(~self.rows)


def thresholds_by_segment(
    candidates: Sequence[CandidateColumn],
    y: np.ndarray,
    traits: Mapping[str, np.ndarray],
    mined: Sequence[MinedCriterion],
    seed: int,
) -> list[BySegment]:
    """Find the mined criteria about behaviours whose threshold is lower in a segment, at most one segment each.

    Parameters
    ----------
    candidates, y, traits
        Those of `pql_model.criteria.mine.mine_criteria`, which found `mined`. Traits among the candidates are the segments.
    seed : int
    """
    search = ForwardSelection(candidates, np.asarray(y, float), traits)
    selected = [search.position(criterion) for criterion in mined]
    segments = list(_segments(search.candidates))
    tested = [k for k, (c, _) in enumerate(selected) if search.candidates[c].conditions[0].event is not None]
    found: list[BySegment] = []
    for k in tested if segments else []:
        column = search.candidates[selected[k][0]]
        offset = search.offset([*selected[:k], *selected[k + 1 :]], search.ones, column.family)
        differences = _Differences(column, segments, offset, search.y)
        drawn = differences.draw(DRAWS, np.random.default_rng([seed, k]))
        at, (gain, *by_chance) = differences.best(np.column_stack([search.y, drawn]))
        low, high = differences.thresholds(segments[at])
        enough = low < high and differences.between(segments[at], low, high) >= LEAST_ROWS
        if enough and np.mean(np.array(by_chance) >= gain) < CHANCE / len(tested):
            condition = segments[at].condition
            found.append(BySegment(k, column.conditions[high], column.conditions[low], condition, float(gain)))
    return found


def _segments(candidates: Sequence[CandidateColumn]) -> Iterator[_Segment]:
    """Each listed value of a trait, and a number above and below a few of its thresholds."""
    for candidate in candidates:
        condition, levels = candidate.conditions[0], candidate.levels
        if condition.trait is None:
            continue
        if condition.threshold is None:
            yield _Segment(condition, levels.met(0), candidate.handicap)
            continue
        present = np.ones(len(levels.level), bool) if candidate.present is None else candidate.present
        for t in np.unique(np.linspace(0, levels.count - 1, _CUTS_OF_A_NUMBER + 2).round().astype(int)[1:-1]):
            above = candidate.conditions[t]
            below = Criterion.model_validate({"trait": condition.trait, "less_than": above.threshold})
            yield _Segment(above, levels.met(t), 0.0)
            yield _Segment(below, present & ~levels.met(t), 0.0)


class _Differences:
    """One column, the segments, and the log-odds of everything else."""

    def __init__(
        self, column: CandidateColumn, segments: Sequence[_Segment], offset: np.ndarray, y: np.ndarray
    ) -> None:
        self.levels, self.segments, self.offset, self.y = column.levels, segments, offset, y

    def best(self, outcomes: np.ndarray) -> tuple[int, np.ndarray]:
        """The segment that explains most in the first draw, and what the best segment explains in each draw, (draws,).

        Parameters
        ----------
        outcomes
            (rows, draws).
        """
        gains = np.array([self._gain(segment, outcomes) for segment in self.segments])
        return int(gains[:, 0].argmax()), gains.max(axis=0)

    def thresholds(self, segment: _Segment) -> tuple[int, int]:
        """The best threshold within a segment, and that outside it."""
        inside, outside = (
            threshold_gains([self._levels(rows)], BinnedOffset.of(self.offset[rows]), self.y[rows], np.ones(len(rows)))[
                0
            ]
            for rows in segment.sides
        )
        low, high = (int(np.where(effect > 0, gain, -np.inf).argmax()) for gain, effect in (inside, outside))
        return low, high

    def between(self, segment: _Segment, low: int, high: int) -> int:
        """How many rows of a segment meet the lower threshold and not the higher one."""
        level = self.levels.level[segment.rows]
        return int(((level > low) & (level <= high)).sum())

    def _levels(self, rows: np.ndarray) -> ThresholdLevels:
        return ThresholdLevels(self.levels.level[rows], self.levels.count)

    def _gain(self, segment: _Segment, outcomes: np.ndarray) -> np.ndarray:
        """What two thresholds explain beyond the best common one, (draws,); 0 where that of the segment is not lower."""
        inside, outside = (self._gains(rows, outcomes[rows]) for rows in segment.sides)
        lower = inside.argmax(axis=0) < outside.argmax(axis=0)
        gain = inside.max(axis=0) + outside.max(axis=0) - (inside + outside).max(axis=0) - segment.handicap
        return np.where(lower, gain, 0.0)

    def _gains(self, rows: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
        """What each threshold explains on some rows, (thresholds, draws)."""
        offset = self.offset[rows]
        level = fit_effects(np.empty((len(rows), 0)), offset, self.y[rows], np.ones(len(rows)))[0]
        probability = expit(offset + level)
        residual, weight = outcomes - probability[:, None], probability * (1 - probability)
        residual = residual - np.outer(weight / weight.sum(), residual.sum(axis=0))  # each draw has a level of its own
        return gains_in_draws(self._levels(rows), residual.astype(np.float32), probability)

    def draw(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw outcomes under which all segments share one response to the column, each at a level of its own."""
        edges = np.unique(np.quantile(self.levels.level, np.linspace(0, 1, _RESPONSE_LEVELS + 1)[1:]))
        level = np.searchsorted(edges, self.levels.level)
        response = (level[:, None] == np.arange(1, len(edges))).astype(float)
        terms = np.column_stack([response, *(segment.rows.astype(float) for segment in self.segments)])
        effects = fit_effects(terms, self.offset, self.y, np.ones(len(self.y)))
        shared = expit(self.offset + effects[0] + terms @ effects[1:])
        return np.asarray(rng.random((len(shared), draws)) < shared[:, None], float)
