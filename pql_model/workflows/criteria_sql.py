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
from pql_model.sources.schema_probe import probe_schema
from pql_model.workflows.report import list_criteria


@dataclass(frozen=True)
class SqlResult:
    """A definition and its statement."""

    dialect: str
    sql: str
    definition: Definition

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql criteria sql --json` prints."""
        return {"dialect": self.dialect, "sql": self.sql, "definition": definition_json(self.definition)}


def criteria_sql(
    config: Config | str | Path,
    *,
    dialect: str,
    as_of: InstantLike | None = None,
    definition: Definition | str | Path | None = None,
    listener: Listener | None = None,
) -> SqlResult:
    """One statement that lists the entities at risk that meet a definition, as `meets_definition` of `score` does.

    Parameters
    ----------
    dialect
        Whose SQL: duckdb, postgres, bigquery, snowflake, databricks, redshift or trino.
    as_of
        A date or ISO time; default: the moment the statement is run.
    definition
        A definition or a YAML file with one; default: the one in force (`definition:` of the config), or the
        champion's recommended one where none is in force.

    Raises
    ------
    DataError
        If the dialect is not known, `as_of` is no time, or the definition names what the tables do not have.
    ModelNotFoundError
        If no definition is given or in force, and there is no champion.

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
    dialect_of(dialect)  # refused before anything is read
    chosen, place = _chosen(config, definition)
    stages = Stages(listener)
    with stages("look at the tables"), open_session() as con:
        found = probe_schema(con, config)
    check_names(chosen, found.events, found.traits, place)
    return SqlResult(dialect, definition_sql(config, chosen, dialect, instant, found.columns), chosen)


def _chosen(config: Config, given: Definition | str | Path | None) -> tuple[Definition, str]:
    """The definition, and where it stands."""
    if isinstance(given, Definition):
        return given, "the definition"
    if given is not None:
        return load_definition(given), Path(given).name
    if config.definition is not None:
        return config.definition, "`definition:` in the config"
    found = list_criteria(config, model="champion")
    best = next((rule for rule in found.results["definitions"] if rule["recommended"]), None)
    if best is None:
        raise DataError(
            "There is no definition to write as SQL: none is in force, and training recommends none",
            received=f"version {found.model['version']}",
            remedy="bring one with `--definition FILE`, or put one under `definition:` in the config",
        )
    return Definition.model_validate(definition_keys(best)), "the definition of the champion"
