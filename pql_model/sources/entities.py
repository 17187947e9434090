"""Who can convert, what is known of them, and who did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.errors import DataError, NotEnoughDataError, listed
from pql_model.sources.casts import identifier, number, refuse_mixed_zones, text, times
from pql_model.sources.duckdb_session import Connection, in_file_order
from pql_model.sources.files import RawTable, read_raw
from pql_model.sources.scalars import value_of
from pql_model.time import iso

Table = Any
Column = Any


@dataclass(frozen=True)
class Entities:
    """`table`: entity, signed_up (microseconds, null where unknown), excluded (bool), `trait_*` as they came.

    `positions`: entity and `position`, the place of its first row in the file; null, or no table, where rows have no order.
    """

    table: Table
    traits: tuple[str, ...]
    set_aside: dict[str, int]
    warnings: tuple[str, ...] = ()
    positions: Table | None = None


@dataclass(frozen=True)
class Conversions:
    """`table`: entity, time (of the first conversion), value. One row per entity."""

    table: Table
    rows: int
    set_aside: dict[str, int]


def trait_column(name: str) -> str:
    """The column that holds a trait, apart from our own columns."""
    return f"trait_{name}"


def read_entities(con: Connection, config: Config) -> Entities:
    """Stage the entities as table `entities`.

    Raises
    ------
    DataError
        If an entity is listed with several sign-ups, or columns are missing.
    """
    with in_file_order(con):
        raw, staged = _stage_entities(con, config)
    spec, traits = config.entities, traits_of(config, raw)
    marks = [f"mark_{i}" for i in range(len(config.exclude.entities))]
    named = staged.entity.notnull()
    # in freemium no sign-up is needed, but one that cannot be read is not the same as none
    unread = staged.signed_up.isnull() & (staged.given if config.motion == "freemium" else ibis.literal(True))
    lost = (
        staged.aggregate(
            no_entity=staged.count(where=~named),
            unparsable_time=staged.count(where=named & unread),
            zoned=staged.count(where=staged.zoned),
            naive=staged.count(where=~staged.zoned),
            **{mark: staged.count(where=staged[mark]) for mark in marks},
        )
        .to_pyarrow()
        .to_pylist()[0]
    )
    refuse_mixed_zones(spec.table, str(spec.columns.signed_up), lost["zoned"], lost["naive"])
    good = staged.filter(named & ~unread)
    _refuse_several_signups(good, spec.table)
    entities, usable = con.create_table("entities", _one_each(good, marks, traits)), _count(good)
    kept = _count(entities)
    if not kept:
        raise DataError(
            f"{spec.table} lists no usable entity",
            received=", ".join(f"{lost[r]:,} {r}" for r in ("no_entity", "unparsable_time") if lost[r]) or "no rows",
            remedy="check `entities.columns`",
        )
    counts = {
        "broken_line": raw.broken_lines,
        "no_entity": lost["no_entity"],
        "unparsable_time": lost["unparsable_time"],
        "repeated": usable - kept,
    }
    idle = [column for mark, column in zip(marks, config.exclude.entities, strict=True) if not lost[mark]]
    warnings = tuple(f"`exclude.entities.{column}` matches no row of {spec.table}." for column in idle)
    positions = good.group_by("entity").agg(position=good.position.min())
    set_aside = {reason: n for reason, n in counts.items() if n}
    return Entities(entities, traits, set_aside, warnings, positions)


def _stage_entities(con: Connection, config: Config) -> tuple[RawTable, Table]:
    """The table as it came, and its rows read."""
    spec = config.entities
    raw = read_raw(con, spec.table, config.home, config.connection, name="raw_entities")
    signup = None
    if spec.columns.signed_up is not None:
        signup = times(raw.column(spec.columns.signed_up, "entities.columns.signed_up"), config.resolution)
    marks = {
        f"mark_{i}": _one_of(raw.column(column, f"exclude.entities.{column}"), values)
        for i, (column, values) in enumerate(config.exclude.entities.items())
    }
    staged = con.create_table(
        "staged_entities",
        raw.table.select(
            position=ibis.row_number() if raw.in_order else ibis.null("int64"),
            entity=identifier(raw.column(spec.columns.entity, "entities.columns.entity")),
            signed_up=signup.instant if signup else ibis.null("int64"),
            given=signup.given if signup else ibis.literal(False),
            zoned=signup.zoned if signup else ibis.null("boolean"),
            **marks,
            **{trait_column(t): raw.column(t, "entities.traits") for t in traits_of(config, raw)},
        ),
    )
    return raw, staged


def traits_among(config: Config, columns: Iterable[str]) -> tuple[str, ...]:
    """The traits of the config, or every column that has no other use."""
    spec, paid = config.entities, config.conversions
    used = {spec.columns.entity, spec.columns.signed_up}
    if paid.table == spec.table:  # one wide table: when somebody paid is no trait
        used |= {paid.columns.entity, paid.columns.time, paid.columns.value}
    return tuple(spec.traits if spec.traits is not None else [c for c in columns if c not in used])


def traits_of(config: Config, raw: RawTable) -> tuple[str, ...]:
    """The same, refused where two could be mixed up."""
    spec, traits = config.entities, traits_among(config, raw.columns)
    lower = [trait.lower() for trait in traits]
    if alike := sorted(trait for trait in traits if lower.count(trait.lower()) > 1):
        raise DataError(
            f"Columns of {spec.table} have the same name but for case: {listed(alike)}",
            remedy="list the ones to use under `entities.traits`",
        )
    return traits


def _one_of(column: Column, values: Sequence[str]) -> Column:
    """Whether a value is listed; 12 is 12.0, and a truth is one however it is written."""
    listed = [value_of(value) for value in values]
    truths = [form(v) for v in listed if v in ("true", "false") for form in (str.upper, str.title)]
    written = [text(column).isin([*values, *listed, *truths]), identifier(column).isin(listed)]
    return (written[0] | written[1]).fill_null(False)


def _one_each(good: Table, marks: Sequence[str], traits: Sequence[str]) -> Table:
    """One row per entity, whichever order the rows came in; excluded if any of its rows is."""
    excluded = ibis.literal(False)
    for mark in marks:
        excluded = excluded | good[mark]
    good = good.mutate(excluded=excluded)
    kept = ["entity", "signed_up", "excluded", *map(trait_column, traits)]
    order = [good[c].desc() if c == "excluded" else good[c] for c in kept[1:] if not good[c].type().is_nested()]
    place = ibis.row_number().over(ibis.window(group_by="entity", order_by=order))
    first = good.mutate(place=place).filter(lambda t: t.place == 0).select(*kept)
    known = good.group_by("entity").agg(signed=good.signed_up.max())  # another row may know the sign-up
    return first.join(known, "entity").mutate(signed_up=lambda t: t.signed).select(*kept)


def _refuse_several_signups(good: Table, source: str) -> None:
    twice = good.group_by("entity").agg(first=good.signed_up.min(), last=good.signed_up.max())
    twice = twice.filter(twice["first"] < twice["last"])
    count = _count(twice)
    if count:
        rows = twice.order_by("entity").limit(3).to_pyarrow().to_pylist()
        examples = listed(f"{r['entity']} ({iso(r['first'])} and {iso(r['last'])})" for r in rows)
        raise DataError(
            f"{source} lists {count:,} entities with different sign-ups",
            received=examples,
            allowed="one row per entity, or the same sign-up in each",
            remedy="keep one row per entity; which sign-up is right, the data cannot tell",
        )


def read_conversions(con: Connection, config: Config, entities: Table) -> Conversions:
    """Stage the first conversion of each entity as table `conversions`; there may be none."""
    spec = config.conversions
    raw = read_raw(con, spec.table, config.home, config.connection, name="raw_conversions")
    when = times(raw.column(spec.columns.time, "conversions.columns.time"), config.resolution)
    value = (
        number(raw.column(spec.columns.value, "conversions.columns.value"))
        if spec.columns.value
        else ibis.null("float64")
    )
    staged = con.create_table(
        "staged_conversions",
        raw.table.select(
            entity=identifier(raw.column(spec.columns.entity, "conversions.columns.entity")),
            time=when.instant,
            zoned=when.zoned,
            given=when.given,
            value=value,
        ),
    )
    if spec.table == config.entities.table:  # one wide table: who has no time has not converted
        staged = staged.filter(staged.given)
    known = entities.select("entity", known=ibis.literal(True))
    t = staged.left_join(known, "entity").drop("entity_right")
    counts = (
        t.aggregate(
            no_entity=t.count(where=t.entity.isnull()),
            unparsable_time=t.count(where=t.entity.notnull() & t.time.isnull()),
            unknown_entity=t.count(where=t.entity.notnull() & t.time.notnull() & t.known.isnull()),
            zoned=t.count(where=t.zoned),
            naive=t.count(where=~t.zoned),
            rows=t.count(),
        )
        .to_pyarrow()
        .to_pylist()[0]
    )
    refuse_mixed_zones(spec.table, spec.columns.time, counts.pop("zoned"), counts.pop("naive"))
    rows = counts.pop("rows")
    good = t.filter(t.entity.notnull() & t.time.notnull() & t.known.notnull())
    order = [good.time, good.value.desc(nulls_first=False)]  # of several at one time the largest
    place = ibis.row_number().over(ibis.window(group_by="entity", order_by=order))
    first = good.mutate(place=place).filter(lambda t: t.place == 0).select("entity", "time", "value")
    conversions = con.create_table("conversions", first)
    set_aside = {r: n for r, n in {"broken_line": raw.broken_lines, **counts}.items() if n}
    return Conversions(conversions, rows + raw.broken_lines, set_aside)


def no_conversions(source: str, conversions: Conversions) -> NotEnoughDataError | None:
    """What is to be said where there is not one conversion."""
    if _count(conversions.table):
        return None
    why = ", ".join(f"{n:,} {r}" for r, n in conversions.set_aside.items())
    return NotEnoughDataError(
        f"There are no conversions: {source} has {conversions.rows:,} rows and none can be used",
        received=why or "an empty table",
        remedy="check `conversions.columns`, and that its entity ids are those of the entities table",
    )


def _count(table: Table) -> int:
    return int(table.count().to_pyarrow().as_py())
