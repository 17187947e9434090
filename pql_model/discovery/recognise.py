"""Which column is what: guesses from names and values, each with its reason. Nothing is read, nothing is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from pql_model.discovery import shapes
from pql_model.discovery.exports import CONVERSION_EXPORTS, EVENT_EXPORTS, EntityKind, Export, export_of
from pql_model.discovery.keys import Ids, Key, choose_key, id_of_table, named_keys
from pql_model.discovery.sketch import ColumnSketch, Kind, TableSketch, kind_of, vocabulary
from pql_model.errors import DataError
from pql_model.time import DAY, HOUR

__all__ = [
    "ColumnSketch",
    "Guess",
    "Ids",
    "Kind",
    "TableSketch",
    "ids_of",
    "kind_of",
    "recognise_conversions",
    "recognise_entities",
    "recognise_events",
]

_LATE = dict.fromkeys(
    vocabulary(
        "received loaded load inserted ingested ingestion processed processing sent upload uploaded synced server etl "
        "collector exported imported"
    ),
    -4,
)
_OTHER = dict.fromkeys(
    vocabulary(
        "last latest updated modified end ended ends expires expired expiry deleted birth born birthday due cancelled "
        "canceled cancel refunded refund churned next closed until previous"
    ),
    -9,
)
_PAID = vocabulary(
    "paid converted conversion purchase purchased bought subscribed subscription upgraded upgrade charged"
)
_JOINED = vocabulary("signup signed registered registration joined enrolled")
_TIMELY = {"timestamp": 2, "ts": 2, "tstamp": 2, "datetime": 2, "time": 1, "date": 1, "at": 1, "on": 1, "when": 1}
_SCORES: dict[str, dict[str, int]] = {
    "events": {
        **_TIMELY,
        **_LATE,
        **_OTHER,
        **dict.fromkeys(_JOINED, -4),
        **dict.fromkeys(_PAID, -4),
        "timestamp": 5,
        "occurred": 5,
        "happened": 5,
        "week": 3,
        "month": 3,
        "period": 3,
        "quarter": 3,
        "event": 2,
        "day": 2,
        "created": 1,
        "original": -1,
        "first": -3,
    },
    "entities": {
        **_TIMELY,
        **_LATE,
        **_OTHER,
        **dict.fromkeys(_JOINED, 6),
        **dict.fromkeys(_PAID, -9),
        "sign": 3,
        "trial": 3,
        "created": 4,
        "creation": 4,
        "start": 3,
        "started": 3,
        "since": 3,
        "onboarded": 2,
        "activated": 1,
        "first": -1,
    },
    "conversions": {
        **_TIMELY,
        **_OTHER,
        **dict.fromkeys(_PAID, 5),
        **dict.fromkeys(_JOINED, -9),
        "adopted": 4,
        "payment": 4,
        "won": 4,
        "activated": 2,
        "start": 2,
        "started": 2,
        "created": 2,
        "first": 1,
        "trial": -5,
    },
}
_EVENT_WORDS = {
    "event": 5,
    "action": 4,
    "activity": 3,
    "verb": 3,
    "operation": 3,
    "happened": 3,
    "what": 2,
    "did": 2,
    "interaction": 2,
    "type": 1,
    "name": 1,
    "feature": 1,
    "kind": 1,
    "text": 0,
    "label": 0,
    "key": 0,
    "code": 0,
}
_VALUE_WORDS = ("mrr", "arr", "amount", "revenue", "price", "value", "total", "paid", "net", "gross", "usd", "eur")
_AGENTS = ("user_agent", "context_user_agent", "properties_user_agent", "raw_user_agent", "http_user_agent")
_ROW_IDS = ("id", "uuid", "event_id", "message_id", "insert_id", "row_id", "log_id", "event_uuid", "record_id")
_ROLES = {
    "entity": "the entity of",
    "user": "the user of",
    "event": "the name of",
    "time": "the time of",
    "id": "the row's id in",
    "known_at": "when a row arrived in",
    "user_agent": "the user agent of",
    "signed_up": "the time of sign-up of",
    "value": "the value of",
}


@dataclass(frozen=True)
class Guess:
    """What a table's columns seem to hold.

    Attributes
    ----------
    roles
        Role -> column, named as in `pql.yaml` (entity, user, event, time, id, known_at, user_agent, signed_up, value).
    reasons
        One sentence for each guess and each doubt.
    export
        Whose export it looks like.
    why
        Role -> its reason, short enough for a comment.
    kind
        What the entity is, `account` or `user`; None if no name tells.
    event
        Shape 2: the event that every row is.
    values, counts, users
        Name -> column, as in `pql.yaml`. `counts`, `users` and `covers` are shape 3.
    """

    roles: dict[str, str]
    reasons: tuple[str, ...]
    export: str | None = None
    why: dict[str, str] = field(default_factory=dict)
    kind: EntityKind | None = None
    event: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    counts: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    covers: str | None = None


class _Finder:
    """Collects the roles of one table; a column is taken once."""

    def __init__(self, sketch: TableSketch, what: str, exports: Sequence[Export] = ()) -> None:
        if sketch.rows == 0 or not sketch.columns:
            raise DataError(
                f"{sketch.file} has no rows: nothing can be guessed from it",
                received=f"{what}: {sketch.file}",
                remedy="give a table with a header and rows",
            )
        self.sketch, self.what = sketch, what
        self.export = export_of([column.name for column in sketch.columns], exports)
        self.roles: dict[str, str] = {}
        self.why: dict[str, str] = {}
        self.doubts: list[str] = []

    @property
    def free(self) -> list[ColumnSketch]:
        return [column for column in self.sketch.columns if column.name not in self.roles.values()]

    def take(self, role: str, column: ColumnSketch | None, why: str) -> None:
        if column is not None:
            self.roles[role] = column.name
            self.why[role] = why

    def exported(self, role: str, fits: Collection[ColumnSketch]) -> tuple[ColumnSketch | None, str]:
        """The vendor's best column for a role among those that fit, and the reason."""
        if self.export is None:
            return None, ""
        ranked = [(rank, c) for c in fits if (rank := self.export.rank(role, c.plain)) is not None]
        if not ranked:
            return None, ""
        # a column that is mostly empty loses to the next best one
        _, column = min(ranked, key=lambda pair: (pair[1].filled < 0.5, pair[0]))
        original = self.export.original(role, column.plain)
        advice = self.export.advice.get(column.plain)
        return column, f"named like {self.export.name}'s `{original}`" + (f": {advice}" if advice else "")

    def guess(self, kind: EntityKind | None) -> Guess:
        said = [f"`{name}` is {self.words(role)}: {self.why[role]}." for role, name in self.roles.items()]
        export = self.export.name if self.export else None
        return Guess(dict(self.roles), (*said, *self.doubts), export, dict(self.why), kind)

    def words(self, role: str) -> str:
        return (
            "the id of the entities" if (role, self.what) == ("entity", "entities") else f"{_ROLES[role]} {self.what}"
        )

    def missing(self, role: str, say: str) -> DataError:
        usual, rule = "user_id", ""
        if role == "time":
            unreadable = [c for c in self.sketch.columns if c.kind == "text" and c.samples and shapes.hints_time(c)]
            looks = "".join(f"; `{c.name}` holds `{c.samples[0][:40]}`, which cannot be read" for c in unreadable[:1])
            usual, rule = "timestamp", f"; times are 2026-06-30, 2026-06-30T12:00:00Z or epoch numbers{looks}"
        return DataError(
            f"No column of {self.sketch.file} seems to hold {say}",
            received=", ".join(column.name for column in self.sketch.columns),
            remedy=f"rename the right column to `{usual}`, or write pql.yaml by hand with "
            f"`{self.what}: columns: {{{role}: COLUMN}}`{rule}",
        )


def recognise_events(sketch: TableSketch, ids: Ids | None = None, prefer: EntityKind | None = None) -> Guess:
    """Guess the roles in a table of events and which of the three shapes it has.

    Parameters
    ----------
    sketch
        The table.
    ids
        The ids of the entities: the entity column is the one whose values are among them, names come second.
    prefer
        Which kind of entity to take where both are there. Default: the account.

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
    find = _Finder(sketch, "events", EVENT_EXPORTS)
    key = _take_entity(find, ids, prefer)
    _take_time(find, "time", "the time")
    _take_known_at(find)
    kind = (ids.kind if ids else None) or key.kind
    if kind == "account":
        _take_user(find)
        if (
            "user" not in find.roles and not key.sure and not (ids and ids.kind)
        ):  # a lone `customer_id` may well be a person
            kind = "user"
    _take_event(find)
    _take_row_id(find)
    agents = [column for column in find.free if column.plain in _AGENTS and column.kind == "text"]
    find.take("user_agent", agents[0] if agents else None, "its name says so; it helps to recognise bots")
    return _with_shape(find, kind)


def recognise_entities(sketch: TableSketch, others: Sequence[TableSketch] = ()) -> Guess:
    """Guess id and sign-up time of a table with one row an entity.

    `others` are the tables that speak of these entities: where two columns could be the id, their values decide.
    """
    find = _Finder(sketch, "entities")
    key = id_of_table(sketch, others)
    if key is None:
        raise find.missing("entity", "the id of the entities")
    find.take("entity", key.column, key.why)
    if not sketch.unique(key.column):
        find.doubts.append(
            f"`{key.column.name}` of {sketch.file} is not unique: further rows of an entity will be set aside."
        )
    column, why = _best_time(find, "entities")
    find.take("signed_up", column, why)
    if column is None:
        find.doubts.append(
            f"No column of {sketch.file} seems to be the time of sign-up: every entity counts from the start."
        )
    return find.guess(key.kind if key.sure else None)


def recognise_conversions(sketch: TableSketch, ids: Ids | None = None) -> Guess:
    """Guess who, when and how much in a table of payments or subscriptions."""
    find = _Finder(sketch, "conversions", CONVERSION_EXPORTS)
    key = _take_entity(find, ids, None)
    _take_time(find, "time", "the time of the conversion")
    column, why = find.exported("value", [c for c in find.free if c.kind == "number"])
    if column is None:
        column, why = _by_words(find.free, _VALUE_WORDS), "its name says so"
    find.take("value", column, why)
    if find.export:
        plain = {c.plain for c in sketch.columns}
        find.doubts += [advice for name, advice in find.export.advice.items() if name in plain]
    return find.guess(key.kind if key.sure else None)


def ids_of(sketch: TableSketch, guess: Guess) -> Ids:
    """The ids that other tables should speak of."""
    column = next(c for c in sketch.columns if c.name == guess.roles["entity"])
    return Ids(sketch.file, column.plain, column.samples, guess.kind)


def _take_entity(find: _Finder, ids: Ids | None, prefer: EntityKind | None) -> Key:
    key = choose_key(find.sketch, find.export, ids, prefer)
    if key is None:
        raise find.missing("entity", "whose rows they are (an account or a user)")
    find.take("entity", key.column, key.why)
    if ids and not key.found and key.column.plain != ids.column:
        find.doubts.append(
            f"None of the sampled values of `{key.column.name}` in {find.sketch.file} is among the sampled ids of "
            f"{ids.table}: `pql check` counts how many match."
        )
    return key


def _take_time(find: _Finder, role: str, say: str) -> None:
    column, why = _best_time(find, find.what)
    if column is None:
        raise find.missing(role, say)
    find.take(role, column, why)


def _best_time(find: _Finder, what: str) -> tuple[ColumnSketch | None, str]:
    times = [column for column in find.free if column.is_time]
    column, why = find.exported("time", times)
    if column is None and times:
        scores = {c.name: _time_score(c, what) for c in times}
        best = max(times, key=lambda c: (scores[c.name], not c.is_date, c.filled))
        if scores[best.name] >= (0 if what == "entities" else -5):  # received_at is better than no time at all
            column = best
            why = "the only column with times" if len(times) == 1 else "its name says so best"
    if column is None:
        return None, ""
    total, read = len(column.samples), len(column.instants)
    noun = "dates" if column.is_date else "times"
    return column, f"{why}, and {f'all {total}' if read == total else f'{read} of {total}'} samples are {noun}"


def _time_score(column: ColumnSketch, what: str) -> float:
    score: float = sum(_SCORES[what].get(word, 0) for word in column.words)
    return score - (3 if what == "events" and column.filled < 0.5 else 0)


def _take_known_at(find: _Finder) -> None:
    """The first column of arrival times that does not come from loading a history all at once."""
    time = next(c for c in find.sketch.columns if c.name == find.roles["time"])
    for column in _late_columns(find):
        lag = _middle(column.instants) - _middle(time.instants)
        if (column.distinct <= 1 and find.sketch.looked > 1) or lag > 2 * DAY:
            find.doubts.append(
                f"`{column.name}` of {find.sketch.file} was left out as `known_at`: it lies far after `{time.name}`, "
                "as when a history is loaded all at once, and would hide what was known."
            )
        elif lag > -HOUR:
            known = find.export.original("known_at", column.plain) if find.export else None
            why = f"named like {find.export.name}'s `{known}`" if find.export and known else "its name says so"
            return find.take("known_at", column, f"{why}; a row counts only from then on")
    return None


def _late_columns(find: _Finder) -> list[ColumnSketch]:
    times = [column for column in find.free if column.is_time and column.instants]
    if find.export is None:
        return [column for column in times if _LATE.keys() & set(column.words) and "last" not in column.words]
    ranks = {column.name: find.export.rank("known_at", column.plain) for column in times}
    return sorted((c for c in times if ranks[c.name] is not None), key=lambda c: ranks[c.name] or 0)


def _middle(instants: Sequence[int]) -> int:
    return sorted(instants)[len(instants) // 2]


def _take_user(find: _Finder) -> None:
    column, why = find.exported("user", find.free)
    if column is None:
        users = [key for key in named_keys(find.free, None) if key.kind == "user" and key.column.filled > 0]
        best = max(users, key=lambda key: (key.column.filled >= 0.5, key.score), default=None)
        column, why = (best.column, "named like a user") if best else (None, "")
    find.take("user", column, why)


def _take_event(find: _Finder) -> None:
    texts = [c for c in find.free if c.kind == "text" and c.samples]
    column, why = find.exported("event", texts)
    if column is None:
        scored = [(shapes.event_score(find.sketch, c, _EVENT_WORDS), c) for c in texts]
        score, column = max(scored, key=lambda pair: pair[0], default=(0.0, None))
        if score <= 0:
            return
        why = "its name says so" if score >= 1 else "few different texts that read like acts"
    if column is not None:
        find.take("event", column, f"{why}; {column.distinct:,} different in {find.sketch.looked:,} rows")


def _take_row_id(find: _Finder) -> None:
    sketch = find.sketch
    nearly = [c for c in find.free if sketch.unique(c, 0.9) and not c.is_time]
    column, why = find.exported("id", nearly)
    if column is None and find.export is None:
        named = [c for c in nearly if c.plain in _ROW_IDS]
        surely = [c for c in nearly if sketch.rows >= 20 and sketch.unique(c)]
        ending = [c for c in surely if c.words[-1:] in (("id",), ("uuid",))]
        column = next(iter(named or ending), None)
        why = "nearly every row has its own value; a row that repeats one is set aside"
    find.take("id", column, why)


def _with_shape(find: _Finder, kind: EntityKind | None) -> Guess:
    """The guess with what its shape adds: values, counts, or the one event of the table."""
    sketch = find.sketch
    by_name = {column.name: column for column in sketch.columns}
    if "event" in find.roles:
        return _with_values(find, find.guess(kind))
    found = shapes.counts_of(sketch, find.free, by_name[find.roles["entity"]], by_name[find.roles["time"]])
    if found is None:
        name = shapes.event_name(sketch.stem)
        say = f"Every row of {sketch.file} is one event, `{name}`: no column seems to name events."
        guess = find.guess(kind)
        return _with_values(find, replace(guess, reasons=(*guess.reasons, say), event=name))
    find.roles.pop("known_at", None)  # a sum is known when its time is over
    guess = find.guess(kind)
    say = f"{sketch.file} is already counted: a row sums up {found.covers}, {found.why}."
    return replace(guess, reasons=(*guess.reasons, say), counts=found.counts, users=found.users, covers=found.covers)


def _with_values(find: _Finder, guess: Guess) -> Guess:
    path = find.sketch.file
    values, left = shapes.values_of(find.free, find.export)
    said = []
    if values:
        said.append(f"Values of {path}: {_quoted(values.values())}, numbers about the event.")
    if left:
        said.append(f"More numbers of {path} could be values: {_quoted(left)}.")
    return replace(guess, reasons=(*guess.reasons, *said), values=values)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _by_words(columns: Sequence[ColumnSketch], wanted: Sequence[str]) -> ColumnSketch | None:
    numbers = [c for c in columns if c.kind == "number" and "id" not in c.words]
    return next((c for word in wanted for c in numbers if word in c.words), None)
