"""Which column says whose row it is: by values that are ids of the entities first, by names second."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pql_model.discovery.exports import EntityKind, Export
from pql_model.discovery.sketch import ColumnSketch, TableSketch, vocabulary, words

_ACCOUNTS = dict.fromkeys(
    vocabulary(
        "account workspace org organization organisation tenant company portal team group business shop store site"
    ),
    1.0,
)
_UNSURE = vocabulary("customer client school project domain")
_ACCOUNTS |= {"customer": 0.8, "client": 0.8, "school": 0.7, "project": 0.4, "domain": 0.2}
_USERS = dict.fromkeys(
    vocabulary(
        "user person who member student learner player visitor subscriber distinct profile contact patient reader "
        "listener lead actor uid"
    ),
    1.0,
)
_USERS |= {"anonymous": 0.5, "email": 0.4, "device": 0.3, "cookie": 0.2}
_ID_WORDS = vocabulary(
    "id ids key uuid guid identifier no number ref hash slug pseudo external uid internal pk fk code metadata "
    "properties traits the canonical"
)
_GENERIC = {"id", "uuid", "key", "name", "guid", "pk", "index"}
_INTEGER = re.compile(r"\d+(\.0+)?")


@dataclass(frozen=True)
class Ids:
    """Known ids of entities: the table and column they stand in, samples of them, and what they identify."""

    table: str
    column: str
    samples: tuple[str, ...]
    kind: EntityKind | None = None


@dataclass(frozen=True)
class Key:
    """A column that may say whose row it is.

    Attributes
    ----------
    kind
        `account`, `user`, or None if the name does not tell.
    score
        How much the name says so.
    found
        How many of the sampled values are known ids.
    """

    column: ColumnSketch
    kind: EntityKind | None
    score: float
    why: str
    found: int = 0

    @property
    def sure(self) -> bool:
        """Whether the kind is beyond doubt: a `customer` may be a company or a person."""
        return self.kind is not None and not _UNSURE.intersection(self.column.words)

    @staticmethod
    def kind_by_name(name: str) -> EntityKind | None:
        """`accounts`, `workspace list` -> account; `users` -> user."""
        found = words(name)
        forms = {*found, *(w.removesuffix("s") for w in found), *(w.removesuffix("ies") + "y" for w in found)}
        if forms & set(_ACCOUNTS) - _UNSURE:
            return "account"
        return "user" if forms & {*_USERS, "people"} else None


def named_keys(columns: Iterable[ColumnSketch], export: Export | None) -> list[Key]:
    """The columns whose names say account or user."""
    return [key for column in columns if not column.is_time and (key := _named(column, export)) is not None]


def _named(column: ColumnSketch, export: Export | None) -> Key | None:
    if export is not None:
        kinds: tuple[EntityKind, ...] = ("account", "user")
        for kind in kinds:
            rank = export.rank(kind, column.plain)
            if rank is not None:
                why = f"named like {export.name}'s `{export.original(kind, column.plain)}`"
                return Key(column, kind, 5 - 0.1 * rank, why)
        if export.is_technical(column.plain):
            return None
    core = [word for word in column.words if word not in _ID_WORDS] or [w for w in column.words if w in _USERS]
    known = [word for word in core if word in _ACCOUNTS or word in _USERS]
    if not core or len(known) < len(core):
        return None
    score = 3 if len(core) < len(column.words) else 2
    if core[-1] in _ACCOUNTS:
        return Key(column, "account", score * _ACCOUNTS[core[-1]], "named like an account")
    return Key(column, "user", score * _USERS[core[-1]], "named like a user")


def choose_key(
    sketch: TableSketch, export: Export | None, ids: Ids | None, prefer: EntityKind | None = None
) -> Key | None:
    """The column of a table that names the entity, with the reason; None if there is no such column.

    With `ids`, the column whose values are among them; texts do not coincide by accident, but integers do
    (course 7 and user 7), so for those the names count first.
    """
    named = {key.column.name: key for key in named_keys(sketch.columns, export)}
    filled = [c for c in sketch.columns if c.samples and not c.is_time and c.kind in ("text", "number")]
    if ids is not None:
        fits = [column for column in filled if column.kind == "text" or column.is_whole]
        keys = [_compared(named.get(column.name) or Key(column, None, 0, ""), ids) for column in fits]
        best = max(keys, key=lambda key: _rank(key, ids), default=None)
        if best is not None and (best.found or best.score or best.column.plain == ids.column):
            return best
    by_name = [key for key in named.values() if key.column.samples]
    if by_name:
        return max(by_name, key=lambda key: _rank_by_name(key, prefer))
    return _by_content(sketch, filled)


def _rank_by_name(key: Key, prefer: EntityKind | None) -> tuple[Any, ...]:
    wanted = prefer or "account"
    return key.column.distinct > 1, key.column.filled >= 0.5, key.kind == wanted, key.score, key.column.filled


def _compared(key: Key, ids: Ids) -> Key:
    known, values = {_plain_id(s) for s in ids.samples}, {_plain_id(s) for s in key.column.samples}
    found = len(known & values)
    why = []
    if found:
        why.append(f"{found:,} of its {len(values):,} different sampled values are ids of {ids.table}")
    if key.column.plain == ids.column and ids.column not in _GENERIC:
        why.append(f"named as in {ids.table}")
    elif key.why:
        why.append(key.why)
    return Key(key.column, key.kind, key.score, ", and ".join(why), found)


def _rank(key: Key, ids: Ids) -> tuple[Any, ...]:
    values = len(set(key.column.samples))
    share = key.found / values if values else 0.0
    tier = 2 if share >= 0.5 else 1 if share > 0 else 0
    same_name = key.column.plain == ids.column and ids.column not in _GENERIC
    same_kind = key.kind is not None and key.kind == ids.kind
    in_form = len(_forms(key.column.samples) & _forms(ids.samples)) > 0
    spread = key.column.distinct > 1
    if all(_INTEGER.fullmatch(sample.strip()) for sample in ids.samples):
        return same_name, same_kind, key.score > 0, tier, spread, key.score
    return tier, same_name, in_form, same_kind, key.score, share


def _plain_id(text: str) -> str:
    """12, 12.0 and " 12" are one id, as in the tables we read."""
    text = text.strip()
    return text.split(".")[0] if _INTEGER.fullmatch(text) else text


def _forms(samples: Sequence[str]) -> set[str]:
    """`acc_12` -> `acc_9`: what ids of one sort have in common."""
    return {re.sub(r"\d+", "9", s.strip()) if len(s) <= 20 else f"{len(s)} characters" for s in samples[:50]}


def _by_content(sketch: TableSketch, filled: Sequence[ColumnSketch]) -> Key | None:
    """Without names: an id repeats across rows, has many values, and is short."""
    fits = [
        column
        for column in filled
        if (column.kind == "text" or column.is_whole)
        and column.filled >= 0.9
        and 1 < column.distinct <= 0.9 * sketch.looked
        and all(len(sample) <= 64 and sample.count(" ") < 2 for sample in column.samples)
        and ("id" in column.words or column.kind == "text")
    ]
    best = max(fits, key=lambda column: ("id" in column.words, column.distinct), default=None)
    return Key(best, None, 0, "its values repeat across rows, as ids do; no name helped") if best is not None else None


def id_of_table(sketch: TableSketch, others: Sequence[TableSketch] = ()) -> Key | None:
    """The column with one value a row in a table of entities."""
    stem = Key.kind_by_name(sketch.stem)
    named = {key.column.name: key for key in named_keys(sketch.columns, None)}
    spoken_of = [(t, c) for t in others for c in t.columns if c.kind in ("text", "number") and not c.is_time]
    fits = [c for c in sketch.columns if c.samples and not c.is_time and (c.kind == "text" or c.is_whole)]
    keys = []
    for position, column in enumerate(fits):
        key = named.get(column.name)
        generic = column.plain in _GENERIC
        if key is None and not generic and not (sketch.unique(column) and _is_id_like(column)):
            continue
        kind = key.kind if key else stem
        agrees = kind is None or stem is None or kind == stem
        score = key.score if key else 2.5 if generic else 0.5
        found, where = _spoken(column, spoken_of)
        rank = (sketch.unique(column), found > 0 and not column.is_whole, agrees, score, -position)
        why = ["every row has its own value"] if sketch.unique(column) else ["its name says so"]
        if found:
            why.append(f"{found:,} of them stand in {where}")
        keys.append((rank, Key(column, kind, score, ", and ".join(why), found)))
    return max(keys, key=lambda pair: pair[0])[1] if keys else None


def _is_id_like(column: ColumnSketch) -> bool:
    """One word-like value a row, not a name with blanks nor a web address."""
    return all(len(s) <= 64 and not set(" /@").intersection(s.strip()) for s in column.samples)


def _spoken(column: ColumnSketch, others: Sequence[tuple[TableSketch, ColumnSketch]]) -> tuple[int, str]:
    mine = {_plain_id(sample) for sample in column.samples}
    counted = [(len(mine & {_plain_id(s) for s in c.samples}), table.file) for table, c in others]
    return max(counted, key=lambda pair: pair[0], default=(0, ""))
