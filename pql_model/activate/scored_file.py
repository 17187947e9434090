"""The rows that the last remembered run of `pql score` wrote, a few thousand at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from pql_model.activate.outbox import Run
from pql_model.decide.rows import COLUMNS, json_row
from pql_model.errors import DataError
from pql_model.time import parse_instant

_AT_ONCE = 5_000
_FLAGS = {"True": True, "False": False}


def scored_rows(run: Run, only_pqls: bool) -> Iterator[list[dict[str, Any]]]:
    """Read the rows of a run as JSON objects.

    Raises
    ------
    DataError
        If the file is gone, or another run has overwritten it.
    """
    path = Path(run.output)
    if not path.is_file():
        raise DataError("The rows of the last scoring run are gone", received=path, remedy="score again: `pql score`")
    try:
        for frame in _frames(path):
            if len(frame):
                _refuse_other_run(frame, run, path)
            chosen = frame[frame["is_pql"].fillna(False).astype(bool)] if only_pqls else frame
            yield [json_row(row) for row in chosen.to_dict("records")]
    except (OSError, ValueError, LookupError) as error:  # pyarrow's and pandas' errors about content are among them
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"The rows of the last scoring run cannot be read: {error}",
            received=path,
            remedy="score again: `pql score`",
        ) from error


def _frames(path: Path) -> Iterator[pd.DataFrame]:
    if path.suffix == ".csv":
        texts: Any = pd.read_csv(path, dtype="str", chunksize=_AT_ONCE, keep_default_na=False, na_values=[""])
        for frame in texts:
            yield frame.assign(**{name: _typed(frame[name], COLUMNS.get(name, "text")) for name in frame.columns})
        return
    for batch in pq.ParquetFile(path).iter_batches(_AT_ONCE):
        yield batch.to_pandas()


def _typed(texts: pd.Series[Any], kind: str) -> Any:
    if kind == "number":
        return texts.astype(float)
    if kind == "flag":
        return texts.map(_FLAGS).astype("boolean")
    return pd.to_datetime(texts, utc=True, format="ISO8601") if kind == "time" else texts


def _refuse_other_run(frame: pd.DataFrame, run: Run, path: Path) -> None:
    scored_at = frame["scored_at"].iloc[0].value // 1000
    if scored_at != parse_instant(run.scored_at):
        raise DataError(
            "The file holds the rows of another scoring run than the last remembered one",
            received=f"{path}, scored at {frame['scored_at'].iloc[0].isoformat()} instead of {run.scored_at}",
            remedy="score again: runs of an earlier instant, of another model, or that were interrupted are not remembered",
        )
