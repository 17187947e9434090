"""Tables of dated columns: values that hold from an instant on, such as a survey score or a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import ibis

from pql_model.config.own_features import DatedKeys
from pql_model.config.row_filter import RowFilter
from pql_model.config.schema import Config
from pql_model.config.text_format import TextFormat, marks_of
from pql_model.errors import DataError, did_you_mean, listed, nearest
from pql_model.measures import ANY
from pql_model.sources.aliases import Aliases, resolve_entities
from pql_model.sources.casts import refuse_mixed_times, text, times
from pql_model.sources.duckdb_session import Connection, count_by, row_count
from pql_model.sources.events import EXPECTED, refuse_unusable
from pql_model.sources.files import read_raw
from pql_model.sources.id_columns import refuse_lossy_ids, with_one_spelling
from pql_model.sources.id_lists import ids, with_each_id
from pql_model.sources.number_marks import compared_as_numbers, with_marks
from pql_model.sources.row_filter import select_rows

Table = Any
Column = Any


@dataclass(frozen=True)
class DatedColumns:
    """The usable rows of one table.

    Attributes
    ----------
    table
        entity, time, known_at (microseconds; null where the row was known at its time), and `value_0`, `value_1`, ...
    names
        The names of the values, in that order.
    set_aside
        Rows that cannot be used, by reason.
    states_all
        Whether each row states all values, as in a history of traits: a blank value is unknown from then on. Otherwise
        a blank value changes nothing.
    notes
        Further sentences a person should read.
    """

    source: str
    table: Table
    names: tuple[str, ...]
    set_aside: dict[str, int]
    states_all: bool = False
    notes: tuple[str, ...] = ()

    @property
    def warning(self) -> str | None:
        """A sentence about rows that were set aside."""
        counts = ", ".join(f"{n:,} {reason}" for reason, n in self.set_aside.items() if reason not in EXPECTED)
        return f"Rows of {self.source} that cannot be used: {counts}." if counts else None


@dataclass(frozen=True)
class DatedTable:
    """How one table of dated columns is read.

    Attributes
    ----------
    source
        The table's name in the config.
    key
        The key of the config that names it, for errors.
    columns
        Its columns for entity, time and known_at.
    values
        Name of a value -> its column.
    where
        The rows that count.
    text
        How its texts are written.
    until
        The end of the data: later rows are set aside. None reads all rows.
    kept_elsewhere
        Whether another system keeps the table, such as a CRM: its values are texts, rows of entities that are not listed
        are expected in it, and rows after `until` lie in the future.
    """

    source: str
    key: str
    columns: DatedKeys
    values: Mapping[str, str]
    where: Mapping[str, RowFilter] = field(default_factory=dict)
    text: TextFormat = field(default_factory=TextFormat)
    until: int | None = None
    kept_elsewhere: bool = False

    @property
    def values_key(self) -> str:
        """The key of the config that names the values, for errors."""
        return f"{self.key}.{'columns' if self.kept_elsewhere else 'values'}"

    @property
    def expected(self) -> tuple[str, ...]:
        """Reasons that do not count against `max_set_aside`."""
        return (*EXPECTED, "unknown_entity") if self.kept_elsewhere else EXPECTED


def read_dated_columns(
    con: Connection, config: Config, roster: Table, traits: Sequence[str], aliases: Aliases | None = None
) -> list[DatedColumns]:
    """Stage every table of dated columns that `features` names.

    Parameters
    ----------
    roster : Table
        Every listed entity, and whether it is `selected`: rows of others are set aside.
    traits : Sequence[str]
        Traits of the entities, whose names are taken.
    aliases : Aliases, optional
        Merged users.

    Raises
    ------
    DataError
        If a name is taken, a column is missing, or most rows cannot be used.
    """
    specs = [spec for spec in config.features if spec.table is not None]
    taken = [*traits, *(config.history.traits if config.history is not None else ())]
    for spec in specs:
        if twice := [name for name in spec.values if name in taken]:
            raise DataError(
                f"A dated column has the name of a trait or of another dated column: {listed(twice)}",
                received=spec.table,
                remedy=f"give it another name: `values: {{my_{twice[0]}: {spec.values[twice[0]]}}}`, or leave the trait out",
            )
        taken += spec.values
    tables = [DatedTable(str(s.table), "features", cast(DatedKeys, s.columns), s.values, s.where, s) for s in specs]
    return [stage_dated(con, config, table, f"dated_{i}", roster, aliases) for i, table in enumerate(tables)]


def stage_dated(
    con: Connection, config: Config, spec: DatedTable, name: str, roster: Table, aliases: Aliases | None = None
) -> DatedColumns:
    """Stage one table of dated columns under `name`, and count the rows that cannot be used.

    Raises
    ------
    DataError
        If a column is missing, times mix offsets, or most rows cannot be used.
    """
    source, keys, values = spec.source, spec.columns, spec.values
    raw = read_raw(con, source, config.home, config.connection, name=f"raw_{name}", encoding=spec.text.encoding)
    numbers = compared_as_numbers(spec.where, f"{spec.key}.where")
    refuse_lossy_ids(raw, {keys.entity: f"{spec.key}.columns.entity"})
    raw = with_marks(raw, marks_of(spec.text), numbers, [] if spec.kept_elsewhere else [*values.values()])
    raw = select_rows(raw, spec.where, f"{spec.key}.where", config.resolution)
    time = times(raw.column(keys.time, f"{spec.key}.columns.time"), config.resolution)
    known = _known(raw, keys, config)
    staged = con.create_table(
        f"staged_{name}",
        raw.table.select(
            entity=ids(raw.column(keys.entity, f"{spec.key}.columns.entity")),
            time=time.instant,
            has_offset=time.has_offset,
            known_at=known[0],
            unread=known[1],
            **{f"value_{i}": _value(raw.column(c, spec.values_key)) for i, c in enumerate(values.values())},
        ),
    )
    t = with_one_spelling(with_each_id(con, staged, f"staged_{name}", "entity"), config.normalise)
    t = resolve_entities(t, aliases, config)
    t = t.left_join(roster.select("entity", "selected"), "entity").drop("entity_right")
    reason = ibis.cases(
        (t.entity.isnull(), "no_entity"),
        (t.time.isnull() | t.unread, "unparsable_time"),
        (t.selected.isnull(), "unknown_entity"),
        (~t.selected, "not_selected"),
        (
            t.time > spec.until if spec.until is not None else ibis.literal(False),
            "in_the_future" if spec.kept_elsewhere else "after_observed_until",
        ),
        else_=ibis.null("string"),
    )
    t = con.create_table(f"judged_{name}", t.mutate(reason=reason))
    counts = count_by(t)
    refuse_mixed_times(t, source, {keys.time: ("time", "has_offset")})
    counts["not_selected"] = counts.get("not_selected", 0) + raw.left_out
    rows = row_count(t) + sum(raw.unread.values()) + raw.left_out
    set_aside = {k: n for k, n in {**raw.unread, **dict(sorted(counts.items()))}.items() if n}
    counted = {reason: n for reason, n in set_aside.items() if reason not in spec.expected}
    refuse_unusable(source, rows - sum(set_aside.values()) + sum(counted.values()), counted, config.max_set_aside)
    names = [f"value_{i}" for i in range(len(values))]
    usable = t.filter(t.reason.isnull()).select("entity", "time", "known_at", *names)
    return DatedColumns(source, usable, tuple(values), set_aside)


def _value(column: Column) -> Column:
    """Take the value as it came; an empty text and a NaN are missing, and do not hide an earlier value."""
    kind = column.type()
    if kind.is_string():
        return text(column)
    return ibis.ifelse(column.isnan(), ibis.null("float64"), column) if kind.is_floating() else column


def _known(raw: Any, keys: DatedKeys, config: Config) -> tuple[Any, Any]:
    """When each row was known, and whether that cannot be read: such a row must not count as known at once."""
    if keys.known_at is None:
        return ibis.null("int64"), ibis.literal(False)
    read = times(raw.column(keys.known_at, "features.columns.known_at"), config.resolution)
    return read.instant, (read.present | read.never) & read.instant.isnull()


def check_event_features(config: Config, events: Sequence[str]) -> None:
    """Refuse a feature of an event that the log does not have.

    Raises
    ------
    DataError
        With the nearest name.
    """
    for spec in config.features:
        named = (
            [] if spec.event is None else [spec.event, *spec.also, *([spec.after] if spec.after is not None else [])]
        )
        for event in named:
            if event != ANY and event not in events:
                raise DataError(
                    f"`features` names the event `{event}`, which the log does not have"
                    + did_you_mean(nearest(event, events)),
                    received=event,
                    allowed=list(events),
                    remedy="correct `features:` in the config",
                )
