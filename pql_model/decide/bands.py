"""Bands of probability with a fixed meaning, and whether they kept it in the test period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.schema import LOWEST_BAND
from pql_model.payload import select_attributes
from pql_model.statistics.estimate import Estimate, wilson_around


@dataclass(frozen=True)
class Bands:
    """Names and the probabilities they begin at, falling; `very_low` lies below the last.

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
        """The band of each probability, object (rows,). A probability at an edge belongs to the band it begins."""
        rising = np.array(self.edges[-2::-1])
        place = len(self.names) - 1 - np.searchsorted(rising, probability, side="right")
        return np.array(self.names, object)[place]


@dataclass(frozen=True)
class BandResult:
    """What a band promised and what came of it.

    Attributes
    ----------
    at_least, below
        The probabilities it stands for.
    expected
        Mean probability of its rows; NaN where there are none.
    rate
        Share that converted. The interval is Wilson's, of as many trials as the band has entities: several snapshots
        of one entity tell little more than one.
    kept
        Whether the interval reaches into the band; None where there are no rows.
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
    """Every band on rows whose outcome is known, the highest first.

    >>> p = np.repeat([0.3, 0.01], 100)
    >>> table = band_table(Bands.of({"high": 0.25}), np.arange(200), np.arange(200) % 4 == 0, p)
    >>> [(b.name, b.rows, b.rate.value, b.kept) for b in table]
    [('high', 100, 0.25, True), ('very_low', 100, 0.25, True)]
    """
    of_row, code = bands.of_probability(probability), pd.factorize(entity)[0]
    return [
        _result(name, at_least, below, of_row == name, code, np.asarray(converted, bool), probability)
        for name, at_least, below in zip(bands.names, bands.edges, (1.0, *bands.edges), strict=False)
    ]


def _result(
    name: str,
    at_least: float,
    below: float,
    mine: np.ndarray,
    entity: np.ndarray,
    converted: np.ndarray,
    probability: np.ndarray,
) -> BandResult:
    rows, entities, conversions = int(mine.sum()), len(np.unique(entity[mine])), int(converted[mine].sum())
    expected = float(probability[mine].mean()) if rows else np.nan
    rate = wilson_around(conversions / rows, entities) if rows else Estimate(np.nan, np.nan, np.nan)
    return BandResult(name, at_least, below, rows, entities, conversions, expected, rate)
