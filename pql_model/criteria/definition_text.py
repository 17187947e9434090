"""Criteria and definitions in English and as JSON."""

from __future__ import annotations

from typing import Any

from pql_model.config.definition import Criterion, Definition, joined_json
from pql_model.features.spec import Feature, declared_feature
from pql_model.measures import ANY, LESS_IS_MORE

_OPERATOR_TEXT = {
    ">=": "at least",
    ">": "more than",
    "<=": "at most",
    "<": "fewer than",
    "==": "exactly",
    "!=": "not exactly",
}
_SIGN = {">=": "≥", ">": ">", "<=": "≤", "<": "<", "==": "=", "!=": "≠"}
_EVENT_PHRASES = {
    "count": "{n} `{event}`",
    "active_days": "`{event}` on {n} day{s}",
    "distinct_users": "{n} user{s} who did `{event}`",
    "days_since_last": "{n} day{s} since the last `{event}`",
    "days_to_first": "{n} day{s} from sign-up to the first `{event}`",
    "distinct_values": "{n} different {value} of `{event}`",
    "current_streak_days": "`{event}` on {n} day{s} in a row up to now",
    "longest_streak_days": "`{event}` on {n} day{s} in a row",
    "sessions": "{n} session{s} of `{event}`",
    "session_minutes": "{n} minute{s} in sessions of `{event}`",
    "top_user_count": "{n} `{event}` by one user",
}
_ENTITY_PHRASES = {
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
    "top_user_count": "{n} event{s} by one user",
}
"""Measures whose number is part of the phrase. For others it follows: "trend of activity in the last 7 days is at least 0.2"."""
_ZERO_READS_NO = ("count", "active_days", "distinct_users", "sessions")


def number_text(value: float) -> str:
    """Format a threshold.

    >>> number_text(2000), number_text(0.8), number_text(5e9)
    ('2,000', '0.8', '5,000,000,000')
    """
    return f"{value:,.12g}"


def criterion_text(criterion: Criterion) -> str:
    """Write a criterion in English.

    >>> boards = {"event": "Board Created", "at_least": 5, "within": "first 7d"}
    >>> criterion_text(Criterion.model_validate(boards))
    'at least 5 `Board Created` in the first 7 days'
    >>> criterion_text(Criterion.model_validate({"trait": "company_size", "in": ["51-200", "201+"]}))
    '`company_size` is 51-200 or 201+'
    """
    if criterion.in_ is not None:
        return f"`{criterion.trait}` is {_alternatives(criterion.in_)}"
    operator, threshold = str(criterion.operator), float(criterion.threshold or 0.0)
    plain = threshold_text(criterion)
    if criterion.trait is not None:
        return f"`{criterion.trait}` is {plain}"
    feature = declared_feature(criterion)
    if feature.share_of is not None:
        return f"{feature.amount.text} is {plain} of `{feature.share_of}`"
    if feature.measure == "times_before":
        return _compared_text(feature, plain)
    phrase = _phrase(feature)
    if phrase is None:
        return f"{feature.text} is {plain}"
    zero = feature.measure in _ZERO_READS_NO and (operator, threshold) in (("<=", 0.0), ("==", 0.0), ("<", 1.0))
    n = "no" if zero else f"{_OPERATOR_TEXT[operator]} {number_text(threshold)}"
    plural = "" if threshold == 1 and not zero else "s"
    return phrase.format(n=n, s=plural, event=feature.label, value=feature.value) + feature.when


def _phrase(feature: Feature) -> str | None:
    return (_ENTITY_PHRASES if feature.event == ANY else _EVENT_PHRASES).get(feature.measure)


def _compared_text(feature: Feature, times: str) -> str:
    """`at least 2 times as many `X` in the last 7 days as in the 7 days before`."""
    what = "events" if feature.event == ANY else f"`{feature.label}`"
    before = f"in the {feature.window.length.text if feature.window.length else ''} before".replace(" 1 ", " ")
    return f"{times} times as many {what} {feature.window.text} as {before}"


def threshold_text(criterion: Criterion) -> str:
    """Write how a criterion compares, without what.

    >>> threshold_text(Criterion.model_validate({"trait": "seats", "at_least": 5}))
    'at least 5'
    """
    operator, threshold = (
        _OPERATOR_TEXT[str(criterion.operator)].replace("fewer", "less"),
        float(criterion.threshold or 0.0),
    )
    percent = criterion.share_of is not None
    return (
        f"{operator} {number_text(round(100 * threshold, 10))} %" if percent else f"{operator} {number_text(threshold)}"
    )


def subject_text(criterion: Criterion) -> str:
    """Write what a criterion is about, without how it compares and without quotes.

    >>> subject_text(Criterion.model_validate({"event": "Teammate Invited", "at_least": 2, "within": "last 14d"}))
    'Teammate Invited in the last 14 days'
    """
    if criterion.trait is not None:
        return criterion.trait
    feature = declared_feature(criterion)
    named = feature.event != ANY and feature.measure == "count" and feature.share_of is None
    return (feature.subject.family + feature.when) if named else feature.text.replace("`", "")


def progress_text(criterion: Criterion, value: float | None, needed: float, up_to: float | None = None) -> str:
    """Write how far a value is on the way to a criterion about an event.

    Parameters
    ----------
    value
        None where nothing happened.
    needed
        The value that is enough.
    up_to
        The end of a range of values that begins with `value`.

    >>> invited = Criterion.model_validate({"event": "Teammate Invited", "at_least": 3, "within": "first 7d"})
    >>> progress_text(invited, 2.0, 3.0)
    '2 of 3 `Teammate Invited` in the first 7 days'
    >>> progress_text(invited, 1.0, 3.0, 2.0)
    '1 to 2 of 3 `Teammate Invited` in the first 7 days'
    >>> recent = Criterion.model_validate({"event": "Export Made", "measure": "days_since_last", "at_most": 7})
    >>> progress_text(recent, 9.31, 7.0)
    '9.3 days since the last `Export Made`; needs at most 7 days since the last `Export Made`'
    >>> progress_text(Criterion.model_validate({"event": "File", "measure": "max", "value": "mb", "at_least": 50}), None, 50)
    'none of 50: largest mb of `File` so far'
    """
    feature = declared_feature(criterion)
    phrase = _phrase(feature) if feature.share_of is None else None
    present = "none" if value is None else number_text(round(value, 1))
    if value is not None and up_to is not None and round(up_to, 1) != round(value, 1):
        present = f"{present} to {number_text(round(up_to, 1))}"
    if feature.measure in LESS_IS_MORE and phrase is not None:
        days = phrase.format(n=present, s="" if present == "1" else "s", event=feature.label) + feature.when
        return f"{'nothing yet' if value is None else days}; needs {criterion_text(criterion)}"
    if feature.share_of is not None:
        reached = "none" if value is None else f"{number_text(round(100 * value, 1))} %"
        return f"{reached} of {number_text(round(100 * needed, 1))} %: {feature.text}"
    share = f"{present} of {number_text(round(needed, 1))}"
    if phrase is None:
        return f"{share}: {feature.text}"
    plural = "" if needed == 1 else "s"
    return phrase.format(n=share, s=plural, event=feature.label, value=feature.value) + feature.when


def criterion_short(criterion: Criterion) -> str:
    """Write a criterion as a short label, without a verb and without quotes.

    >>> invited = {"event": "Teammate Invited", "measure": "active_days", "at_least": 2, "within": "last 14d"}
    >>> criterion_short(Criterion.model_validate(invited))
    'Teammate Invited active days ≥ 2, last 14d'
    """
    if criterion.in_ is not None:
        return f"{criterion.trait}: {', '.join(criterion.in_)}"
    subject = criterion.trait or _subject(criterion)
    window = f", {criterion.window}" if criterion.event is not None and criterion.window.length is not None else ""
    return f"{subject} {_SIGN[str(criterion.operator)]} {number_text(float(criterion.threshold or 0.0))}{window}"


def _subject(criterion: Criterion) -> str:
    feature = declared_feature(criterion)
    measure = feature.measure.replace("_", " ") + (f" of {feature.value}" if feature.value is not None else "")
    share = f" / {feature.share_of}" if feature.share_of is not None else ""
    if feature.event == ANY:
        return ("events" if feature.measure == "count" else measure) + share
    events = feature.subject.family
    return (events if feature.measure == "count" else f"{events} {measure}") + share


def definition_text(definition: Definition) -> str:
    """Write a definition in English.

    >>> conditions = [{"event": "Export Made", "at_least": 1}, {"event": "any", "measure": "active_days", "at_least": 3}]
    >>> definition_text(Definition.model_validate({"any": conditions}))
    'any of: at least 1 `Export Made` so far; at least 3 active days so far'
    """
    texts = _member_texts(definition)
    return texts[0] if len(texts) == 1 else f"{_join_text(definition)}: {'; '.join(texts)}"


def _member_texts(definition: Definition) -> list[str]:
    return [
        f"({definition_text(member)})" if isinstance(member, Definition) else criterion_text(member)
        for member in definition.members
    ]


def definition_short(definition: Definition) -> str:
    """Write a definition as a short label.

    >>> conditions = [{"event": "Export Made", "at_least": 1}, {"trait": "seats", "at_least": 5}]
    >>> definition_short(Definition.model_validate({"all": conditions}))
    'Export Made ≥ 1 + seats ≥ 5'
    """
    texts = [
        f"({definition_short(member)})" if isinstance(member, Definition) else criterion_short(member)
        for member in definition.members
    ]
    if definition.of is not None and 1 < definition.least < len(texts):
        return f"{definition.least} of ({'; '.join(texts)})"
    return (" or " if definition.least == 1 else " + ").join(texts)


def _join_text(definition: Definition) -> str:
    if definition.least == len(definition.members):
        return "all of"
    return "any of" if definition.least == 1 else f"at least {definition.least} of"


def _alternatives(values: list[str]) -> str:
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"


def definition_json(definition: Definition) -> dict[str, Any]:
    """Return `definition` of `pql criteria --json`. `parts` are the texts of what it joins; `k` is None unless k must hold."""
    return {
        "text": definition_text(definition),
        "parts": _member_texts(definition),
        "short": definition_short(definition),
        **joined_json(definition),
    }
