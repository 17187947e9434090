"""Rounding of sums, identical to the last bit in batch and online.

Powers of ten come from a table, because the last bit of `10.0 ** k` depends on the library and the processor.
"""

from __future__ import annotations

from bisect import bisect_right

SUM_DIGITS = 12
"""Significant digits of a sum, relative to the sum of absolute values. The order of addition then never shows: neither in
the last bits, nor where values cancel and only the rounding error remains."""

LEAST_POWER, MOST_POWER = -323, 308
POWERS = tuple(float(f"1e{power}") for power in range(LEAST_POWER, MOST_POWER + 1))
"""Every power of ten that a float64 can hold."""

NUDGE = 1.0 + 1e-12
"""A sum that should be a power of ten may come out slightly below it; both must round to the same digits."""


def rounded(total: float, gross: float) -> float:
    """Round a sum to `SUM_DIGITS` significant digits of its gross; values that are not finite stay as they are.

    Parameters
    ----------
    total : float
        The sum.
    gross : float
        The sum of the absolute values.

    Examples
    --------
    >>> rounded(0.1 + 0.2, 0.3), rounded(123456789012345.0, 123456789012345.0), rounded(0.1 + 0.2 - 0.3, 0.6)
    (0.3, 123456789012000.0, 0.0)
    """
    if not 0.0 < gross < float("inf"):
        return total
    exponent = SUM_DIGITS - bisect_right(POWERS, gross * NUDGE) - LEAST_POWER
    half = exponent // 2  # two powers of ten, because one of them may be too large
    one, other = POWERS[half - LEAST_POWER], POWERS[exponent - half - LEAST_POWER]
    return round(total * one * other) / one / other
