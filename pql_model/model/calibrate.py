"""From raw margins (log-odds) to calibrated probabilities.

A boosted model ranks well but its odds are off. A calibration is a monotone map, learned from margins of
rows the model did not see, such that the mean probability is the observed rate (Niculescu-Mizil &
Caruana 2005, "Predicting good probabilities with supervised learning"). It consists of plain numbers, which JSON can store.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from pql_model.errors import DataError, NotEnoughDataError

Floats = NDArray[np.float64]
Kind = Literal["platt", "isotonic", "constant"]

ISOTONIC_FROM = 1000
"""Conversions from which the curve may take any shape; with fewer, isotonic regression overfits.

The same source says about 1,000 cases. Conversions are the rarer class, so they are what is counted here.
"""
SLOPE_FROM = 5
"""Conversions, and non-conversions, below which no slope is learned."""
EDGE = 1e-15
"""No probability is nearer to 0 or 1 than this, whatever the margin."""


@dataclass(frozen=True)
class Calibration:
    """A monotone map from margins to probabilities strictly between 0 and 1.

    Attributes
    ----------
    kind
        `platt`: sigmoid(slope x margin + intercept). `isotonic`: straight lines between the points
        (thresholds, probabilities), where a threshold is sigmoid(margin), and flat beyond the ends. Margins
        within a flat stretch get one probability: rank by margin where ties matter. `constant`: as `platt`
        with slope 0.
    slope, intercept
        Of `platt` and `constant`.
    thresholds, probabilities
        Of `isotonic`, both ascending.
    note
        Why no curve could be learned, or empty.

    >>> Calibration("platt", slope=2.0, intercept=-1.0).apply([0.0, 0.5, 1.0]).round(3)
    array([0.269, 0.5  , 0.731])
    """

    kind: Kind
    slope: float = 0.0
    intercept: float = 0.0
    thresholds: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        fault = _fault(self)
        if fault:
            raise DataError(
                f"This is not a calibration: {fault}",
                received=self.kind,
                remedy="use the file that training wrote, unchanged",
            )

    @cached_property
    def _points(self) -> tuple[Floats, Floats]:
        return np.array(self.thresholds), np.array(self.probabilities)

    def apply(self, margin: ArrayLike) -> Floats:
        """Return the probability of each margin, in the shape of `margin`.

        Raises
        ------
        DataError
            If a margin is NaN or infinite.
        """
        margins = _finite(margin)
        if self.kind != "isotonic":
            with np.errstate(over="ignore"):
                return _inside(expit(self.slope * margins + self.intercept))
        x, (thresholds, probabilities) = expit(margins), self._points
        following = np.minimum(np.searchsorted(thresholds, x, side="right"), len(thresholds) - 1)
        # a line may end a rounding error above its end, which would break the order
        return _inside(np.minimum(np.interp(x, thresholds, probabilities), probabilities[following]))

    def moved(self, addition: float) -> Calibration:
        """Return the same curve with its odds multiplied by exp(addition).

        Right when only the mix of converters and others has changed, not how either behaves (Saerens, Latinne &
        Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori probabilities", Neural Computation 14).
        """
        if self.kind != "isotonic":
            return replace(self, intercept=self.intercept + addition)
        curve = _inside(expit(logit(_inside(np.array(self.probabilities))) + addition))
        return replace(self, probabilities=tuple(curve.tolist()))

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as an object; `from_dict` gives back an equal calibration, bit for bit."""
        return {
            "kind": self.kind,
            "slope": self.slope,
            "intercept": self.intercept,
            "thresholds": list(self.thresholds),
            "probabilities": list(self.probabilities),
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Calibration:
        """Read what `to_dict` returned.

        Raises
        ------
        DataError
            If it is not a calibration.
        """
        try:
            slope, intercept = float(value["slope"]), float(value["intercept"])
            thresholds = tuple(float(number) for number in value["thresholds"])
            probabilities = tuple(float(number) for number in value["probabilities"])
            kind, note = cast(Kind, value["kind"]), str(value["note"])
        except KeyError as error:
            raise DataError(f"This is not a calibration: {error} is missing", received=sorted(value)) from error
        except (TypeError, ValueError) as error:
            raise DataError("This is not a calibration: a number is missing", received=error) from error
        return cls(kind, slope, intercept, thresholds, probabilities, note)


def _fault(c: Calibration) -> str | None:
    """Return what is wrong with the numbers of a calibration, or None."""
    if c.kind not in ("platt", "isotonic", "constant"):
        return "its kind is neither platt, isotonic nor constant"
    if not (math.isfinite(c.slope) and math.isfinite(c.intercept) and c.slope >= 0):
        return "slope and intercept must be finite and the slope not negative"
    if c.kind != "isotonic":
        return None
    x, p = np.array(c.thresholds), np.array(c.probabilities)
    if not len(x) == len(p) > 0:
        return f"{len(x)} thresholds and {len(p)} probabilities"
    if not (np.isfinite(x).all() and (np.diff(x) > 0).all() and (np.diff(p) >= 0).all()):
        return "thresholds and probabilities must ascend"
    return None if p[0] > 0 and p[-1] < 1 else "probabilities must lie between 0 and 1"


def fit_calibration(margin: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> Calibration:
    """Learn a calibration from rows the model did not see.

    Platt scaling below `ISOTONIC_FROM` conversions, isotonic regression from there on. Where no slope can be
    learned (one class, fewer than `SLOPE_FROM` of either, equal margins, higher margins that convert less)
    every margin gets the observed rate, and `note` says why.

    Parameters
    ----------
    margin
        Log-odds per row, any finite number.
    y
        0 or 1 per row.
    weights
        How many rows each row stands for; 1 by default. Conversions are counted with them.

    Returns
    -------
    Calibration
        The weighted mean of its probabilities is the observed rate, to 1e-9 (`platt`, `constant`) or half a
        row in each tail (`isotonic`, whose ends are kept off 0 and 1).

    Raises
    ------
    DataError
        If the rows are not finite margins with outcomes 0 or 1 and weights >= 0.
    NotEnoughDataError
        If there is no row.

    >>> fit_calibration([0.3, 0.3, 0.3, 0.3], [0, 0, 0, 1]).kind
    'constant'
    """
    m, truth, w = _rows(margin, y, weights)
    conversions, total = float(w @ truth), float(w.sum())
    fewer = min(conversions, total - conversions)
    if fewer < SLOPE_FROM:
        return _constant(conversions, total, f"{conversions:g} of {total:g} rows convert: too few to learn a slope")
    if m.min() == m.max():
        return _constant(conversions, total, "all margins are equal: there is no slope to learn")
    if conversions >= ISOTONIC_FROM:
        return _isotonic(m, truth, w)
    return _platt(m, truth, w)


def _inside(probability: Floats) -> Floats:
    return np.asarray(np.clip(probability, EDGE, 1 - EDGE))


def _finite(values: ArrayLike) -> Floats:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("These are not numbers", received=error) from error
    if not np.isfinite(numbers).all():
        raise DataError("Every number must be finite", received=f"{(~np.isfinite(numbers)).sum():,} NaN or infinite")
    return numbers


def _rows(margin: ArrayLike, y: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    """Check margins, outcomes and weights, and drop the rows of weight 0."""
    m, truth = _finite(margin), _finite(y)
    w = np.ones_like(m) if weights is None else _finite(weights)
    if not m.shape == truth.shape == w.shape or m.ndim != 1:
        raise DataError(
            "Margins, outcomes and weights differ in length",
            received=f"shapes {m.shape}, {truth.shape} and {w.shape}",
            allowed="one of each per row",
        )
    if not np.isin(truth, (0, 1)).all():
        raise DataError("Outcomes must be 0 or 1", received=f"{truth.min():g} to {truth.max():g}")
    if (w < 0).any():
        raise DataError("A weight cannot be negative", received=f"{w.min():g}", allowed="0 or more")
    if not (w > 0).any():
        raise NotEnoughDataError("There is no row to calibrate on", received=f"{len(m)} rows")
    return m[w > 0], truth[w > 0], w[w > 0]


def _constant(conversions: float, total: float, note: str) -> Calibration:
    """Return the observed rate for every margin; with one class only, half a row is added to the other."""
    one_class = conversions in (0.0, total)
    rate = (conversions + 0.5) / (total + 1) if one_class else conversions / total
    return Calibration("constant", intercept=float(logit(rate)), note=f"{note}; every margin gets {rate:.3g}")


def _platt(m: Floats, truth: Floats, w: Floats) -> Calibration:
    """Platt scaling (Platt 1999, "Probabilistic outputs for support vector machines").

    His smoothed targets, a weak prior, keep the slope finite where the classes are separable. They pull the
    mean towards one half, so the intercept is then set to meet the observed rate.
    """
    positive = float(w @ truth)
    total = float(w.sum())
    target = np.where(truth == 1, (positive + 1) / (positive + 2), 1 / (total - positive + 2))
    # margins are brought to -1..1 first: far from 0 the two columns would be nearly the same
    middle, half = m.min() / 2 + m.max() / 2, m.max() / 2 - m.min() / 2
    slope = _logistic_slope((m - middle) / half, target, w) / half
    if not slope > 0:
        return _constant(positive, total, f"higher margins do not convert more often (slope {slope:.3g})")
    steps, rate = slope * m, positive / total

    def miss(intercept: float) -> float:
        return float(w @ _inside(expit(steps + intercept)) / total - rate)

    centre = float(logit(rate))
    intercept = brentq(miss, centre - steps.max() - 1e-6, centre - steps.min() + 1e-6, xtol=1e-13, maxiter=500)
    return Calibration("platt", slope=float(slope), intercept=float(intercept))


def _logistic_slope(z: Floats, target: Floats, w: Floats) -> float:
    """Slope of a logistic regression on one column, by Newton with halved steps (Lin, Lin & Weng 2007)."""
    X = np.column_stack([z, np.ones_like(z)])
    mean = w @ target / w.sum()
    beta = np.array([0.0, logit(mean)])

    def loss(at: Floats) -> float:
        eta = X @ at
        return float(w @ (np.logaddexp(0, eta) - target * eta))

    for _ in range(100):
        p = expit(X @ beta)
        gradient = X.T @ (w * (p - target))
        if np.abs(gradient).max() <= 1e-10 * w.sum():
            break
        hessian = X.T @ (X * (w * p * (1 - p))[:, None]) + 1e-12 * np.eye(2)
        step, current_loss, size = np.linalg.solve(hessian, gradient), loss(beta), 1.0
        allowed = current_loss + 1e-12 * abs(current_loss)  # near the end, a full step changes less than rounding does
        while size > 1e-10 and loss(beta - size * step) > allowed - 1e-4 * size * (gradient @ step):
            size /= 2
        beta = beta - size * step
    return float(beta[0])


def _isotonic(m: Floats, truth: Floats, w: Floats) -> Calibration:
    """Isotonic regression on sigmoid(margin), as scikit-learn's, but for blocks at exactly 0 or 1."""
    from sklearn.isotonic import IsotonicRegression  # the service only applies calibrations

    x = expit(m)
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(x, truth, sample_weight=w)
    curve, own = isotonic.y_thresholds_, isotonic.predict(x)
    if curve[0] == curve[-1]:
        return _constant(float(w @ truth), float(w.sum()), "higher margins do not convert more often")
    p = _off_the_edges(curve, float(w[own <= 0].sum()), float(w[own >= 1].sum()))
    return Calibration("isotonic", thresholds=tuple(isotonic.X_thresholds_.tolist()), probabilities=tuple(p.tolist()))


def _off_the_edges(p: Floats, at_zero: float, at_one: float) -> Floats:
    """Blocks of 0 (or 1) moved to (k + 0.5) / (n + 1), as Jeffreys' prior would, but never past their neighbour.

    k conversions among the n rows of the block: "none of 20 converted" is 2.4 %, not never.
    """
    interior = p[(p > 0) & (p < 1)]
    lowest, highest = (interior[0], interior[-1]) if len(interior) else (0.5, 0.5)
    low, high = min(0.5 / (at_zero + 1), lowest), max((at_one + 0.5) / (at_one + 1), highest)
    return np.where(p <= 0, low, np.where(p >= 1, high, p))
