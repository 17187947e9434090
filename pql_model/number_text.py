"""How a share reads in a sentence, on the console and in a message alike."""

from __future__ import annotations


def percent(share: float) -> str:
    """Format a share as a percentage, with one decimal below 10 % and none above.

    >>> percent(0.314), percent(0.0623), percent(0.0999), percent(-0.021)
    ('31%', '6.2%', '10%', '-2.1%')
    """
    return f"{share:.{1 if round(abs(share), 3) < 0.1 else 0}%}"
