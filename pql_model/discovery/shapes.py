"""The three shapes of an event table (a log, a single event, pre-counted), and the numbers in it."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pql_model.discovery.exports import Export
from pql_model.discovery.sketch import ColumnSketch, TableSketch, sounds_like_time
from pql_model.discovery.vocabulary import (
    ACTS,
    CONTEXT,
    DAYS,
    EVENT_SCORES,
    FILLERS,
    NOT_VALUES,
    OTHER_EVENT_WORD,
    PEOPLE,
    PERIODS,
    words,
)
from pql_model.measures import ANY
from pql_model.time import DAY, HOUR

MAX_VALUES = 8
_NUMERIC = re.compile(
    r"[+-]?(?:[A-Z]{3}|[$\u20ac\u00a3\u00a5])?\s?[+-]?\d[\d.,'\u2019\u00a0\u202f ]*\s?(?:%|[A-Z]{3}|[$\u20ac\u00a3\u00a5]|[a-zA-Z]{1,3})?"
)


@dataclass(frozen=True)
class Counts:
    """A pre-counted table: event name -> column of counts and of distinct users, and the period a row covers."""

    counts: dict[str, str]
    users: dict[str, str]
    covers: str
    reason: str


def hints_time(column: ColumnSketch) -> bool:
    """Whether a text looks like a time by its name or its form, although it cannot be read as one."""
    looks = re.fullmatch(r"\d\d?[./-]\d\d?[./-]\d{2,4}.*", column.samples[0].strip())
    return sounds_like_time(column.name) or looks is not None


def event_name(text: str) -> str:
    """Rename an event called `any`, because `any` stands for all events together."""
    return f"{text}_event" if text == ANY else text


def event_score(sketch: TableSketch, column: ColumnSketch) -> float:
    """Score how much a text column looks like names of events; 0 or less: not at all."""
    if column.filled < 0.5 or any(word in CONTEXT for word in column.words) or "id" in column.words:
        return 0.0
    named = sum(EVENT_SCORES.get(word, OTHER_EVENT_WORD) for word in column.words)
    few = column.distinct <= min(5_000, max(20 if named >= 3 else 2, 0.2 * sketch.rows))
    if not few or column.distinct >= max(2, sketch.rows) or any(len(sample) > 120 for sample in column.samples):
        return 0.0
    if named > 0:
        return 1.0 + named
    several = len(set(column.samples)) >= 2
    return 0.5 if several and named > -4 and _reads_like_acts(column.samples) else 0.0


def _reads_like_acts(samples: Sequence[str]) -> bool:
    """Whether half of the samples have two words or more, one of them a past participle or a common act."""
    different = set(samples)
    acts = [s for s in different if len(parts := words(s)) >= 2 and any(w.endswith("ed") or w in ACTS for w in parts)]
    return len(acts) >= 0.5 * len(different)


def find_values(columns: Sequence[ColumnSketch], export: Export | None) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Map value names to numeric columns, and give the reason for each numeric column left out: reason -> columns."""
    names: dict[str, str] = {}
    left_out: dict[str, list[str]] = {}
    for column in columns:
        reason = _reason_against(column, export)
        if reason is None and len(names) == MAX_VALUES:
            reason = f"at most {MAX_VALUES} are drafted, and you may name more under `values:`"
        if reason is None:
            names[_unused_name("_".join(w for w in column.words if w != "properties"), names)] = column.name
        elif reason:
            left_out.setdefault(reason, []).append(column.name)
    return names, left_out


def _reason_against(column: ColumnSketch, export: Export | None) -> str | None:
    """Why a column is not a value; empty where it does not even look like numbers, None where it is one."""
    if column.is_time or not column.samples:
        return ""
    if column.kind != "number":
        if column.kind == "text" and looks_numeric(column):
            return f"they are not plain numbers, such as `{column.samples[0][:20]}`"
        return ""
    if column.distinct < 2:
        return "the same number everywhere"
    if NOT_VALUES.intersection(column.words):
        return "by their names they identify or locate something"
    if export is not None and export.is_technical(column.slug):
        return f"they are about {export.name}'s tracker"
    return None


def looks_numeric(column: ColumnSketch) -> bool:
    """Whether most texts are numbers in some writing: with marks, a currency or a unit.

    >>> [looks_numeric(ColumnSketch("x", (s,), 1, 1.0, "text")) for s in ("$1,250.50", "12 %", "9.99 EUR", "v1.2", "acc_1")]
    [True, True, True, False, False]
    """
    numeric = sum(_NUMERIC.fullmatch(sample.strip()) is not None for sample in column.samples)
    return numeric > 0.5 * len(column.samples)


def find_counts(
    sketch: TableSketch, columns: Sequence[ColumnSketch], entity: ColumnSketch, time: ColumnSketch
) -> Counts | None:
    """Find the counts of a pre-counted table; None if it is not one."""
    integers = [column for column in columns if column.kind == "number" and column.is_integer and not column.is_time]
    numbers = [column for column in integers if not NOT_VALUES.intersection(column.words)]
    period = next((word for word in time.words if word in PERIODS), None)
    foreign = any(c.words[-1:] == ("id",) for c in sketch.columns if c not in (entity, time))  # rows of a log have ids
    looks_counted = time.is_date and not foreign and len(numbers) > 1 and _pairs_are_unique(entity, time)
    if not numbers or not (period or looks_counted):
        return None
    counts, users = _pair_users(numbers)
    covers, measured = _spacing(time)
    reason = "by the spacing of the times" if measured else "by the name of the time" if period else "by default"
    return Counts(counts, users, covers, reason)


def _pairs_are_unique(entity: ColumnSketch, time: ColumnSketch) -> bool:
    """Whether entity and time together identify a row, as far as the rows were read together."""
    if min(entity.filled, time.filled) < 1:
        return False
    pairs = list(zip(entity.cells or entity.samples, time.cells or time.samples, strict=False))
    return len(pairs) > 1 and len(set(pairs)) == len(pairs)


def _pair_users(numbers: Sequence[ColumnSketch]) -> tuple[dict[str, str], dict[str, str]]:
    """Pair `ACTIONS_EMAIL` with `USERS_EMAIL`: a count and the number of distinct users."""
    people = {_rest(c, PEOPLE): c.name for c in numbers if PEOPLE & set(c.words) and _rest(c, PEOPLE)}
    counts: dict[str, str] = {}
    users: dict[str, str] = {}
    paired = {n for rest, n in people.items() if any(_rest(c, FILLERS) == rest for c in numbers if c.name != n)}
    for column in numbers:
        if column.name in paired:
            continue
        rest = _rest(column, FILLERS)
        name = event_name(_unused_name(" ".join(rest or column.words).replace(" ", "_"), counts))
        counts[name] = column.name
        if people.get(rest) in paired:
            users[name] = people[rest]
    return counts, users


def _rest(column: ColumnSketch, without: Collection[str]) -> tuple[str, ...]:
    return tuple(word for word in column.words if word not in without)


def _spacing(time: ColumnSketch) -> tuple[str, bool]:
    """The period that a row covers, and whether it was measured from the times."""
    different = sorted(set(time.instants))
    gaps = [after - before for before, after in pairwise(different)]
    if len(gaps) < 2:
        named = (covers for word in time.words if (covers := {**DAYS, **PERIODS}.get(word)))
        return next(named, "7d"), False
    least, step = min(gaps), math.gcd(*gaps)
    for days, covers in ((89, "92d"), (28, "31d")):
        if least >= days * DAY and step % (7 * DAY):
            return covers, True
    if step % DAY == 0:
        return ("1d" if step % (7 * DAY) else "7d"), True
    return ("1h", True) if step % HOUR == 0 else ("7d", False)


def _unused_name(name: str, taken: Mapping[str, str]) -> str:
    """Extend a name until it differs from all others in more than case."""
    name = name[:60] or "value"
    lower = {other.lower() for other in taken}
    return next(n for i in range(1, len(taken) + 2) if (n := name if i == 1 else f"{name}_{i}").lower() not in lower)
