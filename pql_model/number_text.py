"""How a share reads in a sentence, on the console and in a message alike."""

from __future__ import annotations

import math


def of_100(share: float | None) -> str:
    """Format a share as a count of 100, with one decimal below 10 and none above.

    >>> of_100(0.314), of_100(0.0623), of_100(0.02), of_100(None)
    ('31', '6.2', '2', '-')
    """
    if share is None:
        return "-"
    tenths = math.floor(1000 * share + 0.5) / 10
    return f"{tenths:g}" if tenths < 10 else str(math.floor(100 * share + 0.5))


def percent(share: float) -> str:
    """Format a share as a percentage, with one decimal below 10 % and none above.

    >>> percent(0.314), percent(0.0623), percent(0.0999), percent(-0.021)
    ('31%', '6.2%', '10%', '-2.1%')
    """
    return f"{share:.{1 if round(abs(share), 3) < 0.1 else 0}%}"
