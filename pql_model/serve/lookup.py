"""The latest batch scores by entity, reloaded when `pql score` writes new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model.decide.rows import json_row
from pql_model.decide.score_file import read_score_file
from pql_model.errors import DataError
from pql_model.sources.id_forms import read_entity_id


@dataclass(frozen=True)
class _Scores:
    """Rows of one file and their index, replaced together, so that no request mixes two files."""

    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    position: Mapping[str, int] = field(default_factory=dict)


class Lookup:
    """Scored rows by entity.

    Parameters
    ----------
    file
        A file of `pql score -o`, `.parquet` or `.csv`; None without one. It may appear later.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._scores = _Scores()
        self.reload()

    @property
    def ready(self) -> bool:
        return self._stamp is not None

    def reload(self) -> bool:
        """Reload the file if it has changed, and return whether it had.

        Raises
        ------
        DataError
            If it cannot be read; the previous rows stay.
        """
        if self._file is None:
            return False
        try:
            stat = self._file.stat()
        except OSError:
            return False
        stamp = (stat.st_mtime_ns, stat.st_size)
        if stamp == self._stamp:
            return False
        try:
            rows = read_score_file(self._file)
            names = rows["entity"].astype(str)
        except (OSError, ValueError, LookupError) as error:
            raise DataError(f"The batch scores cannot be read: {error}", received=self._file) from error
        self._scores = _Scores(rows, {name: k for k, name in enumerate(names)})
        self._stamp = stamp
        return True

    def find(self, names: Sequence[str], forms: Sequence[str] = ()) -> dict[str, Any]:
        """Find the rows of entities, in order, and list entities without one.

        Parameters
        ----------
        names
            Ids, read as in the tables: `12.0` is 12.
        forms
            The spellings of ids that the product brings together.
        """
        scores = self._scores
        positions = [scores.position.get(read_entity_id(name, forms) or name) for name in names]
        rows = scores.rows.iloc[[position for position in positions if position is not None]]
        return {
            "rows": [json_row(row) for row in rows.to_dict("records")],
            "missing": [name for name, position in zip(names, positions, strict=True) if position is None],
        }
