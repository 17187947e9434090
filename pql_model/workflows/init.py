"""`pql init`: look at the data and write `pql.yaml`, asking nothing."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model.atomic import atomic_write
from pql_model.discovery.draft import draft_config
from pql_model.discovery.sketch_table import sketch_table
from pql_model.errors import DataError
from pql_model.sources.duckdb_session import open_session


@dataclass(frozen=True)
class InitResult:
    """Where the config was written, and one sentence per guess."""

    path: Path
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"config": str(self.path), "notes": list(self.notes)}


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
    events, entities, conversions
        Files or globs.
    output
        Where to write; paths in it are relative to its folder.
    name
        Name of the product; default: the folder's name.
    force
        Overwrite an existing file.

    Raises
    ------
    DataError
        If a file cannot be read, a needed column cannot be recognised, or the output exists.

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
            "There is a config already",
            received=path,
            remedy="name another with `--output`, or overwrite it with `--force`",
        )
    home = path.parent
    home.mkdir(parents=True, exist_ok=True)  # first: `..` leads nowhere from a folder that does not exist
    with open_session(keep_order=True) as con:
        logs = [
            sketch_table(con, _relative(table, home), home, f"events_{i}") for i, table in enumerate(_globs(events))
        ]
        who = sketch_table(con, _relative(entities, home), home, "entities") if entities else None
        paid = sketch_table(con, _relative(conversions, home), home, "conversions") if conversions else None
    draft = draft_config(name or home.name, logs, who, paid)
    atomic_write(path, lambda at: at.write_text(draft.text, encoding="utf-8"))
    return InitResult(path, draft.notes)


def _globs(tables: Sequence[str | Path]) -> list[str]:
    """Files that differ in their number only, and are all there are, as the glob that names them."""
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
    """The path as it will stand in the config."""
    return os.path.relpath(Path(table).absolute(), home)
