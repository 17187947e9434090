"""From behaviours that predict to criteria: which, over which window, from which threshold on.

Forward selection of steps, one a behaviour. What is chosen already is held fixed by a logistic regression, so that a
behaviour that only goes along with a chosen one earns no place; after every step all windows and thresholds are placed
anew, and what no longer earns its place leaves. A step must explain more than the best of all thresholds would by
chance (`likelihood.luck`). Then the entities are resampled to see how often the same threshold comes out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from pql_model.config.definition import Criterion
from pql_model.criteria.candidates import Candidate
from pql_model.criteria.likelihood import Binned, fit_steps, null_gain_quantile, profile

MOST_CRITERIA = 8
RESAMPLES = 200
CHANCE, DRAWS = 0.02, 500
"""The share of worlds in which a step is taken though nothing counts beyond those chosen already."""
_ALSO = 0.15
_ROUNDS = 4

Place = tuple[int, int]
"""Candidate and threshold by their position."""
NOWHERE: Place = (-1, -1)


@dataclass(frozen=True)
class Also:
    """Another window or measure of the same behaviour that resamples find: how often, and its usual threshold."""

    condition: Criterion
    share: float


@dataclass(frozen=True)
class Mined:
    """One criterion as it was found on earlier entities.

    Attributes
    ----------
    family, column
        The behaviour, and the feature or trait column it reads.
    effect
        Log-odds, with the other criteria held fixed.
    gain
        Log-likelihood that it explains beyond them, and `by_luck`, what the best of all would explain by chance.
    threshold_interval
        The middle 95 % of the thresholds that resamples of the entities find in this column; None of a list of texts.
    threshold_agreement
        The share of the resamples that find this very threshold in this column.
    window_agreement
        The share that find this column (measure and window) among those of the behaviour.
    also
        Other columns that a good share of resamples prefers: the data cannot tell these apart.
    same
        Columns that cannot differ on these rows.
    """

    condition: Criterion
    family: str
    column: str
    effect: float
    gain: float
    by_luck: float
    threshold_interval: tuple[float, float] | None
    threshold_agreement: float
    window_agreement: float
    also: tuple[Also, ...]
    same: tuple[str, ...]


def mine(
    offered: Sequence[Candidate],
    y: np.ndarray,
    entity: np.ndarray,
    traits: Mapping[str, np.ndarray],
    seed: int,
    progress: Callable[[float], None] | None = None,
    resamples: int = RESAMPLES,
) -> list[Mined]:
    """Find criteria, the strongest first.

    Parameters
    ----------
    offered
        Candidates on the rows.
    y, entity
        Outcomes (0 or 1) and names of the rows, (rows,). Entities are what is resampled.
    traits
        Family of a trait -> its SHAP value on each row (log-odds). They are held fixed as they are until a criterion
        about the trait takes their place.
    progress
        Called with the share done.
    """
    search = _Search(offered, np.asarray(y, float), traits)
    rng = np.random.default_rng(seed)
    chosen, by_luck = search.forward(rng)
    if not chosen:
        return []
    draws = _Draws(search, chosen, rng, entity)
    for done in range(resamples):
        draws.add()
        if progress is not None:
            progress((done + 1) / resamples)
    effects = search.effects(chosen)
    mined = [draws.payload(k, effects[k], search.gain(k, chosen), by_luck) for k in range(len(chosen))]
    return sorted(mined, key=lambda found: -found.gain)


class _Search:
    """The rows, and what can be asked of them."""

    def __init__(self, offered: Sequence[Candidate], y: np.ndarray, traits: Mapping[str, np.ndarray]) -> None:
        self.offered, self.y, self.traits = list(offered), y, traits
        self.ones = np.ones(len(y))

    def met(self, chosen: Sequence[Place]) -> np.ndarray:
        columns = [self.offered[c].steps.met(t).astype(float) for c, t in chosen]
        return np.column_stack(columns) if columns else np.empty((len(self.y), 0))

    def of_family(self, family: str) -> list[int]:
        return [k for k, candidate in enumerate(self.offered) if candidate.family == family]

    def family(self, place: Place) -> str:
        return self.offered[place[0]].family

    def _held(self, families: set[str]) -> np.ndarray:
        """What the traits add that no criterion speaks of."""
        held = [value for family, value in self.traits.items() if family not in families]
        return np.asarray(np.sum(held, axis=0)) if held else np.zeros(len(self.y))

    def offset(self, chosen: Sequence[Place], weight: np.ndarray, without: str | None = None) -> np.ndarray:
        """Log-odds by the chosen steps and the traits."""
        families = {self.family(place) for place in chosen} | ({without} if without is not None else set())
        held, met = self._held(families), self.met(chosen)
        effects = fit_steps(met, held, self.y, weight)
        return np.asarray(held + effects[0] + met @ effects[1:])

    def effects(self, chosen: Sequence[Place]) -> np.ndarray:
        families = {self.family(place) for place in chosen}
        return fit_steps(self.met(chosen), self._held(families), self.y, self.ones)[1:]

    def best(self, among: Sequence[int], offset: np.ndarray, weight: np.ndarray) -> tuple[Place, float]:
        """The threshold that explains most, of those whose effect is positive."""
        found = profile([self.offered[k].steps for k in among], Binned.of(offset), self.y, weight)
        top: tuple[Place, float] = (NOWHERE, -np.inf)
        for k, (gain, effect) in zip(among, found, strict=True):
            worth = np.where(effect > 0, gain - self.offered[k].handicap, -np.inf)
            t = int(worth.argmax())
            if worth[t] > top[1] + 1e-9:
                top = ((k, t), float(worth[t]))
        return top

    def gain(self, k: int, chosen: Sequence[Place]) -> float:
        """What the k-th of the chosen explains beyond the others; nothing if its effect is not positive."""
        c, t = chosen[k]
        offset = self.offset([*chosen[:k], *chosen[k + 1 :]], self.ones, self.family(chosen[k]))
        [(gains, effects)] = profile([self.offered[c].steps], Binned.of(offset), self.y, self.ones)
        return float(gains[t]) if effects[t] > 0 else 0.0

    def forward(self, rng: np.random.Generator) -> tuple[list[Place], float]:
        chosen: list[Place] = []
        seen: set[frozenset[Place]] = set()
        by_luck = 0.0
        while len(chosen) < MOST_CRITERIA:
            by_luck, place, worth = self._next(chosen, rng)
            if worth < by_luck:
                break
            chosen = self._refit_thresholds([*chosen, place])
            chosen = self._still_worth(chosen, by_luck)
            if frozenset(chosen) in seen:  # one pushes the other out and back in
                break
            seen.add(frozenset(chosen))
        for place in list(chosen):
            if place in chosen and self.offered[place[0]].handicap:
                chosen = self._two_for_one(chosen, chosen.index(place), by_luck)
        return chosen, by_luck

    def _two_for_one(self, chosen: list[Place], k: int, by_luck: float) -> list[Place]:
        """An unusual measure may stand in for two plain ones (`users who did it` for doing it and for many users)."""
        family, rest = self.family(chosen[k]), [*chosen[:k], *chosen[k + 1 :]]
        plain = [c for c in self.of_family(family) if not self.offered[c].handicap]
        if not plain:
            return chosen
        first, _ = self.best(plain, self.offset(rest, self.ones, family), self.ones)
        taken = {self.family(place) for place in chosen}
        free = [c for c, each in enumerate(self.offered) if each.family not in taken and not each.handicap]
        if first == NOWHERE or not free:
            return chosen
        second, _ = self.best(free, self.offset([*rest, first], self.ones), self.ones)
        if second == NOWHERE:
            return chosen
        pair = self._refit_thresholds([*rest, first, second])
        better = self._explained(pair) - by_luck >= self._explained(chosen)
        return pair if better else chosen

    def _explained(self, chosen: Sequence[Place]) -> float:
        """Log-likelihood less the handicaps."""
        odds = self.offset(chosen, self.ones)
        likelihood = float((self.y * odds - np.logaddexp(0, odds)).sum())
        return likelihood - sum(self.offered[c].handicap for c, _ in chosen)

    def _next(self, chosen: list[Place], rng: np.random.Generator) -> tuple[float, Place, float]:
        taken = {self.family(place) for place in chosen}
        free = [k for k, candidate in enumerate(self.offered) if candidate.family not in taken]
        offset = self.offset(chosen, self.ones)
        about_usage = [k for k in free if self.offered[k].family not in self.traits]
        found = [self.best(about_usage, offset, self.ones)]
        for family in self.traits:
            mine = [k for k in free if self.offered[k].family == family]
            if mine:
                found.append(self.best(mine, self.offset(chosen, self.ones, family), self.ones))
        place, worth = max(found, key=lambda each: each[1])
        steps, handicap = [self.offered[k].steps for k in free], [self.offered[k].handicap for k in free]
        limit = null_gain_quantile(
            steps, expit(offset), rng, 1 - CHANCE, DRAWS, chosen=self.met(chosen), handicap=handicap
        )
        return limit, place, worth

    def _refit_thresholds(self, chosen: list[Place]) -> list[Place]:
        for _ in range(_ROUNDS):
            before = list(chosen)
            for k, place in enumerate(chosen):
                family = self.family(place)
                offset = self.offset([*chosen[:k], *chosen[k + 1 :]], self.ones, family)
                found, _ = self.best(self.of_family(family), offset, self.ones)
                chosen[k] = found if found != NOWHERE else place
            if chosen == before:
                break
        return chosen

    def _still_worth(self, chosen: list[Place], by_luck: float) -> list[Place]:
        while len(chosen) > 1:
            worth = [self.gain(k, chosen) - self.offered[chosen[k][0]].handicap for k in range(len(chosen))]
            weakest = int(np.argmin(worth))
            if worth[weakest] >= by_luck:
                break
            chosen = self._refit_thresholds([*chosen[:weakest], *chosen[weakest + 1 :]])
        return chosen


class _Draws:
    """What resamples of the entities find in place of each chosen criterion, the others held fixed."""

    def __init__(self, search: _Search, chosen: Sequence[Place], rng: np.random.Generator, entity: np.ndarray) -> None:
        self.search, self.chosen, self.rng = search, list(chosen), rng
        names, self.code = np.unique(entity, return_inverse=True)
        self.entities = len(names)
        self.found: list[list[Place]] = [[] for _ in chosen]
        self.here: list[list[int]] = [[] for _ in chosen]

    def add(self) -> None:
        drawn = np.bincount(self.rng.integers(0, self.entities, self.entities), minlength=self.entities)
        weight = drawn[self.code].astype(float)
        for k, place in enumerate(self.chosen):
            family = self.search.family(place)
            offset = self.search.offset([*self.chosen[:k], *self.chosen[k + 1 :]], weight, family)
            self.found[k].append(self.search.best(self.search.of_family(family), offset, weight)[0])
            (_, t), _ = self.search.best([place[0]], offset, weight)
            self.here[k].append(t)

    def payload(self, k: int, effect: float, gain: float, by_luck: float) -> Mined:
        place = self.chosen[k]
        candidate = self.search.offered[place[0]]
        here = [t for t in self.here[k] if t >= 0]
        numbers = np.array([candidate.thresholds[t] for t in here])
        low, high = np.quantile(numbers, [0.025, 0.975], method="nearest") if len(numbers) else (np.nan, np.nan)
        columns = Counter(c for c, _ in self.found[k])
        return Mined(
            condition=candidate.conditions[place[1]],
            family=candidate.family,
            column=candidate.column,
            effect=float(effect),
            gain=gain,
            by_luck=by_luck,
            threshold_interval=None if candidate.conditions[0].threshold is None else (float(low), float(high)),
            threshold_agreement=sum(t == place[1] for t in here) / len(self.here[k]),
            window_agreement=columns[place[0]] / len(self.found[k]),
            also=tuple(
                self._also(k, c, many)
                for c, many in columns.most_common(3)
                if c not in (-1, place[0]) and many / len(self.found[k]) >= _ALSO
            ),
            same=candidate.same,
        )

    def _also(self, k: int, column: int, many: int) -> Also:
        usual, _ = Counter(t for c, t in self.found[k] if c == column).most_common(1)[0]
        return Also(self.search.offered[column].conditions[usual], many / len(self.found[k]))
