"""Read a file of `pql score`, with the types that it was written with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model.decide.rows import COLUMNS

_AT_ONCE = 5_000
_FLAGS = {"True": True, "False": False}


def read_score_file(file: Path) -> pd.DataFrame:
    """Read scored rows.

    Parameters
    ----------
    file
        A `.parquet` or `.csv` file.

    Raises
    ------
    OSError, ValueError, LookupError
        If it cannot be read; pyarrow's and pandas' errors about content are among them.
    """
    if file.suffix == ".csv":
        return _with_types(pd.read_csv(file, dtype="str", keep_default_na=False, na_values=[""]))
    return pd.read_parquet(file)


def score_file_chunks(file: Path) -> Iterator[pd.DataFrame]:
    """Read scored rows a few thousand at a time; raises what `read_score_file` raises."""
    if file.suffix == ".csv":
        texts: Any = pd.read_csv(file, dtype="str", chunksize=_AT_ONCE, keep_default_na=False, na_values=[""])
        for frame in texts:
            yield _with_types(frame)
        return
    import pyarrow.parquet as pq  # here, because a service reads score files by this module and needs no pyarrow otherwise

    for batch in pq.ParquetFile(file).iter_batches(_AT_ONCE):
        yield batch.to_pandas()


def _with_types(texts: pd.DataFrame) -> pd.DataFrame:
    """Only a text such as the id `0012` is what stands in a csv file."""
    return texts.assign(**{name: _typed(texts[name], COLUMNS.get(name, "text")) for name in texts.columns})


def _typed(texts: pd.Series[Any], kind: str) -> Any:
    if kind == "number":
        return texts.astype(float)
    if kind == "flag":
        return texts.map(_FLAGS).astype("boolean")
    return pd.to_datetime(texts, utc=True, format="ISO8601") if kind == "time" else texts
