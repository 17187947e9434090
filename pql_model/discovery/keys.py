"""Which column identifies the entity of a row: by values that are known ids first, by names second."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pql_model.discovery.exports import EntityKind, Export
from pql_model.discovery.sketch import ColumnSketch, TableSketch
from pql_model.discovery.vocabulary import ACCOUNTS, AMBIGUOUS_ACCOUNTS, GENERIC_IDS, ID_WORDS, USERS, words
from pql_model.sources.scalars import read_identifier


@dataclass(frozen=True)
class EntityIds:
    """Known ids of entities: their table and column, samples of them, and what they identify."""

    table: str
    column: str
    samples: tuple[str, ...]
    kind: EntityKind | None = None


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
    matches
        Number of sampled values that are known ids.
    """

    column: ColumnSketch
    kind: EntityKind | None
    score: float
    reason: str
    matches: int = 0

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


def choose_key(
    sketch: TableSketch, export: Export | None, ids: EntityIds | None, prefer: EntityKind | None = None
) -> Key | None:
    """Choose the column that identifies the entity, with the reason; None if there is no such column.

    With `ids`, it is the column whose values are among them. Texts do not coincide by accident, but integers do
    (course 7 and user 7), so for integers the names count first.
    """
    named = {key.column.name: key for key in named_keys(sketch.columns, export)}
    candidates = [c for c in sketch.columns if c.samples and not c.is_time and c.kind in ("text", "number")]
    if ids is not None:
        keys = [_compare(named.get(c.name) or Key(c, None, 0, ""), ids) for c in candidates if c.may_be_id]
        best = max(keys, key=lambda key: _rank(key, ids), default=None)
        if best is not None and (best.matches or best.score or best.column.slug == ids.column):
            return best
    by_name = [key for key in named.values() if key.column.samples]
    if by_name:
        return max(by_name, key=lambda key: _rank_by_name(key, prefer or "account"))
    return _by_content(sketch, candidates)


def _rank_by_name(key: Key, kind: EntityKind) -> tuple[Any, ...]:
    return key.column.distinct > 1, key.column.filled >= 0.5, key.kind == kind, key.score, key.column.filled


def _compare(key: Key, ids: EntityIds) -> Key:
    values = _identifiers(key.column)
    matches = len(set(map(read_identifier, ids.samples)) & values)
    reasons = []
    if matches:
        reasons.append(f"{matches:,} of its {len(values):,} different sampled values are ids of {ids.table}")
    if _same_name(key, ids):
        reasons.append(f"named as in {ids.table}")
    elif key.reason:
        reasons.append(key.reason)
    return Key(key.column, key.kind, key.score, ", and ".join(reasons), matches)


def _same_name(key: Key, ids: EntityIds) -> bool:
    return key.column.slug == ids.column and ids.column not in GENERIC_IDS


def _rank(key: Key, ids: EntityIds) -> tuple[Any, ...]:
    values = len(set(key.column.samples))
    share = key.matches / values if values else 0.0
    tier = 2 if share >= 0.5 else 1 if share > 0 else 0
    same_kind = key.kind is not None and key.kind == ids.kind
    if all(re.fullmatch(r"\d+(\.0+)?", sample.strip()) for sample in ids.samples):
        return _same_name(key, ids), same_kind, key.score > 0, tier, key.column.distinct > 1, key.score
    same_form = bool(_forms(key.column.samples) & _forms(ids.samples))
    return tier, _same_name(key, ids), same_form, same_kind, key.score, share


def _identifiers(column: ColumnSketch) -> set[str]:
    return {identifier for sample in column.samples if (identifier := read_identifier(sample)) is not None}


def _forms(samples: Sequence[str]) -> set[str]:
    """What ids of one kind have in common: `acc_12` -> `acc_9`."""
    return {re.sub(r"\d+", "9", s.strip()) if len(s) <= 20 else f"{len(s)} characters" for s in samples[:50]}


def _by_content(sketch: TableSketch, candidates: Sequence[ColumnSketch]) -> Key | None:
    """Choose without names: an id repeats across rows, has many values, and is short."""
    ids = [
        column
        for column in candidates
        if column.may_be_id
        and column.filled >= 0.9
        and 1 < column.distinct <= 0.9 * sketch.sampled_rows
        and all(len(sample) <= 64 and sample.count(" ") < 2 for sample in column.samples)
        and ("id" in column.words or column.kind == "text")
    ]
    best = max(ids, key=lambda column: ("id" in column.words, column.distinct), default=None)
    return Key(best, None, 0, "its values repeat across rows, as ids do; no name helped") if best is not None else None


def table_id(sketch: TableSketch, others: Sequence[TableSketch] = ()) -> Key | None:
    """Choose the column with one value per row in a table of entities."""
    by_table = kind_by_name(sketch.stem)
    named = {key.column.name: key for key in named_keys(sketch.columns, None)}
    references = [(t, c) for t in others for c in t.columns if c.kind in ("text", "number") and not c.is_time]
    candidates = [c for c in sketch.columns if c.samples and not c.is_time and c.may_be_id]
    keys = []
    for position, column in enumerate(candidates):
        key, unique, generic = named.get(column.name), sketch.is_unique(column), column.slug in GENERIC_IDS
        if key is None and not generic and not (unique and _is_id_like(column)):
            continue
        kind = key.kind if key else by_table
        agrees = kind is None or by_table is None or kind == by_table
        score = key.score if key else 2.5 if generic else 0.5
        matches, file = _most_matches(column, references)
        reasons = ["every row has its own value" if unique else "its name says so"]
        if matches:
            reasons.append(f"{matches:,} of them occur in {file}")
        rank = (unique, matches > 0 and not column.is_integer, agrees, score, -position)
        keys.append((rank, Key(column, kind, score, ", and ".join(reasons), matches)))
    return max(keys, key=lambda pair: pair[0])[1] if keys else None


def _is_id_like(column: ColumnSketch) -> bool:
    """Whether the values are single words, not names with blanks or web addresses."""
    return all(len(s) <= 64 and not set(" /@").intersection(s.strip()) for s in column.samples)


def _most_matches(column: ColumnSketch, references: Sequence[tuple[TableSketch, ColumnSketch]]) -> tuple[int, str]:
    values = _identifiers(column)
    counts = [(len(values & _identifiers(other)), table.file) for table, other in references]
    return max(counts, key=lambda pair: pair[0], default=(0, ""))
