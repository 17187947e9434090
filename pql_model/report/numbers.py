"""How the report says numbers: natural frequencies, ranges beside them, and verbs that claim no cause.

Every function takes and gives plain text. Rates are shares between 0 and 1.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pql_model.criteria.definition_metrics import LEAST_CONVERSIONS, LEAST_QUALIFIED

Estimate = Mapping[str, Any]
"""`{"value", "low", "high"}`: numbers, or None where there is nothing to say."""

CANNOT_TELL = "cannot tell these apart"
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
    """The words in a text that claim a cause, or name odds.

    >>> forbidden("Inviting a teammate drives conversion"), forbidden("Inviting goes with conversion")
    (['drives'], [])
    """
    return _FORBIDDEN.findall(text)


def denominator(rates: Iterable[float | None]) -> int:
    """100 for the whole page, or 1,000 where every rate is below 1 %.

    >>> denominator([0.31, 0.004]), denominator([0.004, None])
    (100, 1000)
    """
    known = [rate for rate in rates if rate is not None]
    return 1000 if known and max(known) < 0.01 else 100


def of(rate: float | None, per: int = 100) -> str:
    """A rate as a count of `per`, rounded to a whole number.

    >>> of(0.314), of(0.003), of(0), of(0.9999), of(None)
    ('31', 'fewer than 1', '0', 'more than 99', 'unknown')
    """
    if rate is None:
        return "unknown"
    count = _rounded(rate * per)
    if count == 0 and rate > 0:
        return "fewer than 1"
    if count == per and rate < 1:
        return f"more than {per - 1:,}"
    return f"{count:,}"


def left_over(rate: float, per: int = 100) -> str:
    """The other frame: how many of `per` do not, so that both add up.

    >>> left_over(0.314)
    '69'
    """
    return f"{per - _rounded(rate * per):,}"


def about(rate: float | None, per: int = 100) -> str:
    """`about 31 of 100`; the rate first.

    >>> about(0.31), about(0.003, 1000)
    ('about 31 of 100', 'about 3 of 1,000')
    """
    if rate is None:
        return "unknown"
    text = of(rate, per)
    return f"{text} of {per:,}" if " " in text else f"about {text} of {per:,}"


def span(estimate: Estimate, per: int = 100) -> str:
    """The range as numbers; a lower end of 0 says so.

    >>> span({"value": 0.3, "low": 0.26, "high": 0.36}), span({"value": 0.01, "low": 0.0, "high": 0.04})
    ('26 to 36', 'fewer than 1 to 4')
    """
    if estimate["low"] is None or estimate["high"] is None:
        return "unknown"
    low, high = of(estimate["low"], per), of(estimate["high"], per)
    low = "fewer than 1" if low == "0" else low
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
    """For tables.

    >>> percent(0.314), percent(0.0623), percent(0.99999)
    ('31 %', '6.2 %', '100 %')
    """
    return "unknown" if rate is None else f"{number(100 * rate)} %"


def percent_span(estimate: Estimate) -> str:
    """A range for tables.

    >>> percent_span({"value": 0.3, "low": 0.26, "high": 0.36})
    '26 to 36 %'
    """
    if estimate["low"] is None or estimate["high"] is None:
        return "unknown"
    return f"{number(100 * estimate['low'])} to {number(100 * estimate['high'])} %"


def number_span(estimate: Estimate) -> str:
    """A range of numbers that are no rates.

    >>> number_span({"value": 5.2, "low": 4.14, "high": 6.4})
    '4.1 to 6.4'
    """
    if estimate["low"] is None or estimate["high"] is None:
        return "unknown"
    return f"{number(estimate['low'])} to {number(estimate['high'])}"


def judgeable(qualified: int, conversions: int, base: float | None = None) -> bool:
    """Whether a rate may be shown: 30 rows, and 5 conversions seen or, by the rate of everyone, to be expected.

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


def overlap(one: Estimate, other: Estimate) -> bool:
    """Whether two ranges share a point: then they are not told apart.

    >>> overlap({"low": 0.1, "high": 0.2}, {"low": 0.2, "high": 0.3})
    True
    """
    if None in (one["low"], one["high"], other["low"], other["high"]):
        return True
    return bool(one["low"] <= other["high"] and other["low"] <= one["high"])


def plural(count: int, noun: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "account"), plural(1200, "account"), plural(0, "entry", "entries")
    ('1 account', '1,200 accounts', '0 entries')
    """
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def listing(parts: list[str], word: str = "and") -> str:
    """`a, b and c`.

    >>> listing(["a", "b", "c"]), listing(["a"], "or")
    ('a, b and c', 'a')
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}" if parts else ""


def day(iso: str | None) -> str:
    """A date as people write it; what is no date stays as it is.

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


def short_day(iso: str) -> str:
    """For the axis of a chart.

    >>> short_day("2026-03-02")
    '2 Mar'
    """
    return day(iso).rsplit(" ", 1)[0]


def rule(texts: list[str], join: str, k: int | None = None) -> str:
    """Criteria joined as one phrase.

    >>> rule(["a", "b"], "all"), rule(["a", "b"], "any"), rule(["a", "b", "c"], "at_least_k", 2)
    ('a and b', 'a or b', 'at least 2 of these 3: a; b; c')
    """
    if join == "at_least_k" and len(texts) > 1:
        return f"at least {k or 1} of these {len(texts)}: {'; '.join(texts)}"
    return listing(texts, "or" if join == "any" else "and")


def _rounded(value: float) -> int:
    """To the nearest, halves up: Python's own rounding sends 0.5 to 0."""
    return math.floor(value + 0.5)
