"""`pql criteria sql`: a definition as one SQL statement for a warehouse that holds the same tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pql_model.config.definition import Definition
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import load_config, load_definition
from pql_model.config.schema import Config
from pql_model.criteria.definition_text import definition_json
from pql_model.criteria.evaluate import check_names
from pql_model.criteria.sql import definition_statement
from pql_model.criteria.sql_dialects import dialect_of
from pql_model.criteria.sql_header import comment
from pql_model.decide.decider import Decider
from pql_model.errors import DataError
from pql_model.payload import select_attributes
from pql_model.progress import Listener, Stages
from pql_model.registry.connection import has_store
from pql_model.registry.tracking import RegisteredModel, Tracking
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.schema_probe import ProbedSchema, probe_schema


@dataclass(frozen=True)
class ChosenDefinition:
    """The definition to export.

    Attributes
    ----------
    source
        `given`, `recommended` (by the champion) or `in_force`.
    place
        Where it is written, for errors.
    beside
        How the definition in force stands, in a sentence; None where no champion has judged it.
    """

    definition: Definition
    source: Literal["given", "recommended", "in_force"]
    place: str
    beside: str | None = None


@dataclass(frozen=True)
class SqlResult:
    """A definition and its SQL statement."""

    dialect: str
    sql: str
    chosen: ChosenDefinition

    @property
    def definition(self) -> Definition:
        return self.chosen.definition

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `pql criteria sql --json` prints."""
        definition = definition_json(self.definition)
        return {
            "dialect": self.dialect,
            "sql": self.sql,
            "definition": definition,
            **select_attributes(self.chosen, "source", in_force="beside"),
        }


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
        A definition or a YAML file with one; default: the one that the champion recommends, or the one in force
        (`definition:` of the config) where there is none.
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
    chosen, schema = checked_definition(config, definition, listener)
    statement = definition_statement(config, chosen.definition, dialect, instant, schema.columns, schema.lists)
    if chosen.beside is not None:
        statement = replace(statement, comment=f"{statement.comment}\n{comment([chosen.beside])}")
    return SqlResult(dialect, statement.text(), chosen)


def checked_definition(
    config: Config, definition: Definition | str | Path | None, listener: Listener | None
) -> tuple[ChosenDefinition, ProbedSchema]:
    """Choose the definition to export, and check that the tables hold the events and traits it names.

    Raises
    ------
    DataError
        If they do not.
    ModelNotFoundError
        If no definition is passed or in force, and there is no champion.
    """
    chosen = _choose(config, definition)
    with Stages(listener)("look at the tables"), open_session() as con:
        schema = probe_schema(con, config)
    check_names(chosen.definition, schema.events, [*schema.traits, *config.dated_names], chosen.place)
    return chosen, schema


def _choose(config: Config, definition: Definition | str | Path | None) -> ChosenDefinition:
    if isinstance(definition, Definition):
        return ChosenDefinition(definition, "given", "the definition")
    if definition is not None:
        return ChosenDefinition(load_definition(definition), "given", Path(definition).name)
    champion = _champion(config)
    decider = Decider.of_facts(champion.model.facts) if champion is not None else None
    beside = _in_force_text(decider) if decider is not None else None
    if decider is not None and decider.recommended is not None:
        return ChosenDefinition(decider.recommended.definition, "recommended", "the definition of the champion", beside)
    if config.definition is not None:
        return ChosenDefinition(config.definition, "in_force", "`definition:` in the config", beside)
    raise DataError(
        "There is no definition to write as SQL: none is in force, and the champion recommends none",
        received=f"version {champion.version}" if champion is not None else "no model",
        remedy="pass one with `--definition FILE`, or add one under `definition:` in the config",
    )


def _champion(config: Config) -> RegisteredModel | None:
    """The champion. Where a definition is in force, a product that was never trained needs none."""
    if config.definition is None:
        return Tracking(config).load()
    return Tracking(config).load_if_registered() if has_store(config) else None


def _in_force_text(decider: Decider) -> str | None:
    """How the definition in force stood when the champion was trained."""
    verdict = decider.in_force_verdict
    if verdict is None or decider.in_force is None:
        return None
    return f"The definition in force ({decider.in_force.text}) is judged: {verdict.verdict}. {verdict.sentence}"
