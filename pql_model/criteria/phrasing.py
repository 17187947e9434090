"""Criteria and definitions in English and as JSON, and what came of them in a sentence or two."""

from __future__ import annotations

from typing import Any

from pql_model.config.definition import Criterion, Definition, criterion_json
from pql_model.criteria.definition_metrics import (
    EVERYBODY,
    LEAST_CONVERSIONS,
    LEAST_QUALIFIED,
    NOBODY,
    TOO_FEW,
    DefinitionMetrics,
)
from pql_model.criteria.evaluate import criterion_feature
from pql_model.measures import ANY
from pql_model.statistics.estimate import Estimate

_OPERATOR = {
    ">=": "at least",
    ">": "more than",
    "<=": "at most",
    "<": "fewer than",
    "==": "exactly",
    "!=": "not exactly",
}
_SIGN = {">=": "≥", ">": ">", "<=": "≤", "<": "<", "==": "=", "!=": "≠"}
_OF_EVENT = {
    "count": "{n} `{event}`",
    "active_days": "`{event}` on {n} day{s}",
    "distinct_users": "{n} user{s} who did `{event}`",
    "days_since_last": "{n} day{s} since the last `{event}`",
    "days_to_first": "{n} day{s} from sign-up to the first `{event}`",
    "distinct_values": "{n} different {value} of `{event}`",
}
_OF_ENTITY = {
    "count": "{n} event{s}",
    "active_days": "{n} active day{s}",
    "distinct_users": "{n} active user{s}",
    "days_since_last": "{n} day{s} since the last event",
    "days_to_first": "{n} day{s} from sign-up to the first event",
    "current_streak_days": "{n} active day{s} in a row up to now",
    "longest_streak_days": "{n} active day{s} in a row",
    "breadth": "{n} different event{s}",
    "sessions": "{n} session{s}",
    "session_minutes": "{n} minute{s} in sessions",
    "days_since_signup": "{n} day{s} since sign-up",
}
"""Where the number stands in the phrase; of other measures it follows: "trend of activity in the last 7 days is at least 0.2"."""
_NONE = ("count", "active_days", "distinct_users", "sessions")


def number(value: float) -> str:
    """A threshold for people.

    >>> number(2000), number(0.8), number(5e9)
    ('2,000', '0.8', '5,000,000,000')
    """
    return f"{value:,.12g}"


def criterion_text(criterion: Criterion) -> str:
    """A condition in English.

    >>> boards = {"event": "Board Created", "at_least": 5, "within": "first 7d"}
    >>> criterion_text(Criterion.model_validate(boards))
    'at least 5 `Board Created` in the first 7 days'
    >>> criterion_text(Criterion.model_validate({"trait": "company_size", "in": ["51-200", "201+"]}))
    '`company_size` is 51-200 or 201+'
    """
    if criterion.in_ is not None:
        return f"`{criterion.trait}` is {_either(criterion.in_)}"
    operator, threshold = str(criterion.operator), float(criterion.threshold or 0.0)
    plain = f"{_OPERATOR[operator].replace('fewer', 'less')} {number(threshold)}"
    if criterion.trait is not None:
        return f"`{criterion.trait}` is {plain}"
    feature = criterion_feature(criterion)
    phrase = (_OF_ENTITY if feature.event == ANY else _OF_EVENT).get(feature.measure)
    if phrase is None:
        return f"{feature.text} is {plain}"
    none = feature.measure in _NONE and (operator, threshold) in (("<=", 0.0), ("==", 0.0), ("<", 1.0))
    n = "no" if none else f"{_OPERATOR[operator]} {number(threshold)}"
    plural = "" if threshold == 1 and not none else "s"
    return phrase.format(n=n, s=plural, event=feature.event, value=feature.value) + feature.when


def criterion_short(criterion: Criterion) -> str:
    """The same for a label: no verb, no quotes.

    >>> invited = {"event": "Teammate Invited", "measure": "active_days", "at_least": 2, "within": "last 14d"}
    >>> criterion_short(Criterion.model_validate(invited))
    'Teammate Invited active days ≥ 2, last 14d'
    """
    if criterion.in_ is not None:
        return f"{criterion.trait}: {', '.join(criterion.in_)}"
    what = criterion.trait or _subject(criterion)
    window = f", {criterion.window}" if criterion.event is not None and criterion.window.length is not None else ""
    return f"{what} {_SIGN[str(criterion.operator)]} {number(float(criterion.threshold or 0.0))}{window}"


def _subject(criterion: Criterion) -> str:
    feature = criterion_feature(criterion)
    measure = feature.measure.replace("_", " ") + (f" of {feature.value}" if feature.value is not None else "")
    if feature.event == ANY:
        return "events" if feature.measure == "count" else measure
    return feature.event if feature.measure == "count" else f"{feature.event} {measure}"


def definition_text(definition: Definition) -> str:
    """A rule in English; a single condition stands alone.

    >>> conditions = [{"event": "Export Made", "at_least": 1}, {"event": "any", "measure": "active_days", "at_least": 3}]
    >>> definition_text(Definition.model_validate({"any": conditions}))
    'any of: at least 1 `Export Made` so far; at least 3 active days so far'
    """
    texts = [criterion_text(criterion) for criterion in definition.criteria]
    return texts[0] if len(texts) == 1 else f"{_join_words(definition)}: {'; '.join(texts)}"


def definition_short(definition: Definition) -> str:
    """The same for a label.

    >>> conditions = [{"event": "Export Made", "at_least": 1}, {"trait": "seats", "at_least": 5}]
    >>> definition_short(Definition.model_validate({"all": conditions}))
    'Export Made ≥ 1 + seats ≥ 5'
    """
    texts = [criterion_short(criterion) for criterion in definition.criteria]
    if definition.of is not None and 1 < definition.least < len(texts):
        return f"{definition.least} of ({'; '.join(texts)})"
    return (" or " if definition.least == 1 else " + ").join(texts)


def _join_words(definition: Definition) -> str:
    if definition.least == len(definition.criteria):
        return "all of"
    return "any of" if definition.least == 1 else f"at least {definition.least} of"


def _either(values: list[str]) -> str:
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"


def definition_json(definition: Definition) -> dict[str, Any]:
    """`definition` of `pql criteria --json`; `k` is None unless at least k must hold."""
    join = "all" if definition.all_ is not None else "any" if definition.any_ is not None else "at_least_k"
    return {
        "text": definition_text(definition),
        "short": definition_short(definition),
        "join": join,
        "k": definition.at_least_k,
        "conditions": [criterion_json(criterion) for criterion in definition.criteria],
    }


def rate_text(rate: Estimate, per: int = 100) -> str:
    """A rate as a count of 100, with its range.

    >>> rate_text(Estimate(0.312, 0.26, 0.36)), rate_text(Estimate(0.004, 0.0, 0.009), 1000)
    ('about 31 of 100 (likely 26 to 36)', 'about 4 of 1,000 (likely 0 to 9)')
    """
    return f"about {rate.value * per:.0f} of {per:,} (likely {rate.low * per:.0f} to {rate.high * per:.0f})"


def counted_of(*rates: Estimate) -> int:
    """100, or 1,000 where every rate is below 1 %.

    >>> counted_of(Estimate(0.3, 0.2, 0.4)), counted_of(Estimate(0.004, 0.003, 0.005))
    (100, 1000)
    """
    return 1000 if all(rate.value < 0.01 for rate in rates) else 100


def say_tested(found: DefinitionMetrics, who: str, within: str) -> str:
    """What came of a rule on some rows, in a sentence.

    Parameters
    ----------
    who
        What a row is: `accounts`, `snapshots`.
    within
        The horizon: `30 days`.
    """
    if found.note == NOBODY:
        return f"Nobody meets it: 0 of {found.rows:,} {who}."
    if found.note == EVERYBODY:
        rate = rate_text(found.rate, counted_of(found.rate))
        return f"Everybody meets it, so it tells nobody apart: {rate} of the {found.rows:,} {who} converted within {within}."
    met = f"{found.qualified:,} of {found.rows:,} {who} meet it"
    if found.note == TOO_FEW:
        least = f"{LEAST_QUALIFIED} and {LEAST_CONVERSIONS}"
        return (
            f"Too few to judge: {met} and {found.conversions:,} of these converted within {within}; it takes {least}."
        )
    rate = rate_text(found.rate, counted_of(found.rate, found.base))
    caught = f"it catches {found.recall.value:.0%} of the conversions"
    return f"{met}; {rate} of these converted within {within}, {_against(found)}; {caught}."


def say_later(later: DefinitionMetrics, since: str) -> str:
    """The figures to believe of a rule that was found on the same data, in a sentence.

    Parameters
    ----------
    since
        A date: the later rows begin there.
    """
    payload = f"If the rule was found on these data, read the later figures (from {since} on)"
    if later.note is not None:
        return f"{payload}: {later.note}, {later.qualified:,} of {later.rows:,} meet it."
    return f"{payload}: {rate_text(later.rate, counted_of(later.rate, later.base))}, {_against(later)}."


def _against(found: DefinitionMetrics) -> str:
    per = counted_of(found.rate, found.base)
    base = f"{found.base.value * per:.0f} of {per:,} of all"
    if found.lift.low <= 1 <= found.lift.high:
        return f"which cannot be told apart from {base}"
    return f"instead of {base} ({found.lift.value:.1f} times)"
