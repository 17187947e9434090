"""A number with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from scipy.special import betaincinv

from pql_model.errors import DataError
from pql_model.payload import to_payload

Z95 = NormalDist().inv_cdf(0.975)
"""Standard errors on either side of a normal 95 % interval."""


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval; NaN where undefined.

    >>> Estimate(0.8, 0.7, float("nan")).to_dict()
    {'value': 0.8, 'low': 0.7, 'high': None}
    """

    value: float
    low: float
    high: float

    def to_dict(self, digits: int | None = None) -> dict[str, float | None]:
        """Value and bounds as a JSON object, rounded to `digits` decimals; NaN becomes None."""
        numbers: dict[str, float | None] = to_payload({name: float(x) for name, x in vars(self).items()}, digits)
        return numbers


def wilson(successes: int, n: int) -> Estimate:
    """A share of independent trials with Wilson's score interval (Wilson 1927, JASA 22:209-212).

    >>> wilson(0, 20)
    Estimate(value=0.0, low=0.0, high=0.161...)
    """
    if not 0 <= successes <= n:
        raise DataError("More successes than trials", received=f"{successes} of {n}", allowed="0 <= successes <= n")
    return wilson_around(successes / n, n) if n else Estimate(math.nan, math.nan, math.nan)


def wilson_around(share: float, n: float, z: float = Z95) -> Estimate:
    """Wilson's interval of a share that is known as well as `n` independent trials would make it.

    Parameters
    ----------
    z
        Standard errors on either side.

    >>> wilson_around(0.5, math.inf)
    Estimate(value=0.5, low=0.5, high=0.5)
    """
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # at the ends the bound is exact, and rounding must not leave 1e-18 there
    return Estimate(share, middle - half if share > 0 else 0.0, middle + half if share < 1 else 1.0)


def exact_low(successes: int, n: int, alpha: float) -> float:
    """One-sided exact lower bound of a share of independent trials (Clopper & Pearson 1934, Biometrika 26:404-413).

    Parameters
    ----------
    alpha
        Probability that the bound lies above the true share, at most.

    >>> round(exact_low(41, 41, 0.05), 3), round(exact_low(96, 100, 0.05), 3), exact_low(0, 9, 0.05)
    (0.93, 0.911, 0.0)
    """
    return float(betaincinv(successes, n - successes + 1, alpha)) if successes else 0.0
