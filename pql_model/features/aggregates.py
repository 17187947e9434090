"""The aggregates behind the measures, in Ibis, and what makes their raw numbers final.

`pql_model.features.oracle` defines the right result. The table is the log joined with the snapshots, where `previous_X` is
the time of the previous row with the same keys and X.
"""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np

from pql_model.features.rounding import LEAST_POWER, NUDGE, POWERS, SUM_DIGITS
from pql_model.features.spec import Feature
from pql_model.time import DAY, MINUTE, SESSION_GAP, Window

Table = Any  # an Ibis table
Column = Any  # an Ibis column


def in_window(t: Table, window: Window) -> tuple[Column, Column | None]:
    """Return whether a visible row lies in the window, and the window's start (None if unbounded)."""
    start, end = window.bounds(t.signed_up, t.as_of, ibis.least)
    inside = t.time < end
    return (inside if start is None else inside & (t.time >= start)), start


def first_in_window(t: Table, name: str, inside: Column, start: Column | None) -> Column:
    """Return whether a row is the first with its key inside the window."""
    before = t[f"previous_{name}"]
    return inside & (before.isnull() if start is None else before.isnull() | (before < start))


def aggregate(t: Table, feature: Feature) -> Column:
    """Return the raw number of a feature; times stay instants, which `finish` turns into days."""
    inside, start = in_window(t, feature.window)
    measure = feature.measure
    if measure == "count":
        return t.n.sum(where=inside)
    if measure == "active_days":
        return t.count(where=first_in_window(t, "day", inside, start))
    if measure == "breadth":
        return t.count(where=first_in_window(t, "name", inside, start))
    if measure == "distinct_users":
        logged = t.count(where=first_in_window(t, "user", inside & t.user.notnull(), start))
        return ibis.greatest(logged.cast("float64"), t.users.max(where=inside).fill_null(0.0))
    if measure == "days_since_last":
        return t.time.max(where=inside)
    if measure == "days_to_first":
        return t.time.min(where=inside)
    if measure == "sessions":
        begins = first_in_window(t, "time", inside, start) | (inside & (t.time - t.previous_time > SESSION_GAP))
        return t.count(where=begins)
    if measure == "session_minutes":
        gap = t.time - t.previous_time
        same_session = inside & (gap <= SESSION_GAP)
        return gap.sum(where=same_session if start is None else same_session & (t.previous_time >= start))
    if measure in ("trend", "times_before"):
        recent, before = _halves(t, feature.window)
        a, b = t.n.sum(where=recent).fill_null(0.0), t.n.sum(where=before).fill_null(0.0)
        return (a - b) / (a + b).nullif(0.0) if measure == "trend" else a / b.nullif(0.0)
    return _aggregate_value(t, feature, inside, start)


def _halves(t: Table, window: Window) -> tuple[Column, Column]:
    start, _ = window.bounds(t.signed_up, t.as_of, ibis.least)
    earlier = start - (t.as_of - start)
    return t.time >= start, (t.time >= earlier) & (t.time < start)


def _aggregate_value(t: Table, feature: Feature, inside: Column, start: Column | None) -> Column:
    value = t[f"value_{feature.value}"]
    inside = inside & value.notnull()
    if feature.measure == "sum":
        return value.sum(where=inside)
    if feature.measure == "max":
        return value.max(where=inside)
    if feature.measure == "last":
        return value.argmax(t[f"order_{feature.value}"], where=inside)
    return t.count(where=first_in_window(t, f"value_{feature.value}", inside, start))


def finish(feature: Feature, raw: np.ndarray, as_of: np.ndarray, signed_up: np.ndarray) -> np.ndarray:
    """Turn raw numbers into days and minutes where the measure has them."""
    if feature.measure == "days_since_last":
        return np.asarray((as_of - raw) / DAY)
    if feature.measure == "days_to_first":
        return np.asarray((raw - signed_up) / DAY)
    if feature.measure == "session_minutes":
        return raw / MINUTE
    return raw


def gross(t: Table, feature: Feature) -> Column:
    """Return the sum of absolute values, which tells how many digits of the sum are meaningful."""
    value = t[f"value_{feature.value}"]
    return value.abs().sum(where=in_window(t, feature.window)[0] & value.notnull())


def rounded_sums(sums: np.ndarray, gross: np.ndarray) -> np.ndarray:
    """Vectorise `rounding.rounded`: the same operations in the same order, hence the same bits."""
    powers = np.array(POWERS)
    rounds = np.isfinite(gross) & (gross > 0)
    finite, total = np.where(rounds, gross, 1.0), np.where(rounds, sums, 0.0)
    exponent = SUM_DIGITS - np.searchsorted(powers, finite * NUDGE, side="right") - LEAST_POWER
    half = exponent // 2
    one, other = powers[half - LEAST_POWER], powers[exponent - half - LEAST_POWER]
    return np.where(rounds, np.round(total * one * other) / one / other, sums)
