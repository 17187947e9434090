"""How much daily counts of the same process differ by chance, and where a count begins to differ by more.

The unit is the entity with an event on a day, not the row: rows of one entity on one day are not independent. What remains of
the dependence (heavy users, weeks that differ) is measured on the past of each event itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import nbinom, norm, poisson

WEEK_DAYS = 7
DRIFT = 0.1
"""Standard deviation by which the rate of an event moves of itself, where its past does not show more."""
_PRIOR_WEEKS = 6.0
"""Weight of the typical dispersion of all events beside that of an event, in weeks."""
_PRIOR_COUNT = 10.0
_LEAST = 1e-9


@dataclass(frozen=True)
class Noise:
    """How far counts of one event are from their expectation in the past.

    Attributes
    ----------
    dispersion
        Variance of a week's count divided by its expectation, at least 1.
    drift
        Standard deviation of the rate over longer periods, as a share.
    """

    dispersion: float = 1.0
    drift: float = DRIFT

    def at_most(self, count: float, expected: float) -> float:
        """Probability of a count this low: negative binomial with the variance of dispersion and drift.

        >>> round(Noise(1.0, 0.0).at_most(0, 5), 4), round(Noise(2.0, 0.0).at_most(0, 5), 4)
        (0.0067, 0.0312)
        """
        if expected <= 0:
            return 1.0
        ratio = self.dispersion + self.drift**2 * expected
        if ratio < 1 + 1e-6:
            return float(poisson.cdf(np.floor(count), expected))
        return float(nbinom.cdf(np.floor(count), expected / (ratio - 1), 1 / ratio))

    def log_error(self, *expected: float) -> float:
        """Standard error of the logarithm of the ratio of two counts with these expectations."""
        return float(np.sqrt(sum(self.dispersion / max(count, _LEAST) for count in expected) + self.drift**2))


def expected_counts(counts: np.ndarray, active: np.ndarray, past: np.ndarray, first_day: int = 0) -> np.ndarray:
    """Expect as many entities with an event as the past share of the active ones of the same age, with its weekdays.

    Parameters
    ----------
    counts, active
        (days, ages): entities with the event, and with any event.
    past
        (days,), bool: from which the shares are taken.
    first_day
        Weekdays are those of `first_day` + column.

    Returns
    -------
    ndarray
        (days,). Holidays, weekends and growth move the active entities and the expectation alike.
    """
    before, exposed = counts[past].sum(axis=0), active[past].sum(axis=0)
    overall = before.sum() / max(exposed.sum(), 1.0)
    share = (before + _PRIOR_COUNT * overall) / (exposed + _PRIOR_COUNT)
    expected: np.ndarray = active @ share
    weekday = (first_day + np.arange(len(active))) % WEEK_DAYS
    done = np.bincount(weekday[past], counts[past].sum(axis=1), WEEK_DAYS)
    due = np.bincount(weekday[past], expected[past], WEEK_DAYS)
    factor = (done + _PRIOR_COUNT) / (due + _PRIOR_COUNT)
    expected = expected * factor[weekday]
    total = expected[past].sum()
    return expected * (before.sum() / total) if total > 0 else expected


def noise_of(count: np.ndarray, expected: np.ndarray, past: np.ndarray, typical: float | None = None) -> Noise:
    """Measure the noise of a series on the weeks of its past.

    Parameters
    ----------
    count, expected
        (days,).
    past
        (days,), bool.
    typical
        Dispersion of the other events, used as a prior of six weeks.
    """
    observed, due = _blocks(count, expected, past, 1)
    dispersion = _pearson(observed, due)
    weeks = max(len(due) - 1, 0)
    if typical is not None:
        dispersion = (dispersion * weeks + typical * _PRIOR_WEEKS) / (weeks + _PRIOR_WEEKS)
    dispersion = max(dispersion, 1.0)
    observed, due = _blocks(count, expected, past, 4)
    long = due >= 1
    if long.sum() < 3:
        return Noise(dispersion)
    square = ((observed - due) ** 2 / due**2 - dispersion / due)[long]
    return Noise(dispersion, float(np.sqrt(max(DRIFT**2, np.average(square, weights=due[long])))))


def _pearson(observed: np.ndarray, due: np.ndarray) -> float:
    enough = due > 0.5
    if enough.sum() < 2:
        return 1.0
    return float((((observed - due) ** 2 / np.maximum(due, _LEAST))[enough]).sum() / (enough.sum() - 1))


def _blocks(count: np.ndarray, expected: np.ndarray, past: np.ndarray, weeks: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums over whole blocks of weeks, counted back from the end of the past."""
    days = np.flatnonzero(past)
    length = weeks * WEEK_DAYS
    days = days[len(days) % length :]
    return count[days].reshape(-1, length).sum(axis=1), expected[days].reshape(-1, length).sum(axis=1)


@dataclass(frozen=True)
class Shift:
    """The day from which on a count differs most from before.

    Attributes
    ----------
    start
        Column of the first day after the change.
    after, expected
        Count from then on, and its expectation at the rate before.
    before
        Count before, which the expectation rests on.
    """

    start: int
    after: float
    expected: float
    before: float

    @property
    def ratio(self) -> float:
        return self.after / self.expected if self.expected > 0 else 1.0


def find_shift(count: np.ndarray, expected: np.ndarray, first: int, last: int, begun: int = 0) -> Shift | None:
    """Find the most likely day of a change of level, by the likelihood ratio of Poisson counts.

    Parameters
    ----------
    count, expected
        (days,).
    first, last
        Columns between which the change may begin, the last one excluded.
    begun
        Column from which on the series exists.

    Returns
    -------
    Shift or None
        None where there is nothing before or nothing to expect.

    Examples
    --------
    >>> count = np.array([5, 4, 6, 5, 5, 0, 0, 1.0])
    >>> shift = find_shift(count, np.full(8, 5.0), 3, 8)
    >>> shift.start, shift.after, round(shift.expected)
    (5, 1.0, 15)
    """
    days = np.arange(max(first, begun + 1), last)
    if not len(days):
        return None
    total, due = np.cumsum(count[begun:]), np.cumsum(expected[begun:])
    x0, m0 = total[days - begun - 1], due[days - begun - 1]
    x1, m1 = total[-1] - x0, due[-1] - m0
    usable = (m0 > 0) & (m1 > 0) & (x0 > 0)
    if not usable.any():
        return None
    gain = _deviance(x0, m0) + _deviance(x1, m1)
    best = int(np.argmax(np.where(usable, gain, -np.inf)))
    rate = x0[best] / m0[best]
    return Shift(int(days[best]), float(x1[best]), float(m1[best] * rate), float(x0[best]))


def usual_pause(count: np.ndarray, expected: np.ndarray, begun: int, end: int) -> float:
    """What was due in the second longest pause of a series before a day: one that comes in bursts has paused before.

    >>> usual_pause(np.array([1, 0, 0, 0, 1, 0, 0, 1, 0, 1.0]), np.ones(10), 0, 10)
    2.0
    """
    days = slice(begun, end)
    alive = np.cumsum(count[days] > 0)
    due = np.bincount(alive, np.where(count[days] > 0, 0.0, expected[days]), 2)
    return float(np.sort(due)[-2])


def _deviance(count: np.ndarray, due: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        value: np.ndarray = np.where(count > 0, count * np.log(count / due), 0.0)
    return value


def two_sided(z: float) -> float:
    """Probability of a standard normal value at least this far from zero.

    >>> round(two_sided(1.96), 3)
    0.05
    """
    return float(2 * norm.sf(abs(z)))
