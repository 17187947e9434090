"""Whether conversions come at the promised rate, and at the rate of the past.

Both questions are asked of every recent stretch of time, from some week until now: what was expected, and what came. The
distribution under "nothing has changed" allows for chance and for what the model itself says of its level (it was learnt
from a finite number of conversions, and moves between periods): a negative binomial. Several stretches are looked at, one within
the other, so the smallest of their p-values is compared with the smallest ones of simulated periods in which nothing changed
(Westfall and Young 1993).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import nbinom, poisson

from pql_model.monitoring.finding import Finding
from pql_model.time import DAY, iso

ALPHA = 0.01
"""Probability of a finding in a quiet period, for all stretches of one look together."""
LEAST_CHANGE = 0.2
"""Smaller changes than this share are not worth a finding, however certain."""
FEWEST_EXPECTED = 10.0
"""Stretches with fewer expected conversions are not looked at: no change of a realistic size would show."""
STRETCHES = (30, 45, 60, 90, 180)
"""Days; the whole period is looked at too."""
_DRAWS = 4000


@dataclass(frozen=True)
class Stretch:
    """Expected and observed conversions from an instant until now.

    Attributes
    ----------
    p_value
        Of a departure as wide as this one in any of the stretches, if nothing has changed.
    estimated
        Share of the expected conversions that belongs to rows without a final outcome.
    """

    since: int
    entities: int
    expected: float
    observed: float
    p_value: float
    estimated: float

    @property
    def ratio(self) -> float:
        return self.observed / self.expected


def widest_departure(
    as_of: np.ndarray,
    weight_of: np.ndarray,
    expected: np.ndarray,
    observed: np.ndarray,
    relative_error: float,
    final: np.ndarray,
) -> Stretch | None:
    """The stretch in which observed conversions depart most from expected ones.

    Parameters
    ----------
    as_of, expected, observed, final
        Per row: its instant (microseconds), expected and observed conversions, and whether the outcome is final.
    weight_of
        The entity of each row, as a code; an entity counts once in a stretch.
    relative_error
        Standard error of the expected level, as a share.
    """
    if not len(as_of):
        return None
    end = int(as_of.max())
    starts = sorted({max(int(as_of.min()), end - days * DAY) for days in STRETCHES} | {int(as_of.min())})
    stretches = []
    for start in starts:
        rows = as_of >= start
        entity = weight_of[rows]
        weight = 1.0 / np.bincount(entity)[entity]
        e, o = float(weight @ expected[rows]), float(weight @ observed[rows])
        if e >= FEWEST_EXPECTED:
            early = float(weight @ np.where(final[rows], 0.0, expected[rows])) / e
            alone = float(tail(o, e, relative_error))
            stretches.append(Stretch(start, len(np.unique(entity)), e, o, alone, early))
    if not stretches:
        return None
    widest = min(stretches, key=lambda stretch: (stretch.p_value, stretch.since))
    by_chance = _smallest_by_chance(np.sort([stretch.expected for stretch in stretches]), relative_error)
    return replace(widest, p_value=(1 + int((by_chance <= widest.p_value).sum())) / (1 + _DRAWS))


def _smallest_by_chance(expected: np.ndarray, relative_error: float) -> np.ndarray:
    """The smallest p-value of nested stretches in each of many periods without a change, (draws,)."""
    rng = np.random.default_rng(0)
    level = rng.gamma(1 / relative_error**2, relative_error**2, _DRAWS) if relative_error > 0 else np.ones(_DRAWS)
    steps = np.diff(expected, prepend=0.0)
    counts = rng.poisson(level[:, None] * steps).cumsum(axis=1)
    return np.asarray(tail(counts, expected, relative_error).min(axis=1))


def tail(observed: npt.ArrayLike, expected: npt.ArrayLike, relative_error: float) -> np.ndarray:
    """Two-sided p-value of a count, if its mean is known up to a relative standard error.

    >>> bool(tail(40, 40, 0.15) > 0.9), bool(tail(13, 40, 0.15) < 0.001), bool(tail(130, 400, 0.5) > 0.05)
    (True, True, True)
    """
    low, high, mean = np.floor(observed), np.ceil(observed), np.asarray(expected)
    if relative_error > 0:
        size = 1 / relative_error**2
        counts = nbinom(size, size / (size + mean))
    else:
        counts = poisson(mean)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(counts.cdf(low), counts.sf(high - 1))))


def level_findings(
    rows: pd.DataFrame, level_error: float, base_rate: float, base_error: float, delay_error: float, who: str
) -> tuple[Finding, ...]:
    """`calibration_off` and `base_rate_changed`.

    Final outcomes decide. Where they do not, outcomes that are still open are added, as an estimate: a finding that needs them
    is at most `watch`.

    Parameters
    ----------
    rows
        See `early.with_due_share`, of rows that the model has not learnt from.
    level_error
        Standard error of the level of the probabilities, as a share of it.
    base_rate, base_error
        Conversion rate of the rows that the model learnt from, and its relative standard error.
    delay_error
        Relative error of the time to convert.
    who
        Whose rows these are, such as `version 3`.
    """
    if rows.empty:
        return ()
    promised = rows["probability"].to_numpy(float)
    usual = np.full(len(rows), base_rate)
    found = []
    off = _departure(rows, promised, level_error, delay_error)
    if off is not None:
        found.append(_calibration_finding(off, who))
    moved = _departure(rows, usual, base_error, delay_error)
    if moved is not None:
        found.append(_base_rate_finding(moved, base_rate))
    return tuple(found)


def _departure(rows: pd.DataFrame, chance: np.ndarray, error: float, delay_error: float) -> Stretch | None:
    """The stretch to report; of final outcomes if these suffice, otherwise with an estimate of the others."""
    final = rows["final"].to_numpy(bool)
    due = rows["due_share"].to_numpy(float)
    as_of, came = rows["as_of"].to_numpy(np.int64), rows["converted_by_now"].to_numpy(float)
    entity = pd.factorize(rows["entity"])[0]
    looks: Sequence[tuple[np.ndarray, float]] = (
        (final, error),
        (np.ones(len(rows), bool), math.hypot(error, delay_error)),
    )
    for mask, relative_error in looks:
        if not mask.any():
            continue
        codes = np.unique(entity[mask], return_inverse=True)[1]
        result = widest_departure(as_of[mask], codes, (chance * due)[mask], came[mask], relative_error, final[mask])
        if result is not None and result.p_value < ALPHA and abs(result.ratio - 1) > LEAST_CHANGE:
            return result
    return None


def _calibration_finding(stretch: Stretch, who: str) -> Finding:
    side = "fewer" if stretch.ratio < 1 else "more"
    return Finding(
        "calibration_off",
        "probability",
        stretch.since,
        round(stretch.observed, 1),
        round(stretch.expected, 1),
        f"Conversions are {side} than promised: {stretch.observed:.0f} since {iso(stretch.since // DAY * DAY)}, where the "
        f"probabilities of {who} promised {stretch.expected:.0f}, for {stretch.entities:,} entities{_estimated(stretch)}.",
        "watch" if stretch.estimated > 0 else "act",
    )


def _base_rate_finding(stretch: Stretch, base_rate: float) -> Finding:
    rate = base_rate * stretch.ratio
    side = "fell" if stretch.ratio < 1 else "rose"
    return Finding(
        "base_rate_changed",
        "conversions",
        stretch.since,
        round(rate, 4),
        round(base_rate, 4),
        f"The conversion rate {side} from {base_rate:.1%} to {rate:.1%} since {iso(stretch.since // DAY * DAY)}: "
        f"{stretch.observed:.0f} conversions where {stretch.expected:.0f} were usual, of {stretch.entities:,} "
        f"entities{_estimated(stretch)}.",
        "watch",
    )


def _estimated(stretch: Stretch) -> str:
    return f"; {stretch.estimated:.0%} of this is an estimate from early conversions" if stretch.estimated > 0 else ""
