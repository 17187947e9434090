"""Who can convert, what is known of them, and who did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.errors import DataError, NotEnoughDataError, listed
from pql_model.sources.files import read_raw
from pql_model.sources.values import identifier, number, refuse_mixed_zones, text, times
from pql_model.sources.workbench import Connection
from pql_model.windows import iso

Table = Any


@dataclass(frozen=True)
class Entities:
    """`table`: entity, signed_up (microseconds, null where unknown), excluded (bool), `trait_*` as they came."""

    table: Table
    traits: tuple[str, ...]
    set_aside: dict[str, int]


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
    spec = config.entities
    raw = read_raw(con, spec.table, config.home, config.connection, name="raw_entities")
    signup = None
    if spec.columns.signed_up is not None:
        signup = times(raw.column(spec.columns.signed_up, "entities.columns.signed_up"), config.resolution)
    own = {spec.columns.entity, spec.columns.signed_up}
    traits = tuple(spec.traits if spec.traits is not None else [c for c in raw.columns if c not in own])
    excluded = ibis.literal(False)
    for column, values in config.exclude.entities.items():
        there = text(raw.column(column, f"exclude.entities.{column}")).isin(values)
        excluded = excluded | there.fill_null(False)
    staged = con.create_table(
        "staged_entities",
        raw.table.select(
            entity=identifier(raw.column(spec.columns.entity, "entities.columns.entity")),
            signed_up=signup.instant if signup else ibis.null("int64"),
            zoned=signup.zoned if signup else ibis.null("boolean"),
            excluded=excluded,
            **{trait_column(t): raw.column(t, "entities.traits") for t in traits},
        ),
    )
    _refuse_several_signups(staged, spec.table)
    lost = staged.aggregate(
        no_entity=staged.count(where=staged.entity.isnull()),
        unparsable_time=staged.count(where=staged.entity.notnull() & staged.signed_up.isnull()),
        zoned=staged.count(where=staged.zoned), naive=staged.count(where=~staged.zoned),
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    refuse_mixed_zones(spec.table, str(spec.columns.signed_up), lost["zoned"], lost["naive"])
    usable = staged.entity.notnull()
    if config.motion == "trial":
        usable = usable & staged.signed_up.notnull()
    good = staged.filter(usable).drop("zoned")
    order = [good[c] for c in good.columns if c != "entity" and not good[c].type().is_nested()]
    good = good.mutate(place=ibis.row_number().over(ibis.window(group_by="entity", order_by=order)))
    entities = con.create_table("entities", good.filter(good.place == 0).drop("place"))
    kept, usable_rows = _count(entities), _count(good)
    if not kept:
        raise DataError(
            f"{spec.table} lists no usable entity",
            received=f"{_count(staged):,} rows",
            remedy="check `entities.columns`",
        )
    counts = {
        "broken_line": raw.broken_lines,
        "no_entity": lost["no_entity"],
        "unparsable_time": lost["unparsable_time"] if config.motion == "trial" else 0,
        "repeated": usable_rows - kept,
    }
    return Entities(entities, traits, {reason: n for reason, n in counts.items() if n})


def _refuse_several_signups(staged: Table, source: str) -> None:
    named = staged.filter(staged.entity.notnull())
    twice = named.group_by("entity").agg(
        first=named.signed_up.min(), last=named.signed_up.max()
    )  # fmt: skip
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
    """Stage the first conversion of each entity as table `conversions`.

    Raises
    ------
    NotEnoughDataError
        If there is none.
    """
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
            time=when.instant, zoned=when.zoned, value=value,
        ),
    )  # fmt: skip
    known = entities.select("entity", known=ibis.literal(True))
    t = staged.left_join(known, "entity").drop("entity_right")
    counts = t.aggregate(
        no_entity=t.count(where=t.entity.isnull()),
        unparsable_time=t.count(where=t.entity.notnull() & t.time.isnull()),
        unknown_entity=t.count(where=t.entity.notnull() & t.time.notnull() & t.known.isnull()),
        zoned=t.count(where=t.zoned), naive=t.count(where=~t.zoned), rows=t.count(),
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    refuse_mixed_zones(spec.table, spec.columns.time, counts.pop("zoned"), counts.pop("naive"))
    rows = counts.pop("rows")
    good = t.filter(t.entity.notnull() & t.time.notnull() & t.known.notnull())
    first = good.group_by("entity").agg(time=good.time.min(), value=good.value.argmin(good.time))
    conversions = con.create_table("conversions", first)
    set_aside = {r: n for r, n in {"broken_line": raw.broken_lines, **counts}.items() if n}
    if not _count(conversions):
        why = ", ".join(f"{n:,} {r}" for r, n in set_aside.items())
        raise NotEnoughDataError(
            f"There are no conversions: {spec.table} has {rows:,} rows and none can be used",
            received=why or "an empty table",
            remedy="check `conversions.columns`, and that its entity ids are those of the entities table",
        )
    return Conversions(conversions, rows + raw.broken_lines, set_aside)


def _count(table: Table) -> int:
    return int(table.count().to_pyarrow().as_py())
