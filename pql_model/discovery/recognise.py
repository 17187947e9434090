"""Guesses which column holds what, from names and values, each with its reason.

A role such as `time` or `event` is a declaration: which columns fit, how they are scored, and the least score that
counts. The column names of a known vendor come first. Whose row it is gets decided in `pql_model.discovery.keys`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pql_model.discovery import shapes
from pql_model.discovery.exports import CONVERSION_EXPORTS, EVENT_EXPORTS, EntityKind, Export, match_export
from pql_model.discovery.keys import EntityIds, Key, choose_key, named_keys, table_id
from pql_model.discovery.sketch import ColumnSketch, TableSketch
from pql_model.discovery.vocabulary import AMOUNTS, ARRIVAL, ROW_IDS, TIME_SCORES, USER_AGENTS, vocabulary
from pql_model.errors import DataError
from pql_model.time import DAY, HOUR

_ARRIVAL = vocabulary(ARRIVAL)
_NOUNS = {"entity": "the entity of", "known_at": "when a row arrived in"}


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


class _Recognition:
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
        _, column = min(ranked, key=lambda pair: (pair[1].filled < 0.5, pair[0]))
        advice = self.export.advice.get(column.slug)
        return column, self.export.likeness(role, column.slug) + (f": {advice}" if advice else "")

    def guess(self, kind: EntityKind | None) -> Guess:
        sentences = [f"`{c}` is {self._noun(role)}: {self.role_reasons[role]}." for role, c in self.roles.items()]
        export = self.export.name if self.export else None
        return Guess(dict(self.roles), (*sentences, *self.doubts), export, dict(self.role_reasons), kind)

    def _noun(self, role: str) -> str:
        if (role, self.kind) == ("entity", "entities"):
            return "the id of the entities"
        return f"{ROLES[role].noun if role in ROLES else _NOUNS[role]} {self.kind}"

    def missing(self, role: str, noun: str) -> DataError:
        name, hint = "user_id", ""
        if role == "time":
            unreadable = [c for c in self.sketch.columns if c.kind == "text" and c.samples and shapes.hints_time(c)]
            example = "".join(f"; `{c.name}` holds `{c.samples[0][:40]}`, which cannot be read" for c in unreadable[:1])
            name, hint = "timestamp", f"; times are 2026-06-30, 2026-06-30T12:00:00Z or epoch numbers{example}"
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
    fits: Callable[[_Recognition, ColumnSketch], bool]
    score: Callable[[_Recognition, ColumnSketch], tuple[Any, ...]]
    reason: Callable[[_Recognition, ColumnSketch], str]
    least: float = 0.0
    detail: Callable[[_Recognition, ColumnSketch], str] = lambda _, __: ""


def _time_score(table: _Recognition, column: ColumnSketch) -> tuple[Any, ...]:
    score = sum(TIME_SCORES[table.kind].get(word, 0) for word in column.words)
    score -= 3 if table.kind == "events" and column.filled < 0.5 else 0
    return score, not column.is_date, column.filled


def _time_reason(table: _Recognition, _: ColumnSketch) -> str:
    alone = sum(column.is_time for column in table.free) == 1
    return "the only column with times" if alone else "its name says so best"


def _time_detail(_: _Recognition, column: ColumnSketch) -> str:
    total, readable = len(column.samples), len(column.instants)
    share = f"all {total}" if readable == total else f"{readable} of {total}"
    return f", and {share} samples are {'dates' if column.is_date else 'times'}"


def _user_score(table: _Recognition, column: ColumnSketch) -> tuple[Any, ...]:
    [*keys] = named_keys([column], None)
    is_user = bool(keys) and keys[0].kind == "user" and column.filled > 0
    return (1, column.filled >= 0.5, keys[0].score) if is_user else (0,)


def _event_score(table: _Recognition, column: ColumnSketch) -> tuple[Any, ...]:
    return (shapes.event_score(table.sketch, column),)


def _event_reason(table: _Recognition, column: ColumnSketch) -> str:
    named = shapes.event_score(table.sketch, column) >= 1
    return "its name says so" if named else "few different texts that read like acts"


def _row_id_score(table: _Recognition, column: ColumnSketch) -> tuple[Any, ...]:
    if table.export is not None:  # a vendor's own id is known, and any other column is something else
        return (0,)
    certain = table.sketch.rows >= 20 and table.sketch.is_unique(column) and column.words[-1:] in (("id",), ("uuid",))
    return (2 if column.slug in ROW_IDS else 1 if certain else 0,)


def _value_score(_: _Recognition, column: ColumnSketch) -> tuple[Any, ...]:
    best = next((rank for rank, word in enumerate(AMOUNTS) if word in column.words), None)
    return (0,) if best is None or "id" in column.words else (len(AMOUNTS) - best,)


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
        detail=lambda t, c: f"; {c.distinct:,} different in {t.sketch.sampled_rows:,} rows",
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
    "value": Role("the value of", lambda _, c: c.kind == "number", _value_score, lambda _, __: "its name says so"),
}


def _find(table: _Recognition, name: str) -> bool:
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


def _require(table: _Recognition, name: str, noun: str) -> None:
    if not _find(table, name):
        raise table.missing(name, noun)


# ---------------------------------------------------------------- the tables


def recognise_events(sketch: TableSketch, ids: EntityIds | None = None, prefer: EntityKind | None = None) -> Guess:
    """Guess the roles in an event table, and which of the three shapes it has.

    Parameters
    ----------
    sketch : TableSketch
        The table.
    ids : EntityIds, optional
        The known ids: the entity column is the one whose values are among them, and names come second.
    prefer : {"account", "user"}, optional
        The kind of entity to choose where both are there. Default: account.

    Raises
    ------
    DataError
        If no column holds the entity or the time.

    Examples
    --------
    >>> day = ColumnSketch("date_watched", ("2026-01-01", "2026-01-02"), 2, 1.0, "date")
    >>> student = ColumnSketch("student_id", ("7", "7"), 1, 1.0, "number")
    >>> guess = recognise_events(TableSketch("lessons.csv", (student, day), 2))
    >>> guess.roles, guess.event
    ({'entity': 'student_id', 'time': 'date_watched'}, 'lessons')
    """
    table = _Recognition(sketch, "events", EVENT_EXPORTS)
    key = _require_entity(table, ids, prefer)
    _require(table, "time", "the time")
    _find_known_at(table)
    kind = (ids.kind if ids else None) or key.kind
    if kind == "account" and not _find(table, "user") and not key.is_certain and not (ids and ids.kind):
        kind = "user"  # a lone `customer_id` may well be a person
    for role in ("event", "id", "user_agent"):
        _find(table, role)
    return _with_shape(table, kind)


def recognise_entities(sketch: TableSketch, others: Sequence[TableSketch] = ()) -> Guess:
    """Guess the id and the sign-up time in a table with one row per entity.

    Parameters
    ----------
    sketch : TableSketch
        The table.
    others : sequence of TableSketch
        Tables that refer to these entities: their values decide between two columns that could be the id.
    """
    table = _Recognition(sketch, "entities")
    key = table_id(sketch, others)
    if key is None:
        raise table.missing("entity", "the id of the entities")
    table.assign("entity", key.column, key.reason)
    if not sketch.is_unique(key.column):
        table.doubts.append(
            f"`{key.column.name}` of {sketch.file} is not unique: repeated rows of an entity will be set aside."
        )
    if not _find(table, "signed_up"):
        table.doubts.append(
            f"No column of {sketch.file} seems to be the time of sign-up: every entity counts from the start."
        )
    return table.guess(key.kind if key.is_certain else None)


def recognise_conversions(sketch: TableSketch, ids: EntityIds | None = None) -> Guess:
    """Guess the entity, the time and the value in a table of payments or subscriptions."""
    table = _Recognition(sketch, "conversions", CONVERSION_EXPORTS)
    key = _require_entity(table, ids, None)
    _require(table, "time", "the time of the conversion")
    _find(table, "value")
    if table.export:
        slugs = {c.slug for c in sketch.columns}
        table.doubts += [advice for column, advice in table.export.advice.items() if column in slugs]
    return table.guess(key.kind if key.is_certain else None)


def entity_ids(sketch: TableSketch, guess: Guess) -> EntityIds:
    """The ids that other tables should refer to."""
    column = sketch.column(guess.roles["entity"])
    return EntityIds(sketch.file, column.slug, column.samples, guess.kind)


def _require_entity(table: _Recognition, ids: EntityIds | None, prefer: EntityKind | None) -> Key:
    key = choose_key(table.sketch, table.export, ids, prefer)
    if key is None:
        raise table.missing("entity", "the account or user of a row")
    table.assign("entity", key.column, key.reason)
    if ids and not key.matches and key.column.slug != ids.column:
        table.doubts.append(
            f"None of the sampled values of `{key.column.name}` in {table.sketch.file} is among the sampled ids of "
            f"{ids.table}: `pql check` counts how many match."
        )
    return key


def _find_known_at(table: _Recognition) -> None:
    """Assign the first column of arrival times that does not come from loading a history all at once."""
    time = table.column("time")
    for column in _arrival_columns(table):
        lag = _median(column.instants) - _median(time.instants)
        if (column.distinct <= 1 and table.sketch.sampled_rows > 1) or lag > 2 * DAY:
            table.doubts.append(
                f"`{column.name}` of {table.sketch.file} was left out as `known_at`: it lies far after `{time.name}`, "
                "as if a history was loaded all at once, and would hide what was known."
            )
        elif lag > -HOUR:
            vendor = table.of_vendor("known_at", [column])
            reason = vendor[1] if vendor else "its name says so"
            return table.assign("known_at", column, f"{reason}; a row counts only from then on")
    return None


def _arrival_columns(table: _Recognition) -> list[ColumnSketch]:
    columns = [column for column in table.free if column.is_time and column.instants]
    if (export := table.export) is None:
        return [c for c in columns if _ARRIVAL.intersection(c.words) and "last" not in c.words]
    ranks = {c.name: rank for c in columns if (rank := export.rank("known_at", c.slug)) is not None}
    return sorted((c for c in columns if c.name in ranks), key=lambda c: ranks[c.name])


def _median(instants: Sequence[int]) -> int:
    return sorted(instants)[len(instants) // 2]


def _with_shape(table: _Recognition, kind: EntityKind | None) -> Guess:
    """The guess with what its shape adds: values, counts, or the only event of the table."""
    sketch = table.sketch
    if "event" in table.roles:
        return _with_values(table, table.guess(kind))
    counts = shapes.find_counts(sketch, table.free, table.column("entity"), table.column("time"))
    if counts is None:
        name = shapes.event_name(sketch.stem)
        sentence = f"Every row of {sketch.file} is one event, `{name}`: no column seems to name events."
        guess = table.guess(kind)
        return _with_values(table, replace(guess, reasons=(*guess.reasons, sentence), event=name))
    table.roles.pop("known_at", None)  # a sum is known when its period is over
    guess = table.guess(kind)
    sentence = f"{sketch.file} is already counted: a row sums up {counts.covers}, {counts.reason}."
    return replace(
        guess, reasons=(*guess.reasons, sentence), counts=counts.counts, users=counts.users, covers=counts.covers
    )


def _with_values(table: _Recognition, guess: Guess) -> Guess:
    file = table.sketch.file
    values, others = shapes.find_values(table.free, table.export)
    sentences = []
    if values:
        sentences.append(f"Values of {file}: {_quoted(values.values())}, numbers about the event.")
    if others:
        sentences.append(f"More numbers of {file} could be values: {_quoted(others)}.")
    return replace(guess, reasons=(*guess.reasons, *sentences), values=values)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
