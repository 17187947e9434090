"""Which entities have converted, read without the events."""

from __future__ import annotations

from pql_model.config.schema import Config
from pql_model.sources.aliases import read_aliases
from pql_model.sources.conversions import read_conversions
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.entities import read_entities


def converted_entities(con: Connection, config: Config, instant: int) -> set[str]:
    """Read who converted at an instant or before. Dates that lie in its future are plans.

    Raises
    ------
    DataError
        If the tables of entities or conversions cannot be read.
    """
    aliases = read_aliases(con, config)
    conversions = read_conversions(con, config, read_entities(con, config, aliases), aliases).table
    past = conversions.filter(conversions.time <= instant).select(entity=conversions.entity.cast("string"))
    return set(past.to_pyarrow()["entity"].to_pylist())
