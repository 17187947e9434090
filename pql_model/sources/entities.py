"""The entities that can convert, with their traits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.errors import DataError, listed
from pql_model.sources.casts import identifier, refuse_mixed_offsets, times
from pql_model.sources.duckdb_session import Connection, fetch_row, in_file_order, row_count
from pql_model.sources.files import RawTable, read_raw
from pql_model.sources.row_filter import one_of, select_rows
from pql_model.time import iso

Table = Any
Column = Any


@dataclass(frozen=True)
class Entities:
    """The entities of a product.

    Attributes
    ----------
    table
        entity, signed_up (microseconds, null where unknown), excluded (bool), `trait_*` unconverted. One row per entity.
    traits
        Names of the traits.
    set_aside
        Reason -> rows that cannot be used.
    warnings
        Sentences a person should read.
    positions
        entity and `position`, that of its first row in the file; null, or no table, where rows have no order.
    unselected
        entity: those that are listed only in rows that `where:` does not select; None where it selects all rows.
    """

    table: Table
    traits: tuple[str, ...]
    set_aside: dict[str, int]
    warnings: tuple[str, ...] = ()
    positions: Table | None = None
    unselected: Table | None = None

    @property
    def roster(self) -> Table:
        """Every listed entity: entity, signed_up, and whether it is `selected` by `where:`."""
        selected = self.table.select("entity", "signed_up", selected=ibis.literal(True))
        if self.unselected is None:
            return selected
        others = self.unselected.select("entity", signed_up=ibis.null("int64"), selected=ibis.literal(False))
        return selected.union(others)


def trait_column(name: str) -> str:
    """Name the column that holds a trait, so that it never collides with a column of ours."""
    return f"trait_{name}"


def read_entities(con: Connection, config: Config) -> Entities:
    """Stage the entities as table `entities`.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.

    Raises
    ------
    DataError
        If no row is usable, an entity has several sign-up times, or columns are missing.
    """
    with in_file_order(con):
        raw, staged, unselected = _stage_entities(con, config)
    spec, traits = config.entities, checked_traits(config, raw)
    marks = [f"mark_{i}" for i in range(len(config.exclude.entities))]
    named = staged.entity.notnull()
    # freemium needs no sign-up, but a value that cannot be read differs from a missing one
    unreadable = staged.signed_up.isnull() & (staged.present if config.motion == "freemium" else ibis.literal(True))
    lost = fetch_row(
        staged.aggregate(
            no_entity=staged.count(where=~named),
            unparsable_time=staged.count(where=named & unreadable),
            with_offset=staged.count(where=staged.signed_up.notnull() & staged.has_offset),
            naive=staged.count(where=staged.signed_up.notnull() & ~staged.has_offset),
            **{mark: staged.count(where=staged[mark]) for mark in marks},
        )
    )
    refuse_mixed_offsets(spec.table, str(spec.columns.signed_up), lost["with_offset"], lost["naive"])
    usable = staged.filter(named & ~unreadable)
    _refuse_several_signups(usable, spec.table)
    entities = con.create_table("entities", _one_row_each(usable, marks, traits))
    count = row_count(entities)
    if not count:
        raise DataError(
            f"{spec.table} has no usable entity",
            received=", ".join(f"{lost[r]:,} {r}" for r in ("no_entity", "unparsable_time") if lost[r]) or "no rows",
            remedy="check `entities.columns`",
        )
    counts = {
        "broken_line": raw.broken_lines,
        "not_selected": raw.left_out,
        "no_entity": lost["no_entity"],
        "unparsable_time": lost["unparsable_time"],
        "repeated": row_count(usable) - count,
    }
    unmatched = [column for mark, column in zip(marks, config.exclude.entities, strict=True) if not lost[mark]]
    unmatched_warnings = [f"`exclude.entities.{column}` matches no row of {spec.table}." for column in unmatched]
    positions = usable.group_by("entity").agg(position=usable.position.min())
    set_aside = {reason: n for reason, n in counts.items() if n}
    return Entities(entities, traits, set_aside, (*raw.warnings, *unmatched_warnings), positions, unselected)


def _stage_entities(con: Connection, config: Config) -> tuple[RawTable, Table, Table | None]:
    """Stage the raw table and its columns as we read them, and the ids of the rows that are not selected."""
    spec = config.entities
    everything = read_raw(con, spec.table, config.home, config.connection, name="raw_entities")
    raw = select_rows(everything, spec.where, "entities.where", config.resolution)
    ids = None
    if raw.left_out:
        ids = everything.table.select(
            entity=identifier(everything.column(spec.columns.entity, "entities.columns.entity"))
        )
    signup = None
    if spec.columns.signed_up is not None:
        signup = times(raw.column(spec.columns.signed_up, "entities.columns.signed_up"), config.resolution)
    marks = {
        f"mark_{i}": one_of(raw.column(column, f"exclude.entities.{column}"), values)
        for i, (column, values) in enumerate(config.exclude.entities.items())
    }
    staged = con.create_table(
        "staged_entities",
        raw.table.select(
            position=ibis.row_number() if raw.in_order else ibis.null("int64"),
            entity=identifier(raw.column(spec.columns.entity, "entities.columns.entity")),
            signed_up=signup.instant if signup else ibis.null("int64"),
            present=signup.present if signup else ibis.literal(False),
            has_offset=signup.has_offset if signup else ibis.null("boolean"),
            **marks,
            **{trait_column(t): raw.column(t, "entities.traits") for t in checked_traits(config, raw)},
        ),
    )
    unselected = None
    if ids is not None:
        others = ids.filter(ids.entity.notnull()).distinct().anti_join(staged, "entity")
        unselected = con.create_table("unselected_entities", others)
    return raw, staged, unselected


def configured_traits(config: Config, columns: Iterable[str]) -> tuple[str, ...]:
    """List the traits of the config; by default every column without another use."""
    spec, paid = config.entities, config.conversions
    used = {spec.columns.entity, spec.columns.signed_up}
    if paid.table == spec.table:  # one wide table: the columns of the payment are not traits
        used |= {paid.columns.entity, paid.columns.time, paid.columns.value, paid.columns.refunded, *paid.where}
        used |= {paid.columns.start, paid.columns.canceled}
    return tuple(spec.traits if spec.traits is not None else [c for c in columns if c not in used])


def checked_traits(config: Config, raw: RawTable) -> tuple[str, ...]:
    """List the traits, and refuse two that differ only in case."""
    spec, traits = config.entities, configured_traits(config, raw.columns)
    lower = [trait.lower() for trait in traits]
    if alike := sorted(trait for trait in traits if lower.count(trait.lower()) > 1):
        raise DataError(
            f"Columns of {spec.table} differ only in case: {listed(alike)}",
            remedy="list the ones to use under `entities.traits`",
        )
    return traits


def _one_row_each(rows: Table, marks: Sequence[str], traits: Sequence[str]) -> Table:
    """Keep one row per entity, independent of the order of the rows; excluded if any of its rows is."""
    excluded = ibis.literal(False)
    for mark in marks:
        excluded = excluded | rows[mark]
    rows = rows.mutate(excluded=excluded)
    columns = ["entity", "signed_up", "excluded", *map(trait_column, traits)]
    order = [rows[c].desc() if c == "excluded" else rows[c] for c in columns[1:] if not rows[c].type().is_nested()]
    rank = ibis.row_number().over(ibis.window(group_by="entity", order_by=order))
    first = rows.mutate(rank=rank).filter(lambda t: t.rank == 0).select(*columns)
    signups = rows.group_by("entity").agg(latest=rows.signed_up.max())  # another row may have the sign-up
    return first.join(signups, "entity").mutate(signed_up=lambda t: t.latest).select(*columns)


def _refuse_several_signups(rows: Table, source: str) -> None:
    signups = rows.group_by("entity").agg(first=rows.signed_up.min(), last=rows.signed_up.max())
    several = signups.filter(signups["first"] < signups["last"])
    if count := row_count(several):
        rows = several.order_by("entity").limit(3).to_pyarrow().to_pylist()
        examples = ", ".join(f"{r['entity']} ({iso(r['first'])} and {iso(r['last'])})" for r in rows)
        raise DataError(
            f"{source} has several sign-up times per entity",
            received=f"{examples}{f' and {count - 3:,} more' if count > 3 else ''}",
            allowed="one row per entity, or the same sign-up time in each of its rows",
            remedy="keep one row per entity; the data do not say which sign-up time is right",
        )
