"""Traits that change their meaning, seen by the day of sign-up: values that vanish or appear, more missing, another unit.

A mix that moves is not a change of meaning, and neither is what grows with the age of an entity: only a step from one day of
sign-up to the next counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom

from pql_model.monitoring.counts import two_sided
from pql_model.monitoring.finding import Finding, Severity
from pql_model.sources.entities import trait_column
from pql_model.time import DAY, iso

Table = Any

SURE = 1e-4
"""Largest probability of a finding by chance among all values of a trait and all days."""
FREQUENT = 0.03
"""Values below this share of the sign-ups are not followed."""
GONE = 0.05
"""A value at less than this share of its former share has vanished."""
MISSING = 0.2
"""By how much the share of missing values must move."""
UNIT = 3.0
"""Smallest factor between the medians of two units."""
SHORTEST = 3
_NEAR = 21
_FEWEST = 25
_STEP = 0.6


@dataclass(frozen=True)
class TraitDays:
    """A trait of the sign-ups of each day.

    Attributes
    ----------
    first_day
        Day of row 0, in days since 1970.
    total, missing
        (days,): sign-ups, and those without a value.
    values
        Frequent values.
    counts
        (values, days).
    numbers
        (days, 2): count and sum of the logarithm to the base 10 of positive numbers.
    squares
        (days,): sum of the squares of these logarithms.
    """

    trait: str
    first_day: int
    total: np.ndarray
    missing: np.ndarray
    values: tuple[str, ...]
    counts: np.ndarray
    numbers: np.ndarray
    squares: np.ndarray


def count_trait(entities: Table, trait: str, as_of: int, recent: int) -> TraitDays | None:
    """Count a trait by the day of sign-up; None where no sign-up is dated, or the trait is a list.

    Parameters
    ----------
    recent
        Instant: values frequent before it or since are followed.
    """
    column = entities[trait_column(trait)]
    if column.type().is_nested():
        return None
    text = column.cast("string").strip().nullif("")
    number = text.try_cast("float64")
    table = entities.filter((~entities.excluded) & entities.signed_up.notnull() & (entities.signed_up < as_of))
    number = number.nullif(float("nan"))
    table = table.select(day=entities.signed_up // DAY, text=text, number=number, recent=entities.signed_up >= recent)
    daily = table.group_by("day").agg(total=table.count(), missing=table.count(where=table.text.isnull()))
    days = daily.to_pyarrow().to_pydict()
    if not days["day"]:
        return None
    shares = table.filter(table.text.notnull()).group_by("text", "recent").agg(n=lambda t: t.count())
    sizes = table.group_by("recent").agg(all=table.count())
    frequent = shares.join(sizes, "recent").filter(lambda t: t.n >= FREQUENT * t["all"]).select("text").distinct()
    names = sorted(frequent.to_pyarrow()["text"].to_pylist())
    first, end = min(days["day"]), as_of // DAY + 1
    total, missing = np.zeros(end - first), np.zeros(end - first)
    at = np.array(days["day"]) - first
    total[at], missing[at] = days["total"], days["missing"]
    counts = np.zeros((len(names), end - first))
    by_value = table.filter(table.text.isin(names)) if names else table.limit(0)
    rows = by_value.group_by("text", "day").agg(n=lambda t: t.count()).to_pyarrow().to_pydict()
    position = {name: number for number, name in enumerate(names)}
    counts[[position[name] for name in rows["text"]], np.array(rows["day"], dtype=np.int64) - first] = rows["n"]
    numbers, squares = _numbers(table, first, end)
    return TraitDays(trait, first, total, missing, tuple(names), counts, numbers, squares)


def _numbers(table: Table, first: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    positive = table.filter(table.number > 0)
    positive = positive.mutate(log=positive.number.log10())
    rows = positive.group_by("day").agg(
        n=positive.count(), log=positive.log.sum(), square=(positive.log * positive.log).sum()
    )
    columns = rows.to_pyarrow().to_pydict()
    numbers, squares = np.zeros((end - first, 2)), np.zeros(end - first)
    at = np.array(columns["day"], dtype=np.int64) - first
    numbers[at, 0], numbers[at, 1], squares[at] = columns["n"], columns["log"], columns["square"]
    return numbers, squares


def trait_findings(days: TraitDays, recent_day: int) -> list[Finding]:
    """Find what changed in the sign-ups since a day, in days since 1970; at most one finding a trait.

    Another unit goes before values, and values before missing ones: the first explains the others.
    """
    recent = recent_day - days.first_day
    if recent < _FEWEST or days.total[:recent].sum() < 2 * _FEWEST or days.total[recent:].sum() < _FEWEST:
        return []
    for kind in (_unit, _values, _missing):
        findings = list(kind(days, recent))
        if findings:
            return findings
    return []


def _unit(days: TraitDays, recent: int) -> Iterator[Finding]:
    n, total = np.cumsum(days.numbers[:, 0]), np.cumsum(days.numbers[:, 1])
    known = (days.total - days.missing).sum()
    if n[-1] < 0.8 * known or n[-1] < 2 * _FEWEST:
        return
    starts = np.arange(recent, len(n) - SHORTEST)
    n0, n1 = n[starts - 1], n[-1] - n[starts - 1]
    usable = (n0 >= _FEWEST) & (n1 >= _FEWEST)
    if not usable.any():
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        step = (total[-1] - total[starts - 1]) / n1 - total[starts - 1] / n0
        weight = np.abs(step) * np.sqrt(n0 * n1 / (n0 + n1))
    best = int(np.argmax(np.where(usable, weight, -1)))
    start = int(starts[best])
    if abs(step[best]) < np.log10(UNIT) or not _is_step(days.numbers[:, 1], days.numbers[:, 0], start):
        return
    variance = sum(_squares(days, part) for part in (slice(0, start), slice(start, None))) / max(n[-1] - 2, 1)
    error = np.sqrt(2 * variance * (1 / n0[best] + 1 / n1[best]))
    if two_sided(float(step[best] / error)) * len(starts) > SURE:
        return
    before, after = 10 ** (total[start - 1] / n0[best]), 10 ** ((total[-1] - total[start - 1]) / n1[best])
    since = (days.first_day + start) * DAY
    words = (
        f"`{days.trait}` of those who signed up since {iso(since)} is typically {after:,.4g}, where it was {before:,.4g}: "
        f"{after / before:,.3g} times as much. Its unit seems to have changed."
    )
    yield Finding("trait_changed", days.trait, since, float(f"{after:.4g}"), float(f"{before:.4g}"), words, "act")


def _squares(days: TraitDays, part: slice) -> float:
    n, total = days.numbers[part].sum(axis=0)
    return float(days.squares[part].sum() - total**2 / n) if n else 0.0


def _is_step(part: np.ndarray, whole: np.ndarray, start: int) -> bool:
    """Whether the means of the weeks beside a day differ by most of the whole difference, as a trend would not."""
    before, after = slice(max(0, start - _NEAR), start), slice(start, start + _NEAR)
    far = _mean(part[:start], whole[:start]), _mean(part[start:], whole[start:])
    near = _mean(part[before], whole[before]), _mean(part[after], whole[after])
    beside = (
        _mean(part[start - 7 : start], whole[start - 7 : start]),
        _mean(part[start : start + 7], whole[start : start + 7]),
    )
    change = far[1] - far[0]
    return bool(change and (near[1] - near[0]) / change >= _STEP and (beside[1] - beside[0]) / change >= _STEP / 2)


def _mean(part: np.ndarray, whole: np.ndarray) -> float:
    return float(part.sum() / whole.sum()) if whole.sum() else 0.0


def _values(days: TraitDays, recent: int) -> Iterator[Finding]:
    known = days.total - days.missing
    gone = [change for number in range(len(days.values)) if (change := _vanished(days, number, known, recent))]
    came = [change for number in range(len(days.values)) if (change := _appeared(days, number, known, recent))]
    if not gone and not came:
        return
    start = min(at for at, _, _ in [*gone, *came])
    share = sum(share for _, _, share in gone)
    new = sum(share for _, _, share in came)
    together = gone and came and min(at for at, _, _ in came) <= max(at for at, _, _ in gone) + _NEAR
    severity: Severity = "act" if together or share >= MISSING else "watch"
    since = (days.first_day + start) * DAY
    parts = []
    if gone:
        parts.append(f"{_listed(gone)} ({share:.0%} of the earlier sign-ups) no longer appear")
    if came:
        parts.append(f"{_listed(came)} ({new:.0%} of the later ones) are new")
    words = f"Among the sign-ups since {iso(since)}, values of `{days.trait}` changed: {'; '.join(parts)}."
    if came:
        yield Finding("trait_changed", days.trait, since, round(new, 4), 0, words, severity)
    else:
        yield Finding("trait_changed", days.trait, since, 0, round(share, 4), words, severity)


def _listed(changes: list[tuple[int, str, float]]) -> str:
    names = [f"`{name}`" for _, name, _ in sorted(changes, key=lambda change: -change[2])]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _vanished(days: TraitDays, number: int, known: np.ndarray, recent: int) -> tuple[int, str, float] | None:
    """A value that was there throughout and is gone: first day, name, former share."""
    count = days.counts[number]
    starts = np.arange(recent, len(known) - SHORTEST)
    x1, n1 = count[::-1].cumsum()[::-1][starts], known[::-1].cumsum()[::-1][starts]
    best: int | None = None
    for start, later, among in zip(starts.tolist(), x1.tolist(), n1.tolist(), strict=True):
        near = slice(max(0, start - 60), start)
        share = min(_mean(count[:start], known[:start]), _mean(count[near], known[near]))
        weeks = count[start % 7 : start].reshape(-1, 7).sum(axis=1)
        throughout = (weeks[-12:] > 0).mean() >= 0.7
        if share < FREQUENT or not throughout or later > GONE * share * among:
            continue
        share -= 2 * np.sqrt(share / max(known[near].sum(), 1))  # its own error
        chance = binom.cdf(later, among, max(share, 0.0)) * len(starts) * max(len(days.values), 1)
        if chance < SURE:
            best = start
            break
    if best is None:
        return None
    last = np.flatnonzero(count[: best + 1])
    start = int(last[-1] + 1) if len(last) else best
    return start, days.values[number], _mean(count[:start], known[:start])


def _appeared(days: TraitDays, number: int, known: np.ndarray, recent: int) -> tuple[int, str, float] | None:
    """A value that was never there before: first day, name, share since."""
    count = days.counts[number]
    first = int(np.argmax(count > 0))
    if first < recent:
        return None
    share, before = _mean(count[first:], known[first:]), float(known[:first].sum())
    low = share - 2 * np.sqrt(share / max(known[first:].sum(), 1))
    if low <= 0 or count.sum() < 8 or (1 - low) ** before * len(days.values) > SURE:
        return None
    return first, days.values[number], share


def _missing(days: TraitDays, recent: int) -> Iterator[Finding]:
    starts = np.arange(recent, len(days.total) - SHORTEST)
    x, n = np.cumsum(days.missing), np.cumsum(days.total)
    n0, n1 = n[starts - 1], n[-1] - n[starts - 1]
    usable = (n0 >= _FEWEST) & (n1 >= _FEWEST)
    if not usable.any():
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        before, after = x[starts - 1] / n0, (x[-1] - x[starts - 1]) / n1
        weight = np.abs(after - before) * np.sqrt(n0 * n1 / (n0 + n1))
    best = int(np.argmax(np.where(usable, weight, -1)))
    start, step = int(starts[best]), float(after[best] - before[best])
    if abs(step) < MISSING or not _is_step(days.missing, days.total, start):
        return
    pooled = x[-1] / n[-1]
    error = np.sqrt(2 * pooled * (1 - pooled) * (1 / n0[best] + 1 / n1[best]))  # weeks differ by more than chance
    if two_sided(step / error) * len(starts) > SURE:
        return
    since = (days.first_day + start) * DAY
    words = (
        f"`{days.trait}` is missing for {after[best]:.0%} of those who signed up since {iso(since)}, where {before[best]:.0%} "
        "were without it."
    )
    yield Finding(
        "trait_changed", days.trait, since, round(float(after[best]), 4), round(float(before[best]), 4), words, "act"
    )
