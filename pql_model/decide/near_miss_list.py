"""The list of those who lack one criterion of the definition, nearest first: for the people who help them with it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from pql_model.atomic import atomic_write
from pql_model.config.definition import Criterion
from pql_model.criteria.definition_text import progress_text
from pql_model.errors import DataError

COLUMNS = ("entity", "lacks", "value", "needed", "probability", "probability_if_met", "contact")


def near_miss_list(rows: pd.DataFrame) -> pd.DataFrame:
    """Select those of scored rows that lack one criterion.

    Returns
    -------
    DataFrame
        `COLUMNS`: `lacks` is how far they are, such as ``2 of 3 `Teammate Invited` in the first 7 days``.
    """
    listed = []
    for row in rows[["entity", "nearest_missing", "probability", "contact"]].itertuples(index=False):
        missing = json.loads(row.nearest_missing) if isinstance(row.nearest_missing, str) else None
        if missing is None or missing["lacking"] != 1:
            continue
        value, needed = missing["value"], missing["needed"]
        lacks = progress_text(Criterion.model_validate(missing["condition"]), value, needed)
        gap = abs(needed - (value or 0.0)) / max(abs(needed), 1.0)
        listed.append((gap, row.entity, lacks, value, needed, row.probability, missing["probability"], row.contact))
    frame = pd.DataFrame(listed, columns=["gap", *COLUMNS])
    return frame.sort_values(["gap", "probability", "entity"], ascending=[True, False, True], ignore_index=True)[
        [*COLUMNS]
    ]


def write_near_misses(path: Path, rows: pd.DataFrame) -> int:
    """Write the list as a CSV file, and return its length."""
    listed = near_miss_list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, lambda at: listed.to_csv(at, index=False))
    return len(listed)


def check_list_name(path: Path) -> None:
    """Refuse a file that is not a CSV file.

    Raises
    ------
    DataError
    """
    if path.suffix != ".csv":
        raise DataError("The list of near misses is a csv file", received=path, allowed="a name that ends in .csv")
