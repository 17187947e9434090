"""A fair capacity: a place is given unless better leads are expected to need it before one is free again.

The lowest probability that is given a place is the price of that moment, the same for everybody. It follows from how often
entities first reach each level (the flow), from the places that are left, and from when the others become free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from pql_model.time import DAY, HOUR

LEVELS = expit(np.arange(-8, 4.01, 0.125))
"""Probabilities, ascending, at which the flow is counted: an eighth of a log-odds apart."""
_EARLY = HOUR
"""At most so much earlier than its period is a place free again: schedulers jitter."""
_REMEMBERED = 4
"""Periods of flow that are remembered; before them counts what training knew, as one period."""
_LAST_RUNS = 8
_MOST_STEPS = 200


@dataclass(frozen=True)
class Flow:
    """How often entities first reached each level, as far as the runs have seen.

    Attributes
    ----------
    runs
        Instants of the last runs.
    since
        Where the counts begin. Who was there in the first run came at an unknown time and is not counted.
    days
        (day since 1970, entities that first reached each of `LEVELS`) of each day with a run.
    """

    runs: tuple[int, ...] = ()
    since: int | None = None
    days: tuple[tuple[int, tuple[int, ...]], ...] = ()

    def after(self, as_of: int, peak: np.ndarray, probability: np.ndarray, period: int) -> Flow:
        """Add a run.

        Parameters
        ----------
        as_of
            Its instant.
        peak, probability
            The highest probability before this run and the present one, of each entity that takes places, (rows,).
        period
            Microseconds of the capacity's period.
        """
        runs = (*self.runs, as_of)[-_LAST_RUNS:]
        if self.since is None:
            return Flow(runs, as_of)
        new, today = reached(probability) - reached(np.minimum(peak, probability)), as_of // DAY
        kept = {day: np.array(counts) for day, counts in self.days if day * DAY > as_of - remembered(period) - DAY}
        kept[today] = kept.get(today, 0) + new
        days = tuple((day, tuple(counts.tolist())) for day, counts in kept.items())
        return Flow(runs, max(self.since, as_of - remembered(period)), days)

    def rate(self, as_of: int, prior: Sequence[float], period: int) -> np.ndarray | None:
        """Return how many entities reach each level in a microsecond; None where nothing is known.

        Parameters
        ----------
        prior
            What training saw reach each level in a period; it counts as one period. Empty if nothing is known.
        """
        observed, duration = np.zeros(len(LEVELS)), 0
        if self.since is not None and as_of > self.since:
            duration = as_of - self.since
            observed = np.sum([counts for _, counts in self.days], axis=0, dtype=float) if self.days else observed
        if not len(prior):
            return observed / duration if duration >= period else None
        return np.asarray((observed + np.asarray(prior)) / (duration + period))

    def time_to_next_run(self, as_of: int) -> int:
        """Guess the time to the next run: the usual gap so far, a day in the first run."""
        gaps = np.diff([*self.runs, as_of])
        return int(np.median(gaps)) if len(gaps) else DAY


def reached(probability: np.ndarray, levels: np.ndarray = LEVELS) -> np.ndarray:
    """Count the probabilities that reach each level, int (levels,)."""
    return np.asarray(len(probability) - np.searchsorted(np.sort(probability), levels, side="left"))


@dataclass(frozen=True)
class Places:
    """The places of a capacity at one instant.

    Attributes
    ----------
    leads, period
        At most so many alerts within so many microseconds.
    free
        Places that are free now.
    freed
        Microseconds until each other place becomes free, ascending.
    next_run
        Microseconds to the next run.
    rate
        Entities that reach each of `LEVELS` in a microsecond; None where that is not known.
    day_price
        The lowest probability that was given a place earlier on this day: later runs of the day do not ask more.
    """

    leads: int
    period: int
    free: int
    freed: np.ndarray
    next_run: int
    rate: np.ndarray | None
    day_price: float = np.inf

    def admits(self, probability: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Whether the place that each row would take is its own, bool (rows,).

        It is, unless better leads are expected to need it at a later run before enough others are free. No more leads
        are expected than an even pace allows, so that places do not lie idle when only lesser leads come.

        Parameters
        ----------
        probability
            Of each row, best first.
        place
            The place it would take: 1 is the first of the free ones.
        """
        needed = self._needed_by_better(probability)
        spare = np.min(self.free + self._freed_by_then - needed, axis=1, initial=np.inf)
        return np.asarray((place <= self.free) & ((place < spare + 1) | (probability >= self.day_price)))

    @property
    def _later_runs(self) -> np.ndarray:
        """Microseconds to each later run before the places of this one are free again, give or take half a step."""
        step = max(self.next_run, self.period // _MOST_STEPS, 1)
        return np.asarray(np.arange(step, self.period - step // 2, step))

    @property
    def _freed_by_then(self) -> np.ndarray:
        return np.asarray(np.searchsorted(self.freed, self._later_runs, side="right"))

    def _needed_by_better(self, probability: np.ndarray) -> np.ndarray:
        """Places that better leads are expected to take up to each later run, (rows, later runs)."""
        pace = np.full(len(probability), self.leads / self.period)
        if self.rate is not None:
            better = np.interp(logit(np.clip(probability, 1e-12, 1 - 1e-12)), logit(LEVELS), self.rate)
            pace = np.minimum(pace, better)
        return np.outer(pace, self._later_runs)


def early(period: int, since_last: int) -> int:
    """How much earlier than its period a place is free again: a quarter of the time since the last run, at most an hour.

    Without it a daily run that starts a minute earlier than the week before would find its places still taken.
    """
    return min(_EARLY, period // 4, since_last // 4)


def remembered(period: int) -> int:
    """Microseconds for which the flow is remembered."""
    return _REMEMBERED * period
