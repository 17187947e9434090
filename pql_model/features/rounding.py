"""How a sum of values is rounded, the same to the last bit in batch and online.

Powers of ten come from a table: what `10.0 ** k` gives in the last bit depends on the library and the processor.
"""

from __future__ import annotations

from bisect import bisect_right

SUM_DIGITS = 12
"""Sums are rounded to so many significant digits of the sizes that were added, so that the order of addition does not show:
neither in the last bits, nor where amounts cancel and only the error of adding them is left."""

LEAST_POWER, MOST_POWER = -323, 308
POWERS = tuple(float(f"1e{power}") for power in range(LEAST_POWER, MOST_POWER + 1))
"""Every power of ten that a float64 holds."""


NUDGE = 1.0 + 1e-12
"""A sum of sizes that is a round number may come out a bit below it: both have the same digits."""


def rounded(total: float, gross: float) -> float:
    """The sum to `SUM_DIGITS` significant digits of what was added; what is not finite stays as it is.

    Parameters
    ----------
    gross
        The sum of the sizes of what was added: that of a sum without negative numbers is the sum.

    >>> rounded(0.1 + 0.2, 0.3), rounded(123456789012345.0, 123456789012345.0), rounded(0.1 + 0.2 - 0.3, 0.6)
    (0.3, 123456789012000.0, 0.0)
    """
    if not 0.0 < gross < float("inf"):
        return total
    exponent = SUM_DIGITS - bisect_right(POWERS, gross * NUDGE) - LEAST_POWER
    half = exponent // 2  # two powers of ten, because one of them may be too large
    one, other = POWERS[half - LEAST_POWER], POWERS[exponent - half - LEAST_POWER]
    return round(total * one * other) / one / other
