"""The latest batch scores by entity, read again when `pql score` has written new ones."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model.errors import DataError
from pql_model.sources.scalars import read_identifier
from pql_model.time import iso

_JSON = ("reasons", "criteria_met", "nearest_missing")
_TEXTS = dict.fromkeys(("entity", "model_version", "feature_set"), str)
"""What a csv would otherwise turn into numbers: an id `0012` is not 12."""
_TIMES = ["as_of", "scored_at"]


@dataclass(frozen=True)
class _Scores:
    """One file's rows: exchanged as one, so that no request sees the rows of one file and the places of another."""

    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    place: Mapping[str, int] = field(default_factory=dict)


class Lookup:
    """Scored rows by entity.

    Parameters
    ----------
    file
        What `pql score -o` writes, `.parquet` or `.csv`; None: there is nothing to look up. A file that is not there yet
        is waited for.
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
        """Read the file again if it has changed; whether it has.

        Raises
        ------
        DataError
            If it cannot be read; the rows before stay.
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
            rows = _read(self._file)
            names = rows["entity"].astype(str)
        except (OSError, ValueError, LookupError) as error:
            raise DataError(f"The batch scores cannot be read: {error}", received=self._file) from error
        self._scores = _Scores(rows, {name: k for k, name in enumerate(names)})
        self._stamp = stamp
        return True

    def find(self, names: Sequence[str]) -> dict[str, Any]:
        """The rows of these entities in the order asked for, and who has none. An id is read as everywhere: `12.0` is 12."""
        scores = self._scores
        places = [scores.place.get(read_identifier(name) or name) for name in names]
        found = scores.rows.iloc[[place for place in places if place is not None]]
        return {
            "rows": [{key: _plain(key, value) for key, value in row.items()} for row in found.to_dict("records")],
            "missing": [name for name, place in zip(names, places, strict=True) if place is None],
        }


def _read(file: Path) -> pd.DataFrame:
    if file.suffix == ".csv":
        return pd.read_csv(file, dtype=_TEXTS, parse_dates=_TIMES, keep_default_na=False, na_values=[""])
    return pd.read_parquet(file)


def _plain(key: Any, value: Any) -> Any:
    """As `/score` gives it: texts of JSON as what they say, times as texts, nothing as null."""
    if isinstance(value, pd.Timestamp):
        return iso(value.value // 1000)
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if key in _JSON and isinstance(value, str):
        return json.loads(value)
    return value.item() if hasattr(value, "item") else value
