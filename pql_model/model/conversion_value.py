"""What a conversion is worth: the mean of the values known, by the trait whose segments tell them apart, if one does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import gamma, kruskal

from pql_model.model.columns import Manifest
from pql_model.statistics.estimate import Z95, Estimate

VALUE = "value"
"""Key in the facts of a model."""
FEWEST = 10
"""With fewer values nothing is said, and a category with fewer does not show that values differ."""
VALUE_COLUMNS = ("expected_value", "expected_value_low", "expected_value_high")
"""Columns of a scored row."""
_ALPHA = 0.01
_RESAMPLES = 500


@dataclass(frozen=True)
class ConversionValue:
    """The value of a conversion.

    Attributes
    ----------
    conversions
        Converting entities whose value is known.
    overall
        Mean value.
    spread
        Coefficient of variation of single values around the mean of their segment.
    trait
        Column of the trait whose categories are segments; None where all are pooled.
    segments
        Category -> number of conversions, and mean value, drawn towards the overall mean where they are few.
    """

    conversions: int
    overall: Estimate
    spread: float
    trait: str | None = None
    segments: Mapping[str, tuple[int, Estimate]] | None = None

    @property
    def error(self) -> float:
        """Standard error of the overall mean, as a share of it."""
        return (self.overall.high - self.overall.low) / (2 * Z95 * self.overall.value)

    def of(self, X: np.ndarray, manifest: Manifest) -> RowValues:
        """Return what a conversion of each row of the matrix is worth."""
        return RowValues(self, self._per_conversion(X, manifest))

    def _per_conversion(self, X: np.ndarray, manifest: Manifest) -> np.ndarray:
        pooled = np.array([[self.overall.value, self.overall.low, self.overall.high]])
        if self.trait is None or self.trait not in manifest.names:
            return np.repeat(pooled, len(X), axis=0)
        place = manifest.names.index(self.trait)
        known = self.segments or {}
        means = [known[c][1] if c in known else self.overall for c in manifest.columns[place].categories]
        values = np.vstack([[(m.value, m.low, m.high) for m in means], pooled]) if means else pooled
        codes = X[:, place]
        return np.asarray(values[np.where(np.isnan(codes), len(means), codes).astype(int)])

    def to_dict(self) -> dict[str, Any]:
        parts = {name: {"conversions": n, **mean.to_dict()} for name, (n, mean) in (self.segments or {}).items()}
        return {
            "conversions": self.conversions,
            "per_conversion": self.overall.to_dict(),
            "spread": self.spread,
            "segmented_by": self.trait,
            "segments": parts,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> ConversionValue:
        """Read what `to_dict` wrote."""
        parts = {name: (int(part["conversions"]), _estimate(part)) for name, part in raw["segments"].items()}
        overall = _estimate(raw["per_conversion"])
        return cls(int(raw["conversions"]), overall, float(raw["spread"]), raw["segmented_by"], parts)

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> ConversionValue | None:
        """Read it from the facts of a model; None if it knows no values."""
        raw = facts.get(VALUE)
        return cls.from_dict(raw) if raw else None


def _estimate(raw: Mapping[str, Any]) -> Estimate:
    return Estimate(*(float(raw[key]) for key in ("value", "low", "high")))


def learn_value(values: np.ndarray, X: np.ndarray, manifest: Manifest, seed: int) -> ConversionValue | None:
    """Learn the value of a conversion.

    The segments are those of the categorical trait that tells values apart best: Kruskal and Wallis' test (1952, JASA
    47:583-621) at 1 %, divided by the number of traits that are tried. Their means are drawn towards the overall mean by
    credibility (Bühlmann and Straub 1970, Mitteilungen VSVM 70:111-133), and intervals are those of a bootstrap.

    Parameters
    ----------
    values : numpy.ndarray
        Values of converting entities, NaN where unknown, (entities,).
    X : numpy.ndarray
        A row of the model's matrix for each, (entities, columns).
    manifest : Manifest
        The columns of `X`.
    seed : int
        Of the bootstrap.

    Returns
    -------
    ConversionValue or None
        None with fewer than ten known values.
    """
    known = np.isfinite(values)
    values, X = values[known], X[known]
    if len(values) < FEWEST:
        return None
    place = _telling_trait(values, X, manifest)
    codes = X[:, place] if place is not None else np.full(len(values), np.nan)
    groups = np.unique(codes[~np.isnan(codes)])
    index = np.full(len(values), len(groups))
    for i, code in enumerate(groups):
        index[codes == code] = i
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, len(values), len(values)) for _ in range(_RESAMPLES)]
    means = _means(values, index, len(groups))
    resampled = np.array([_means(values[rows], index[rows], len(groups)) for rows in drawn])
    low, high = np.quantile(resampled, (0.025, 0.975), axis=0)
    overall, *others = (Estimate(*map(float, each)) for each in zip(means, low, high, strict=True))
    spread = float(np.sqrt(np.mean((values / np.append(means[1:], means[0])[index] - 1) ** 2)))
    if place is None:
        return ConversionValue(len(values), overall, spread)
    column = manifest.columns[place]
    segments = {
        column.categories[int(code)]: (int((index == i).sum()), others[i])
        for i, code in enumerate(groups)
        if int(code) < len(column.categories)
    }
    return ConversionValue(len(values), overall, spread, column.name, segments)


def _telling_trait(values: np.ndarray, X: np.ndarray, manifest: Manifest) -> int | None:
    """The categorical trait whose categories differ in value beyond chance, and most."""
    found: dict[int, float] = {}
    for place in manifest.categorical:
        codes = X[:, place]
        parts = [values[codes == code] for code in np.unique(codes[~np.isnan(codes)])]
        parts = [part for part in parts if len(part) >= FEWEST]
        if len(parts) > 1 and len(np.unique(np.concatenate(parts))) > 1:
            found[place] = float(kruskal(*parts).pvalue)
    best = min(found, key=lambda place: found[place], default=None)
    return best if best is not None and found[best] * len(found) < _ALPHA else None


def _means(values: np.ndarray, index: np.ndarray, groups: int) -> np.ndarray:
    """The overall mean, then that of each group by credibility; rows of no group have the index `groups`."""
    overall = values.mean()
    counts = np.bincount(index, minlength=groups + 1)[:groups].astype(float)
    if not groups:
        return np.array([overall])
    sums = np.bincount(index, values, groups + 1)[:groups]
    own = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
    inside = index < groups
    within = ((values[inside] - own[index[inside]]) ** 2).sum() / max(1.0, counts.sum() - groups)
    spare = counts.sum() - (counts**2).sum() / max(1.0, counts.sum())
    between = ((counts * (own - overall) ** 2).sum() - (groups - 1) * within) / max(spare, 1e-12)
    weight = counts / (counts + within / between) if between > 0 else np.zeros(groups)
    return np.append(overall, overall + weight * (own - overall))


@dataclass(frozen=True)
class RowValues:
    """What a conversion of each row is worth: mean and 95 % interval, (rows, 3)."""

    value: ConversionValue
    per_conversion: np.ndarray

    def of_rows(self, probability: np.ndarray, level_error: float) -> dict[str, np.ndarray]:
        """Return the expected value of each row with its 95 % interval, by column.

        The interval is that of the mean, from the errors of the mean value and of the level of the probabilities. What a
        single row brings is its value or nothing.
        """
        mean, low, high = self.per_conversion.T
        off = mean * Z95 * level_error
        low, high = mean - np.hypot(mean - low, off), mean + np.hypot(high - mean, off)
        bounds = zip(VALUE_COLUMNS, (mean, low, high), strict=True)
        return {name: probability * np.maximum(each, 0.0) for name, each in bounds}

    def of_all(self, probability: np.ndarray, level_error: float, rows: np.ndarray | None = None) -> Estimate:
        """Predict the value of all conversions, or of those of some rows, with a 95 % interval.

        The interval is that of a gamma distribution, which describes sums of few skewed amounts, with the variance of who
        converts, of what each pays, of the mean value, and of the level of the probabilities.

        Parameters
        ----------
        probability : numpy.ndarray
            One per entity, (rows,).
        level_error : float
            Standard error of the level of all probabilities, as a share of it.
        rows : numpy.ndarray, optional
            Bool, (rows,).

        Examples
        --------
        >>> worth = ConversionValue(50, Estimate(100.0, 80.0, 120.0), spread=0.5)
        >>> values = RowValues(worth, np.full((100, 3), 100.0))
        >>> found = values.of_all(np.full(100, 0.25), level_error=0.1)
        >>> found.value, round(found.low), round(found.high)
        (2500.0, 1444, 3840)
        """
        per_conversion = self.per_conversion[:, 0]
        each = probability * per_conversion
        if rows is not None:
            each, per_conversion = each[rows], per_conversion[rows]
        mean = float(each.sum())
        if not mean:
            return Estimate(0.0, 0.0, 0.0)
        chance = float((each * per_conversion * (1 + self.value.spread**2) - each**2).sum())
        variance = chance + mean**2 * (level_error**2 + self.value.error**2)
        low, high = gamma.ppf((0.025, 0.975), mean**2 / variance, scale=variance / mean)
        return Estimate(mean, float(low), float(high))


def value_columns(values: RowValues | None, probability: np.ndarray, level_error: float) -> dict[str, np.ndarray]:
    """Return the expected value of each row, by column; NaN where no values are known."""
    if values is None:
        return {name: np.full(len(probability), np.nan) for name in VALUE_COLUMNS}
    return values.of_rows(probability, level_error)
