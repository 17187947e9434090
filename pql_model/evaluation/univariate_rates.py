"""What the data support where no model can be trusted: the base rate, and the rate of single behaviours.

Looked at are snapshots at least one horizon apart for each entity: in a trial the first, in freemium also later ones. No
conversion is then counted twice, and each look is a trial of its own (person-periods of discrete-time survival analysis:
Singer & Willett 1993), so plain intervals of shares are right. Which look is taken never depends on what came after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

from pql_model.features.spec import Feature
from pql_model.snapshots.spacing import non_overlapping
from pql_model.statistics.estimate import Estimate, wilson
from pql_model.statistics.multiple_testing import holm
from pql_model.time import Duration

MOST = 12
"""Behaviours looked at: each further one asks for stronger proof from all."""
_LEVEL = 0.05
_LEAST_SHARE = 0.05


@dataclass(frozen=True)
class Side:
    """Who did it, or who did not: how many looks, how many converted, their rate with Wilson's interval."""

    looks: int
    conversions: int
    rate: Estimate

    @classmethod
    def of(cls, converted: np.ndarray) -> Side:
        return cls(len(converted), int(converted.sum()), wilson(int(converted.sum()), len(converted)))

    def to_dict(self) -> dict[str, Any]:
        return {"looks": self.looks, "conversions": self.conversions, "rate": self.rate.to_dict(6)}


@dataclass(frozen=True)
class Single:
    """One behaviour alone.

    Attributes
    ----------
    event, more_than
        Done more than so many times before the look; 0 is "at least once".
    p_value
        Fisher's exact test, multiplied for the number looked at (Holm 1979).
    """

    event: str
    more_than: int
    did: Side
    did_not: Side
    p_value: float

    @property
    def text(self) -> str:
        return f"{self.event}: {'at least once' if not self.more_than else f'at least {self.more_than + 1} times'}"

    @property
    def stands_out(self) -> bool:
        return self.p_value < _LEVEL

    def to_dict(self) -> dict[str, Any]:
        return {
            "event": self.event,
            "at_least": self.more_than + 1,
            "did": self.did.to_dict(),
            "did_not": self.did_not.to_dict(),
            "p_value": round(self.p_value, 6),
            "stands_out": self.stands_out,
        }


@dataclass(frozen=True)
class UnivariateRates:
    """The base rate and the behaviours looked at, the most telling first."""

    base: Side
    behaviours: tuple[Single, ...]

    @property
    def sentence(self) -> str:
        rate, known = self.base.rate, f"{self.base.conversions:,} of {self.base.looks:,}"
        base = f"{known} converted, {rate.value:.1%} (likely {rate.low:.1%} to {rate.high:.1%})."
        if not self.behaviours:
            return f"{base} No behaviour was done by enough of them to compare."
        out = [single.text for single in self.behaviours if single.stands_out]
        found = f"{len(out)} stand{'s' if len(out) == 1 else ''} out: {'; '.join(out)}" if out else "none stands out"
        return f"{base} Single behaviours: looked at {len(self.behaviours)}, {found}."

    def to_dict(self) -> dict[str, Any]:
        """`supported` of `pql train --json`."""
        return {
            "sentence": self.sentence,
            "base_rate": self.base.to_dict(),
            "looked_at": len(self.behaviours),
            "behaviours": [single.to_dict() for single in self.behaviours],
        }


def univariate_rates(
    frame: pd.DataFrame, table: pd.DataFrame, events: Sequence[str], horizon: Duration, quarantined: Sequence[str] = ()
) -> UnivariateRates:
    """Base rate and single-behaviour rates.

    Parameters
    ----------
    frame
        entity, as_of, converted of all snapshots with a final outcome.
    table
        Their features, in the same order; read is the count of each event so far.
    events
        By how many do them, the most common first; the first 12 that tell the looks apart are compared.
    quarantined
        Columns that the leakage audit took out.
    """
    looks = non_overlapping(frame, horizon)
    converted = frame["converted"].to_numpy(bool)[looks]
    found: list[Single] = []
    for event in events:
        name = Feature(event, "count").name
        if len(found) < MOST and name in table and name not in quarantined:
            found += _compared(event, table[name].to_numpy(float)[looks], converted)[: MOST - len(found)]
    corrected = holm([single.p_value for single in found])
    behaviours = [replace(single, p_value=p) for single, p in zip(found, corrected.tolist(), strict=True)]
    order = np.argsort([single.p_value for single in found], kind="stable")
    return UnivariateRates(Side.of(converted), tuple(behaviours[i] for i in order))


def _compared(event: str, counts: np.ndarray, converted: np.ndarray) -> list[Single]:
    """At least once, and more than the median of those who did it; each only where it leaves two sides."""
    did = counts > 0
    thresholds = dict.fromkeys([0, int(np.median(counts[did]))]) if did.any() else {}
    found = []
    for more_than in thresholds:
        met = counts > more_than
        if _LEAST_SHARE <= met.mean() <= 1 - _LEAST_SHARE:
            sides = Side.of(converted[met]), Side.of(converted[~met])
            cells = [[side.conversions, side.looks - side.conversions] for side in sides]
            found.append(Single(event, more_than, *sides, float(fisher_exact(cells).pvalue)))
    return found
