"""`pql criteria sql`: a definition as one SQL statement for a warehouse that holds the same tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model.config.definition import Definition, definition_keys
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import load_config, load_definition
from pql_model.config.schema import Config
from pql_model.criteria.definition_text import definition_json
from pql_model.criteria.evaluate import check_names
from pql_model.criteria.sql import definition_sql
from pql_model.criteria.sql_dialects import dialect_of
from pql_model.errors import DataError
from pql_model.progress import Listener, Stages
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.schema_probe import ProbedSchema, probe_schema
from pql_model.workflows.report import list_criteria


@dataclass(frozen=True)
class SqlResult:
    """A definition and its SQL statement."""

    dialect: str
    sql: str
    definition: Definition

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `pql criteria sql --json` prints."""
        return {"dialect": self.dialect, "sql": self.sql, "definition": definition_json(self.definition)}


def criteria_sql(
    config: Config | str | Path,
    *,
    dialect: str,
    as_of: InstantLike | None = None,
    definition: Definition | str | Path | None = None,
    listener: Listener | None = None,
) -> SqlResult:
    """Write one statement that returns the entities at risk that meet a definition, as `meets_definition` of `score` does.

    Parameters
    ----------
    config : Config or path
    dialect : str
        duckdb, postgres, bigquery, snowflake, databricks, redshift or trino.
    as_of : str, optional
        A date or ISO time; default: the moment the statement runs.
    definition : Definition or path, optional
        A definition or a YAML file with one; default: the one in force (`definition:` of the config), or the
        recommended one of the champion if none is in force.
    listener : Listener, optional
        Receives progress.

    Raises
    ------
    DataError
        If the dialect is unknown, `as_of` is not a time, or the definition names an event or trait that the tables lack.
    ModelNotFoundError
        If no definition is passed or in force, and there is no champion.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=100)
    >>> result = criteria_sql(folder / "pql.yaml", dialect="postgres", as_of="2025-11-20")
    >>> print(result.sql.splitlines()[1])
    --   at least 2 `Board Created` in the first 14 days
    """
    config = config if isinstance(config, Config) else load_config(config)
    instant = read_optional_instant(as_of)
    dialect_of(dialect)  # rejected before anything is read
    resolved, schema = checked_definition(config, definition, listener)
    sql = definition_sql(config, resolved, dialect, instant, schema.columns, schema.lists)
    return SqlResult(dialect, sql, resolved)


def checked_definition(
    config: Config, definition: Definition | str | Path | None, listener: Listener | None
) -> tuple[Definition, ProbedSchema]:
    """Choose the definition to export, and check that the tables hold the events and traits it names.

    Raises
    ------
    DataError
        If they do not.
    ModelNotFoundError
        If no definition is passed or in force, and there is no champion.
    """
    resolved, place = _choose(config, definition)
    with Stages(listener)("look at the tables"), open_session() as con:
        schema = probe_schema(con, config)
    check_names(resolved, schema.events, [*schema.traits, *config.dated_names], place)
    return resolved, schema


def _choose(config: Config, definition: Definition | str | Path | None) -> tuple[Definition, str]:
    """The definition, and where it is written."""
    if isinstance(definition, Definition):
        return definition, "the definition"
    if definition is not None:
        return load_definition(definition), Path(definition).name
    if config.definition is not None:
        return config.definition, "`definition:` in the config"
    criteria = list_criteria(config, model="champion")
    best = next((entry for entry in criteria.results["definitions"] if entry["recommended"]), None)
    if best is None:
        raise DataError(
            "There is no definition to write as SQL: none is in force, and the champion recommends none",
            received=f"version {criteria.model['version']}",
            remedy="pass one with `--definition FILE`, or add one under `definition:` in the config",
        )
    return Definition.model_validate(definition_keys(best)), "the definition of the champion"
