"""The three shapes of an event table: a log, one event a row, already counted; and the numbers in them."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pql_model.discovery.exports import Export
from pql_model.discovery.sketch import ColumnSketch, TableSketch, sounds_like_time, vocabulary, words
from pql_model.measures import ANY
from pql_model.time import DAY, HOUR

AT_MOST_VALUES = 8
_NOT_A_VALUE = vocabulary(
    "id ids key uuid guid hash code zip zipcode postal postcode phone lat lng lon latitude longitude height width "
    "version port offset index idx schema sequence seq year month week weekday hour minute ip epoch row line"
)
_CONTEXT = vocabulary(
    "country city region state device browser os platform plan source referrer url path language lang title medium "
    "campaign currency email agent ip timezone locale model brand version status properties context category"
)
_PERIODS = {"week": "7d", "weekly": "7d", "month": "31d", "monthly": "31d", "quarter": "92d", "period": "7d"}
_DAYS = {"day": "1d", "daily": "1d", "date": "1d"}
_PEOPLE = {"user", "users", "people", "members"}
_FILLERS = vocabulary("actions action count counts num number n of total events")


@dataclass(frozen=True)
class Counts:
    """A pre-counted table: event name -> column of counts, of distinct users, and the time a row sums up."""

    counts: dict[str, str]
    users: dict[str, str]
    covers: str
    why: str


def hints_time(column: ColumnSketch) -> bool:
    """A text that its name or a look calls a time, although it cannot be read as one."""
    looks = re.fullmatch(r"\d\d?[./-]\d\d?[./-]\d{2,4}.*", column.samples[0].strip())
    return sounds_like_time(column.name) or looks is not None


def event_name(text: str) -> str:
    """`any` speaks of the entity as a whole, so an event cannot be called that."""
    return f"{text}_event" if text == ANY else text


def event_score(sketch: TableSketch, column: ColumnSketch, hints: Mapping[str, int]) -> float:
    """How much a text column looks like the names of events; 0 or less: not at all."""
    if column.filled < 0.5 or any(word in _CONTEXT for word in column.words) or "id" in column.words:
        return 0.0
    named = sum(hints.get(word, -2) for word in column.words)
    few = column.distinct <= min(5_000, max(20 if named >= 3 else 2, 0.2 * sketch.looked))
    if not few or column.distinct >= max(2, sketch.looked) or any(len(sample) > 120 for sample in column.samples):
        return 0.0
    if named > 0:
        return 1.0 + named
    several = len(set(column.samples)) >= 2
    return 0.5 if several and named > -4 and _reads_like_acts(column.samples) else 0.0


def _reads_like_acts(samples: Sequence[str]) -> bool:
    """`Teammate Invited`, `page_view`: two words or more, one of them a verb's past or a common act."""
    different = set(samples)
    acts = [s for s in different if len(found := words(s)) >= 2 and any(w.endswith("ed") or w in _ACTS for w in found)]
    return len(acts) >= 0.5 * len(different)


_ACTS = vocabulary(
    "view click login open create start send sent upload download invite share add delete edit sign log visit search "
    "play watch read built made set"
)


def values_of(columns: Sequence[ColumnSketch], export: Export | None) -> tuple[dict[str, str], list[str]]:
    """Value name -> numeric column, and the columns beyond the first few."""
    fits = [column.name for column in columns if _is_value(column, export)]
    names: dict[str, str] = {}
    for name in fits[:AT_MOST_VALUES]:
        names[_fresh("_".join(w for w in words(name) if w != "properties"), names)] = name
    return names, fits[AT_MOST_VALUES:]


def _is_value(column: ColumnSketch, export: Export | None) -> bool:
    if column.kind != "number" or column.is_time or column.distinct < 2:
        return False
    if _NOT_A_VALUE.intersection(column.words):
        return False
    return export is None or not export.is_technical(column.plain)


def counts_of(
    sketch: TableSketch, columns: Sequence[ColumnSketch], entity: ColumnSketch, time: ColumnSketch
) -> Counts | None:
    """The counts of a pre-counted table, or None if it is none."""
    whole = [column for column in columns if column.kind == "number" and column.is_whole and not column.is_time]
    numbers = [column for column in whole if not _NOT_A_VALUE.intersection(column.words)]
    period = next((word for word in time.words if word in _PERIODS), None)
    foreign = any(c.words[-1:] == ("id",) for c in sketch.columns if c not in (entity, time))  # a log's rows have ids
    looks_counted = time.is_date and not foreign and len(numbers) > 1 and _pairs_are_unique(entity, time)
    if not numbers or not (period or looks_counted):
        return None
    counts, users = _pair_users(numbers)
    covers, seen = _spacing(time)
    why = "by the spacing of the times" if seen else "by the name of the time" if period else "by default"
    return Counts(counts, users, covers, why)


def _pairs_are_unique(entity: ColumnSketch, time: ColumnSketch) -> bool:
    """Whether entity and time together tell the rows apart, as far as the samples go row by row."""
    if min(entity.filled, time.filled) < 1 or len(entity.samples) != len(time.samples):
        return False
    pairs = list(zip(entity.samples, time.samples, strict=True))
    return len(pairs) > 1 and len(set(pairs)) == len(pairs)


def _pair_users(numbers: Sequence[ColumnSketch]) -> tuple[dict[str, str], dict[str, str]]:
    """`ACTIONS_EMAIL` with `USERS_EMAIL`: a count and the distinct people behind it."""
    people = {_rest(c, _PEOPLE): c.name for c in numbers if _PEOPLE & set(c.words) and _rest(c, _PEOPLE)}
    counts: dict[str, str] = {}
    users: dict[str, str] = {}
    behind = {n for rest, n in people.items() if any(_rest(c, _FILLERS) == rest for c in numbers if c.name != n)}
    for column in numbers:
        if column.name in behind:
            continue
        rest = _rest(column, _FILLERS)
        name = event_name(_fresh(" ".join(rest or column.words).replace(" ", "_"), counts))
        counts[name] = column.name
        if people.get(rest) in behind:
            users[name] = people[rest]
    return counts, users


def _rest(column: ColumnSketch, without: Collection[str]) -> tuple[str, ...]:
    return tuple(word for word in column.words if word not in without)


def _spacing(time: ColumnSketch) -> tuple[str, bool]:
    """How long a row lasts, and whether the times told it."""
    different = sorted(set(time.instants))
    gaps = [after - before for before, after in pairwise(different)]
    if len(gaps) < 2:
        named = next((found for word in time.words if (found := ({**_DAYS, **_PERIODS}).get(word))), None)
        return named or "7d", False
    least, step = min(gaps), math.gcd(*gaps)
    for days, covers in ((89, "92d"), (28, "31d")):
        if least >= days * DAY and step % (7 * DAY):
            return covers, True
    if step % DAY == 0:
        return ("1d" if step % (7 * DAY) else "7d"), True
    return ("1h", True) if step % HOUR == 0 else ("7d", False)


def _fresh(name: str, taken: Mapping[str, str]) -> str:
    """A name that is not taken, also not in other letters' case."""
    name = name[:60] or "value"
    lower = {other.lower() for other in taken}
    return next(n for i in range(1, len(taken) + 2) if (n := name if i == 1 else f"{name}_{i}").lower() not in lower)
