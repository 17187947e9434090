"""`pql criteria ...`: rules that people can read, tested on the data of a product."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import pql_model
from pql_model.cli.common import AnyModelOption, ConfigOption, JsonOption, err, out, printed
from pql_model.cli.progress import Bars

criteria = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Criteria people can argue about: written rules, and what came of the accounts that met them.",
)


@criteria.command("list")
def show(
    config: ConfigOption = Path("pql.yaml"),
    model: AnyModelOption = None,
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print YAML; its `definition:` can be put into `pql.yaml` as it stands.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """The criteria and definitions that the training found, with what came of later accounts that met them.

    They were found on earlier accounts and tested once on later ones, which played no part in finding them. The rule in
    force stands on the same table.
    """
    from pql_model.cli.show_found import show_found

    found = pql_model.list_criteria(config, model=model)
    if printed(found.to_dict(), as_json):
        return
    if as_yaml:
        sys.stdout.write(found.as_yaml())
    else:
        show_found(out, found.to_dict())


@criteria.command("test")
def judge(
    file: Annotated[Path, typer.Argument(help="A YAML file with `all:`, `any:` or `at_least_k:` and `of:`.")],
    config: ConfigOption = Path("pql.yaml"),
    as_json: JsonOption = False,
) -> None:
    """Test any definition on the data of this `pql.yaml`: who meets it, how many of them converted. Needs no model.

    The file holds a definition, bare or under the key `definition:`, such as
    `all: [{event: Teammate Invited, at_least: 2, within: first 7d}]`. Windows that the config does not list are computed
    all the same. If the rule was found on these data, the later figures are the ones to read.
    """
    from pql_model.cli.show_criteria import show_definition

    with Bars(err) as bars:
        payload = pql_model.test_criteria(config, file, listener=bars).to_dict()
    if not printed(payload, as_json):
        show_definition(out, payload)


@criteria.command()
def sql(
    dialect: Annotated[
        str, typer.Option(help="Whose SQL: duckdb, postgres, bigquery, snowflake, databricks, redshift or trino.")
    ],
    config: ConfigOption = Path("pql.yaml"),
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="As of this date or time; default: the moment the statement is run."),
    ] = None,
    definition: Annotated[
        Path | None,
        typer.Option(help="A YAML file with a definition; default: the one in force, else the champion's."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a definition as one SQL statement: who meets it, and what each condition saw. Its first column is the entity.

    The statement reads the tables that `pql.yaml` names, a file by its stem (`data/events.parquet` is `events`), and gives
    the same entities as `meets_definition` of `pql score`. The comment on top says what the tables must be. For what a
    training found: `pql criteria list --yaml > found.yaml`, then `pql criteria sql --definition found.yaml`.
    """
    from pql_model.workflows.criteria_sql import criteria_sql

    with Bars(err) as bars:
        result = criteria_sql(config, dialect=dialect, as_of=as_of, definition=definition, listener=bars)
    if not printed(result.to_dict(), as_json):
        sys.stdout.write(result.sql)
