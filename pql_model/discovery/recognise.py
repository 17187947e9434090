"""Guesses which column of a table of events or of entities holds what, from names and values, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pql_model.discovery import shapes
from pql_model.discovery.conditions import select_real
from pql_model.discovery.exports import EVENT_EXPORTS, EntityKind
from pql_model.discovery.keys import EntityIds, table_id
from pql_model.discovery.roles import Guess, Recognition, find, refuse_broken_ids, require, require_entity
from pql_model.discovery.sketch import ColumnSketch, TableSketch
from pql_model.discovery.vocabulary import ARRIVAL, TIME_SCORES, vocabulary
from pql_model.sources.arrival import IMPORT_SHARE, LATE
from pql_model.time import HOUR

_ARRIVAL = vocabulary(ARRIVAL)
_FEW_REPEATS = 0.005
"""Share of the rows that may repeat another one by chance."""


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
    table = Recognition(sketch, "events", EVENT_EXPORTS)
    key = require_entity(table, ids, prefer)
    require(table, "time", "the time")
    _find_known_at(table)
    kind = (ids.kind if ids else None) or key.kind
    if kind == "account" and not find(table, "user") and not key.is_certain and not (ids and ids.kind):
        kind = "user"  # a lone `customer_id` may well be a person
    for role in ("event", "id", "user_agent"):
        find(table, role)
    if "user" in table.roles:
        refuse_broken_ids(sketch, table.column("user"))
    selection = select_real(sketch, table.roles.values())
    guess = replace(_with_shape(table, kind), conditions=selection.conditions)
    return _with_repeats(table, guess)


def recognise_entities(sketch: TableSketch, others: Sequence[TableSketch] = ()) -> Guess:
    """Guess the id and the sign-up time in a table with one row per entity.

    Parameters
    ----------
    sketch : TableSketch
        The table.
    others : sequence of TableSketch
        Tables that refer to these entities: their values decide between two columns that could be the id.
    """
    table = Recognition(sketch, "entities")
    key = table_id(sketch, others)
    if key is None:
        raise table.missing("entity", "the id of the entities")
    refuse_broken_ids(sketch, key.column)
    table.assign("entity", key.column, key.reason)
    if not sketch.is_unique(key.column):
        table.doubts.append(
            f"`{key.column.name}` of {sketch.file} is not unique: repeated rows of an entity will be set aside."
        )
    if not find(table, "signed_up"):
        if any(TIME_SCORES["entities"].get(word, 0) > 0 for c in table.unreadable_times for word in c.words):
            raise table.missing("signed_up", "the time of sign-up")
        table.doubts.append(
            f"No column of {sketch.file} seems to be the time of sign-up: every entity counts from the start."
        )
    selection = select_real(sketch, table.roles.values())
    return replace(table.guess(key.kind if key.is_certain else None), conditions=selection.conditions)


def entity_ids(sketch: TableSketch, guess: Guess) -> EntityIds:
    """The ids that other tables should refer to."""
    column = sketch.column(guess.roles["entity"])
    return EntityIds(sketch, column, guess.kind)


def _find_known_at(table: Recognition) -> None:
    """Assign the first column of arrival times that does not come from loading a history all at once."""
    time = table.column("time")
    for column in _arrival_columns(table):
        lags = _lags(time, column)
        late = sum(lag > LATE for lag in lags) / max(1, len(lags))
        if (column.distinct <= 1 and table.sketch.rows > 1) or late > IMPORT_SHARE:
            table.doubts.append(
                f"`{column.name}` of {table.sketch.file} was left out as `known_at`: by it, {late:.0%} of the rows arrived "
                f"more than a day after `{time.name}`, as if a history was loaded at once, which would hide "
                "what was known."
            )
        elif sorted(lags)[len(lags) // 2] > -HOUR:
            vendor = table.of_vendor("known_at", [column])
            reason = vendor[1] if vendor else "its name says so"
            return table.assign("known_at", column, f"{reason}; a row counts only from then on")
    return None


def _lags(time: ColumnSketch, arrival: ColumnSketch) -> list[int]:
    """How long after their time rows arrived, in microseconds."""
    pairs = zip(time.instant_cells or time.instants, arrival.instant_cells or arrival.instants, strict=False)
    return [later - sooner for sooner, later in pairs if sooner is not None and later is not None] or [0]


def _arrival_columns(table: Recognition) -> list[ColumnSketch]:
    columns = [column for column in table.free if column.is_time and column.instants]
    if (export := table.export) is None:
        return [c for c in columns if _ARRIVAL.intersection(c.words) and "last" not in c.words]
    ranks = {c.name: rank for c in columns if (rank := export.rank("known_at", c.slug)) is not None}
    return sorted((c for c in columns if c.name in ranks), key=lambda c: ranks[c.name])


def _with_shape(table: Recognition, kind: EntityKind | None) -> Guess:
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


def _with_repeats(table: Recognition, guess: Guess) -> Guess:
    """Ask about rows that are alike in everything, unless ids tell them apart or their times are only dates."""
    sketch = table.sketch
    if (
        sketch.repeats < _FEW_REPEATS * sketch.rows
        or "id" in guess.roles
        or guess.counts
        or table.column("time").is_date
    ):
        return guess
    overlap = any(mark in sketch.path for mark in "*?[")
    action = "each is counted once (`drop_repeats: true`)" if overlap else "all of them count"
    question = (
        f"Were {sketch.repeats:,} of {sketch.rows:,} rows of {sketch.file} exported twice? They are alike another row in "
        f"every column, and no column is an id of the row; for now {action}."
    )
    return replace(guess, drop_repeats=overlap, questions=(*guess.questions, question))


def _with_values(table: Recognition, guess: Guess) -> Guess:
    file = table.sketch.file
    values, left_out = shapes.find_values(table.free, table.export)
    sentences = []
    if values:
        sentences.append(f"Values of {file}: {_quoted(values.values())}, numbers about the event.")
    for reason, names in left_out.items():
        sentences.append(f"Numbers of {file} that are not used as values: {_quoted(names)}; {reason}.")
    return replace(guess, reasons=(*guess.reasons, *sentences), values=values)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
