"""Number formats of the report: natural frequencies with intervals, and no word that claims a cause.

Every function returns plain text. Rates are shares between 0 and 1.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pql_model.criteria.definition_metrics import LEAST_CONVERSIONS, LEAST_QUALIFIED

Estimate = Mapping[str, Any]
"""`{"value", "low", "high"}`: numbers, or None where unknown."""

NOT_CAUSES = (
    "A behaviour that predicts paying need not be one that causes it: "
    "accounts that were going to pay anyway may simply do more of it."
)
"""The one sentence that names what the page does not claim."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CLAIMS = (
    *("drives?", "driven", "drove", "causes?", "caused", "leads to", "led to", "increases?", "increased", "boosts?"),
    *("impacts?", "impacted", "affects?", "affected", "because", "odds", "more likely", "less likely", "thanks to"),
)
_FORBIDDEN = re.compile(rf"\b(?:{'|'.join(_CLAIMS)})\b", re.IGNORECASE)


def forbidden(text: str) -> list[str]:
    """Find the words in a text that claim a cause, or name odds.

    >>> forbidden("Inviting a teammate drives conversion"), forbidden("Inviting goes with conversion")
    (['drives'], [])
    """
    return _FORBIDDEN.findall(text)


def denominator(rates: Iterable[float | None]) -> int:
    """100 for the whole page, or 1,000 where every rate is below 1 %.

    >>> denominator([0.31, 0.004]), denominator([0.004, None])
    (100, 1000)
    """
    values = [rate for rate in rates if rate is not None]
    return 1000 if values and max(values) < 0.01 else 100


def frequency(rate: float | None, per: int = 100) -> str:
    """A rate as a count of `per`: one decimal below 10, none above.

    >>> frequency(0.314), frequency(0.084), frequency(0.0003), frequency(0), frequency(0.9999), frequency(None)
    ('31', '8.4', 'fewer than 0.1', '0', 'more than 99', 'unknown')
    """
    if rate is None:
        return "unknown"
    count = number(rate * per)
    if count == "0" and rate > 0:
        return "fewer than 0.1"
    if rate < 1 and count == f"{per:,}":
        return f"more than {per - 1:,}"
    return count


def complement(rate: float, per: int = 100) -> str:
    """The count of `per` that do not, so that both counts add up.

    >>> complement(0.314), complement(0.084)
    ('69', '91.6')
    """
    shown = rate * per
    tenths = math.floor(shown * 10 + 0.5) / 10
    return f"{per - tenths:g}" if tenths < 10 else f"{per - _rounded(shown):,}"


def about(rate: float | None, per: int = 100) -> str:
    """`about 31 of 100`; the rate first.

    >>> about(0.31), about(0.003, 1000)
    ('about 31 of 100', 'about 3 of 1,000')
    """
    if rate is None:
        return "unknown"
    text = frequency(rate, per)
    return f"{text} of {per:,}" if " " in text else f"about {text} of {per:,}"


def interval(estimate: Estimate, per: int = 100) -> str:
    """An interval as numbers; a lower end of 0 is `fewer than 0.1`.

    >>> interval({"value": 0.3, "low": 0.26, "high": 0.36}), interval({"value": 0.01, "low": 0.0, "high": 0.04})
    ('26 to 36', 'fewer than 0.1 to 4')
    """
    if estimate["low"] is None or estimate["high"] is None:
        return "unknown"
    low, high = frequency(estimate["low"], per), frequency(estimate["high"], per)
    low = "fewer than 0.1" if low == "0" else low
    return low if low == high and " " in low else f"{low} to {high}"


def number(value: float | None) -> str:
    """One decimal below 10, none above; whole numbers stay whole.

    >>> number(5.16), number(31.4), number(1234.4), number(3), number(None)
    ('5.2', '31', '1,234', '3', 'unknown')
    """
    if value is None:
        return "unknown"
    rounded = math.floor(abs(value) * 10 + 0.5) / 10
    sign = "-" if value < 0 and rounded else ""
    return f"{sign}{rounded:g}" if rounded < 10 else f"{sign}{_rounded(abs(value)):,}"


def percent(rate: float | None) -> str:
    """A percentage for tables.

    >>> percent(0.314), percent(0.0623), percent(0.99999)
    ('31 %', '6.2 %', '100 %')
    """
    return "unknown" if rate is None else f"{number(100 * rate)} %"


def percent_interval(estimate: Estimate) -> str:
    """An interval for tables.

    >>> percent_interval({"value": 0.3, "low": 0.26, "high": 0.36})
    '26 to 36 %'
    """
    if estimate["low"] is None or estimate["high"] is None:
        return "unknown"
    return f"{number(100 * estimate['low'])} to {number(100 * estimate['high'])} %"


def number_interval(estimate: Estimate) -> str:
    """An interval of numbers that are not rates.

    >>> number_interval({"value": 5.2, "low": 4.14, "high": 6.4})
    '4.1 to 6.4'
    """
    if estimate["low"] is None or estimate["high"] is None:
        return "unknown"
    return f"{number(estimate['low'])} to {number(estimate['high'])}"


def judgeable(qualified: int, conversions: int, base: float | None = None) -> bool:
    """Whether a rate may be shown: 30 rows, and 5 conversions observed or, at the rate of everyone, expected.

    >>> judgeable(30, 5), judgeable(29, 20), judgeable(400, 4), judgeable(400, 4, base=0.06)
    (True, False, False, True)
    """
    expected = qualified * (base or 0.0)
    return qualified >= LEAST_QUALIFIED and max(conversions, expected) >= LEAST_CONVERSIONS


def counts(conversions: int, qualified: int) -> str:
    """`3 of 11`, the numbers behind a rate.

    >>> counts(3, 1100)
    '3 of 1,100'
    """
    return f"{conversions:,} of {qualified:,}"


def overlap(first: Estimate, second: Estimate) -> bool:
    """Whether two intervals share a point, so that the figures are not distinguishable.

    >>> overlap({"low": 0.1, "high": 0.2}, {"low": 0.2, "high": 0.3})
    True
    """
    if None in (first["low"], first["high"], second["low"], second["high"]):
        return True
    return bool(first["low"] <= second["high"] and second["low"] <= first["high"])


def plural(count: int, noun: str, plural_form: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "account"), plural(1200, "account"), plural(0, "entry", "entries")
    ('1 account', '1,200 accounts', '0 entries')
    """
    return f"{count:,} {noun if count == 1 else plural_form or noun + 's'}"


def join_words(parts: list[str], word: str = "and") -> str:
    """`a, b and c`.

    >>> join_words(["a", "b", "c"]), join_words(["a"], "or")
    ('a, b and c', 'a')
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}" if parts else ""


def day(iso: str | None) -> str:
    """A date as people write it; any other text stays as it is.

    >>> day("2026-03-02T10:00:00Z"), day("some time"), day(None)
    ('2 Mar 2026', 'some time', 'unknown')
    """
    if iso is None:
        return "unknown"
    try:
        when = dt.date.fromisoformat(str(iso)[:10])
    except ValueError:
        return str(iso)
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def month(iso: str) -> str:
    """The month of a date.

    >>> month("2026-03-02")
    'Mar 2026'
    """
    return day(iso).split(" ", 1)[-1]


def short_day(iso: str) -> str:
    """A short date for the axis of a chart.

    >>> short_day("2026-03-02")
    '2 Mar'
    """
    return day(iso).rsplit(" ", 1)[0]


def join_criteria(texts: list[str], join: str, k: int | None = None) -> str:
    """Criteria joined as one phrase.

    >>> join_criteria(["a", "b"], "all"), join_criteria(["a", "b"], "any"), join_criteria(["a", "b", "c"], "at_least_k", 2)
    ('a and b', 'a or b', 'at least 2 of these 3: a; b; c')
    """
    if join == "at_least_k" and len(texts) > 1:
        return f"at least {k or 1} of these {len(texts)}: {'; '.join(texts)}"
    return join_words(texts, "or" if join == "any" else "and")


def _two_decimals(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _p_value(value: float | None) -> str:
    return "unknown" if value is None else "below 0.001" if value < 0.001 else f"{value:.3f}"


STYLES: dict[str, Callable[[Any, int], str]] = {
    "frequency": frequency,
    "interval": interval,
    "complement": complement,
    "frequency_of_100": lambda value, _: frequency(value),
    "interval_of_100": lambda value, _: interval(value),
    "percent": lambda value, _: percent(value),
    "percent_interval": lambda value, _: percent_interval(value),
    "number": lambda value, _: number(value),
    "number_interval": lambda value, _: number_interval(value),
    "two_decimals": lambda value, _: _two_decimals(value),
    "two_decimals_interval": lambda value, _: f"{_two_decimals(value['low'])} to {_two_decimals(value['high'])}",
    "p_value": lambda value, _: _p_value(value),
    "count": lambda value, _: f"{value:,}",
    "day": lambda value, _: day(value),
    "month": lambda value, _: month(value),
}
"""Formats for a number of the growth object; an interval is printed from its whole estimate."""


def _rounded(value: float) -> int:
    """To the nearest, halves up: Python's own rounding sends 0.5 to 0."""
    return math.floor(value + 0.5)
