"""Statistical power: how many conversions there are, and how many more would change the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pql_model.statistics.estimate import Z95, Estimate
from pql_model.time import DAY

_MONTH = 365.25 / 12 * DAY
_SEEN_8_IN_10 = Z95 + 0.84
LONGEST_MONTHS = 24
_SHARES, _SHARES_FROM = (0.55, 0.35), 30
"""Typical shares of conversions in training and test, and their prior weight in conversions."""


@dataclass(frozen=True)
class StatisticalPower:
    """Numbers of converting entities, on which a verdict rests: several snapshots of one entity share one conversion.

    Attributes
    ----------
    train, test
        Converting entities in training and in test.
    test_others
        Other entities in the test.
    everyone
        Converting entities in any snapshot, including the gap.
    months
        From the first snapshot to the last.
    """

    train: int
    test: int
    test_others: int
    everyone: int
    months: float

    @classmethod
    def of(cls, frame: pd.DataFrame, train: np.ndarray, test: np.ndarray) -> StatisticalPower:
        """Count from a frame of entity, as_of, converted and masks over its rows."""
        converted, entity = frame["converted"].to_numpy(bool), frame["entity"]
        months = (int(frame["as_of"].max()) - int(frame["as_of"].min())) / _MONTH
        conversions = entity[test & converted].nunique()
        return cls(
            train=int(entity[train & converted].nunique()),
            test=int(conversions),
            test_others=int(entity[test].nunique() - conversions),
            everyone=int(entity[converted].nunique()),
            months=months,
        )

    @property
    def pace(self) -> str:
        """`12 a month`, `0.4 a month`."""
        monthly = self._monthly
        return f"{monthly:.0f} a month" if monthly >= 3 else f"{monthly:.1f} a month"

    @property
    def _monthly(self) -> float:
        return self.everyone / max(self.months, 1.0)

    def wait(self, train: int, test: int) -> str:
        """Time until training and test reach these numbers, if both keep growing in proportion.

        >>> StatisticalPower(train=32, test=20, test_others=400, everyone=60, months=5).wait(train=50, test=20)
        'in about 3 months'
        """
        months = self.months_until(train, test)
        if months > LONGEST_MONTHS:
            return f"in more than {LONGEST_MONTHS} months"
        return "within a month" if months <= 1 else f"in about {math.ceil(months)} months"

    def months_until(self, train: int, test: int) -> float:
        """Months until training and test reach these numbers, assuming that both keep their (shrunken) share."""
        known = self.everyone + _SHARES_FROM
        shares = [
            (have + usual * _SHARES_FROM) / known for have, usual in zip((self.train, self.test), _SHARES, strict=True)
        ]
        missing = max(target / share for target, share in zip((train, test), shares, strict=True)) - self.everyone
        return max(missing, 0.0) / max(self._monthly, 1e-9)

    def detectable_auc(self) -> float:
        """ROC-AUC that the test would distinguish from chance with 80 % power (variance of Mann & Whitney 1947).

        >>> round(StatisticalPower(train=100, test=60, test_others=540, everyone=170, months=12).detectable_auc(), 2)
        0.61
        """
        return 0.5 + _SEEN_8_IN_10 * _null_error(self.test, self.test_others)

    def conversions_to_detect(self, auc: float) -> int:
        """Conversions needed in the test, at its current rate, to detect this ROC-AUC with 80 % power."""
        error = (auc - 0.5) / _SEEN_8_IN_10
        rate = self.test / max(self.test + self.test_others, 1)
        return math.ceil(1 / (12 * error**2 * max(1 - rate, 1e-9)))


def _null_error(conversions: int, non_conversions: int) -> float:
    """Standard error of the ROC-AUC without any signal."""
    return math.sqrt((conversions + non_conversions + 1) / (12 * max(conversions, 1) * max(non_conversions, 1)))


def conversions_to_narrow(estimate: Estimate, target: float, conversions: int) -> float:
    """Conversions at which the lower bound of an interval reaches `target` if its value stays (width ~ 1 / sqrt(n)).

    Infinite if the value itself does not exceed the target.

    >>> conversions_to_narrow(Estimate(0.65, 0.55, 0.75), target=0.60, conversions=40)
    160
    """
    if not estimate.value > target:
        return math.inf
    narrower = (estimate.value - estimate.low) / (estimate.value - target)
    return conversions if narrower <= 1 else math.ceil(round(conversions * narrower**2, 6))
