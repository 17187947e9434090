"""How much evidence there is, and how much more would change the verdict."""

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
"""Usual shares of the conversions in training and in test, and how many conversions they weigh against those seen."""


@dataclass(frozen=True)
class StatisticalPower:
    """Entities that converted, which are what a verdict rests on: several snapshots of one tell of the same conversion.

    Attributes
    ----------
    train, test
        Entities that converted, in training and in test.
    test_others
        Entities of the test that did not.
    everyone
        Entities that converted in any snapshot, those in the gap included.
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
        """Count; the frame has entity, as_of, converted, and the masks its rows."""
        converted, entity = frame["converted"].to_numpy(bool), frame["entity"]
        months = (int(frame["as_of"].max()) - int(frame["as_of"].min())) / _MONTH
        paid = entity[test & converted].nunique()
        return cls(
            train=int(entity[train & converted].nunique()),
            test=int(paid),
            test_others=int(entity[test].nunique() - paid),
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
        """How long until there are so many in training and in test, if both go on to grow in proportion.

        >>> Evidence(train=32, test=20, test_others=400, everyone=60, months=5).wait(train=50, test=20)
        'in about 3 months'
        """
        months = self.months_until(train, test)
        if months > LONGEST_MONTHS:
            return f"in more than {LONGEST_MONTHS} months"
        return "within a month" if months <= 1 else f"in about {math.ceil(months)} months"

    def months_until(self, train: int, test: int) -> float:
        """The same as a number. Both parts are taken to keep their share, as far as few conversions tell it."""
        known = self.everyone + _SHARES_FROM
        shares = [
            (have + usual * _SHARES_FROM) / known for have, usual in zip((self.train, self.test), _SHARES, strict=True)
        ]
        missing = max(wanted / share for wanted, share in zip((train, test), shares, strict=True)) - self.everyone
        return max(missing, 0.0) / max(self._monthly, 1e-9)

    def detectable_auc(self) -> float:
        """The ROC-AUC that the test would tell from chance 8 times in 10, by the variance of Mann & Whitney (1947).

        >>> round(Evidence(train=100, test=60, test_others=540, everyone=170, months=12).detectable_auc(), 2)
        0.61
        """
        return 0.5 + _SEEN_8_IN_10 * _null_error(self.test, self.test_others)

    def conversions_to_detect(self, auc: float) -> int:
        """Conversions in the test, at its present rate, from which so small a signal would be seen 8 times in 10."""
        error = (auc - 0.5) / _SEEN_8_IN_10
        rate = self.test / max(self.test + self.test_others, 1)
        return math.ceil(1 / (12 * error**2 * max(1 - rate, 1e-9)))


def _null_error(conversions: int, others: int) -> float:
    """Standard error of the ROC-AUC where there is no signal."""
    return math.sqrt((conversions + others + 1) / (12 * max(conversions, 1) * max(others, 1)))


def conversions_to_narrow(estimate: Estimate, target: float, conversions: int) -> float:
    """Conversions at which the low end of an interval would reach `target` if its value stays: width ~ 1 / sqrt(n).

    Infinite where the value itself does not exceed the target.

    >>> conversions_to_narrow(Estimate(0.65, 0.55, 0.75), target=0.60, conversions=40)
    160
    """
    if not estimate.value > target:
        return math.inf
    narrower = (estimate.value - estimate.low) / (estimate.value - target)
    return conversions if narrower <= 1 else math.ceil(round(conversions * narrower**2, 6))
