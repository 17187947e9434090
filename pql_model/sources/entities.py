"""The entities that can convert, with their traits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from pql_model.config.schema import Config
from pql_model.config.text_format import marks_of
from pql_model.errors import DataError, listed
from pql_model.sources.aliases import Aliases, resolve_entities
from pql_model.sources.casts import refuse_mixed_times, times
from pql_model.sources.duckdb_session import Connection, fetch_row, in_file_order, row_count
from pql_model.sources.events import REASONS
from pql_model.sources.files import RawTable, read_raw
from pql_model.sources.id_columns import refuse_lossy_ids, refuse_merged_entities, with_one_spelling
from pql_model.sources.id_lists import ids, with_each_id
from pql_model.sources.number_marks import compared_as_numbers, with_marks
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


def read_entities(con: Connection, config: Config, aliases: Aliases | None = None) -> Entities:
    """Stage the entities as table `entities`.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    aliases : Aliases, optional
        Merged users. Where users convert, the rows of one person are one entity: that of the id that counts, with the
        earliest sign-up of all.

    Raises
    ------
    DataError
        If no row is usable, an entity has several sign-up times, or columns are missing.
    """
    with in_file_order(con):
        raw, staged, unselected = _stage_entities(con, config, aliases)
    spec, traits = config.entities, checked_traits(config, raw)
    marks = [f"mark_{i}" for i in range(len(config.exclude.entities))]
    named = staged.entity.notnull()
    # freemium needs no sign-up, but a value that cannot be read differs from a missing one
    unreadable = staged.signed_up.isnull() & (staged.present if config.motion == "freemium" else ibis.literal(True))
    lost = fetch_row(
        staged.aggregate(
            no_entity=staged.count(where=~named),
            unparsable_time=staged.count(where=named & unreadable),
            **{mark: staged.count(where=staged[mark]) for mark in marks},
        )
    )
    refuse_mixed_times(staged, spec.table, {spec.columns.signed_up: ("signed_up", "has_offset")})
    usable = staged.filter(named & ~unreadable)
    _refuse_several_signups(usable, spec.table)
    entities = con.create_table("entities", _one_row_each(usable, marks, traits))
    count = row_count(entities)
    if not count:
        raise DataError(
            f"{spec.table} has no usable entity",
            received=_lost_rows(raw, spec.columns.signed_up, lost),
            remedy="check `entities.columns`, and the form of the times",
        )
    counts = {
        **raw.unread,
        "not_selected": raw.left_out,
        "no_entity": lost["no_entity"],
        "unparsable_time": lost["unparsable_time"],
        "merged": (own_ids := row_count(usable.select("own_id").distinct())) - count,
        "repeated": row_count(usable) - own_ids,
    }
    unmatched = [column for mark, column in zip(marks, config.exclude.entities, strict=True) if not lost[mark]]
    further = (
        *(f"`exclude.entities.{column}` matches no row of {spec.table}." for column in unmatched),
        *_warn_of_histories(config, raw.columns),
    )
    positions = usable.group_by("entity").agg(position=usable.position.min())
    set_aside = {reason: n for reason, n in counts.items() if n}
    return Entities(entities, traits, set_aside, (*raw.warnings, *further), positions, unselected)


def _warn_of_histories(config: Config, columns: Iterable[str]) -> list[str]:
    replaced = [column for column in columns if has_history(config, column)]
    if config.history is None or not replaced:
        return []
    return [
        f"{config.history.table} states {listed(replaced)} over time: the values in {config.entities.table} are not used."
    ]


def _lost_rows(raw: RawTable, signed_up: str | None, lost: Mapping[str, int]) -> str:
    """Say why no row is usable, with a sign-up that cannot be read."""
    reasons = [f"{lost[r]:,} {r} ({REASONS[r]})" for r in ("no_entity", "unparsable_time") if lost[r]]
    if lost["unparsable_time"] and signed_up is not None:
        column = raw.column(signed_up, "entities.columns.signed_up")
        example = raw.table.filter(column.notnull()).select(text=column.cast("string")).limit(1).to_pyarrow()["text"]
        reasons += [f"`{signed_up}` holds `{str(text)[:40]}`" for text in example]
    return ", ".join(reasons) or "no rows"


def _stage_entities(con: Connection, config: Config, aliases: Aliases | None) -> tuple[RawTable, Table, Table | None]:
    """Stage the raw table and its columns as we read them, and the ids of the rows that are not selected."""
    spec = config.entities
    everything = read_raw(con, spec.table, config.home, config.connection, name="raw_entities", encoding=spec.encoding)
    refuse_lossy_ids(everything, {spec.columns.entity: "entities.columns.entity"})
    numbers = compared_as_numbers(spec.where, "entities.where")
    everything = with_marks(everything, marks_of(spec), numbers, checked_traits(config, everything))
    raw = select_rows(everything, spec.where, "entities.where", config.resolution)
    everyone = None
    if raw.left_out:
        everyone = everything.table.select(
            entity=ids(everything.column(spec.columns.entity, "entities.columns.entity"))
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
            entity=ids(raw.column(spec.columns.entity, "entities.columns.entity")),
            signed_up=signup.instant if signup else ibis.null("int64"),
            present=signup.present if signup else ibis.literal(False),
            has_offset=signup.has_offset if signup else ibis.null("boolean"),
            **marks,
            **{trait_column(t): raw.column(t, "entities.traits") for t in checked_traits(config, raw)},
        ),
    )
    staged = with_own_id(con, staged, "staged_entities", config, aliases)
    unselected = None
    if everyone is not None:
        everyone = with_own_id(con, everyone, "listed_entities", config, aliases).select("entity")
        others = everyone.filter(everyone.entity.notnull()).distinct().anti_join(staged, "entity")
        unselected = con.create_table("unselected_entities", others)
    return raw, staged, unselected


def with_own_id(con: Connection, table: Table, name: str, config: Config, aliases: Aliases | None) -> Table:
    """One row for each id of a list, and `entity` resolved where users convert; `own_id` is the id before that."""
    table = with_each_id(con, table, name, "entity")
    refuse_merged_entities(config.entities.table, table, config.normalise)
    table = with_one_spelling(table, config.normalise)
    table = table.mutate(own_id=table.entity)
    return resolve_entities(table, aliases, config)


def configured_traits(config: Config, columns: Iterable[str]) -> tuple[str, ...]:
    """List the traits of the config; by default every column without another use."""
    spec, paid = config.entities, config.conversions
    used = {spec.columns.entity, spec.columns.signed_up}
    if paid.table == spec.table:  # one wide table: the columns of the payment are not traits
        used |= {paid.columns.entity, paid.columns.time, paid.columns.value, paid.columns.refunded, *paid.where}
        used |= {paid.columns.start, paid.columns.canceled}
    traits = spec.traits if spec.traits is not None else [c for c in columns if c not in used]
    return tuple(trait for trait in traits if not has_history(config, trait))


def has_history(config: Config, trait: str) -> bool:
    """Whether a trait is read from `history`: its present value in the entities table was not known earlier."""
    return config.history is not None and trait.lower() in map(str.lower, config.history.traits)


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
    order.insert(0, (rows.own_id == rows.entity).desc())  # of merged users, the row of the id that counts
    rank = ibis.row_number().over(ibis.window(group_by="entity", order_by=order))
    first = rows.mutate(rank=rank).filter(lambda t: t.rank == 0).select(*columns)
    # another row may have the sign-up, or be excluded
    of_all = rows.group_by("entity").agg(earliest=rows.signed_up.min(), any_excluded=rows.excluded.any())
    first = first.join(of_all, "entity")
    return first.mutate(signed_up=first.earliest, excluded=first.any_excluded).select(*columns)


def _refuse_several_signups(rows: Table, source: str) -> None:
    signups = rows.group_by(entity="own_id").agg(first=rows.signed_up.min(), last=rows.signed_up.max())
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
