"""A product's raw tables in a warehouse, and what our engine says about the same product: both must agree."""

from __future__ import annotations

from typing import Any

import duckdb
import pandas as pd

from pql_model.config.definition import Definition
from pql_model.config.schema import Config
from pql_model.criteria.evaluate import definition_features, meets
from pql_model.criteria.sql_raw import table_names
from pql_model.features.table import feature_table
from pql_model.features.trait_columns import trait_name
from pql_model.snapshots.grid import scoring_grid
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import read_sources

Rows = list[dict[str, Any]]
_READERS = {"parquet": "read_parquet", "csv": "read_csv", "jsonl": "read_json_auto"}


def in_duckdb(config: Config) -> duckdb.DuckDBPyConnection:
    """The files of a product as views of an empty database, called as the SQL calls them."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    more = [spec for spec in (config.members, config.aliases, config.history) if spec is not None]
    tables = [t.table for t in (config.entities, config.conversions, *config.events, *more)]
    for table, name in table_names(tables).items():
        reader = next(r for ending, r in _READERS.items() if table.removesuffix(".gz").endswith(ending))
        con.execute(f"CREATE VIEW \"{name}\" AS SELECT * FROM {reader}('{config.home / table}')")
    return con


def asked(con: Any, sql: str) -> Rows:
    """The rows a statement gives, with numbers as floats."""
    cursor = con.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def judged(config: Config, definition: Definition, as_of: int) -> pd.DataFrame:
    """Everyone at risk as our engine sees them: `entity`, the features and traits, and `met`."""
    with open_session("1GB") as con:
        sources = read_sources(con, config, may_lack_conversions=True)
        grid = con.create_table("scoring_grid", scoring_grid(config, sources, as_of))
        at_risk = grid.filter(grid.reason.isnull())
        features = definition_features(definition)
        traits = {trait: trait_name(trait) for trait in sources.traits}
        table = feature_table(sources, at_risk, features, traits)
    return table.assign(met=meets(definition, table))


def who(rows: Rows) -> list[str]:
    """The entities of a result, which come first in every row."""
    return sorted(str(next(iter(row.values()))) for row in rows)
