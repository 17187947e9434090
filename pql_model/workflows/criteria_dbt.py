"""`pql criteria dbt`: a definition as a model of a dbt project."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model.atomic import atomic_write_text
from pql_model.config.definition import Definition
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.criteria.definition_text import definition_json
from pql_model.criteria.sql import definition_statement
from pql_model.criteria.sql_dbt import MARK, dbt_model, model_name
from pql_model.criteria.sql_dialects import dialect_of
from pql_model.errors import DataError
from pql_model.progress import Listener
from pql_model.workflows.criteria_sql import checked_definition


@dataclass(frozen=True)
class DbtResult:
    """The files of a dbt model, and the definition it selects by."""

    name: str
    dialect: str
    files: tuple[Path, ...]
    definition: Definition

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `pql criteria dbt --json` prints."""
        files = [str(path) for path in self.files]
        return {
            "model": self.name,
            "dialect": self.dialect,
            "files": files,
            "definition": definition_json(self.definition),
        }


def criteria_dbt(
    config: Config | str | Path,
    *,
    dialect: str,
    output: str | Path | None = None,
    name: str | None = None,
    definition: Definition | str | Path | None = None,
    listener: Listener | None = None,
) -> DbtResult:
    """Write `models/NAME.sql` and `models/NAME.yml`: a dbt model of the entities at risk that meet a definition.

    The model selects the same rows as the statement of `criteria_sql`, as of the dbt variable `as_of`, or of now. The other
    file describes its sources and columns and tests them. Neither is sent anywhere.

    Parameters
    ----------
    config : Config or path
    dialect : str
        The warehouse of the dbt project: duckdb, postgres, bigquery, snowflake, databricks, redshift or trino.
    output : path, optional
        The folder of the dbt project; default: `dbt` beside the config.
    name : str, optional
        The model; default: `pql_` and the name of the product.
    definition : Definition or path, optional
        As of `criteria_sql`.
    listener : Listener, optional
        Receives progress.

    Raises
    ------
    DataError
        If the definition cannot be written as SQL, the name is not usable, or a file of that name was not written by pql.
    ModelNotFoundError
        If no definition is passed or in force, and there is no champion.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=100)
    >>> result = criteria_dbt(folder / "pql.yaml", dialect="duckdb")
    >>> [path.relative_to(folder).as_posix() for path in result.files]
    ['dbt/models/pql_nimbus_boards.sql', 'dbt/models/pql_nimbus_boards.yml']
    """
    config = config if isinstance(config, Config) else load_config(config)
    dialect_of(dialect)  # rejected before anything is read
    name = _checked(name if name is not None else model_name(config.name))
    folder = (Path(output) if output is not None else config.home / "dbt") / "models"
    files = (folder / f"{name}.sql", folder / f"{name}.yml")
    for path in files:
        _refuse_foreign(path)
    chosen, schema = checked_definition(config, definition, listener)
    resolved = chosen.definition
    statement = definition_statement(config, resolved, dialect, None, schema.columns, schema.lists)
    model = dbt_model(config, resolved, statement, name)
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in zip(files, (model.sql, model.schema), strict=True):
        atomic_write_text(path, text)
    return DbtResult(name, dialect, files, resolved)


def _checked(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise DataError(
            "A dbt model has another kind of name", received=name, allowed="letters, digits and underscores"
        )
    return name


def _refuse_foreign(path: Path) -> None:
    """Do not overwrite a file that was written by hand."""
    if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]:
        raise DataError(
            "A file of this name exists and was not written by pql",
            received=path,
            remedy="choose another `--name`, or move the file",
        )
