"""The rows that the last remembered run of `pql score` wrote, a few thousand at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model.activate.outbox import Run
from pql_model.decide.rows import json_row
from pql_model.decide.score_file import score_file_chunks
from pql_model.errors import DataError
from pql_model.time import parse_instant


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
        for frame in score_file_chunks(path):
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


def _refuse_other_run(frame: pd.DataFrame, run: Run, path: Path) -> None:
    scored_at = frame["scored_at"].iloc[0].value // 1000
    if scored_at != parse_instant(run.scored_at):
        raise DataError(
            "The file holds the rows of another scoring run than the last remembered one",
            received=f"{path}, scored at {frame['scored_at'].iloc[0].isoformat()} instead of {run.scored_at}",
            remedy="score again: runs of an earlier instant, of another model, or that were interrupted are not remembered",
        )
