"""How a sum of values is rounded, the same to the last bit in batch and online.

Powers of ten come from a table: what `10.0 ** k` gives in the last bit depends on the library and the processor.
"""

from __future__ import annotations

from bisect import bisect_right

SUM_DIGITS = 12
"""Sums are rounded to so many significant digits, so that the order of addition does not show in the last bits."""

LEAST_POWER, MOST_POWER = -323, 308
POWERS = tuple(float(f"1e{power}") for power in range(LEAST_POWER, MOST_POWER + 1))
"""Every power of ten that a float64 holds."""


def rounded(total: float) -> float:
    """The sum to `SUM_DIGITS` significant digits; what is not finite stays as it is.

    >>> rounded(0.1 + 0.2), rounded(123456789012345.0)
    (0.3, 123456789012000.0)
    """
    size = abs(total)
    if not 0.0 < size < float("inf"):
        return total
    exponent = SUM_DIGITS - bisect_right(POWERS, size) - LEAST_POWER
    half = exponent // 2  # two powers of ten, because one of them may be too large
    one, other = POWERS[half - LEAST_POWER], POWERS[exponent - half - LEAST_POWER]
    return round(total * one * other) / one / other
