"""Describe the outcomes of the accounts that meet a definition in a sentence or two."""

from __future__ import annotations

from pql_model.criteria.definition_metrics import (
    EVERYBODY,
    LEAST_CONVERSIONS,
    LEAST_QUALIFIED,
    NOBODY,
    TOO_FEW,
    DefinitionMetrics,
)
from pql_model.statistics.estimate import Estimate


def rate_text(rate: Estimate, per: int = 100) -> str:
    """Write a rate as a count of `per`, with its 95 % interval.

    >>> rate_text(Estimate(0.312, 0.26, 0.36)), rate_text(Estimate(0.004, 0.0, 0.009), 1000)
    ('about 31 of 100 (95 % interval 26 to 36)', 'about 4 of 1,000 (95 % interval 0 to 9)')
    """
    return f"about {rate.value * per:.0f} of {per:,} (95 % interval {rate.low * per:.0f} to {rate.high * per:.0f})"


def rate_denominator(*rates: Estimate) -> int:
    """Choose 100, or 1,000 where every rate is below 1 %.

    >>> rate_denominator(Estimate(0.3, 0.2, 0.4)), rate_denominator(Estimate(0.004, 0.003, 0.005))
    (100, 1000)
    """
    return 1000 if all(rate.value < 0.01 for rate in rates) else 100


def tested_text(metrics: DefinitionMetrics, rows: str, horizon: str) -> str:
    """Describe the outcomes of the rows that meet a definition in a sentence.

    Parameters
    ----------
    metrics : DefinitionMetrics
    rows : str
        What a row is: `accounts` or `snapshots`.
    horizon : str
        Such as `30 days`.
    """
    if metrics.note == NOBODY:
        return f"Nobody meets it: 0 of {metrics.rows:,} {rows}."
    if metrics.note == EVERYBODY:
        rate = rate_text(metrics.rate, rate_denominator(metrics.rate))
        return f"Everybody meets it, so it separates nobody: of the {metrics.rows:,} {rows}, {rate} converted within {horizon}."
    count = f"{metrics.qualified:,} of {metrics.rows:,} {rows} meet it"
    if metrics.note == TOO_FEW:
        return (
            f"Too few to judge: {count} and {metrics.conversions:,} of them converted within {horizon}. "
            f"At least {LEAST_QUALIFIED} {rows} and {LEAST_CONVERSIONS} conversions are needed."
        )
    rate = rate_text(metrics.rate, rate_denominator(metrics.rate, metrics.base))
    caught = f"it catches {metrics.recall.value:.0%} of the conversions"
    return f"{count}; {rate} of them converted within {horizon}, {_against_base(metrics)}; {caught}."


def later_text(later: DefinitionMetrics, since: str) -> str:
    """State which figures to rely on for a definition that was found on the same data.

    Parameters
    ----------
    later : DefinitionMetrics
        On the later rows.
    since : str
        The date on which the later rows begin.
    """
    advice = f"If the rule was found on these data, rely on the later figures (from {since} on)"
    if later.note is not None:
        return f"{advice}: {later.note}, {later.qualified:,} of {later.rows:,} meet it."
    rate = rate_text(later.rate, rate_denominator(later.rate, later.base))
    return f"{advice}: {rate}, {_against_base(later)}."


def _against_base(metrics: DefinitionMetrics) -> str:
    per = rate_denominator(metrics.rate, metrics.base)
    base = f"{metrics.base.value * per:.0f} of {per:,} overall"
    if metrics.lift.low <= 1 <= metrics.lift.high:
        return f"not distinguishable from {base}"
    return f"against {base} ({metrics.lift.value:.1f} times)"
