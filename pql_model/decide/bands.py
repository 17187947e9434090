"""Probability bands with a fixed meaning, and the check of that meaning on the test period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.policy_settings import LOWEST_BAND
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate, wilson_around


@dataclass(frozen=True)
class Bands:
    """Names and lower bounds of the bands, descending; `very_low` lies below the last.

    >>> bands = Bands.of({"high": 0.25, "low": 0.03})
    >>> bands.names, bands.of_probability(np.array([0.25, 0.2499, 0.01])).tolist()
    (('high', 'low', 'very_low'), ['high', 'low', 'very_low'])
    """

    names: tuple[str, ...]
    edges: tuple[float, ...]

    @classmethod
    def of(cls, edges: Mapping[str, float]) -> Bands:
        return cls((*edges, LOWEST_BAND), (*edges.values(), 0.0))

    def of_probability(self, probability: np.ndarray) -> np.ndarray:
        """Look up the band of each probability, object (rows,). A probability equal to a lower bound is in that band."""
        ascending = np.array(self.edges[-2::-1])
        position = len(self.names) - 1 - np.searchsorted(ascending, probability, side="right")
        return np.array(self.names, object)[position]


@dataclass(frozen=True)
class BandResult:
    """Expected and observed conversion rate of a band.

    Attributes
    ----------
    at_least, below
        Its probabilities.
    expected
        Mean probability of its rows; NaN without rows.
    rate
        Share that converted, with Wilson's interval. Entities count as trials: several snapshots of one entity carry
        little more information than one.
    kept
        Whether the interval overlaps the band; None without rows.
    """

    name: str
    at_least: float
    below: float
    rows: int
    entities: int
    conversions: int
    expected: float
    rate: Estimate

    @property
    def kept(self) -> bool | None:
        if not self.rows:
            return None
        return bool(self.rate.low < self.below and self.rate.high >= self.at_least)

    def to_dict(self) -> dict[str, Any]:
        return select_attributes(self, digits=6) | {"kept": self.kept}


def band_table(bands: Bands, entity: np.ndarray, converted: np.ndarray, probability: np.ndarray) -> list[BandResult]:
    """Evaluate every band on rows with a known outcome, the highest band first.

    >>> p = np.repeat([0.3, 0.01], 100)
    >>> table = band_table(Bands.of({"high": 0.25}), np.arange(200), np.arange(200) % 4 == 0, p)
    >>> [(b.name, b.rows, b.rate.value, b.kept) for b in table]
    [('high', 100, 0.25, True), ('very_low', 100, 0.25, True)]
    """
    band, code = bands.of_probability(probability), pd.factorize(entity)[0]
    return [
        _result(name, at_least, below, band == name, code, np.asarray(converted, bool), probability)
        for name, at_least, below in zip(bands.names, bands.edges, (1.0, *bands.edges), strict=False)
    ]


def _result(
    name: str,
    at_least: float,
    below: float,
    in_band: np.ndarray,
    entity: np.ndarray,
    converted: np.ndarray,
    probability: np.ndarray,
) -> BandResult:
    rows, entities, conversions = int(in_band.sum()), len(np.unique(entity[in_band])), int(converted[in_band].sum())
    expected = float(probability[in_band].mean()) if rows else np.nan
    rate = wilson_around(conversions / rows, entities) if rows else Estimate(np.nan, np.nan, np.nan)
    return BandResult(name, at_least, below, rows, entities, conversions, expected, rate)
