"""`pql criteria ...`: list, test and export definitions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import pql_model
from pql_model.cli.common import AnyModelOption, ConfigOption, JsonOption, emit, err
from pql_model.cli.progress import Bars
from pql_model.cli.show_criteria import show_criteria_list, show_definition
from pql_model.cli.tables import say
from pql_model.errors import listed

criteria = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Written PQL definitions: what training found, tests of your own, and their export to a warehouse or CRM.",
)

DialectOption = Annotated[
    str,
    typer.Option(help="SQL dialect: duckdb, postgres, bigquery, snowflake, databricks, redshift or trino."),
]
DefinitionOption = Annotated[
    Path | None,
    typer.Option(
        help="A YAML file with a definition. Default: the one that the champion recommends, else the one in force."
    ),
]


@criteria.command("list")
def list_(
    config: ConfigOption = Path("pql.yaml"),
    model: AnyModelOption = None,
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print YAML. Its `definition:` can be copied into `pql.yaml` as it stands.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the criteria and definitions that training found, with their results on later accounts.

    They were chosen on earlier accounts and tested once on later ones, which the choice did not use. The definition
    in force is listed with them.
    """
    result = pql_model.list_criteria(config, model=model)
    if as_yaml and not as_json:
        sys.stdout.write(result.to_yaml())
    else:
        emit(result, as_json, show_criteria_list)


@criteria.command("test")
def evaluate(
    file: Annotated[Path, typer.Argument(help="A YAML file with `all:`, `any:` or `at_least_k:` and `of:`.")],
    config: ConfigOption = Path("pql.yaml"),
    as_json: JsonOption = False,
) -> None:
    """Test a definition on the data of this `pql.yaml`: who meets it, and how many of them converted. Needs no model.

    The file holds a definition, bare or under the key `definition:`, such as
    `all: [{event: Teammate Invited, at_least: 2, within: first 7d}]`. Its windows need not be listed in the config. If
    the definition was chosen on these data, read the figures of the later accounts.
    """
    with Bars(err) as bars:
        result = pql_model.test_criteria(config, file, listener=bars)
    emit(result, as_json, show_definition)


@criteria.command()
def sql(
    dialect: DialectOption,
    config: ConfigOption = Path("pql.yaml"),
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Date or time to evaluate at. Default: when the statement is run."),
    ] = None,
    definition: DefinitionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a definition as one SQL statement. Its first column is the entity; the others are the numbers that the conditions compare.

    The statement reads the tables that `pql.yaml` names, files by their stem (`data/events.parquet` is `events`), and
    returns the same entities as `meets_definition` of `pql score`: those who meet the definition that the champion recommends.
    The comment on top says what the tables must be, and how the definition in force stands.
    """
    with Bars(err) as bars:
        result = pql_model.criteria_sql(config, dialect=dialect, as_of=as_of, definition=definition, listener=bars)
    emit(result, as_json, _show_sql)


@criteria.command()
def dbt(
    dialect: DialectOption,
    config: ConfigOption = Path("pql.yaml"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the dbt project; default: dbt beside the config.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model; default: pql_ and the product.")] = None,
    definition: DefinitionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a definition as a dbt model: `models/NAME.sql`, and `models/NAME.yml` with its sources, columns and tests.

    `dbt build --select NAME` then makes a table of the same rows as `pql criteria sql`, as of now, or of the variable
    `as_of`: `--vars 'as_of: 2026-01-31'`. Nothing is sent.
    """
    with Bars(err) as bars:
        result = pql_model.criteria_dbt(
            config, dialect=dialect, output=output, name=name, definition=definition, listener=bars
        )
    emit(result, as_json, _show_dbt)


@criteria.command()
def hubspot(
    config: ConfigOption = Path("pql.yaml"),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .json file; default: hubspot_list.json beside the config."),
    ] = None,
    definition: DefinitionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a definition as a draft of a HubSpot list, with the custom properties that it reads. Nothing is sent.

    The file holds the bodies of two requests of HubSpot's API, and the feature that each property must be filled with.
    """
    with Bars(err) as bars:
        result = pql_model.criteria_hubspot(config, output=output, definition=definition, listener=bars)
    emit(result, as_json, _show_hubspot)


def _show_dbt(console: Console, payload: dict[str, Any]) -> None:
    say(
        console, f"Wrote {' and '.join(payload['files'])}. Run `dbt build --select {payload['model']}` in that project."
    )


def _show_hubspot(console: Console, payload: dict[str, Any]) -> None:
    names = [str(each["name"]) for each in payload["properties"]["inputs"]]
    say(console, f"Wrote {payload['output']}. Nothing was sent. Its list reads: {listed(names)}.")


def _show_sql(_: Console, payload: dict[str, Any]) -> None:
    sys.stdout.write(payload["sql"])  # unchanged: a console would wrap its lines
