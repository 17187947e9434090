"""Traits compared between an earlier extract of the entities and the current one: a trait that changes has no date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pql_model.config.schema import Config
from pql_model.errors import DataError
from pql_model.sources.casts import identifier, number
from pql_model.sources.duckdb_session import Connection, fetch_row
from pql_model.sources.entities import trait_column
from pql_model.sources.files import read_raw
from pql_model.sources.id_columns import normalised
from pql_model.sources.read import Sources
from pql_model.sources.row_filter import select_rows

Column = Any


@dataclass(frozen=True)
class TraitChanges:
    """Changes of one trait between two extracts, among entities that occur in both and once in the earlier one.

    Attributes
    ----------
    trait
        Its name.
    converters, converters_changed
        Entities that converted, and how many of them have another value now.
    others, others_changed
        The same for entities that did not convert.
    """

    trait: str
    converters: int
    converters_changed: int
    others: int
    others_changed: int


def read_trait_changes(con: Connection, config: Config, sources: Sources, until: int) -> list[TraitChanges]:
    """Compare the traits with those of `entities.earlier`; an empty list where the config names none.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    sources : Sources
        Its data.
    until : int
        Count only sign-ups and conversions before this instant.

    Raises
    ------
    DataError
        If the two extracts share no entity or no trait.
    """
    earlier = config.entities.earlier
    if earlier is None:
        return []
    raw = read_raw(
        con, earlier.table, config.home, config.connection, f"raw_earlier_entities_{until}", config.entities.encoding
    )
    where = config.entities.where if earlier.where is None else earlier.where
    raw = select_rows(raw, where, "entities.earlier.where", config.resolution)
    entity = normalised(
        identifier(raw.column(config.entities.columns.entity, "entities.columns.entity")), config.normalise
    )
    traits = [trait for trait in sources.entities.traits if trait in raw.columns]
    then = raw.table.select(entity=entity, **{f"then_{i}": raw.column(t, "traits") for i, t in enumerate(traits)})
    once = then.group_by("entity").having(then.count() == 1).agg(**{c: then[c].first() for c in then.columns[1:]})
    paid = sources.conversions.table
    paid = paid.filter(paid.time < until).select("entity", paid="time")
    both = sources.entities.table.inner_join(once, "entity").left_join(paid, "entity")
    signed_up = both.signed_up.isnull() | (both.signed_up < until)
    converted, other = signed_up & both.paid.notnull(), signed_up & both.paid.isnull()
    sums = {"shared": both.count(), "converters": both.count(where=converted), "others": both.count(where=other)}
    for i, trait in enumerate(traits):
        changed = ~_same(both[trait_column(trait)], both[f"then_{i}"])
        sums |= {
            f"converters_{i}": both.count(where=converted & changed),
            f"others_{i}": both.count(where=other & changed),
        }
    counts = fetch_row(both.aggregate(**sums))
    if not traits or not counts["shared"]:
        raise DataError(
            f"{earlier.table} cannot be compared with {config.entities.table}: they share no {'entity' if traits else 'trait'}",
            received=f"columns {', '.join(raw.columns)}",
            remedy="set `entities.earlier` to an earlier extract of the same table, or remove the key",
        )
    return [
        TraitChanges(t, counts["converters"], counts[f"converters_{i}"], counts["others"], counts[f"others_{i}"])
        for i, t in enumerate(traits)
    ]


def _same(now: Column, then: Column) -> Column:
    """Whether two values are equal in any spelling: 3 is "3" and 3.0, and a missing value equals a missing one."""
    left, right = identifier(now), identifier(then)
    same = (left == right).fill_null(left.isnull() & right.isnull())
    numeric = all(c.type().is_numeric() or c.type().is_boolean() or c.type().is_string() for c in (now, then))
    return same | (number(now) == number(then)).fill_null(False) if numeric else same
