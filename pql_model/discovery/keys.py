"""Which column identifies the entity of a row: one whose values are the ids of another table, not one of small numbers.

Between two tables, a key is what the one side holds once per row and the other refers to. Values decide, over all rows;
names decide where values cannot: integers may coincide by accident.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from pql_model.discovery.exports import EntityKind, Export
from pql_model.discovery.sketch import ColumnSketch, TableSketch
from pql_model.discovery.vocabulary import (
    ACCOUNTS,
    AMBIGUOUS_ACCOUNTS,
    GENERIC_IDS,
    ID_WORDS,
    MEASURES,
    USERS,
    words,
)
from pql_model.sources.column_profile import is_sampled

_MOST, _SOME = 0.5, 0.02
"""Share of the rows that refer to known ids: from the first on it is a reference, below the second it is chance."""
_CLOSE = 0.05
"""Two columns that differ by less in this share are told apart by their names only."""
_TYPICAL = (0.04, 0.97)
"""Where the median of a column of references lies among the ids: small counts lie near the smallest ids."""


@dataclass(frozen=True)
class EntityIds:
    """The known ids of entities: their table, their column, and what they identify."""

    sketch: TableSketch
    column: ColumnSketch
    kind: EntityKind | None = None

    @property
    def table(self) -> str:
        return self.sketch.file


@dataclass(frozen=True)
class Match:
    """How the values of a column relate to known ids.

    Attributes
    ----------
    share
        Share of its different values that are ids.
    rows
        Share of all rows whose value is an id.
    is_accidental
        Whether any column of small integers would match as well.
    """

    values: int = 0
    matches: int = 0
    share: float = 0.0
    rows: float = 0.0
    is_accidental: bool = False

    @property
    def tier(self) -> int:
        if self.is_accidental or not self.matches:
            return 0
        return 2 if max(self.share, self.rows) >= _MOST else 1 if self.share >= _SOME else 0


@dataclass(frozen=True)
class Key:
    """A column that may identify the entity of a row.

    Attributes
    ----------
    kind
        `account`, `user`, or None if the name does not tell.
    score
        How strongly the name suggests a key.
    reason
        Why it may be the key.
    match
        How its values relate to the known ids.
    rivals
        Columns that could be the key as well.
    """

    column: ColumnSketch
    kind: EntityKind | None
    score: float
    reason: str
    match: Match = Match()
    rivals: tuple[Key, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether the kind is certain: a `customer` may be a company or a person."""
        return self.kind is not None and not AMBIGUOUS_ACCOUNTS.intersection(self.column.words)


def kind_by_name(name: str) -> EntityKind | None:
    """Tell the kind of entity from a table's name.

    >>> kind_by_name("workspace list"), kind_by_name("users"), kind_by_name("customers")
    ('account', 'user', None)
    """
    parts = words(name)
    forms = {*parts, *(w.removesuffix("s") for w in parts), *(w.removesuffix("ies") + "y" for w in parts)}
    if forms & ACCOUNTS.keys() - AMBIGUOUS_ACCOUNTS:
        return "account"
    return "user" if forms & {*USERS, "people"} else None


def named_keys(columns: Iterable[ColumnSketch], export: Export | None) -> list[Key]:
    """List the columns whose names mean an account or a user."""
    return [key for column in columns if not column.is_time and (key := _named(column, export)) is not None]


def _named(column: ColumnSketch, export: Export | None) -> Key | None:
    if export is not None:
        kinds: tuple[EntityKind, ...] = ("account", "user")
        for kind in kinds:
            rank = export.rank(kind, column.slug)
            if rank is not None:
                return Key(column, kind, 5 - 0.1 * rank, export.likeness(kind, column.slug))
        if export.is_technical(column.slug):
            return None
    core = [word for word in column.words if word not in ID_WORDS] or [w for w in column.words if w in USERS]
    if not core or not all(word in ACCOUNTS or word in USERS for word in core):
        return None
    score = 3 if len(core) < len(column.words) else 2
    if core[-1] in ACCOUNTS:
        return Key(column, "account", score * ACCOUNTS[core[-1]], "named like an account")
    return Key(column, "user", score * USERS[core[-1]], "named like a user")


# ---------------------------------------------------------------- references


def choose_key(
    sketch: TableSketch, export: Export | None, ids: EntityIds | None, prefer: EntityKind | None = None
) -> Key | None:
    """Choose the column that identifies the entity, with the reason and its rivals; None if no column does.

    With `ids`, it is the column whose values are among them. A column that only measures something is not chosen.
    """
    named = {key.column.name: key for key in named_keys(sketch.columns, export)}
    if ids is not None:
        candidates = [c for c in sketch.columns if c.may_be_id and (not is_measure(c) or _same_name(c, ids))]
        keys = [_compare(named.get(c.name) or Key(c, None, 0, ""), ids, sketch.rows) for c in candidates]
        ranked = sorted((key for key in keys if _is_evident(key, ids)), key=lambda key: _rank(key, ids), reverse=True)
        if ranked:
            best = ranked[0]
            return replace(best, rivals=tuple(key for key in ranked[1:] if _is_close(key, best, ids)))
    by_name = [key for key in named.values() if key.column.samples]
    if by_name:
        return max(by_name, key=lambda key: _rank_by_name(key, prefer or "account"))
    return _by_content(sketch) if ids is None else None


def is_measure(column: ColumnSketch) -> bool:
    """Whether a column of numbers counts or measures: by its name, or since one in five rows is 0.

    >>> [is_measure(ColumnSketch(n, ("0", "3"), 2, 1.0, "number")) for n in ("USERS_EMAIL", "seats_used", "account_no")]
    [True, True, False]
    """
    if column.kind != "number" or column.words[-1:] in (("id",), ("no",), ("key",)):
        return False
    zeros = column.ids.get("0", 0) >= 0.2 * max(1, sum(column.ids.values()))
    return bool(MEASURES.intersection(column.words)) or zeros


def compare(child: ColumnSketch, parent: ColumnSketch, rows: int) -> Match:
    """Measure how far the values of one column are ids of another; `rows` counts those of the child's table."""
    values = {v: n for v, n in child.ids.items() if is_sampled(v, parent.zeros)}
    matches = values.keys() & parent.ids.keys()
    if not matches:
        return Match(len(values))
    filled = sum(child.counts.values()) or len(child.samples)
    share_of_rows = min(1.0, sum(values[v] for v in matches) / max(1, sum(values.values()))) * child.filled
    accidental = _is_accidental(values, parent) if filled else False
    return Match(len(values), len(matches), len(matches) / len(values), share_of_rows, accidental)


def _is_accidental(values: Iterable[str], parent: ColumnSketch) -> bool:
    """Whether both are integers, nearly every integer there is an id, and the values crowd at one end of the ids."""
    if not all(map(_is_whole, values)) or not all(map(_is_whole, parent.ids)):
        return False
    known, own = sorted(map(int, parent.ids)), sorted(map(int, values))
    span = [n for n in known if own[0] <= n <= own[-1]]
    dense = len(span) * 16**parent.zeros > 0.5 * (span[-1] - span[0] + 1)
    place = bisect_right(known, median(own)) / len(known)
    return dense and not _TYPICAL[0] <= place <= _TYPICAL[1]


def _is_whole(text: str) -> bool:
    return re.fullmatch(r"0|[1-9]\d{0,17}", text) is not None


def _compare(key: Key, ids: EntityIds, rows: int) -> Key:
    match = compare(key.column, ids.column, rows)
    reasons = []
    if match.matches:
        reasons.append(f"{match.matches:,} of its {match.values:,} different values are ids of {ids.table}")
    if _same_name(key.column, ids):
        reasons.append(f"named as in {ids.table}")
    elif key.reason:
        reasons.append(key.reason)
    return replace(key, reason=", and ".join(reasons), match=match)


def _same_name(column: ColumnSketch, ids: EntityIds) -> bool:
    return column.slug == ids.column.slug


def _is_evident(key: Key, ids: EntityIds) -> bool:
    """Whether values, or the name, say that a column refers to the ids."""
    if ids.column.slug in GENERIC_IDS and _same_name(key.column, ids):  # any table may call its own rows `id`
        return key.match.matches > 0
    return key.match.tier > 0 or _same_name(key.column, ids) or key.score > 0


def _rank(key: Key, ids: EntityIds) -> tuple[Any, ...]:
    match = key.match
    same_kind = key.kind is not None and key.kind == ids.kind
    same_form = bool(_forms(key.column.samples) & _forms(ids.column.samples))
    generic = ids.column.slug in GENERIC_IDS
    same_name = _same_name(key.column, ids) and (not generic or match.share >= _MOST)
    return (
        match.tier == 2,
        same_name,
        match.tier,
        same_form,
        round(match.rows / _CLOSE),
        same_kind,
        key.score,
        match.rows,
    )


def _is_close(key: Key, best: Key, ids: EntityIds) -> bool:
    """Whether a column refers to the ids nearly as well as the best one, and no name tells them apart."""
    if _same_name(best.column, ids) and best.match.tier == key.match.tier:
        return False
    told_apart = best.kind == ids.kind and best.score > key.score and best.kind is not None
    return key.match.tier == best.match.tier > 0 and best.match.rows - key.match.rows < _CLOSE and not told_apart


def _rank_by_name(key: Key, kind: EntityKind) -> tuple[Any, ...]:
    return key.column.distinct > 1, key.column.filled >= 0.5, key.kind == kind, key.score, key.column.filled


def _forms(samples: Sequence[str]) -> set[str]:
    """What ids of one kind have in common: `acc_12` -> `acc_9`."""
    return {re.sub(r"\d+", "9", s.strip()) if len(s) <= 20 else f"{len(s)} characters" for s in samples[:50]}


def _by_content(sketch: TableSketch) -> Key | None:
    """Choose without names: an id repeats across rows, has many values, and is short."""
    ids = [
        column
        for column in sketch.columns
        if column.may_be_id
        and not is_measure(column)
        and column.filled >= 0.9
        and 1 < column.distinct <= 0.9 * sketch.rows
        and all(len(sample) <= 64 and sample.count(" ") < 2 for sample in column.samples)
        and ("id" in column.words or column.kind == "text")
    ]
    best = max(ids, key=lambda column: ("id" in column.words, column.distinct), default=None)
    return Key(best, None, 0, "its values repeat across rows, as ids do; no name helped") if best is not None else None


# ---------------------------------------------------------------- the ids themselves


def table_id(sketch: TableSketch, others: Sequence[TableSketch] = ()) -> Key | None:
    """Choose the column with one value per row in a table of entities, and the one that other tables refer to."""
    by_table = kind_by_name(sketch.stem)
    named = {key.column.name: key for key in named_keys(sketch.columns, None)}
    keys = []
    for position, column in enumerate(sketch.columns):
        key, generic = named.get(column.name), column.slug in GENERIC_IDS
        unique = sketch.is_unique(column)
        if not column.may_be_id or is_measure(column):
            continue
        if key is None and not generic and not (unique and _is_id_like(column)):
            continue
        kind = key.kind if key else by_table
        agrees = kind is None or by_table is None or kind == by_table
        score = key.score if key else 2.5 if generic else 0.5
        table, match, same_name = _best_reference(column, others)
        reasons = ["every row has its own value" if unique else "its name says so"]
        if match.matches:
            reasons.append(f"{match.matches:,} of them occur in {table}")
        trusted = match.tier if not column.is_integer or same_name else 0
        rank = (unique, trusted, same_name, agrees, score, -position)
        keys.append((rank, Key(column, kind, score, ", and ".join(reasons), match)))
    return max(keys, key=lambda pair: pair[0])[1] if keys else None


def _is_id_like(column: ColumnSketch) -> bool:
    """Whether the values are single words, not names with blanks or web addresses."""
    return all(len(s) <= 64 and not set(" /@").intersection(s.strip()) for s in column.samples)


def _best_reference(column: ColumnSketch, others: Sequence[TableSketch]) -> tuple[str, Match, bool]:
    """Find the column of another table that refers most to this one: its table, its match, whether the names agree."""
    best: tuple[tuple[Any, ...], str, Match, bool] = ((), "", Match(), False)
    for table in others:
        for other in table.columns:
            if other.may_be_id and not is_measure(other):
                match, same = compare(other, column, table.rows), other.slug == column.slug
                rank = (match.tier, same and match.matches > 0, match.matches)
                best = max(best, (rank, table.file, match, same), key=lambda found: found[0])
    return best[1:]
