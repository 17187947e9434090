"""Feature values in words: "4 `Teammate Invited` in the first 7 days", "last seen 3 days ago"."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from pql_model.features.spec import Feature, parse_feature
from pql_model.measures import ANY
from pql_model.model.columns import OTHER, ModelColumn
from pql_model.time import DAY, Window

AGE = Feature(ANY, "days_since_signup")
"""Shows whether a `first` window is over. With this column in the table, the texts are more precise."""

Value = float | str | None
_BYTES = {
    name: 1000.0**power
    for power, names in enumerate(("byte b", "kilobyte kb", "megabyte mb", "gigabyte gb", "terabyte tb"))
    for name in (*names.split(), *(f"{n}s" for n in names.split()))
}
_SIZES = ("bytes", "kB", "MB", "GB", "TB")
_UNITS = ("seconds", "minutes", "hours", "days", "weeks", "months", "credits", "points", "euros", "dollars")
"""Names of values whose plural `s` is dropped after 1."""

_feature = lru_cache(maxsize=4096)(parse_feature)


def value_text(column: ModelColumn, value: Value, age: float | None = None) -> str:
    """Put a value of a column into words.

    Parameters
    ----------
    value
        Value as the model reads it: a number, the text of a category, or None if missing.
    age
        Days since sign-up, if known. An unfinished `first` window is then marked as such.

    Examples
    --------
    >>> invited = ModelColumn("Teammate+Invited.count.first_7d", "feature")
    >>> value_text(invited, 4.0), value_text(invited, 0.0, age=3.2)
    ('4 `Teammate Invited` in the first 7 days', 'no `Teammate Invited` so far, of the first 7 days')
    >>> value_text(ModelColumn("any.days_since_last.ever", "feature"), 2.9)
    'last seen 3 days ago'
    >>> value_text(ModelColumn("trait.company_size", "category", ("1-50", "51-200")), "51-200")
    'company_size is 51-200'
    """
    if column.kind != "feature":
        return _trait(column, value)
    feature = _feature(column.name)
    age = None if age is None or math.isnan(age) else age
    if value is None:
        return _missing(feature, age)
    if feature.share_of is not None:
        return f"{format_number(round(100 * float(value), 1))} % of `{feature.share_of}`: {feature.amount.text}"
    return _TEXT_OF_MEASURE[feature.measure](feature, float(value), age)


def format_number(number: float) -> str:
    """Format whole numbers with thousands separators and others to three digits.

    >>> [format_number(n) for n in (12345.0, 2.3456, 0.01234, 999.7, -3.0)]
    ['12,345', '2.35', '0.0123', '1,000', '-3']
    """
    if abs(number) >= 1e15:
        return f"{number:.3g}"
    if abs(number) >= 999.5 or abs(number - round(number)) < 1e-9:
        return f"{round(number):,}"
    return np.format_float_positional(number, precision=3, fractional=False, trim="-")


def format_amount(name: str, amount: float) -> str:
    """Format `2.4 GB` if the value is named after a unit of data, otherwise the number and its name.

    >>> format_amount("megabytes", 2400.0), format_amount("minutes", 1.0), format_amount("revenue", 1250.0)
    ('2.4 GB', '1 minute', '1,250 revenue')
    """
    if name.lower() not in _BYTES:
        return _quantity(amount, name.removesuffix("s") if name.lower() in _UNITS else name, name)
    total_bytes = amount * _BYTES[name.lower()]
    step = min(int(math.log10(max(abs(total_bytes), 1)) / 3 + 1e-9), len(_SIZES) - 1)
    return f"{format_number(float(f'{total_bytes / 1000.0**step:.3g}'))} {_SIZES[step]}"


# ---------------------------------------------------------------- traits and missing values


def _trait(column: ModelColumn, value: Value) -> str:
    if value is None:
        return f"{column.text} is unknown"
    if isinstance(value, float):
        plain = abs(value) < 10_000 and value == round(value)  # such as a year, which is not an amount
        return f"{column.text} is {round(value) if plain else format_number(value)}"
    if column.kind == "category" and value not in column.categories:
        unknown = "a rare value" if OTHER in column.categories else "new to the model"
        return f"{column.text} is {value}, {unknown}"
    return f"{column.text} is {value}"


def _missing(feature: Feature, age: float | None) -> str:
    """Text of a missing value: it never happened, or it is unknown."""
    needs_signup = feature.needs_signup
    if feature.rule.empty is not None or feature == AGE or (needs_signup and age is None):
        return f"{feature.text}: unknown"
    window = _window_text(feature.window, age)
    if feature.share_of is not None:
        return f"{feature.text}: unknown"
    if feature.measure == "trend":
        return f"{_not_active(feature)} {window}, nor {_period_before(feature.window)}"
    if feature.measure == "times_before":
        return f"{_not_active(feature)} {_period_before(feature.window)}"
    if feature.measure == "top_user_share":
        return f"no event that names a user {window}"
    if feature.value is not None:
        return f"no {feature.value} of `{feature.label}` {window}"
    return f"{_not_active(feature)} {window}"


def _not_active(f: Feature) -> str:
    return "not active" if f.event == ANY else f"no `{f.label}`"


def _active(f: Feature) -> str:
    return "active" if f.event == ANY else f"`{f.label}`"


# ---------------------------------------------------------------- times


def _is_over(window: Window, age: float | None) -> bool:
    return age is None or bool(window.elapsed(0, round(age * DAY)))


def _window_text(window: Window, age: float | None) -> str:
    return window.text if _is_over(window, age) else f"so far, of {_period(window)}"


def _period(window: Window) -> str:
    """`the first 7 days`, `the last day`."""
    return window.text.removeprefix("in ")


def _period_before(window: Window) -> str:
    """The equally long period before a `last` window."""
    return f"in the {window.length.text if window.length else ''} before".replace(" 1 ", " ")


def _time_ago(days: float) -> str:
    if days < 1 / 24:
        return "less than an hour"
    if days < 1.5:
        return _quantity(int(days * 24 + 0.5), "hour")
    return f"{int(days + 0.5):,} days"


def _quantity(number: float, noun: str, nouns: str | None = None) -> str:
    return f"{format_number(number)} {noun if number == 1 else nouns or noun + 's'}"


# ---------------------------------------------------------------- one function per measure


def _count(f: Feature, value: float, age: float | None) -> str:
    noun, nouns = ("event", "events") if f.event == ANY else (f"`{f.label}`", f"`{f.label}`")
    return f"{_quantity(value, noun, nouns) if value else f'no {nouns}'} {_window_text(f.window, age)}"


def _active_days(f: Feature, value: float, age: float | None) -> str:
    window, subject = _window_text(f.window, age), _active(f)
    if not value:
        return f"{_not_active(f)} {window}"
    if f.window.length is not None and f.window.length.us <= DAY:
        return f"{subject} {window}"
    return f"{subject} on {_of_days(f.window, value, age)}"


def _of_days(window: Window, value: float, age: float | None) -> str:
    """`5 of the last 14 days`, `5 of 14 days so far`. N x 24 hours can touch N + 1 UTC days, which would read oddly."""
    days = window.length.days if window.length else 0.0
    if days and days == round(days) and _is_over(window, age):
        return f"{format_number(min(value, days))} of {_period(window)}"
    if age is None or (days and _is_over(window, age)):
        return f"{_quantity(value, 'day')} {_window_text(window, age)}"
    return f"{format_number(value)} of {_quantity(max(math.ceil(age), value), 'day')} {_window_text(window, age)}"


def _users(f: Feature, value: float, age: float | None) -> str:
    did = "active" if f.event == ANY else f"did `{f.label}`"
    return f"{_quantity(value, 'user') if value else 'nobody'} {did} {_window_text(f.window, age)}"


def _since_last(f: Feature, value: float, age: float | None) -> str:
    last = "last seen" if f.event == ANY else f"last `{f.label}`"
    of = f" of {_period(f.window)}" if f.window.kind == "first" else ""
    return f"{last}{of} {_time_ago(value)} ago"


def _to_first(f: Feature, value: float, age: float | None) -> str:
    first = "first seen" if f.event == ANY else f"first `{f.label}`"
    of = f" of {_period(f.window)}" if f.window.kind == "last" else ""
    return f"{first}{of} {_time_ago(abs(value))} {'after' if value >= 0 else 'before'} sign-up"


def _sum(f: Feature, value: float, age: float | None) -> str:
    return f"{format_amount(str(f.value), value) if value else f'no {f.value}'} of `{f.label}` {_window_text(f.window, age)}"


def _max(f: Feature, value: float, age: float | None) -> str:
    return f"up to {format_amount(str(f.value), value)} in one `{f.label}` {_window_text(f.window, age)}"


def _last(f: Feature, value: float, age: float | None) -> str:
    of = "" if f.window.kind == "ever" else f" {_window_text(f.window, age)}"
    return f"{format_amount(str(f.value), value)} in the latest `{f.label}`{of}"


def _values(f: Feature, value: float, age: float | None) -> str:
    distinct = _quantity(value, "value", "different values") if value else "no value"
    return f"{distinct} of {f.value} in `{f.label}` {_window_text(f.window, age)}"


def _streak(f: Feature, value: float, age: float | None) -> str:
    window = "" if f.window.kind == "ever" else f" {_window_text(f.window, age)}"
    if f.measure == "current_streak_days":
        days = f"{_active(f)} {_quantity(value, 'day')} in a row until now"
        none = "no active day" if f.event == ANY else f"no `{f.label}`"
        return f"{days if value else f'{none} today or yesterday'}{window}"
    if not value:
        return f"{_not_active(f)} {_window_text(f.window, age)}"
    if f.event == ANY:
        return f"longest streak {_quantity(value, 'active day')}{window}"
    return f"`{f.label}` on {_quantity(value, 'day')} in a row{window}"


def _breadth(f: Feature, value: float, age: float | None) -> str:
    return f"{_quantity(value, 'kind of event', 'kinds of events') if value else 'no events'} {_window_text(f.window, age)}"


def _sessions(f: Feature, value: float, age: float | None) -> str:
    of = "" if f.event == ANY else f" of `{f.label}`"
    return f"{_quantity(value, 'session') if value else 'no sessions'}{of} {_window_text(f.window, age)}"


def _session_minutes(f: Feature, value: float, age: float | None) -> str:
    if value >= 120:
        duration = _quantity(round(value / 60, 1), "hour")
    elif value >= 0.5:
        duration = _quantity(round(value), "minute")
    else:
        duration = "less than a minute" if value else "no minutes"
    of = "" if f.event == ANY else f" of `{f.label}`"
    return f"{duration} in sessions{of} {_window_text(f.window, age)}"


def _trend(f: Feature, value: float, age: float | None) -> str:
    if value >= 1:
        return f"{_active(f)} {_window_text(f.window, age)}, not {_period_before(f.window)}"
    return _times_before(f, (1 + value) / (1 - value), age)


def _times_before(f: Feature, value: float, age: float | None) -> str:
    window, before = _window_text(f.window, age), _period_before(f.window)
    if value <= 0:
        return f"{_not_active(f)} {window}, but {before}"
    if value >= 1.05:
        ratio = f"{format_number(round(value, 1 if value < 10 else 0))} times"
    else:
        ratio = "about" if value >= 0.95 else f"{max(value, 0.01):.0%}"
    return (
        f"{ratio} as active {window} as {before}"
        if f.event == ANY
        else f"{ratio} as many `{f.label}` {window} as {before}"
    )


def _top_share(f: Feature, value: float, age: float | None) -> str:
    share = "all events" if value >= 1 else f"{value:.0%} of the events"
    return f"the most active user did {share} {_window_text(f.window, age)}"


def _top_count(f: Feature, value: float, age: float | None) -> str:
    noun, nouns = ("event", "events") if f.event == ANY else (f"`{f.label}`", f"`{f.label}`")
    did = f"{_quantity(value, noun, nouns)} by one user" if value else f"no {noun} that names a user"
    return f"{did} {_window_text(f.window, age)}"


def _age(f: Feature, value: float, age: float | None) -> str:
    return f"signed up {_time_ago(value)} ago" if value >= 0 else f"signs up in {_time_ago(-value)}"


_TEXT_OF_MEASURE: dict[str, Callable[[Feature, float, float | None], str]] = {
    "count": _count,
    "active_days": _active_days,
    "distinct_users": _users,
    "days_since_last": _since_last,
    "days_to_first": _to_first,
    "sum": _sum,
    "max": _max,
    "last": _last,
    "distinct_values": _values,
    "current_streak_days": _streak,
    "longest_streak_days": _streak,
    "breadth": _breadth,
    "sessions": _sessions,
    "session_minutes": _session_minutes,
    "trend": _trend,
    "times_before": _times_before,
    "top_user_count": _top_count,
    "top_user_share": _top_share,
    "days_since_signup": _age,
}
