"""What the SQL of a definition cannot repeat, refused before a statement is written."""

from __future__ import annotations

from collections.abc import Mapping

from pql_model.config.definition import Definition, unreadable
from pql_model.config.schema import Config
from pql_model.config.text_format import marks_of
from pql_model.criteria.evaluate import check_names
from pql_model.errors import DataError, listed
from pql_model.sources.events import value_names


def check_forms(config: Config) -> None:
    """Refuse what the config does to the text of the tables and the statement cannot repeat.

    Raises
    ------
    DataError
        With the keys.
    """
    marks = [marks_of(config.entities), marks_of(config.conversions), *(marks_of(table) for table in config.events)]
    keys = [
        *(["normalise"] if config.normalise else []),
        *(["decimal, thousands"] if any(each is not None and not each.plain for each in marks) else []),
        *(["drop_repeats"] if any(table.drop_repeats for table in config.events) else []),
    ]
    if keys:
        raise DataError(
            "The config changes values of the tables in a way that the SQL cannot repeat",
            received=", ".join(f"`{key}`" for key in keys),
            allowed="tables whose ids, numbers and rows can be read as they are",
            remedy="load cleaned tables into the warehouse, and write the SQL from a config without these keys",
        )


def check_mapped(config: Config, definition: Definition) -> None:
    """Refuse a definition that reads what the config does not map, or what the SQL cannot read.

    Raises
    ------
    DataError
        With what is missing.
    """
    if config.aliases is not None and config.entity == "user":
        raise DataError(
            "The SQL cannot merge entities: with `entity: user`, an alias of `aliases` is itself an entity",
            received="entity: user, aliases",
            remedy="write SQL for tables in which merged users already have one id, and a config without `aliases`",
        )
    has_signup = config.entities.columns.signed_up is not None
    faults = list(unreadable(definition, value_names(config.events), has_signup))
    if faults:
        raise DataError("; ".join(faults), remedy="correct the definition, or map the column in the config")
    events = [n for t in config.events for n in (*([t.event] if t.event else []), *(t.counts or {}))]
    any_name = any(table.columns.event is not None for table in config.events)
    for trait in [trait for criterion in definition.criteria for trait in criterion.traits]:
        if trait in config.dated_names and trait not in changing_traits(config):
            raise DataError(
                f"The definition reads the dated column `{trait}`, which the SQL cannot read",
                received=trait,
                allowed="events, and traits of the entities table",
                remedy="write SQL for a definition without it",
            )
    traits = config.entities.traits
    traits = [*traits, *changing_traits(config)] if traits is not None else None
    check_names(definition, None if any_name else events, traits, "the definition", lack="the config does not")


def check_lists(config: Config, lists: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse lists of ids that the statement cannot read: it would silently find nobody."""
    unreadable_tables = {
        spec.table for spec in (config.entities, config.conversions) if spec.columns.entity in lists.get(spec.table, {})
    }
    unreadable_tables |= {table for table, forms in lists.items() if "other" in forms.values()}
    if unreadable_tables:
        raise DataError(
            f"The SQL cannot read the lists of ids in {listed(sorted(unreadable_tables))}",
            allowed="JSON lists or arrays in tables of events, and single ids elsewhere",
            remedy="load one row for each id of a list",
        )


def changing_traits(config: Config) -> list[str]:
    """The traits that change."""
    return config.history.traits if config.history is not None else []
