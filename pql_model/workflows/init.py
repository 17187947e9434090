"""`pql init`: write a first `pql.yaml` from the data without asking questions."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model.atomic import atomic_write_text
from pql_model.discovery.draft import draft_config
from pql_model.discovery.sketch_table import sketch_table
from pql_model.errors import DataError
from pql_model.sources.duckdb_session import open_session


@dataclass(frozen=True)
class InitResult:
    """The path of the new config, one sentence per guess, and the questions that the data cannot answer."""

    path: Path
    notes: tuple[str, ...]
    questions: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"config": str(self.path), "notes": list(self.notes), "questions": list(self.questions)}


def init(
    events: Sequence[str | Path],
    entities: str | Path | None = None,
    conversions: str | Path | None = None,
    *,
    output: str | Path = "pql.yaml",
    name: str | None = None,
    force: bool = False,
) -> InitResult:
    """Write a first `pql.yaml` from the data.

    Parameters
    ----------
    events : sequence of str or Path
        Files or globs of events.
    entities, conversions : str or Path, optional
        A file or glob of each.
    output : str or Path
        The file to write. Paths in it are relative to its folder.
    name : str, optional
        Name of the product; default: the folder's name.
    force : bool
        Overwrite an existing file.

    Raises
    ------
    DataError
        If a file cannot be read, a required column cannot be recognised, or the output exists.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=200)
    >>> guess = init([folder / "events.parquet"], folder / "accounts.csv", folder / "subscriptions.csv",
    ...              output=folder / "guess.yaml")
    >>> pql_model.load_config(guess.path).motion
    'trial'
    """
    path = Path(output).resolve()
    if path.exists() and not force:
        raise DataError(
            "The config already exists",
            received=path,
            remedy="choose another file with `--output`, or overwrite it with `--force`",
        )
    home = path.parent
    home.mkdir(parents=True, exist_ok=True)  # first, because `..` of a missing folder cannot be resolved
    with open_session(keep_order=True) as con:
        logs = [
            sketch_table(con, _relative(table, home), home, f"events_{i}") for i, table in enumerate(_globs(events))
        ]
        sketches = {
            kind: sketch_table(con, _relative(table, home), home, kind)
            for kind, table in (("entities", entities), ("conversions", conversions))
            if table
        }
    draft = draft_config(name or home.name, logs, sketches.get("entities"), sketches.get("conversions"))
    atomic_write_text(path, draft.text)
    return InitResult(path, draft.notes, draft.questions)


def _globs(tables: Sequence[str | Path]) -> list[str]:
    """Replace files that differ only in a number by a glob, if the glob matches no other file."""
    families: dict[str, list[str]] = {}
    for table in map(str, tables):
        folder, name = os.path.split(table)
        families.setdefault(os.path.join(glob.escape(folder), re.sub(r"\d+", "*", glob.escape(name))), []).append(table)
    return [
        table
        for pattern, members in families.items()
        for table in ([pattern] if len(members) > 1 and set(glob.glob(pattern)) == set(members) else members)
    ]


def _relative(table: str | Path, home: Path) -> str:
    """The path relative to the config."""
    return os.path.relpath(Path(table).absolute(), home)
