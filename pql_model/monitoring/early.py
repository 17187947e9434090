"""Outcomes that are not final yet: early conversions, scaled by how soon converters of the past converted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.monitoring.level import ALPHA, FEWEST_EXPECTED, LEAST_CHANGE
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Z95, Estimate

FEWEST_DELAYS = 20
"""Conversions of the past from which the time to convert is known well enough."""
EARLIEST = 0.2
"""Rows of which a smaller share of the conversions is due by now are left out: scaling would multiply their noise by five."""
_UPPER_OF_NONE = 3.69
"""97.5 % upper bound of the mean of a Poisson count of 0."""


@dataclass(frozen=True)
class TimeToConvert:
    """Times from a snapshot to the conversion within the horizon, of converters whose outcome is final.

    Attributes
    ----------
    delays
        Sorted, in microseconds.
    """

    delays: np.ndarray

    @classmethod
    def of(cls, delays: np.ndarray) -> TimeToConvert:
        return cls(np.sort(np.asarray(delays, np.int64)))

    @property
    def known(self) -> bool:
        return len(self.delays) >= FEWEST_DELAYS

    def share_by(self, elapsed: np.ndarray) -> np.ndarray:
        """Share of the conversions that had come by an elapsed time, (rows,).

        >>> TimeToConvert.of(np.array([3, 1, 2, 4])).share_by(np.array([0, 2, 9])).tolist()
        [0.0, 0.25, 1.0]
        """
        return np.searchsorted(self.delays, np.asarray(elapsed, np.int64), side="left") / max(1, len(self.delays))

    def relative_error(self, shares: np.ndarray, weights: np.ndarray) -> float:
        """Standard error of the mean share as a share of it, from the number of delays."""
        mean = float(np.average(shares, weights=weights)) if weights.sum() > 0 else 0.0
        return math.sqrt((1 - mean) / (mean * len(self.delays))) if mean > 0 and len(self.delays) else math.inf


@dataclass(frozen=True)
class EarlyEstimate:
    """An estimate of results that are not final.

    Attributes
    ----------
    rows
        Rows that are old enough for an estimate, and not final.
    expected
        Conversions that their probabilities promise within the horizon.
    due
        How many of these should have come by now.
    conversions
        How many have.
    ratio
        conversions / due with the error of both: what observed / predicted will be.
    found
        Whether a finding names the departure.
    """

    rows: int
    expected: float
    due: float
    conversions: float
    ratio: Estimate
    found: bool = False

    @property
    def departs(self) -> bool:
        """Whether the interval leaves out 1."""
        return not self.ratio.low <= 1 <= self.ratio.high

    @property
    def text(self) -> str:
        """One sentence, which says that it is an estimate."""
        ratio = self.ratio
        words = (
            f"Estimate, before the outcomes are final: {self.conversions:.0f} early conversions where {self.due:.0f} of "
            f"{self.expected:.0f} expected ones were due, {ratio.value:.2f} times as many (95 % interval {ratio.low:.2f} to "
            f"{ratio.high:.2f})."
        )
        if not self.departs or self.found:
            return words
        return (
            f"{words} That interval leaves out 1, and this is no finding: of twenty such looks one does by chance. It becomes one "
            f"to watch where, together with the final outcomes, at least {FEWEST_EXPECTED:.0f} conversions are expected, what came "
            f"is more than {LEAST_CHANGE:.0%} off, and chance and the error of the model's own level explain it in less than "
            f"{ALPHA:.0%} of quiet looks."
        )

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=4, words="text") | {"estimate": True}


def early_estimate(rows: pd.DataFrame, delays: TimeToConvert, until: int, horizon: int) -> EarlyEstimate | None:
    """Estimate the results of rows that are not final.

    Parameters
    ----------
    rows
        One row per entity and age, see `ledger_rows.due_rows`.
    until
        Outcomes are known up to here, microseconds.

    Returns
    -------
    EarlyEstimate or None
        None where too little is known: no such rows, or too few conversions in the past.
    """
    counted = with_due_share(rows, delays, until, horizon)
    counted = counted[~counted["final"].astype(bool)]
    if counted.empty or not delays.known:
        return None
    weight, due = counted["weight"].to_numpy(float), counted["due_share"].to_numpy(float)
    p, y = counted["probability"].to_numpy(float), counted["converted_by_now"].to_numpy(float)
    expected, expected_now, came = float(weight @ p), float(weight @ (p * due)), float(weight @ y)
    if not expected_now > 0:
        return None
    ratio = came / expected_now
    if came < 0.5:
        return EarlyEstimate(
            len(counted), expected, expected_now, came, Estimate(ratio, 0.0, _UPPER_OF_NONE / expected_now)
        )
    spread = math.exp(Z95 * math.hypot(1 / math.sqrt(came), delays.relative_error(due, weight * p)))
    return EarlyEstimate(len(counted), expected, expected_now, came, Estimate(ratio, ratio / spread, ratio * spread))


def with_due_share(rows: pd.DataFrame, delays: TimeToConvert, until: int, horizon: int) -> pd.DataFrame:
    """Rows with a known outcome so far: final ones, and those that are old enough for an estimate.

    Returns
    -------
    pandas.DataFrame
        With due_share (share of the conversions that is due by now, 1 where final), converted_by_now (bool) and weight, by
        which an entity counts once.
    """
    known = rows[rows["known"].astype(bool)]
    final = known["final"].to_numpy(bool)
    as_of = known["as_of"].to_numpy(np.int64)
    share = np.where(final, 1.0, delays.share_by(np.clip(until - as_of, 0, horizon)) if delays.known else 0.0)
    came = known["converted_at"].astype("Float64").to_numpy(float, na_value=np.nan)
    early = (came >= as_of) & (came < np.minimum(as_of + horizon, until))
    converted = np.where(final, known["converted"].eq(True).fillna(False).to_numpy(bool), early)
    counted = known.assign(due_share=share, converted_by_now=converted)
    counted = counted[final | (share >= EARLIEST)]
    return counted.assign(weight=1.0 / counted.groupby("entity")["as_of"].transform("size"))
