"""The roles of columns as declarations: which columns fit, how they are scored, and the least score that counts.

The column names of a known vendor come first. Whose row it is gets decided in `pql_model.discovery.keys`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pql_model.discovery import shapes
from pql_model.discovery.conditions import Condition
from pql_model.discovery.exports import EntityKind, Export, match_export
from pql_model.discovery.id_spelling import FORMS, spelling_forms
from pql_model.discovery.keys import EntityIds, Key, choose_key, compare, named_keys
from pql_model.discovery.sketch import ColumnSketch, TableSketch
from pql_model.discovery.vocabulary import AMOUNTS, ID_WORDS, ROW_IDS, TIME_SCORES, USER_AGENTS, vocabulary
from pql_model.errors import DataError

_NOT_PAID = vocabulary("id refunded refund due tax discount fee remaining balance")
_NOUNS = {
    "entity": "the entity of",
    "known_at": "when a row arrived in",
    "start": "the start of a subscription without a trial in",
    "canceled": "when a subscription was cancelled in",
    "currency": "the currency of the values of",
}


@dataclass(frozen=True)
class Guess:
    """What the columns of a table seem to hold.

    Attributes
    ----------
    roles
        Role -> column, named as in `pql.yaml` (entity, user, event, time, id, known_at, user_agent, signed_up, value).
    reasons
        One sentence for each guess and each doubt.
    export
        The vendor whose export it looks like.
    role_reasons
        Role -> its reason, short enough for a comment.
    kind
        Whether an entity is an `account` or a `user`; None if no name tells.
    event
        Shape 2: the name of the event that every row is.
    values, counts, users
        Name -> column, as in `pql.yaml`. `counts`, `users` and `covers` belong to shape 3.
    conditions
        The values of columns that count.
    questions
        What the data cannot tell, each a question with what is assumed for now.
    drop_repeats
        Whether rows that are alike in everything count once.
    normalise
        The forms that bring the ids of this table and those of the entities to one spelling.
    """

    roles: dict[str, str]
    reasons: tuple[str, ...]
    export: str | None = None
    role_reasons: dict[str, str] = field(default_factory=dict)
    kind: EntityKind | None = None
    event: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    counts: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    covers: str | None = None
    conditions: tuple[Condition, ...] = ()
    questions: tuple[str, ...] = ()
    drop_repeats: bool = False
    normalise: tuple[str, ...] = ()


class Recognition:
    """The roles of one table as they are assigned. A column has at most one role."""

    def __init__(self, sketch: TableSketch, kind: str, exports: Sequence[Export] = ()) -> None:
        if sketch.rows == 0 or not sketch.columns:
            raise DataError(
                f"{sketch.file} has no rows to recognise",
                received=f"{kind}: {sketch.file}",
                remedy="use a table with a header and rows",
            )
        self.sketch, self.kind = sketch, kind
        self.export = match_export([column.name for column in sketch.columns], exports)
        self.roles: dict[str, str] = {}
        self.role_reasons: dict[str, str] = {}
        self.doubts: list[str] = []
        self.questions: list[str] = []
        self.normalise: tuple[str, ...] = ()

    @property
    def free(self) -> list[ColumnSketch]:
        return [column for column in self.sketch.columns if column.name not in self.roles.values()]

    def column(self, role: str) -> ColumnSketch:
        return self.sketch.column(self.roles[role])

    def assign(self, role: str, column: ColumnSketch, reason: str) -> None:
        self.roles[role] = column.name
        self.role_reasons[role] = reason

    def of_vendor(self, role: str, columns: Collection[ColumnSketch]) -> tuple[ColumnSketch, str] | None:
        """Find the vendor's best column for a role, with the reason. Mostly empty columns come last."""
        if self.export is None:
            return None
        ranked = [(rank, c) for c in columns if (rank := self.export.rank(role, c.slug)) is not None]
        if not ranked:
            return None
        # an account's event without a user still counts, and a time of payment is empty where nobody paid
        least = 0.02 if role == "user" else 0.0 if self.kind == "conversions" else 0.5
        _, column = min(ranked, key=lambda pair: (pair[1].filled <= least, pair[0]))
        advice = self.export.advice.get(column.slug)
        return column, self.export.likeness(role, column.slug) + (f": {advice}" if advice else "")

    def guess(self, kind: EntityKind | None) -> Guess:
        sentences = [f"`{c}` is {self._noun(role)}: {self.role_reasons[role]}." for role, c in self.roles.items()]
        export = self.export.name if self.export else None
        return Guess(
            dict(self.roles),
            (*sentences, *self.doubts),
            export,
            dict(self.role_reasons),
            kind,
            questions=tuple(self.questions),
            normalise=self.normalise,
        )

    def _noun(self, role: str) -> str:
        if (role, self.kind) == ("entity", "entities"):
            return "the id of the entities"
        return f"{ROLES[role].noun if role in ROLES else _NOUNS[role]} {self.kind}"

    @property
    def unreadable_times(self) -> list[ColumnSketch]:
        """Columns of texts that look like times and cannot be read as such, as 31/01/2026."""
        return [c for c in self.sketch.columns if c.kind == "text" and c.samples and shapes.hints_time(c)]

    def missing(self, role: str, noun: str) -> DataError:
        name, hint = "user_id", ""
        if role in ("time", "signed_up"):
            unreadable = self.unreadable_times
            example = "".join(f"; `{c.name}` holds `{c.samples[0][:40]}`, which cannot be read" for c in unreadable[:1])
            name = "timestamp" if role == "time" else role
            hint = f"; times are 2026-06-30, 2026-06-30T12:00:00Z or epoch numbers{example}"
        return DataError(
            f"No column of {self.sketch.file} seems to hold {noun}",
            received=", ".join(column.name for column in self.sketch.columns),
            remedy=f"rename the right column to `{name}`, or write pql.yaml by hand with "
            f"`{self.kind}: columns: {{{role}: COLUMN}}`{hint}",
        )


# ---------------------------------------------------------------- the roles


@dataclass(frozen=True)
class Role:
    """How the column of a role is recognised.

    Attributes
    ----------
    noun
        English for the role, as in "the time of events".
    fits
        Whether a column can hold it.
    score
        How strongly a column suggests it: a tuple whose first part must exceed `least`.
    least
        The score that must be exceeded.
    reason
        The reason for the best column, where its vendor does not give one.
    detail
        What is added to either reason.
    """

    noun: str
    fits: Callable[[Recognition, ColumnSketch], bool]
    score: Callable[[Recognition, ColumnSketch], tuple[Any, ...]]
    reason: Callable[[Recognition, ColumnSketch], str]
    least: float = 0.0
    detail: Callable[[Recognition, ColumnSketch], str] = lambda _, __: ""


def _time_score(table: Recognition, column: ColumnSketch) -> tuple[Any, ...]:
    score = sum(TIME_SCORES[table.kind].get(word, 0) for word in column.words)
    score -= 3 if table.kind == "events" and column.filled < 0.5 else 0
    return score, not column.is_date, column.filled


def _time_reason(table: Recognition, _: ColumnSketch) -> str:
    alone = sum(column.is_time for column in table.free) == 1
    return "the only column with times" if alone else "its name says so best"


def _time_detail(_: Recognition, column: ColumnSketch) -> str:
    total, readable = len(column.samples), len(column.instants)
    share = f"all {total}" if readable == total else f"{readable} of {total}"
    return f", and {share} samples are {'dates' if column.is_date else 'times'}"


def _user_score(table: Recognition, column: ColumnSketch) -> tuple[Any, ...]:
    [*keys] = named_keys([column], None)
    is_user = bool(keys) and keys[0].kind == "user" and column.filled > 0
    return (1, column.filled >= 0.5, keys[0].score) if is_user else (0,)


def _event_score(table: Recognition, column: ColumnSketch) -> tuple[Any, ...]:
    return (shapes.event_score(table.sketch, column),)


def _event_reason(table: Recognition, column: ColumnSketch) -> str:
    named = shapes.event_score(table.sketch, column) >= 1
    return "its name says so" if named else "few different texts that read like acts"


def _row_id_score(table: Recognition, column: ColumnSketch) -> tuple[Any, ...]:
    if table.export is not None:  # a vendor's own id is known, and any other column is something else
        return (0,)
    certain = table.sketch.rows >= 20 and table.sketch.is_unique(column) and column.words[-1:] in (("id",), ("uuid",))
    return (2 if column.slug in ROW_IDS else 1 if certain else 0,)


def _value_score(_: Recognition, column: ColumnSketch) -> tuple[Any, ...]:
    best = next((rank for rank, word in enumerate(AMOUNTS) if word in column.words), None)
    return (0,) if best is None or _NOT_PAID.intersection(column.words) else (len(AMOUNTS) - best,)


_TIME = Role("the time of", lambda _, c: c.is_time, _time_score, _time_reason, -5.1, _time_detail)
ROLES = {
    "time": _TIME,  # even received_at is better than no time at all
    "signed_up": replace(_TIME, noun="the time of sign-up of", least=-0.1),
    "user": Role("the user of", lambda _, __: True, _user_score, lambda _, __: "named like a user"),
    "event": Role(
        "the name of",
        lambda _, c: c.kind == "text" and bool(c.samples),
        _event_score,
        _event_reason,
        detail=lambda t, c: f"; {c.distinct:,} different in {t.sketch.rows:,} rows",
    ),
    "id": Role(
        "the row's id in",
        lambda t, c: t.sketch.is_unique(c, 0.9) and not c.is_time,
        _row_id_score,
        lambda _, __: "nearly every row has its own value; a row that repeats one is set aside",
    ),
    "user_agent": Role(
        "the user agent of",
        lambda _, c: c.kind == "text",
        lambda _, c: (c.slug in USER_AGENTS,),
        lambda _, __: "its name says so; it helps to recognise bots",
    ),
    "refunded": Role(
        "the amount paid back in",
        lambda _, c: c.kind == "number" and not set(c.counts) <= {"0", "1"},
        lambda _, c: (
            bool({"refunded", "refund"}.intersection(c.words)) and not ID_WORDS.union(["count"]) & {*c.words},
        ),
        lambda _, __: "its name says so",
        detail=lambda _, __: "; a payment that was wholly paid back is not a conversion",
    ),
    "value": Role("the value of", lambda _, c: c.kind == "number", _value_score, lambda _, __: "its name says so"),
}


def find(table: Recognition, name: str) -> bool:
    """Assign the best column to a role; tell whether there is one."""
    role = ROLES[name]
    candidates = [column for column in table.free if role.fits(table, column)]
    best = table.of_vendor("time" if name == "signed_up" else name, candidates)
    if best is None and candidates:
        column = max(candidates, key=lambda c: role.score(table, c))
        if role.score(table, column)[0] > role.least:
            best = column, role.reason(table, column)
    if best is not None:
        table.assign(name, best[0], best[1] + role.detail(table, best[0]))
    return best is not None


def require(table: Recognition, name: str, noun: str) -> None:
    if not find(table, name):
        raise table.missing(name, noun)


def require_entity(table: Recognition, ids: EntityIds | None, prefer: EntityKind | None) -> Key:
    """Assign the column that identifies the entity, or refuse the table."""
    key = choose_key(table.sketch, table.export, ids, prefer)
    if key is None:
        raise table.missing("entity", "the account or user of a row")
    refuse_broken_ids(table.sketch, key.column)
    table.assign("entity", key.column, key.reason)
    if key.rivals:
        table.questions.append(_rivals(table.sketch, key))
    if ids:
        table.normalise, gained = spelling_forms(key.column, ids.column)
        if table.normalise:
            forms = " and ".join(FORMS[form] for form in table.normalise)
            table.doubts.append(
                f"{gained:,} ids in `{key.column.name}` of {table.sketch.file} are ids of {ids.table} only without regard "
                f"to {forms} (`normalise:`)."
            )
        elif not key.match.matches:
            table.questions.append(_no_match(table.sketch, key, ids))
    return key


def refuse_broken_ids(sketch: TableSketch, column: ColumnSketch) -> None:
    """Refuse ids that went through floating-point numbers: several of them have become one.

    Raises
    ------
    DataError
        If the column holds floats beyond 2**53, or numbers with an exponent such as 9.00719925474099E+18.
    """
    broken = [value for value in column.counts if re.fullmatch(r"\d(\.\d+)?[eE]\+?\d\d?", value)]
    if column.is_lossy or len(broken) > 0.5 * len(column.counts):
        raise DataError(
            f"The ids in `{column.name}` of {sketch.file} went through floating-point numbers, so that neighbouring ids "
            "have become one",
            received=(broken or column.samples)[0],
            remedy=f"export the table again with `{column.name}` as text or as whole numbers (pandas: `Int64`)",
        )


def _rivals(sketch: TableSketch, key: Key) -> str:
    shares = [f"`{k.column.name}` ({k.match.rows:.0%} of the rows are ids)" for k in (key, *key.rivals)]
    names = " or ".join(f"`{k.column.name}`" for k in (key, *key.rivals))
    return f"Is {names} the entity of {sketch.file}? They match nearly as well: {', '.join(shares)}."


def _no_match(sketch: TableSketch, key: Key, ids: EntityIds) -> str:
    other = next(
        (
            column
            for column in ids.sketch.columns
            if column.name != ids.column.name
            and column.may_be_id
            and compare(key.column, column, sketch.rows).tier == 2
        ),
        None,
    )
    if other is not None:
        return (
            f"Can `{ids.column.name}` be added to {sketch.file}? Its `{key.column.name}` holds values of "
            f"`{other.name}` in {ids.table}, and events are matched by `{ids.column.name}`."
        )
    return (
        f"Which column of {sketch.file} identifies the entity? No value of `{key.column.name}` is one of "
        f"`{ids.column.name}` in {ids.table}."
    )
