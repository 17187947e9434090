"""Read a file of `pql score`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pql_model.decide.rows import columns_of

_TEXTS = dict.fromkeys(columns_of("text"), str)
"""Columns that a csv reader might turn into numbers: the id `0012` is not 12."""


def read_score_file(file: Path) -> pd.DataFrame:
    """Read scored rows, with the types that they were written with.

    Parameters
    ----------
    file
        A `.parquet` or `.csv` file of `pql score`.

    Raises
    ------
    OSError, ValueError, LookupError
        If it cannot be read; pyarrow's and pandas' errors about content are among them.
    """
    if file.suffix == ".csv":
        return pd.read_csv(file, dtype=_TEXTS, parse_dates=columns_of("time"), keep_default_na=False, na_values=[""])
    return pd.read_parquet(file)
