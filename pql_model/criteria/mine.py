"""Select criteria: which behaviours, over which windows, from which thresholds on.

Forward selection of threshold conditions, at most one per behaviour. A logistic regression holds the selected conditions
fixed, so a behaviour that only accompanies a selected one adds nothing. After each addition all windows and thresholds are
refitted, and conditions that no longer add enough are dropped. A condition must explain more than the best of all
thresholds would by chance (`likelihood.null_gain_quantile`). Finally the entities are resampled to see how often the same
threshold is selected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from pql_model.config.definition import Criterion
from pql_model.criteria.candidates import CandidateColumn
from pql_model.criteria.likelihood import BinnedOffset, fit_effects, null_gain_quantile, threshold_gains

MOST_CRITERIA = 8
RESAMPLES = 200
CHANCE, DRAWS = 0.02, 500
"""Probability of adding a condition when nothing matters beyond the selected ones, and the draws that estimate it."""
_LEAST_ALTERNATIVE_SHARE = 0.15
_REFIT_ROUNDS = 4

Position = tuple[int, int]
"""Index of a candidate, and of one of its thresholds."""
NOWHERE: Position = (-1, -1)


@dataclass(frozen=True)
class Alternative:
    """Another window or measure of the same behaviour: the share of resamples that select it, and its usual threshold."""

    condition: Criterion
    share: float


@dataclass(frozen=True)
class MinedCriterion:
    """One criterion as selected on earlier entities.

    Attributes
    ----------
    family, column : str
        The behaviour, and the feature or trait column it reads.
    effect : float
        Log-odds with the other criteria held fixed.
    gain : float
        Log-likelihood explained beyond the other criteria.
    null_gain : float
        The gain that the best of all thresholds would reach by chance.
    threshold_interval : tuple of float or None
        The middle 95 % of the thresholds that resamples of the entities select in this column; None for listed texts.
    threshold_agreement : float
        Share of the resamples that select exactly this threshold in this column.
    window_agreement : float
        Share of the resamples that select this column among those of the behaviour.
    alternatives : tuple of Alternative
        Other columns that many resamples prefer: the data cannot tell them apart.
    identical : tuple of str
        Columns with the same values on these rows.
    """

    condition: Criterion
    family: str
    column: str
    effect: float
    gain: float
    null_gain: float
    threshold_interval: tuple[float, float] | None
    threshold_agreement: float
    window_agreement: float
    alternatives: tuple[Alternative, ...]
    identical: tuple[str, ...]


def mine_criteria(
    candidates: Sequence[CandidateColumn],
    y: np.ndarray,
    entity: np.ndarray,
    traits: Mapping[str, np.ndarray],
    seed: int,
    progress: Callable[[float], None] | None = None,
    resamples: int = RESAMPLES,
) -> list[MinedCriterion]:
    """Select criteria, the strongest first.

    Parameters
    ----------
    candidates : sequence of CandidateColumn
    y, entity : arrays of shape (rows,)
        Outcomes (0 or 1) and entity names. Entities are what is resampled.
    traits : mapping
        Family of a trait -> its SHAP value on each row (log-odds), held fixed unless a criterion about the trait is
        selected.
    seed : int
    progress : callable, optional
        Called with the share done.
    resamples : int
    """
    search = ForwardSelection(candidates, np.asarray(y, float), traits)
    rng = np.random.default_rng(seed)
    selected, null_gain = search.select(rng)
    if not selected:
        return []
    resampling = _Resampling(search, selected, rng, entity)
    for resample in range(resamples):
        resampling.draw()
        if progress is not None:
            progress((resample + 1) / resamples)
    effects = search.effects(selected)
    mined = [resampling.criterion(k, effects[k], search.gain(k, selected), null_gain) for k in range(len(selected))]
    return sorted(mined, key=lambda criterion: -criterion.gain)


class ForwardSelection:
    """The rows, and the greedy search over candidates and thresholds."""

    def __init__(self, candidates: Sequence[CandidateColumn], y: np.ndarray, traits: Mapping[str, np.ndarray]) -> None:
        self.candidates, self.y, self.traits = list(candidates), y, traits
        self.ones = np.ones(len(y))

    def position(self, criterion: MinedCriterion) -> Position:
        """Where a mined criterion stands among the candidates."""
        condition, column = criterion.condition, criterion.column
        c = next(k for k, c in enumerate(self.candidates) if c.column == column and condition in c.conditions)
        return c, self.candidates[c].conditions.index(condition)

    # ------------------------------------------------------------ the model of the selected conditions

    def met(self, selected: Sequence[Position]) -> np.ndarray:
        columns = [self.candidates[c].levels.met(t).astype(float) for c, t in selected]
        return np.column_stack(columns) if columns else np.empty((len(self.y), 0))

    def of_family(self, family: str) -> list[int]:
        return [k for k, candidate in enumerate(self.candidates) if candidate.family == family]

    def family(self, position: Position) -> str:
        return self.candidates[position[0]].family

    def families(self, selected: Sequence[Position]) -> set[str]:
        return {self.family(position) for position in selected}

    def _trait_offset(self, families: set[str]) -> np.ndarray:
        """Log-odds of the traits outside these families."""
        values = [value for family, value in self.traits.items() if family not in families]
        return np.asarray(np.sum(values, axis=0)) if values else np.zeros(len(self.y))

    def offset(self, selected: Sequence[Position], weight: np.ndarray, omitted: str | None = None) -> np.ndarray:
        """Log-odds of the selected conditions and the traits."""
        families = self.families(selected) | ({omitted} if omitted is not None else set())
        traits, masks = self._trait_offset(families), self.met(selected)
        effects = fit_effects(masks, traits, self.y, weight)
        return np.asarray(traits + effects[0] + masks @ effects[1:])

    def effects(self, selected: Sequence[Position]) -> np.ndarray:
        return fit_effects(self.met(selected), self._trait_offset(self.families(selected)), self.y, self.ones)[1:]

    def gain(self, k: int, selected: Sequence[Position]) -> float:
        """Return the gain of the k-th condition beyond the others; 0 if its effect is not positive."""
        c, t = selected[k]
        offset = self.offset([*selected[:k], *selected[k + 1 :]], self.ones, self.family(selected[k]))
        [(gains, effects)] = threshold_gains([self.candidates[c].levels], BinnedOffset.of(offset), self.y, self.ones)
        return float(gains[t]) if effects[t] > 0 else 0.0

    def _penalised_likelihood(self, selected: Sequence[Position]) -> float:
        """Log-likelihood less the handicaps."""
        odds = self.offset(selected, self.ones)
        likelihood = float((self.y * odds - np.logaddexp(0, odds)).sum())
        return likelihood - sum(self.candidates[c].handicap for c, _ in selected)

    # ------------------------------------------------------------ the search

    def best(self, among: Sequence[int], offset: np.ndarray, weight: np.ndarray) -> tuple[Position, float]:
        """The threshold with the largest gain less handicap, among those with a positive effect."""
        gains = threshold_gains([self.candidates[k].levels for k in among], BinnedOffset.of(offset), self.y, weight)
        top: tuple[Position, float] = (NOWHERE, -np.inf)
        for k, (gain, effect) in zip(among, gains, strict=True):
            net = np.where(effect > 0, gain - self.candidates[k].handicap, -np.inf)
            t = int(net.argmax())
            if net[t] > top[1] + 1e-9:
                top = ((k, t), float(net[t]))
        return top

    def select(self, rng: np.random.Generator) -> tuple[list[Position], float]:
        """Return the selected positions, and the gain that the last candidate had to exceed."""
        selected: list[Position] = []
        visited: set[frozenset[Position]] = set()
        null_gain = 0.0
        while len(selected) < MOST_CRITERIA:
            null_gain, position, net = self._best_addition(selected, rng)
            if net < null_gain:
                break
            selected = self._refit_thresholds([*selected, position])
            selected = self._drop_weak(selected, null_gain)
            if frozenset(selected) in visited:  # two conditions displace each other in turn
                break
            visited.add(frozenset(selected))
        for position in list(selected):
            if position in selected and self.candidates[position[0]].handicap:
                selected = self._replace_by_two_plain(selected, selected.index(position), null_gain)
        return selected, null_gain

    def _best_addition(self, selected: list[Position], rng: np.random.Generator) -> tuple[float, Position, float]:
        families = self.families(selected)
        free = [k for k, candidate in enumerate(self.candidates) if candidate.family not in families]
        offset = self.offset(selected, self.ones)
        about_usage = [k for k in free if self.candidates[k].family not in self.traits]
        best = [self.best(about_usage, offset, self.ones)]
        for family in self.traits:
            of_trait = [k for k in free if self.candidates[k].family == family]
            if of_trait:
                best.append(self.best(of_trait, self.offset(selected, self.ones, family), self.ones))
        position, net = max(best, key=lambda pair: pair[1])
        null_gain = null_gain_quantile(
            [self.candidates[k].levels for k in free],
            expit(offset),
            rng,
            1 - CHANCE,
            DRAWS,
            selected=self.met(selected),
            handicap=[self.candidates[k].handicap for k in free],
        )
        return null_gain, position, net

    def _refit_thresholds(self, selected: list[Position]) -> list[Position]:
        for _ in range(_REFIT_ROUNDS):
            before = list(selected)
            for k, position in enumerate(selected):
                family = self.family(position)
                offset = self.offset([*selected[:k], *selected[k + 1 :]], self.ones, family)
                best, _ = self.best(self.of_family(family), offset, self.ones)
                selected[k] = best if best != NOWHERE else position
            if selected == before:
                break
        return selected

    def _drop_weak(self, selected: list[Position], null_gain: float) -> list[Position]:
        while len(selected) > 1:
            net = [self.gain(k, selected) - self.candidates[selected[k][0]].handicap for k in range(len(selected))]
            weakest = int(np.argmin(net))
            if net[weakest] >= null_gain:
                break
            selected = self._refit_thresholds([*selected[:weakest], *selected[weakest + 1 :]])
        return selected

    def _replace_by_two_plain(self, selected: list[Position], k: int, null_gain: float) -> list[Position]:
        """Replace an unusual measure by two plain ones where they explain more.

        `users who did it`, for example, can stand in for doing it and for having many users.
        """
        family, remaining = self.family(selected[k]), [*selected[:k], *selected[k + 1 :]]
        plain = [c for c in self.of_family(family) if not self.candidates[c].handicap]
        if not plain:
            return selected
        first, _ = self.best(plain, self.offset(remaining, self.ones, family), self.ones)
        families = self.families(selected)
        free = [k for k, c in enumerate(self.candidates) if c.family not in families and not c.handicap]
        if first == NOWHERE or not free:
            return selected
        second, _ = self.best(free, self.offset([*remaining, first], self.ones), self.ones)
        if second == NOWHERE:
            return selected
        pair = self._refit_thresholds([*remaining, first, second])
        improves = self._penalised_likelihood(pair) - null_gain >= self._penalised_likelihood(selected)
        return pair if improves else selected


class _Resampling:
    """Return the conditions that resamples of the entities select in place of each criterion, with the others held fixed."""

    def __init__(
        self, search: ForwardSelection, selected: Sequence[Position], rng: np.random.Generator, entity: np.ndarray
    ) -> None:
        self.search, self.selected, self.rng = search, list(selected), rng
        names, self.code = np.unique(entity, return_inverse=True)
        self.entities = len(names)
        self.in_family: list[list[Position]] = [[] for _ in selected]
        self.in_column: list[list[int]] = [[] for _ in selected]

    def draw(self) -> None:
        times = np.bincount(self.rng.integers(0, self.entities, self.entities), minlength=self.entities)
        weight = times[self.code].astype(float)
        for k, position in enumerate(self.selected):
            family = self.search.family(position)
            offset = self.search.offset([*self.selected[:k], *self.selected[k + 1 :]], weight, family)
            self.in_family[k].append(self.search.best(self.search.of_family(family), offset, weight)[0])
            (_, t), _ = self.search.best([position[0]], offset, weight)
            self.in_column[k].append(t)

    def criterion(self, k: int, effect: float, gain: float, null_gain: float) -> MinedCriterion:
        position = self.selected[k]
        candidate = self.search.candidates[position[0]]
        thresholds = [t for t in self.in_column[k] if t >= 0]
        numbers = np.array([candidate.thresholds[t] for t in thresholds])
        low, high = np.quantile(numbers, [0.025, 0.975], method="nearest") if len(numbers) else (np.nan, np.nan)
        columns, draws = Counter(c for c, _ in self.in_family[k]), len(self.in_family[k])
        return MinedCriterion(
            condition=candidate.conditions[position[1]],
            family=candidate.family,
            column=candidate.column,
            effect=float(effect),
            gain=gain,
            null_gain=null_gain,
            threshold_interval=None if candidate.conditions[0].threshold is None else (float(low), float(high)),
            threshold_agreement=sum(t == position[1] for t in thresholds) / draws,
            window_agreement=columns[position[0]] / draws,
            alternatives=tuple(
                self._alternative(k, c, count / draws)
                for c, count in columns.most_common(3)
                if c not in (-1, position[0]) and count / draws >= _LEAST_ALTERNATIVE_SHARE
            ),
            identical=candidate.identical,
        )

    def _alternative(self, k: int, column: int, share: float) -> Alternative:
        usual, _ = Counter(t for c, t in self.in_family[k] if c == column).most_common(1)[0]
        return Alternative(self.search.candidates[column].conditions[usual], share)
