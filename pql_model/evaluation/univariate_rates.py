"""What the data support when no model can be trusted: the base rate and the rates of single behaviours.

Only snapshots at least one horizon apart are used per entity: in a trial the first one, in freemium also later ones. No
conversion is then counted twice and every snapshot is an independent trial (person-periods of discrete-time survival
analysis: Singer & Willett 1993), so ordinary intervals of proportions apply. The selection never depends on the outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

from pql_model.features.spec import Feature
from pql_model.payload import select_attributes
from pql_model.snapshots.spacing import non_overlapping
from pql_model.statistics.estimate import Estimate, wilson
from pql_model.statistics.multiple_testing import holm
from pql_model.time import Duration

MAX_BEHAVIOURS = 12
"""Maximum number of behaviours tested: each further one demands stronger evidence from all."""
_LEVEL = 0.05
_LEAST_SHARE = 0.05


@dataclass(frozen=True)
class Group:
    """Snapshots with or without the behaviour: their number, conversions, and rate with Wilson's interval."""

    looks: int
    conversions: int
    rate: Estimate

    @classmethod
    def of(cls, converted: np.ndarray) -> Group:
        return cls(len(converted), int(converted.sum()), wilson(int(converted.sum()), len(converted)))


@dataclass(frozen=True)
class BehaviourRate:
    """Rates of a single behaviour.

    Attributes
    ----------
    event, more_than
        Event done more than this many times before the snapshot; 0 means "at least once".
    p_value
        Fisher's exact test, corrected for the number of behaviours tested (Holm 1979).
    """

    event: str
    more_than: int
    did: Group
    did_not: Group
    p_value: float

    @property
    def text(self) -> str:
        return f"{self.event}: {'at least once' if not self.more_than else f'at least {self.more_than + 1} times'}"

    @property
    def stands_out(self) -> bool:
        return self.p_value < _LEVEL

    def to_dict(self) -> dict[str, Any]:
        rates = select_attributes(self, "event", "did", "did_not", "p_value", "stands_out", digits=6)
        return {**rates, "at_least": self.more_than + 1}


@dataclass(frozen=True)
class UnivariateRates:
    """Base rate and behaviours tested, the strongest first."""

    base: Group
    behaviours: tuple[BehaviourRate, ...]

    @property
    def sentence(self) -> str:
        rate, counts = self.base.rate, f"{self.base.conversions:,} of {self.base.looks:,}"
        base = f"{counts} converted, {rate.value:.1%} (95 % interval {rate.low:.1%} to {rate.high:.1%})."
        if not self.behaviours:
            return f"{base} No behaviour is common enough to compare."
        out = [single.text for single in self.behaviours if single.stands_out]
        strongest = (
            f"{len(out)} stand{'s' if len(out) == 1 else ''} out: {'; '.join(out)}" if out else "none stands out"
        )
        return f"{base} Of {len(self.behaviours)} behaviours tested, {strongest}."

    def to_dict(self) -> dict[str, Any]:
        """`supported` of `pql train --json`."""
        rates = select_attributes(self, "sentence", "behaviours", base_rate="base", digits=6)
        return {**rates, "looked_at": len(self.behaviours)}


def univariate_rates(
    frame: pd.DataFrame, table: pd.DataFrame, events: Sequence[str], horizon: Duration, quarantined: Sequence[str] = ()
) -> UnivariateRates:
    """Compute the base rate and the rates of single behaviours.

    Parameters
    ----------
    frame
        entity, as_of, converted of all snapshots with a final outcome.
    table
        Features of the same rows, in the same order; only the count of each event is read.
    events
        Events in order of popularity; the first 12 that split the snapshots are compared.
    quarantined
        Columns that the leakage audit quarantined.
    """
    looks = non_overlapping(frame, horizon)
    converted = frame["converted"].to_numpy(bool)[looks]
    rates: list[BehaviourRate] = []
    for event in events:
        name = Feature(event, "count").name
        if len(rates) < MAX_BEHAVIOURS and name in table and name not in quarantined:
            rates += _split_by_threshold(event, table[name].to_numpy(float)[looks], converted)[
                : MAX_BEHAVIOURS - len(rates)
            ]
    corrected = holm([single.p_value for single in rates])
    behaviours = [replace(single, p_value=p) for single, p in zip(rates, corrected.tolist(), strict=True)]
    order = np.argsort([single.p_value for single in rates], kind="stable")
    return UnivariateRates(Group.of(converted), tuple(behaviours[i] for i in order))


def _split_by_threshold(event: str, counts: np.ndarray, converted: np.ndarray) -> list[BehaviourRate]:
    """Test "at least once" and "more than the median of those who did it", if both groups are large enough."""
    did = counts > 0
    thresholds = dict.fromkeys([0, int(np.median(counts[did]))]) if did.any() else {}
    rates = []
    for more_than in thresholds:
        mask = counts > more_than
        if _LEAST_SHARE <= mask.mean() <= 1 - _LEAST_SHARE:
            sides = Group.of(converted[mask]), Group.of(converted[~mask])
            cells = [[side.conversions, side.looks - side.conversions] for side in sides]
            rates.append(BehaviourRate(event, more_than, *sides, float(fisher_exact(cells).pvalue)))
    return rates
